//! Query strings: filters, order and pages of lists.

use crate::envelope::ResultInfo;
use crate::records::RecordView;
use crate::settings::Switches;
use crate::txt;

/// A decoded query string.
#[derive(Clone, Debug, Default)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    pub(crate) fn parse(query: &str) -> Self {
        Self(form_urlencoded::parse(query.as_bytes()).into_owned().collect())
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn number(&self, name: &str) -> Option<usize> {
        self.get(name).and_then(|text| text.parse().ok())
    }

    /// Whether a record is asked for; `match=all` (the default) or `any` of the filters. [D]
    pub(crate) fn selects(&self, record: &RecordView, switches: &Switches) -> bool {
        let mut verdicts =
            self.0.iter().filter_map(|(key, value)| verdict(record, key, value, switches)).peekable();
        if self.get("match") == Some("any") && verdicts.peek().is_some() {
            return verdicts.any(|verdict| verdict);
        }
        verdicts.all(|verdict| verdict)
    }

    /// Puts records in the order asked for; `type` when none is. [D]
    pub(crate) fn sort(&self, records: &mut [&RecordView]) {
        match self.get("order") {
            Some("name") => records.sort_by(|a, b| a.name.cmp(&b.name)),
            Some("content") => records.sort_by(|a, b| a.content.cmp(&b.content)),
            Some("ttl") => records.sort_by_key(|record| record.ttl),
            Some("proxied") => records.sort_by_key(|record| record.proxied),
            _ => records.sort_by(|a, b| a.kind.cmp(&b.kind)),
        }
        if self.get("direction") == Some("desc") {
            records.reverse();
        }
    }
}

/// One page of a list.
pub(crate) fn page<'a, T>(all: &'a [T], query: &Query, per_page: usize) -> (&'a [T], ResultInfo) {
    let number = query.number("page").unwrap_or(1).max(1);
    let start = (number - 1).saturating_mul(per_page).min(all.len());
    let end = start.saturating_add(per_page).min(all.len());
    let part = all.get(start..end).unwrap_or_default();
    let info = ResultInfo {
        page: number,
        per_page,
        count: part.len(),
        total_count: all.len(),
        total_pages: all.len().div_ceil(per_page),
    };
    (part, info)
}

/// What one filter says of a record; `None` for a parameter that is no filter. Names, contents and comments
/// are compared without case. Operators inside of the value (`name=contains:x`) and comma lists were
/// removed in 2025. [D: descriptions of the filters; api-deprecations "2025-02-21"]
fn verdict(record: &RecordView, key: &str, value: &str, switches: &Switches) -> Option<bool> {
    let (field, operator) = key.split_once('.').unwrap_or((key, "exact"));
    let comment = record.comment.as_deref().unwrap_or_default();
    match (field, operator) {
        ("type", "exact") => Some(record.kind == value),
        ("proxied", "exact") => Some(record.proxied.to_string() == value),
        ("comment", "present") => Some(!comment.is_empty()),
        ("comment", "absent") => Some(comment.is_empty()),
        ("tag", "present" | "absent" | "exact") => {
            let present = record.tags.iter().any(|tag| tag == value);
            Some(present == (operator != "absent"))
        }
        ("name", _) => text(&record.name, operator, value),
        ("content", "exact") if switches.content_exact_ignores_quotes && record.kind == "TXT" => {
            let fold = |content: &str| txt::decoded(content).map(|bytes| bytes.to_ascii_lowercase());
            Some(fold(&record.content) == fold(value))
        }
        ("content", _) => text(&record.content, operator, value),
        ("comment", _) => text(comment, operator, value),
        ("search", "exact") => {
            let all = format!("{}\n{}\n{}\n{comment}", record.name, record.kind, record.content);
            text(&all, "contains", value)
        }
        _ => None,
    }
}

fn text(text: &str, operator: &str, value: &str) -> Option<bool> {
    let (text, value) = (text.to_lowercase(), value.to_lowercase());
    match operator {
        "exact" => Some(text == value),
        "contains" => Some(text.contains(&value)),
        "startswith" => Some(text.starts_with(&value)),
        "endswith" => Some(text.ends_with(&value)),
        _ => None,
    }
}
