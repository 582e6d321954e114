//! What a request asks for, in the words of a `SubjectAccessReview`.
//!
//! Sources: `pkg/endpoints/request/requestinfo.go` and `GetAuthorizerAttributes` of
//! `pkg/endpoints/filters/authorization.go` of `k8s.io/apiserver`.

mod selectors;

use std::borrow::Cow;

use super::request_header::percent_decode;

pub use selectors::Requirement;

/// What is reviewed; an empty field is left out of the review.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Attributes {
    /// Something below `/apis/GROUP/VERSION/`.
    Resource(ResourceAttributes),
    /// Any other path.
    NonResource {
        /// The method in lower case.
        verb: String,
        /// The decoded path.
        path: String,
    },
}

/// See [`Attributes::Resource`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the fields of `resourceAttributes`, under their own names")]
pub struct ResourceAttributes {
    pub verb: String,
    pub group: String,
    pub version: String,
    pub resource: String,
    pub subresource: String,
    pub namespace: String,
    pub name: String,
    pub field_selector: Vec<Requirement>,
    pub label_selector: Vec<Requirement>,
}

impl Attributes {
    /// Classifies a request by its method, its decoded path and its raw query.
    pub fn of(method: &str, path: &str, query: Option<&str>) -> Self {
        match resource(method, path, query.unwrap_or_default()) {
            Some(attributes) => Self::Resource(attributes),
            None => Self::NonResource { verb: method.to_ascii_lowercase(), path: path.to_owned() },
        }
    }

    /// The verb that is reviewed.
    pub fn verb(&self) -> &str {
        match self {
            Self::Resource(resource) => &resource.verb,
            Self::NonResource { verb, .. } => verb,
        }
    }
}

fn resource(method: &str, path: &str, query: &str) -> Option<ResourceAttributes> {
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    let (group, rest) = match parts.as_slice() {
        ["apis", group, rest @ ..] => (*group, rest),
        ["api", rest @ ..] => ("", rest),
        _ => return None,
    };
    let (version, mut rest) = match rest {
        [version, rest @ ..] if !rest.is_empty() => (*version, rest),
        _ => return None,
    };
    let mut verb = verb_of(method);
    let selectable = !matches!(rest, ["proxy" | "watch", ..]);
    if let [special @ ("proxy" | "watch"), after @ ..] = rest {
        (verb, rest) = (special, after);
    }
    let mut namespace = "";
    if let ["namespaces", name, after @ ..] = rest {
        namespace = name;
        // `namespaces/x/status` and `namespaces/x/finalize` are subresources of the namespace itself.
        if !matches!(after, [] | ["status" | "finalize", ..]) {
            rest = after;
        }
    }
    let part = |index: usize| rest.get(index).copied().unwrap_or_default();
    let mut name = part(1).to_owned();
    let subresource = if matches!(verb, "proxy" | "watch") { "" } else { part(2) };
    let query = Query(query);
    let fields = query.value("fieldSelector").map(|text| selectors::fields(&text));
    let labels = query.value("labelSelector").map(|text| selectors::labels(&text));
    let verb = match verb {
        "get" if name.is_empty() => {
            // A list of one name is asked for by name, unless anything about the list can't be read.
            let readable = query.is_of_a_list() && !matches!(labels, Some(None));
            if let (true, Some(Some(fields))) = (readable, &fields) {
                selectors::exact(fields, "metadata.name")
                    .filter(is_segment)
                    .unwrap_or_default()
                    .clone_into(&mut name);
            }
            if query.watches() { "watch" } else { "list" }
        }
        "delete" if name.is_empty() => "deletecollection",
        verb => verb,
    };
    let selectable = selectable && matches!(verb, "list" | "watch" | "deletecollection");
    let selected =
        |selector: Option<Option<_>>| selector.flatten().filter(|_| selectable).unwrap_or_default();
    Some(ResourceAttributes {
        verb: verb.to_owned(),
        group: group.to_owned(),
        version: version.to_owned(),
        resource: part(0).to_owned(),
        subresource: subresource.to_owned(),
        namespace: namespace.to_owned(),
        name,
        field_selector: selected(fields),
        label_selector: selected(labels),
    })
}

fn verb_of(method: &str) -> &'static str {
    match method {
        "POST" => "create",
        "GET" | "HEAD" => "get",
        "PUT" => "update",
        "PATCH" => "patch",
        "DELETE" => "delete",
        _ => "",
    }
}

/// `IsPathSegmentName` of `k8s.io/apimachinery`.
fn is_segment(name: &&str) -> bool {
    !matches!(*name, "." | "..") && !name.contains(['/', '%'])
}

/// A raw query.
#[derive(Clone, Copy)]
struct Query<'a>(&'a str);

