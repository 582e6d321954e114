//! What a request asks for, in the words of a `SubjectAccessReview`.
//!
//! Source: `pkg/endpoints/request/requestinfo.go` of `k8s.io/apiserver`. Field and label selectors, which the
//! original adds to reviews of `list` and `watch`, are left out: nothing here can be listed.

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
    let name = part(1);
    let subresource = if matches!(verb, "proxy" | "watch") { "" } else { part(2) };
    let verb = match verb {
        "get" if name.is_empty() && watches(query) => "watch",
        "get" if name.is_empty() => "list",
        "delete" if name.is_empty() => "deletecollection",
        verb => verb,
    };
    Some(ResourceAttributes {
        verb: verb.to_owned(),
        group: group.to_owned(),
        version: version.to_owned(),
        resource: part(0).to_owned(),
        subresource: subresource.to_owned(),
        namespace: namespace.to_owned(),
        name: name.to_owned(),
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

/// `?watch` with any value but `false` and `0`.
fn watches(query: &str) -> bool {
    query
        .split('&')
        .find_map(|pair| match pair.split_once('=') {
            Some(("watch", value)) => Some(!value.eq_ignore_ascii_case("false") && value != "0"),
            None if pair == "watch" => Some(true),
            _ => None,
        })
        .unwrap_or(false)
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
}
