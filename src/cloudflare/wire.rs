//! What Cloudflare's API says and wants to hear, read as leniently as it is written: its fields come and go
//! (<https://developers.cloudflare.com/fundamentals/api/reference/deprecations/>), its gateway answers in another
//! form than its DNS service, and what stands in front of both answers in HTML.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::exchange::Answer;

/// The frame around every answer, of the DNS service, the gateway or an old version of either.
#[derive(Debug)]
pub(super) struct Envelope {
    /// `None` where it is left out, as the documentation does for DELETE.
    pub(super) success: Option<bool>,
    /// `Null` where there is none.
    pub(super) result: Value,
    /// `errors`, each followed by its chain. `messages` are not errors: one of code 10000 accompanies successes.
    pub(super) errors: Vec<Remark>,
    /// `result_info.total_pages`.
    pub(super) total_pages: Option<u64>,
}

/// A code and its text. Codes mean different things in different products: of use only beside a status.
#[derive(Debug)]
pub(super) struct Remark {
    pub(super) code: u32,
    pub(super) message: String,
}

impl Envelope {
    /// `None` if the answer is not one of this API: HTML, an empty or a cut body, or JSON of somebody else.
    pub(super) fn parse(answer: &Answer) -> Option<Self> {
        let json = answer.header("content-type").is_none_or(is_json);
        let mut value: Value = json.then(|| serde_json::from_slice(&answer.body).ok()).flatten()?;
        let object = value.as_object_mut()?;
        if !["success", "result", "errors"].iter().any(|key| object.contains_key(*key)) {
            return None;
        }
        let mut errors = Vec::new();
        remarks(object.get("errors"), &mut errors);
        Some(Self {
            success: object.get("success").and_then(Value::as_bool),
            result: object.remove("result").unwrap_or(Value::Null),
            errors,
            total_pages: value.pointer("/result_info/total_pages").and_then(Value::as_u64),
        })
    }

    /// Whether an error, or one in the chain of one, has any of these codes.
    pub(super) fn has(&self, codes: &[u32]) -> bool {
        self.errors.iter().any(|error| codes.contains(&error.code))
    }
}

/// A zone, as `GET /zones` lists it (<https://developers.cloudflare.com/api/resources/zones/methods/list/>).
#[derive(Debug, Deserialize)]
pub(super) struct ZoneObject {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) status: Option<String>,
    #[serde(rename = "type")]
    pub(super) kind: Option<String>,
    pub(super) name_servers: Option<Vec<String>>,
    pub(super) vanity_name_servers: Option<Vec<String>>,
}

/// A record, in a list or as the answer to a POST. `zone_id` went in 2024 and is not asked for
/// (<https://developers.cloudflare.com/api/resources/dns/subresources/records/models/record_response/>).
#[derive(Debug, Deserialize)]
pub(super) struct RecordObject {
    pub(super) id: Option<String>,
    pub(super) name: Option<String>,
    #[serde(rename = "type")]
    pub(super) kind: Option<String>,
    pub(super) content: Option<String>,
    pub(super) comment: Option<String>,
    pub(super) created_on: Option<String>,
}

/// The body of a POST
/// (<https://developers.cloudflare.com/api/resources/dns/subresources/records/methods/create/>).
#[derive(Debug, Serialize)]
pub(super) struct NewRecordObject<'a> {
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    pub(super) name: &'a str,
    pub(super) content: String,
    pub(super) ttl: u32,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(super) comment: &'a str,
}

/// The body of a batch: what goes first, then what comes
/// (<https://developers.cloudflare.com/api/resources/dns/subresources/records/methods/batch/>).
#[derive(Debug, Default, Serialize)]
pub(super) struct BatchObject<'a> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) deletes: Vec<IdObject<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) posts: Vec<NewRecordObject<'a>>,
}

/// Names a record that is to be deleted.
#[derive(Debug, Serialize)]
pub(super) struct IdObject<'a> {
    pub(super) id: &'a str,
}

/// The result of a batch, in the order of the body; of what was deleted nothing more need be known.
#[derive(Debug, Deserialize)]
pub(super) struct BatchResult {
    pub(super) posts: Option<Vec<RecordObject>>,
}

impl BatchResult {
    /// The new records, if there are as many as were asked for.
    pub(super) fn records(self, count: usize) -> Option<Vec<RecordObject>> {
        let posts = self.posts.unwrap_or_default();
        (posts.len() == count && posts.iter().all(|record| record.name.is_some())).then_some(posts)
    }
}

/// Whether a text has the form of an identifier: 32 lower-case hexadecimal digits
/// (<https://developers.cloudflare.com/fundamentals/account/find-account-and-zone-ids/>). Nothing else becomes part
/// of a URL: an answer with `../` in an id must not choose what is called next.
pub(super) fn is_id(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

fn is_json(content_type: &str) -> bool {
    let media_type = content_type.split(';').next().unwrap_or_default();
    media_type.trim().to_ascii_lowercase().ends_with("json")
}

/// Until 2024 a DNS error was wrapped in 1004 with an `error_chain`; the gateway still does so with 6003.
fn remarks(list: Option<&Value>, into: &mut Vec<Remark>) {
    for item in list.and_then(Value::as_array).into_iter().flatten() {
        let code = match item.get("code") {
            Some(Value::String(digits)) => digits.parse().ok(),
            Some(number) => number.as_u64(),
            None => None,
        };
        into.push(Remark {
            code: code.and_then(|code| u32::try_from(code).ok()).unwrap_or_default(),
            message: item.get("message").and_then(Value::as_str).unwrap_or_default().to_owned(),
        });
        remarks(item.get("error_chain"), into);
    }
}
