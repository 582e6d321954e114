//! Records in the API's state: their object, and writes that apply as a whole or not at all.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio::time::Instant;

use crate::envelope::ApiError;
use crate::propagation::ServedData;
use crate::settings::Switches;
use crate::txt;
use crate::validation::{Body, Draft, Given, TXT_NAME_MAX};
use crate::zones::Zone;

/// The record object of the API since 2025. [D: changelog 2025-02-02; npm cloudflare@7.3.0 records.ts]
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct RecordView {
    /// 32 hex characters.
    pub id: String,
    /// Full name, A-labels, no trailing dot.
    pub name: String,
    /// Type.
    #[serde(rename = "type")]
    pub kind: String,
    /// As sent.
    pub content: String,
    /// For MX.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<u16>,
    /// Whether it could be proxied.
    pub proxiable: bool,
    /// Whether it is; not emulated beyond this field.
    pub proxied: bool,
    /// Seconds, or 1 for automatic.
    pub ttl: u32,
    /// Settings.
    pub settings: Map<String, Value>,
    /// Always empty here.
    pub meta: Map<String, Value>,
    /// Comment; null when there is none.
    pub comment: Option<String>,
    /// Tags.
    pub tags: Vec<String>,
    /// RFC 3339, microseconds.
    pub created_on: String,
    /// RFC 3339, microseconds.
    pub modified_on: String,
    /// Present when there is a comment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment_modified_on: Option<String>,
}

/// A record of the API's state.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) view: RecordView,
    pub(crate) created: Instant,
}

/// One write.
#[derive(Clone, Debug)]
pub(crate) enum Op {
    Delete(String),
    Patch(String, Body),
    Put(String, Body),
    Post(Body),
}

/// What a write did.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    pub(crate) before: Option<RecordView>,
    pub(crate) after: Option<RecordView>,
}

/// What a write needs besides the zone.
pub(crate) struct Context<'a> {
    pub(crate) now: Instant,
    pub(crate) now_text: String,
    pub(crate) switches: &'a Switches,
    pub(crate) new_id: &'a mut dyn FnMut() -> String,
}

impl Change {
    /// The record that an answer shows: as it is now, or as it was when it is gone.
    pub(crate) fn record(self) -> Option<RecordView> {
        self.after.or(self.before)
    }
}

impl Zone {
    /// Applies all, or nothing and says why the first one failed. [D: how-to/batch-record-changes]
    pub(crate) fn apply(&mut self, ops: Vec<Op>, context: &mut Context<'_>) -> Result<Vec<Change>, ApiError> {
        let mut undo = Vec::with_capacity(ops.len());
        let mut changes = Vec::with_capacity(ops.len());
        for op in ops {
            match self.write(op, context) {
                Ok((key, after)) => {
                    let before = match after.clone() {
                        Some(record) => self.records.insert(key, record),
                        None => self.records.remove(&key),
                    };
                    let view = |record: &Option<Record>| record.as_ref().map(|record| record.view.clone());
                    changes.push(Change { before: view(&before), after: view(&after) });
                    undo.push((key, before));
                }
                Err(error) => {
                    for (key, before) in undo.into_iter().rev() {
                        match before {
                            Some(record) => self.records.insert(key, record),
                            None => self.records.remove(&key),
                        };
                    }
                    return Err(if context.switches.wrapped_validation_errors {
                        error.wrapped()
                    } else {
                        error
                    });
                }
            }
        }
        Ok(changes)
    }

    /// The record with this id.
    pub(crate) fn record(&self, id: &str) -> Result<(u64, &Record), ApiError> {
        let found = self.records.iter().find(|(_, record)| record.view.id == id);
        found.map(|(key, record)| (*key, record)).ok_or_else(missing)
    }

    /// The place and the new state of the record that a write is about.
    fn write(&self, op: Op, context: &mut Context<'_>) -> Result<(u64, Option<Record>), ApiError> {
        match op {
            Op::Delete(id) => Ok((self.record(&id)?.0, None)),
            Op::Patch(id, body) => {
                let (key, old) = self.record(&id)?;
                let draft = Draft::new(&body.over(&old.view), &self.name, self.plan)?;
                let new = self.replacement(key, old, draft, context)?;
                Ok((key, Some(new)))
            }
            Op::Put(id, body) => {
                let (key, old) = self.record(&id)?;
                let draft = Draft::new(&body, &self.name, self.plan)?;
                let new = self.replacement(key, old, draft, context)?;
                Ok((key, Some(new)))
            }
            Op::Post(body) => {
                let draft = Draft::new(&body, &self.name, self.plan)?;
                self.check_against_others(&draft, None, context.switches)?;
                if self.quota.is_some_and(|quota| self.records.len() >= quota) {
                    return Err(ApiError::dns(400, 81045, "Record quota exceeded.")); // [O: js-org/js.org#2873]
                }
                let key = self.records.last_key_value().map_or(0, |(key, _)| key + 1);
                let view = draft.into_view((context.new_id)(), context.now_text.clone());
                Ok((key, Some(Record { view, created: context.now })))
            }
        }
    }

