//! `metav1.CreateOptions` of a request.
//!
//! Source: `pkg/apis/meta/v1/validation/validation.go` of `k8s.io/apimachinery`.

use super::failure::{Cause, Failure};
use super::query::Query;
use super::quote::{is_printable, quote};
use super::status;

/// What to do about unknown and duplicate fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FieldValidation {
    Ignore,
    Warn,
    Strict,
}

impl FieldValidation {
    /// Of the options this alone has an effect, and a dry run is refused: the solver can't be tried without doing its
    /// work. The original does the work.
    pub(super) fn read(query: &Query) -> Result<Self, Failure> {
        let mut causes = manager(query.get("fieldManager").unwrap_or_default());
        let dry_run: Vec<_> = query.all("dryRun").collect();
        if dry_run.iter().any(|value| *value != "All") {
            // Strings always serialize.
            let value = serde_json::to_string(&dry_run).unwrap_or_default();
            causes.push(unsupported("dryRun", &value, "\"All\""));
        }
        let validation = match query.get("fieldValidation").unwrap_or_default() {
            "" | "Warn" => Self::Warn,
            "Ignore" => Self::Ignore,
            "Strict" => Self::Strict,
            other => {
                causes.push(unsupported("fieldValidation", &quote(other), VALIDATIONS));
                Self::Strict
            }
        };
        if !causes.is_empty() {
            return Err(status::invalid("meta.k8s.io", "CreateOptions", causes));
        }
        if !dry_run.is_empty() {
            return Err(status::bad_request(
                "dryRun is not supported: a challenge can't be presented for show",
            ));
        }
        Ok(validation)
    }
}

/// `ValidateFieldManager`
fn manager(name: &str) -> Vec<Cause> {
    let field = "fieldManager";
    let mut causes = Vec::new();
    if name.len() > LONGEST_MANAGER {
        let message = format!("Too long: may not be more than {LONGEST_MANAGER} bytes");
        causes.push(Cause { reason: "FieldValueTooLong", message, field });
    }
    let hidden = name.char_indices().filter(|(_, c)| !is_printable(*c)).take(MOST_CAUSES);
    causes.extend(hidden.map(|(at, c)| {
        let (value, code) = (quote(name), u32::from(c));
        let message = format!("Invalid value: {value}: invalid character U+{code:04X} (at position {at})");
        Cause { reason: "FieldValueInvalid", message, field }
    }));
    causes
}

fn unsupported(field: &'static str, value: &str, supported: &str) -> Cause {
    let message = format!("Unsupported value: {value}: supported values: {supported}");
    Cause { reason: "FieldValueNotSupported", message, field }
}

const LONGEST_MANAGER: usize = 128;
/// Each repeats the whole value.
const MOST_CAUSES: usize = LONGEST_MANAGER;
const VALIDATIONS: &str = r#""", "Ignore", "Strict", "Warn""#;
