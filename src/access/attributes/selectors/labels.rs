//! Label selectors: `a=b,c!=d,e in (f,g),h notin (i),j,!k`.
//!
//! Source: `pkg/labels/selector.go` of `k8s.io/apimachinery`.

use std::collections::VecDeque;

use super::Requirement;

/// Reads a label selector; `None` if it is none. `>` and `<` are read, and left out.
pub(in crate::access::attributes) fn labels(text: &str) -> Option<Vec<Requirement>> {
    let mut tokens = scan(text);
    let mut requirements = Vec::new();
    while let Some(token) = tokens.next() {
        requirements.extend(requirement(token, &mut tokens)?);
        match tokens.next() {
            None => break,
            Some(",") if tokens.peek().is_some() => {}
            Some(_) => return None,
        }
    }
    requirements.sort_by(|a, b| a.key.cmp(&b.key));
    Some(requirements)
}

/// One, or none where no review can say it; `None` if it can't be read.
fn requirement(first: &str, tokens: &mut Tokens<'_>) -> Option<Vec<Requirement>> {
    let absent = first == "!";
    let key = if absent { tokens.next()? } else { first };
    if !is_key(key) {
        return None;
    }
    let made = |operator, values| Some(vec![Requirement { key: key.to_owned(), operator, values }]);
    if absent {
        return made("DoesNotExist", Vec::new());
    }
    if matches!(tokens.peek(), None | Some(",")) {
        return made("Exists", Vec::new());
    }
    match tokens.next()? {
        "=" | "==" => made("In", vec![exact(tokens)?]),
        "!=" => made("NotIn", vec![exact(tokens)?]),
        "in" => made("In", set(tokens)?),
        "notin" => made("NotIn", set(tokens)?),
        ">" | "<" => exact(tokens)?.parse::<i64>().ok().map(|_| Vec::new()),
        _ => None,
    }
}

/// One value, which may be empty.
fn exact(tokens: &mut Tokens<'_>) -> Option<String> {
    match tokens.peek() {
        None | Some(",") => Some(String::new()),
        Some(_) => tokens.next().filter(|value| is_value(value)).map(str::to_owned),
    }
}

/// `(a,b)`; where a value is missing, it is the empty one.
fn set(tokens: &mut Tokens<'_>) -> Option<Vec<String>> {
    if tokens.next()? != "(" {
        return None;
    }
    let mut values = Vec::new();
    loop {
        let value = match tokens.peek()? {
            "," | ")" => "",
            _ => tokens.next().filter(|value| is_value(value))?,
        };
        values.push(value.to_owned());
        match tokens.next()? {
            "," => {}
            ")" => break,
            _ => return None,
        }
    }
    values.sort_unstable();
    values.dedup();
    Some(values)
}

struct Tokens<'a>(VecDeque<&'a str>);

impl<'a> Tokens<'a> {
    fn next(&mut self) -> Option<&'a str> {
        self.0.pop_front()
    }

    fn peek(&self) -> Option<&'a str> {
        self.0.front().copied()
    }
}

/// Signs, and what stands between them and blanks.
fn scan(text: &str) -> Tokens<'_> {
    let mut tokens = VecDeque::new();
    let mut rest = text.trim_start_matches(BLANK);
    while !rest.is_empty() {
        let length = match rest.find(|c| BLANK.contains(&c) || SIGNS.contains(c)) {
            Some(0) if rest.starts_with("==") || rest.starts_with("!=") => 2,
            Some(0) => 1,
            Some(end) => end,
            None => rest.len(),
        };
        tokens.push_back(&rest[..length]);
        rest = rest[length..].trim_start_matches(BLANK);
    }
    Tokens(tokens)
}

/// `[DNS subdomain /] name` (`IsQualifiedName` of `pkg/util/validation`).
fn is_key(key: &str) -> bool {
    let (prefix, name) = key.split_once('/').map_or((None, key), |(prefix, name)| (Some(prefix), name));
    prefix.is_none_or(is_subdomain) && !name.is_empty() && is_value(name)
}

fn is_subdomain(name: &str) -> bool {
    let label = |label: &str| {
        let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        !label.is_empty() && label.bytes().all(inner) && !label.starts_with('-') && !label.ends_with('-')
    };
    name.len() <= 253 && name.split('.').all(label)
}

/// Empty, or letters and digits at both ends, and `-`, `_` and `.` between them.
fn is_value(value: &str) -> bool {
    let ends = |byte: Option<&u8>| byte.is_none_or(u8::is_ascii_alphanumeric);
    let bytes = value.as_bytes();
    bytes.len() <= 63
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte))
        && ends(bytes.first())
        && ends(bytes.last())
}

const BLANK: [char; 4] = [' ', '\t', '\r', '\n'];
const SIGNS: &str = "=!(),><";

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<String> {
        let one = |r: Requirement| format!("{} {} {}", r.key, r.operator, r.values.join("|"));
        labels(text).map(|requirements| requirements.into_iter().map(one).collect::<Vec<_>>().join(" & "))
    }

    #[test]
    fn label_selectors_are_read_as_the_original_does() {
        for (text, expected) in [
            ("", Some("")),
            ("b=2, a == 1", Some("a In 1 & b In 2")),
            ("a!=1,b,!c", Some("a NotIn 1 & b Exists  & c DoesNotExist ")),
            ("x in (foo,,baz),y,z notin ()", Some("x In |baz|foo & y Exists  & z NotIn ")),
            ("x in (a,b,)", Some("x In |a|b")),
            ("x in (,)", Some("x In ")),
            ("in in (in,notin)", Some("in In in|notin")),
            ("in", Some("in Exists ")),
            ("notin=in", Some("notin In in")),
            ("a=,b", Some("a In  & b Exists ")),
            ("example.com/a=b", Some("example.com/a In b")),
            ("ex-1.com/a,x,!y", Some("ex-1.com/a Exists  & x Exists  & y DoesNotExist ")),
            ("a>1,b<2,c", Some("c Exists ")),
            ("a>x", None),
            ("a>=1", None),
            ("a,", None),
            (",a", None),
            ("a b", None),
            ("a=b c", None),
            ("a=b=c", None),
            ("a===b", None),
            ("a!==b", None),
            ("a=!b", None),
            ("a!b", None),
            ("!a=b", None),
            ("!", None),
            ("a=<", None),
            ("a=(b)", None),
            ("x in (a", None),
            ("x in a", None),
            ("-a", None),
            ("a=-", None),
            ("x in (-a)", None),
            ("x in (!)", None),
            ("a,=b", None),
            ("a,,b", None),
            ("ex-/a", None),
            ("-ex/a", None),
            ("ex..com/a", None),
            ("Example/a", None),
        ] {
            assert_eq!(read(text).as_deref(), expected, "{text}");
        }
    }
}
