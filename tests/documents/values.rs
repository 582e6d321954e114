//! Values of the chart: those in the documents are those of the chart.

use std::fs;

use serde_json::Value;

use crate::pages::{page, pages};

#[test]
fn no_value_of_the_chart_is_invented() {
    let values = values();
    for page in pages().iter().filter(|page| !page.path.starts_with("chart")) {
        let mut named: Vec<_> = page.spans().into_iter().filter_map(|span| path(&values, span)).collect();
        for block in page.blocks() {
            if block.text.starts_with("# Values of the chart")
                || block.text.starts_with("# Values of this chart")
            {
                named.extend(leaves(&serde_saphyr::from_str(&block.text).unwrap()));
            }
        }
        for path in named {
            assert!(exists(&values, &path), "{} names {path}", page.path.display());
        }
    }
}

#[test]
fn the_value_that_sets_a_flag_is_one() {
    let (values, configure) = (values(), page("docs/configure.md"));
    for section in ["Solver", "Propagation", "Serving", "Log"] {
        for row in configure.rows(section).iter().filter(|row| row[0].starts_with("`--")) {
            assert!(exists(&values, row[4].trim_matches('`')), "{} for {}", row[4], row[0]);
        }
    }
}

fn values() -> Value {
    serde_saphyr::from_str(&fs::read_to_string("chart/values.yaml").unwrap()).unwrap()
}

/// The path of a value in a span such as `rbac.secrets.mode: names`; one without a dot could be anything.
fn path(values: &Value, span: &str) -> Option<String> {
    let path = span.split(':').next()?;
    let (first, _) = path.split_once('.')?;
    let is_path = path.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.');
    let is_other = matches!(path.rsplit('.').next(), Some("rs" | "webhook"));
    (is_path && !is_other && values.get(first).is_some()).then(|| path.to_owned())
}

/// The paths of all that a fragment sets.
fn leaves(fragment: &Value) -> Vec<String> {
    let Value::Object(fields) = fragment else {
        return Vec::new();
    };
    let paths = fields.iter().flat_map(|(key, value)| match leaves(value) {
        below if below.is_empty() => vec![key.clone()],
        below => below.iter().map(|path| format!("{key}.{path}")).collect(),
    });
    paths.collect()
}

fn exists(values: &Value, path: &str) -> bool {
    let mut at = values;
    for key in path.split('.') {
        if KUBERNETES.contains(&key) && values.get(key).is_some() {
            return true;
        }
        match at {
            // Free of form: what is in it is the user's.
            Value::Object(fields) if fields.is_empty() => return true,
            Value::Object(fields) if fields.contains_key(key) => at = &fields[key],
            _ => return false,
        }
    }
    true
}

/// Objects of Kubernetes' own, which the chart hands on.
const KUBERNETES: [&str; 2] = ["podSecurityContext", "securityContext"];
