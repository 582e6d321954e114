//! The examples: YAML that is YAML, and issuers that the program takes.

use cert_manager_webhook_cloudflare::issuer::IssuerConfig;
use serde_json::Value;

use crate::pages::pages;

#[test]
fn every_example_of_an_issuer_is_accepted() {
    let mut issuers = 0;
    for page in pages() {
        for block in page.blocks().iter().filter(|block| block.language == "yaml") {
            let place = format!("{}:{}", page.path.display(), block.line);
            let documents: Vec<Value> =
                serde_saphyr::from_multiple(&block.text).unwrap_or_else(|error| panic!("{place}: {error}"));
            for document in &documents {
                is_complete(document, &place);
                for config in configs(document, &place) {
                    IssuerConfig::parse(config, false).unwrap_or_else(|error| panic!("{place}: {error}"));
                    issuers += 1;
                }
            }
        }
    }
    assert!(issuers >= 20, "only {issuers} issuers were found");
}

/// A manifest says what it is and has a name; what has no kind is a part of one, or values of a chart.
fn is_complete(document: &Value, place: &str) {
    if document.get("kind").is_some() {
        for field in ["/apiVersion", "/metadata/name"] {
            assert!(document.pointer(field).is_some_and(Value::is_string), "{place}: no {field}");
        }
    }
}

/// The configurations for this solver, however deep; `None` for one that has none.
fn configs<'a>(value: &'a Value, place: &str) -> Vec<Option<&'a Value>> {
    match value {
        Value::Object(fields) => {
            if let Some(solver) = fields.get("solverName") {
                assert_eq!(solver, "cloudflare", "{place}");
                assert_eq!(fields.get("groupName").and_then(Value::as_str), Some(GROUP), "{place}");
                return vec![fields.get("config")];
            }
            if let (Some(config), 1) = (fields.get("config"), fields.len()) {
                return vec![Some(config)];
            }
            fields.values().flat_map(|value| configs(value, place)).collect()
        }
        Value::Array(values) => values.iter().flat_map(|value| configs(value, place)).collect(),
        _ => Vec::new(),
    }
}

const GROUP: &str = "cloudflare.dns01.webhook";
