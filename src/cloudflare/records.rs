//! TXT records of one zone: the calls that make, delete and list them, and what their answers mean.

mod misplaced;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use http::Method;
use tracing::warn;

pub(super) use self::misplaced::Astray;
use super::api::Api;
use super::budget::{Budget, Permit, Urgency};
use super::error::{Failure, Kind};
use super::exchange::{Call, Exchange};
use super::wire::{BatchObject, IdObject, NewRecordObject, RecordObject, is_id};
use super::writer::Change;
use super::zones::Zones;
use super::{content, date};
use crate::deadline::Deadline;
use crate::metrics::Endpoint;
use crate::name::Fqdn;
use crate::secret::Credential;
use crate::solver::error::Error;
use crate::solver::port::{NewRecord, Record, Zone};

/// A zone's records, as one credential sees them.
pub(super) struct ZoneRecords<X> {
    pub(super) api: Arc<Api<X>>,
    pub(super) zones: Arc<Zones<X>>,
    pub(super) credential: Credential,
    pub(super) zone: Zone,
}

/// A record and its name, which is not always what was asked for.
struct Named {
    name: String,
    record: Record,
}

/// A page of a list.
struct Page {
    records: Vec<Named>,
    /// Pages in all, if the answer tells.
    total: Option<u64>,
    /// Whether it has as many records as were asked for.
    is_full: bool,
}

impl<X: Exchange> ZoneRecords<X> {
    pub(super) fn budget(&self) -> Arc<Budget> {
        self.api.budget(&self.credential)
    }

    /// Those at exactly these names. Several are read by one list of the zone, if that has one page: between two pages a
    /// record may move from the one to the other and be missed. The API's filters ignore case and have changed their
    /// meaning more than once: what it lists is compared here.
    pub(super) async fn read(
        &self,
        mut permit: Option<Permit>,
        names: &BTreeSet<Fqdn>,
        deadline: Deadline,
    ) -> Result<HashMap<Fqdn, Vec<Record>>, Failure> {
        if names.len() > FEW {
            let page = self.page(permit.take(), "", ZONE_PAGE, 1, deadline).await?;
            if page.total.map_or(!page.is_full, |total| total <= 1) {
                return Ok(by_name(page.records, names));
            }
        }
        let mut listed = Vec::new();
        for name in names {
            listed.extend(self.search(permit.take(), &format!("name.exact={name}"), deadline).await?);
        }
        Ok(by_name(listed, names))
    }

    /// The call that makes a record
    /// (<https://developers.cloudflare.com/api/resources/dns/subresources/records/methods/create/>).
    pub(super) fn post(&self, fqdn: &Fqdn, record: &NewRecord) -> Result<Call, Failure> {
        self.call(Endpoint::CreateRecord, Method::POST, "", Some(&object(fqdn, record)))
    }

    /// The call that deletes a record
    /// (<https://developers.cloudflare.com/api/resources/dns/subresources/records/methods/delete/>).
    pub(super) fn removal(&self, id: &str) -> Result<Call, Failure> {
        if !is_id(id) {
            return Err(Failure::new(Kind::Internal, "a record's id is none"));
        }
        self.call(Endpoint::DeleteRecord, Method::DELETE, &format!("/{id}"), None::<&()>)
    }

