//! `Accept`, as far as JSON is concerned.
//!
//! Source: `pkg/endpoints/handlers/negotiation/negotiate.go` of `k8s.io/apiserver`.

use http::HeaderMap;
use http::header::ACCEPT;

/// A form of JSON that the caller reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// The object itself.
    Plain,
    /// `APIGroupDiscoveryList` of `apidiscovery.k8s.io`.
    Aggregated(Aggregated),
}

/// A version of the aggregated discovery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Aggregated {
    V2,
    V2Beta1,
}

/// The forms of JSON that the caller reads, those they prefer first. Without the header it is the plain one; empty if
/// they read no JSON at all.
pub(super) fn forms(headers: &HeaderMap) -> Vec<Form> {
    let mut clauses = Vec::new();
    let mut any = false;
    for value in headers.get_all(ACCEPT) {
        // What is no text names no media type.
        for clause in value.to_str().unwrap_or_default().split(',') {
            any |= !clause.trim().is_empty();
            clauses.extend(parse(clause));
        }
    }
    if !any {
        return vec![Form::Plain];
    }
    // Stable: of equal quality, the first one counts.
    clauses.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    clauses.into_iter().map(|(_, form)| form).collect()
}

/// Whether JSON as such is among them.
pub(super) fn reads_json(headers: &HeaderMap) -> bool {
    forms(headers).contains(&Form::Plain)
}

fn parse(clause: &str) -> Option<(f32, Form)> {
    let mut parts = clause.split(';').map(str::trim);
    let media = parts.next()?;
    let json = ["application/json", "application/*", "*/*"];
    if !json.iter().any(|known| media.eq_ignore_ascii_case(known)) {
        return None;
    }
    let (mut quality, mut as_kind, mut group, mut version) = (1.0, "", "", "");
    for (key, value) in parts.filter_map(|part| part.split_once('=')) {
        match key.trim() {
            "q" => quality = value.trim().parse().unwrap_or(1.0),
            "as" => as_kind = value.trim(),
            "g" => group = value.trim(),
            "v" => version = value.trim(),
            _ => {}
        }
    }
    let form = match (as_kind, group, version) {
        ("", "", "") => Form::Plain,
        ("APIGroupDiscoveryList", "apidiscovery.k8s.io", "v2") => Form::Aggregated(Aggregated::V2),
        ("APIGroupDiscoveryList", "apidiscovery.k8s.io", "v2beta1") => Form::Aggregated(Aggregated::V2Beta1),
        // A conversion that is not offered (a Table, say) makes the clause unusable.
        _ => return None,
    };
    Some((quality, form))
}

#[cfg(test)]
mod tests {
    use super::*;
    use Aggregated::{V2, V2Beta1};

    #[test]
    fn the_preferred_form_comes_first() {
        let aggregated = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,\
                          application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList";
        for (accept, expected) in [
            ("", vec![Form::Plain]),
            ("application/json", vec![Form::Plain]),
            ("application/vnd.kubernetes.protobuf, */*", vec![Form::Plain]),
            ("application/cbor,application/json", vec![Form::Plain]),
            ("application/vnd.kubernetes.protobuf", vec![]),
            ("application/json;as=Table;g=meta.k8s.io;v=v1, application/json", vec![Form::Plain]),
            (aggregated, vec![Form::Aggregated(V2), Form::Aggregated(V2Beta1)]),
            (
                "application/json;q=0.1, APPLICATION/JSON;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList;q=0.9",
                vec![Form::Aggregated(V2Beta1), Form::Plain],
            ),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT, accept.parse().unwrap());
            assert_eq!(forms(&headers), expected, "{accept}");
        }
        assert_eq!(forms(&HeaderMap::new()), [Form::Plain]);
    }
}