impl Query<'_> {
    /// The first value of a key, decoded.
    fn value(self, key: &str) -> Option<String> {
        let decode = |text: &str| {
            let spaced: Cow<'_, str> = text.replace('+', " ").into();
            percent_decode(&spaced).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        };
        // As Go's `url.ParseQuery`: what can't be decoded is not there.
        let pairs = self.0.split('&').filter(|pair| !pair.contains(';'));
        pairs
            .filter_map(|pair| {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                Some((decode(name)?, decode(value)?))
            })
            .find_map(|(name, value)| (name == key).then_some(value))
    }

    /// `?watch` with any value but `false` and `0`.
    fn watches(self) -> bool {
        self.value("watch").is_some_and(|value| !value.eq_ignore_ascii_case("false") && value != "0")
    }

    /// Whether its numbers are numbers (`ListOptions`).
    fn is_of_a_list(self) -> bool {
        let is_number = |value: String| value.is_empty() || value.parse::<i64>().is_ok();
        ["limit", "timeoutSeconds"].into_iter().filter_map(|key| self.value(key)).all(is_number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `verb group version resource subresource namespace name`, or `verb path`.
    fn of(method: &str, path: &str) -> String {
        match Attributes::of(method, path, None) {
            Attributes::Resource(r) => format!(
                "{} {} {} {} {} {} {}",
                r.verb, r.group, r.version, r.resource, r.subresource, r.namespace, r.name
            ),
            Attributes::NonResource { verb, path } => format!("{verb} {path}"),
        }
    }

    #[test]
    fn requests_are_classified_as_the_original_does() {
        for (method, path, expected) in [
            ("POST", "/apis/g/v1alpha1/s", "create g v1alpha1 s   "),
            ("GET", "/apis/g/v1alpha1/s", "list g v1alpha1 s   "),
            ("HEAD", "/apis/g/v1alpha1/s/x", "get g v1alpha1 s   x"),
            ("PUT", "/apis/g/v1alpha1/s/x/status", "update g v1alpha1 s status  x"),
            ("PATCH", "/apis/g/v1alpha1/s/x", "patch g v1alpha1 s   x"),
            ("DELETE", "/apis/g/v1alpha1/s", "deletecollection g v1alpha1 s   "),
            ("DELETE", "/apis/g/v1alpha1/s/x", "delete g v1alpha1 s   x"),
            ("OPTIONS", "/apis/g/v1alpha1/s", " g v1alpha1 s   "),
            ("POST", "/apis/g/v1alpha1/namespaces/ns/s", "create g v1alpha1 s  ns "),
            ("GET", "/apis/g/v1alpha1/namespaces/ns", "get g v1alpha1 namespaces  ns ns"),
            ("GET", "/apis/g/v1alpha1/namespaces/ns/status", "get g v1alpha1 namespaces status ns ns"),
            ("GET", "/apis/g/v1alpha1/watch/s", "watch g v1alpha1 s   "),
            ("GET", "/api/v1/pods", "list  v1 pods   "),
            ("GET", "/apis/g/v1alpha1", "get /apis/g/v1alpha1"),
            ("GET", "/apis/g/v1alpha1/", "get /apis/g/v1alpha1/"),
            ("GET", "/apis", "get /apis"),
            ("GET", "/metrics", "get /metrics"),
            ("GET", "/", "get /"),
            ("POST", "/foo/g/v1alpha1/s", "post /foo/g/v1alpha1/s"),
        ] {
            assert_eq!(of(method, path), expected, "{method} {path}");
        }
    }

    #[test]
    fn a_watch_is_no_list() {
        for (query, verb) in
            [("watch=true", "watch"), ("a=b&watch", "watch"), ("watch=0", "list"), ("w=1", "list")]
        {
            let attributes = Attributes::of("GET", "/apis/g/v1/s", Some(query));
            assert_eq!(attributes.verb(), verb, "{query}");
        }
    }

    #[test]
    fn selectors_narrow_what_can_be_listed() {
        for (method, path, query, expected) in [
            ("GET", "s", "fieldSelector=metadata.name%3Dx&labelSelector=a+in+(b)", "list x 1 1"),
            ("DELETE", "s", "fieldSelector=a%3Db&fieldSelector=c%3Dd", "deletecollection  1 0"),
            ("GET", "s", "fieldSelector=metadata.name%3Dx&labelSelector=a%3D-", "list  1 0"),
            ("GET", "s", "fieldSelector=metadata.name%3Dx&limit=many", "list  1 0"),
            ("GET", "s", "fieldSelector=metadata.name%3Dx&limit=10", "list x 1 0"),
            ("GET", "s", "fieldSelector=metadata.name%3Dx&timeoutSeconds=", "list x 1 0"),
            ("GET", "s", "fieldSelector=metadata.name%3D..", "list  1 0"),
            ("GET", "s", "fieldSelector=%zz&labelSelector=a;b", "list  0 0"),
            ("GET", "s/y", "fieldSelector=metadata.name%3Dx", "get y 0 0"),
            ("POST", "s", "fieldSelector=metadata.name%3Dx", "create  0 0"),
            ("GET", "watch/s", "fieldSelector=metadata.name%3Dx", "watch  0 0"),
        ] {
            let Attributes::Resource(r) = Attributes::of(method, &format!("/apis/g/v1/{path}"), Some(query))
            else {
                panic!("{path} is no resource");
            };
            let seen = format!("{} {} {} {}", r.verb, r.name, r.field_selector.len(), r.label_selector.len());
            assert_eq!(seen, expected, "{method} {path} {query}");
        }
    }
}
