//! YAML, in and out.

use serde::de::DeserializeSeed;
use serde_json::Value;
use serde_saphyr::Options;
use serde_saphyr::options::DuplicateKeyPolicy;

/// Reads one document. The error is a text for the caller, without anything of the document.
pub(super) fn read<'de, S: DeserializeSeed<'de>>(text: &'de str, seed: S) -> Result<S::Value, String> {
    let read =
        serde_saphyr::with_deserializer_from_str_with_options(text, options(), |yaml| seed.deserialize(yaml));
    read.map_err(|error| error.to_string())
}

/// Writes a document, in the order of its keys.
pub(super) fn write(value: &Value) -> Result<Vec<u8>, String> {
    serde_saphyr::to_string(value).map(String::into_bytes).map_err(|error| error.to_string())
}

/// A payload has a few dozen nodes. What an alias stands for is counted each time, so that a document does not grow
/// beyond its bytes by much.
fn options() -> Options {
    let budget = serde_saphyr::budget! {
        max_events: NODES,
        max_nodes: NODES,
        max_aliases: ALIASES,
        max_anchors: ALIASES,
        max_recorded_anchor_events: NODES,
        max_recorded_anchor_bytes: BYTES,
        max_total_scalar_bytes: BYTES,
        max_depth: DEPTH,
        flow_nesting_limit: DEPTH,
        max_documents: 1,
        max_merge_keys: ALIASES,
    };
    let limits = serde_saphyr::alias_limits! { max_total_replayed_events: NODES };
    serde_saphyr::options! {
        budget: budget,
        alias_limits: limits,
        // The reader of the fields tells of them.
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        legacy_octal_numbers: true,
        with_snippet: false,
    }
}

const NODES: usize = 50_000;
const ALIASES: usize = 1000;
/// A body may have 3 MiB.
const BYTES: usize = 4 * 1024 * 1024;
/// As `serde_json`.
const DEPTH: usize = 128;

#[cfg(test)]
mod tests {
    use std::marker::PhantomData;

    use super::*;

    fn value(text: &str) -> Result<Value, String> {
        read(text, PhantomData::<Value>)
    }

    #[test]
    fn a_document_that_grows_is_refused() {
        let mut bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n".to_owned();
        for level in 1..8 {
            let below = vec![format!("*a{}", level - 1); 10].join(",");
            bomb.extend([&format!("a{level}: &a{level} ["), &below, "]\n"]);
        }
        assert!(value(&bomb).is_err());
        let long = "x".repeat(100_000);
        let copies = |count: usize| format!("a: &a {long}\nb: [{}]", vec!["*a"; count].join(","));
        assert!(value(&copies(30)).is_ok() && value(&copies(50)).is_err());
        assert!(value(&"[".repeat(1 << 20)).is_err());
        assert!(value(&format!("[{}]", "1,".repeat(NODES))).is_err());
        assert!(value("a: &x [1]\nb: *x\nc: {<<: {d: 1}}").is_ok());
    }

    #[test]
    fn errors_hold_nothing_of_the_document() {
        for text in ["secret: [", "a: 1\n---\nb: secret", "? [secret]\n: 1", "secret: .inf"] {
            let error = value(text).unwrap_err();
            assert!(!error.contains("secret"), "{error}");
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let value = serde_json::json!({
            "a": "yes", "b": "1e3", "c": "0x1f", "d": ["- x", "", " ", "a\nb\n", "a: b", "#", "é\u{1}", null], "e": {},
            "f": 1.5, "g": u64::MAX, "no": true, "1": "~",
        });
        let text = String::from_utf8(write(&value).unwrap()).unwrap();
        assert_eq!(self::value(&text), Ok(value), "{text}");
        assert!(text.contains("\"yes\""), "to YAML 1.1 it would be something else: {text}");
    }
}