    /// The call that makes all these changes or none.
    pub(super) fn batch<'a>(&self, changes: impl Iterator<Item = &'a Change>) -> Result<Call, Failure> {
        let mut batch = BatchObject::default();
        for change in changes {
            match change {
                Change::Post { fqdn, record } => batch.posts.push(object(fqdn, record)),
                Change::Delete { id, .. } => batch.deletes.push(IdObject { id }),
            }
        }
        self.call(Endpoint::Batch, Method::POST, "/batch", Some(&batch))
    }

    /// The catalogue's entry for a failure at this zone, which is forgotten if it seems gone or no longer ours.
    pub(super) fn error(&self, failure: Failure) -> Error {
        if matches!(failure.kind, Kind::NoZone | Kind::NotFound | Kind::Denied) {
            self.zones.forget(self.credential.id(), &self.zone.name);
        }
        failure.at_records(&self.zone.name)
    }

    async fn search(
        &self,
        mut permit: Option<Permit>,
        filter: &str,
        deadline: Deadline,
    ) -> Result<Vec<Named>, Failure> {
        let mut found = Vec::new();
        for number in 1..=MAX_PAGES {
            let filter = format!("&{filter}");
            let page = self.page(permit.take(), &filter, PER_PAGE, number, deadline).await?;
            found.extend(page.records);
            if !page.total.map_or(page.is_full, |total| total > number) {
                return Ok(found);
            }
        }
        warn!(zone = %self.zone.name, "More records at one name than are read");
        Ok(found)
    }

    /// <https://developers.cloudflare.com/api/resources/dns/subresources/records/methods/list/>
    async fn page(
        &self,
        permit: Option<Permit>,
        filter: &str,
        per_page: u64,
        number: u64,
        deadline: Deadline,
    ) -> Result<Page, Failure> {
        let query = format!("?type=TXT{filter}&per_page={per_page}&page={number}");
        let call = self.call(Endpoint::ListRecords, Method::GET, &query, None::<&()>)?;
        let urgency = Urgency::Present;
        let reply = self.api.repeated(permit, urgency, &self.credential, &call, deadline).await?;
        let objects: Vec<RecordObject> = reply.result;
        let is_full = u64::try_from(objects.len()).is_ok_and(|count| count >= per_page);
        let records: Result<Vec<_>, _> =
            objects.into_iter().filter_map(|object| named(object, reply.date).transpose()).collect();
        Ok(Page { records: records?, total: reply.total_pages, is_full })
    }

    fn call(
        &self,
        endpoint: Endpoint,
        method: Method,
        rest: &str,
        body: Option<&impl serde::Serialize>,
    ) -> Result<Call, Failure> {
        if !is_id(&self.zone.id) {
            return Err(Failure::new(Kind::Internal, "a zone's id is none"));
        }
        let body = body.map(serde_json::to_vec).transpose();
        Ok(Call {
            endpoint,
            method,
            path: format!("/zones/{}/dns_records{rest}", self.zone.id),
            body: body.map_err(|error| Failure::new(Kind::Internal, error))?,
        })
    }
}

/// Of what was listed, the records at these names.
fn by_name(listed: Vec<Named>, names: &BTreeSet<Fqdn>) -> HashMap<Fqdn, Vec<Record>> {
    let mut found: HashMap<_, Vec<_>> = HashMap::new();
    for named in listed {
        if let Some(name) = Fqdn::parse(&named.name).ok().filter(|name| names.contains(name)) {
            found.entry(name).or_default().push(named.record);
        }
    }
    found
}

fn object<'a>(fqdn: &'a Fqdn, record: &'a NewRecord) -> NewRecordObject<'a> {
    NewRecordObject {
        kind: "TXT",
        name: fqdn.as_str(),
        content: content::encode(&record.value),
        ttl: record.ttl,
        comment: &record.comment,
    }
}

/// `None` for what is no TXT record; an error if it has no name, content or id to delete it by: a list with a hole
/// must not pass for one without the record.
fn named(object: RecordObject, now: Option<i64>) -> Result<Option<Named>, Failure> {
    if object.kind.is_some_and(|kind| kind != "TXT") {
        return Ok(None);
    }
    let id = object.id.filter(|id| is_id(id));
    let (Some(id), Some(name), Some(content)) = (id, object.name, object.content) else {
        return Err(Failure::unreadable("a record without id, name or content"));
    };
    let created = object.created_on.as_deref().and_then(date::rfc3339);
    let age = now.zip(created).map(|(now, created)| now - created);
    Ok(Some(Named {
        name,
        record: Record {
            id,
            value: content::decode(&content),
            comment: object.comment.unwrap_or_default(),
            age: Duration::from_secs(age.and_then(|age| age.try_into().ok()).unwrap_or_default()),
        },
    }))
}

/// Records of one name, a page.
const PER_PAGE: u64 = 100;
/// Contents of one name and type may sum up to 8,192 characters, about 180 digests
/// (<https://developers.cloudflare.com/dns/manage-dns-records/reference/dns-record-types/>); the rest is room.
const MAX_PAGES: u64 = 10;
/// Records of a whole zone, a page: a quarter of a mebibyte where they are of usual size.
const ZONE_PAGE: u64 = 500;
/// So many names are cheaper to ask for one by one than to pick from a zone of unknown size.
const FEW: usize = 2;

#[cfg(test)]
mod tests;
