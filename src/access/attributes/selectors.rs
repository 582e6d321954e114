//! The field and label selectors of `list`, `watch` and `deletecollection`, as their reviews spell them.
//!
//! A selector narrows what is asked for, so one that can't be read is left out: the review is of more then.
//!
//! Sources: `pkg/fields/selector.go` of `k8s.io/apimachinery`, `fieldSelectorToAuthorizationAPI` and
//! `labelSelectorToAuthorizationAPI` of `plugin/pkg/authorizer/webhook/webhook.go`.

mod labels;

pub(super) use labels::labels;

/// One condition; all of a selector's must hold.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Requirement {
    /// The field or the label.
    pub key: String,
    /// `In`, `NotIn`, `Exists` or `DoesNotExist`.
    pub operator: &'static str,
    /// Sorted; none for the last two.
    pub values: Vec<String>,
}

/// Reads a field selector; `None` if it is none.
pub(super) fn fields(text: &str) -> Option<Vec<Requirement>> {
    let mut terms = terms(text);
    terms.sort_unstable();
    terms.into_iter().filter(|term| !term.is_empty()).map(field).collect()
}

/// The value that a field must have by such a selector.
pub(super) fn exact<'a>(requirements: &'a [Requirement], field: &str) -> Option<&'a str> {
    let mut named = requirements.iter().filter(|requirement| requirement.key == field);
    named.find(|requirement| requirement.operator == "In")?.values.first().map(String::as_str)
}

/// What stands between the commas that are not escaped.
fn terms(text: &str) -> Vec<&str> {
    let (mut terms, mut start, mut escaped) = (Vec::new(), 0, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            ',' => {
                terms.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    terms.push(&text[start..]);
    terms
}

/// `key!=value`, `key==value` or `key=value`, whichever comes first.
fn field(term: &str) -> Option<Requirement> {
    let (at, (sign, operator)) = term.char_indices().find_map(|(at, _)| {
        let signs = [("!=", "NotIn"), ("==", "In"), ("=", "In")];
        signs.into_iter().find(|(sign, _)| term[at..].starts_with(sign)).map(|sign| (at, sign))
    })?;
    let value = unescape(&term[at + sign.len()..])?;
    Some(Requirement { key: term[..at].to_owned(), operator, values: vec![value] })
}

/// `\`, `,` and `=` of a value are escaped by `\`, and nothing else is.
fn unescape(text: &str) -> Option<String> {
    let mut value = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => value.push(chars.next().filter(|c| "\\,=".contains(*c))?),
            ',' | '=' => return None,
            c => value.push(c),
        }
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<String> {
        let one = |r: Requirement| format!("{} {} {:?}", r.key, r.operator, r.values);
        fields(text).map(|requirements| requirements.into_iter().map(one).collect::<Vec<_>>().join(" & "))
    }

    #[test]
    fn field_selectors_are_read_as_the_original_does() {
        for (text, expected) in [
            ("", Some("")),
            ("metadata.name=x", Some(r#"metadata.name In ["x"]"#)),
            ("b!=2,a==1,", Some(r#"a In ["1"] & b NotIn ["2"]"#)),
            (r"a=1\,2\=\\", Some(r#"a In ["1,2=\\"]"#)),
            ("a=", Some(r#"a In [""]"#)),
            ("a", None),
            (r"a=\x", None),
            (r"a=\", None),
            ("a=b=c", None),
        ] {
            assert_eq!(read(text).as_deref(), expected, "{text}");
        }
        let both = fields("metadata.name!=x,metadata.name=y").unwrap();
        assert_eq!(exact(&both, "metadata.name"), Some("y"));
        assert_eq!(exact(&both, "metadata.namespace"), None);
    }
}