    fn replacement(
        &self,
        key: u64,
        old: &Record,
        draft: Draft,
        context: &Context<'_>,
    ) -> Result<Record, ApiError> {
        if draft.kind != old.view.kind {
            // Rejected since 2026-06-30. [D: api-deprecations; code U]
            return Err(ApiError::dns(400, 9208, "The type of a DNS record cannot be changed."));
        }
        self.check_against_others(&draft, Some(key), context.switches)?;
        let mut view = draft.into_view(old.view.id.clone(), context.now_text.clone());
        view.created_on.clone_from(&old.view.created_on);
        if view.comment == old.view.comment {
            view.comment_modified_on.clone_from(&old.view.comment_modified_on);
        }
        Ok(Record { view, created: old.created })
    }

    /// Conflicts with the zone's other records.
    fn check_against_others(
        &self,
        draft: &Draft,
        own: Option<u64>,
        switches: &Switches,
    ) -> Result<(), ApiError> {
        let others =
            self.records.iter().filter(|(key, _)| Some(**key) != own).map(|(_, record)| &record.view);
        let mut text = draft.content.len();
        for other in others.filter(|other| other.name == draft.name) {
            if draft.is_identical_to(other, switches) {
                return Err(identical(switches));
            }
            let kinds = (draft.kind.as_str(), other.kind.as_str());
            match kinds {
                // [O: cloudflare/terraform-provider-cloudflare#1247]
                ("CNAME", "A" | "AAAA" | "CNAME") => {
                    let message = "An A, AAAA, or CNAME record with that host already exists.";
                    return Err(ApiError::dns(400, 81053, message));
                }
                // [O: favonia/cloudflare-ddns#990]
                ("A" | "AAAA", "CNAME") => {
                    let message = "A CNAME record with that host already exists. For more details, refer to \
                         <https://developers.cloudflare.com/dns/manage-dns-records/troubleshooting/records-with-same-name/>.";
                    return Err(ApiError::dns(400, 81054, message));
                }
                // Documented for NS against all others; code and text U.
                ("NS", kind) | (kind, "NS") if kind != "NS" => {
                    return Err(ApiError::dns(
                        400,
                        81056,
                        "NS records cannot share a name with other records.",
                    ));
                }
                ("TXT", "TXT") => text += other.content.len(),
                _ => {}
            }
        }
        if draft.kind == "TXT" && text > TXT_NAME_MAX {
            // [O: cisagov/manage.get.gov#5244, text cut off there]
            let message =
                format!("Combined content length of records with this name exceeds {TXT_NAME_MAX}.");
            return Err(ApiError::dns(400, 83011, message));
        }
        Ok(())
    }
}

impl Draft {
    /// Name, type and content decide; TTL and comment do not. [O/C]
    fn is_identical_to(&self, other: &RecordView, switches: &Switches) -> bool {
        if self.kind != other.kind || self.name != other.name {
            return false;
        }
        let twins = switches.txt_twin_is_identical && self.kind == "TXT";
        self.content == other.content
            || (twins && txt::decoded(&self.content) == txt::decoded(&other.content))
    }

    fn into_view(self, id: String, now: String) -> RecordView {
        let proxiable = matches!(self.kind.as_str(), "A" | "AAAA" | "CNAME");
        RecordView {
            id,
            name: self.name,
            kind: self.kind,
            content: self.content,
            priority: self.priority,
            proxiable,
            proxied: self.proxied && proxiable,
            ttl: self.ttl,
            settings: self.settings,
            meta: Map::new(),
            comment_modified_on: self.comment.is_some().then(|| now.clone()),
            comment: self.comment,
            tags: self.tags,
            created_on: now.clone(),
            modified_on: now,
        }
    }
}

impl Body {
    /// A partial body, completed by what is there. [D]
    fn over(self, old: &RecordView) -> Self {
        Self {
            id: self.id,
            kind: self.kind.or_else(|| Some(old.kind.clone())),
            name: self.name.or_else(|| Some(old.name.clone())),
            content: self.content.or_else(|| Some(old.content.clone())),
            ttl: self.ttl.or_else(|| Some(old.ttl.into())),
            comment: match self.comment {
                Given::Absent => old.comment.clone().into(),
                given => given,
            },
            tags: self.tags.or_else(|| Some(old.tags.clone())),
            priority: self.priority.or(old.priority),
            proxied: self.proxied.or(Some(old.proxied)),
            settings: self.settings.or_else(|| Some(old.settings.clone())),
        }
    }
}

impl RecordView {
    pub(crate) fn served(&self) -> ServedData {
        ServedData {
            kind: self.kind.clone(),
            content: self.content.clone(),
            ttl: self.ttl,
            priority: self.priority,
        }
    }
}

/// [O: zanjie1999/dns-cloudflare#5; the status C]
fn missing() -> ApiError {
    ApiError::dns(404, 81044, "Record does not exist.")
}

/// [O: jeessy2/ddns-go#1378]
fn identical(switches: &Switches) -> ApiError {
    if switches.identical_is_81057 {
        return ApiError::dns(400, 81057, "Record already exists.");
    }
    ApiError::dns(400, 81058, "An identical record already exists.")
}
