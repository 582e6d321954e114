//! TXT records of one zone: list, create, delete, each to a certain end.

mod misplaced;

use std::sync::Arc;
use std::time::Duration;

use http::Method;
use serde::de::IgnoredAny;
use tokio::time::Instant;
use tracing::{info, warn};

use super::api::{Api, PAUSES};
use super::error::{Failure, Kind};
use super::exchange::{Call, Exchange};
use super::wire::{NewRecordObject, RecordObject, is_id};
use super::zones::Zones;
use super::{content, date};
use crate::challenge::TxtValue;
use crate::deadline::Deadline;
use crate::metrics::Endpoint;
use crate::name::Fqdn;
use crate::secret::Credential;
use crate::solver::error::Error;
use crate::solver::port::{Created, NewRecord, Record, Zone};

/// A zone's records, as one credential sees them.
pub(super) struct ZoneRecords<'a, X> {
    pub(super) api: &'a Arc<Api<X>>,
    pub(super) credential: &'a Credential,
    pub(super) zone: &'a Zone,
    pub(super) zones: &'a Zones<X>,
}

/// A record and its name, which is not always what was asked for.
struct Named {
    name: String,
    record: Record,
}

impl<X: Exchange> ZoneRecords<'_, X> {
    /// Those at exactly this name. The API's filters ignore case and have changed their meaning more than once: what
    /// it lists is compared here.
    pub(super) async fn list(&self, fqdn: &Fqdn, deadline: Deadline) -> Result<Vec<Record>, Failure> {
        let all = self.search(&format!("name.exact={fqdn}"), deadline).await?;
        Ok(all
            .into_iter()
            .filter(|named| Fqdn::parse(&named.name).is_ok_and(|name| name == *fqdn))
            .map(|named| named.record)
            .collect())
    }

    /// Makes a record, or finds out that it is there.
    pub(super) async fn create(
        &self,
        fqdn: &Fqdn,
        record: &NewRecord,
        deadline: Deadline,
    ) -> Result<Created, Error> {
        let call = self.post(fqdn, record).map_err(|failure| self.error(failure))?;
        let mut pauses = PAUSES.iter();
        let mut made = Created::Existing;
        loop {
            let sent = self.api.once::<RecordObject>(self.credential, &call, deadline).await;
            let failure = match sent.map(|reply| reply.result) {
                Ok(RecordObject { name: Some(name), id, .. }) => {
                    return self.check(fqdn, &name, id.as_deref()).await;
                }
                Ok(_) => Failure::unreadable("the new record has no name"),
                Err(failure) => failure,
            };
            match failure.kind {
                Kind::Identical => return self.existing(fqdn, record, made, deadline).await,
                // Whether it was carried out is for Cloudflare to say, before anything is repeated.
                Kind::Unavailable { unsent: false } => {
                    if self.holds(fqdn, &record.value, deadline).await? {
                        info!(zone = %self.zone.name, %fqdn, "Created a record; the reply was lost");
                        return Ok(Created::New);
                    }
                    // Not there, so that one found there later is this call's.
                    made = Created::New;
                }
                Kind::Unavailable { unsent: true } => {}
                _ => return Err(self.error(failure)),
            }
            let Some(pause) = pauses.next() else {
                return Err(self.error(failure));
            };
            if deadline.sleep_until(Instant::now() + *pause).await.is_err() {
                return Err(self.error(failure));
            }
        }
    }

    /// Deletes a record; that it is not there is success.
    pub(super) async fn delete(&self, id: &str, deadline: Deadline) -> Result<(), Failure> {
        if !is_id(id) {
            return Err(Failure::new(Kind::Internal, "a record's id is none"));
        }
        let call = Call {
            endpoint: Endpoint::DeleteRecord,
            method: Method::DELETE,
            path: format!("{}/{id}", self.path()?),
            body: None,
        };
        match self.api.repeated::<IgnoredAny>(self.credential, &call, deadline).await {
            Ok(_) => info!(zone = %self.zone.name, id, "Deleted a record"),
            Err(failure) if matches!(failure.kind, Kind::NoRecord | Kind::NotFound) => {}
            Err(failure) => return Err(failure),
        }
        Ok(())
    }

    /// The catalogue's entry for a failure at this zone, which is forgotten if it seems gone or no longer ours.
    pub(super) fn error(&self, failure: Failure) -> Error {
        if matches!(failure.kind, Kind::NoZone | Kind::NotFound | Kind::Denied) {
            self.zones.forget(self.credential.id(), &self.zone.name);
        }
        failure.at_records(&self.zone.name)
    }

    async fn holds(&self, fqdn: &Fqdn, value: &TxtValue, deadline: Deadline) -> Result<bool, Error> {
        let records = self.list(fqdn, deadline).await;
        let records = records.map_err(|failure| self.error(failure))?;
        Ok(records.iter().any(|record| record.value == value.as_str()))
    }

    /// <https://developers.cloudflare.com/api/resources/dns/subresources/records/methods/list/>
    async fn search(&self, filter: &str, deadline: Deadline) -> Result<Vec<Named>, Failure> {
        let mut found = Vec::new();
        for page in 1..=MAX_PAGES {
            let list = self.path()?;
            let path = format!("{list}?type=TXT&{filter}&per_page={PER_PAGE}&page={page}");
            let call = Call { endpoint: Endpoint::ListRecords, method: Method::GET, path, body: None };
            let reply = self.api.repeated::<Vec<RecordObject>>(self.credential, &call, deadline).await?;
            let full = reply.result.len() >= PER_PAGE;
            for object in reply.result {
                found.extend(named(object, reply.date)?);
            }
            if !reply.total_pages.map_or(full, |total| total > page) {
                return Ok(found);
            }
        }
        warn!(zone = %self.zone.name, "More records at one name than are read");
        Ok(found)
    }

    fn post(&self, fqdn: &Fqdn, record: &NewRecord) -> Result<Call, Failure> {
        let body = NewRecordObject {
            kind: "TXT",
            name: fqdn.as_str(),
            content: &content::encode(&record.value),
            ttl: record.ttl,
            comment: &record.comment,
        };
        Ok(Call {
            endpoint: Endpoint::CreateRecord,
            method: Method::POST,
            path: self.path()?,
            body: Some(serde_json::to_vec(&body).map_err(|error| Failure::new(Kind::Internal, error))?),
        })
    }

    fn path(&self) -> Result<String, Failure> {
        if !is_id(&self.zone.id) {
            return Err(Failure::new(Kind::Internal, "a zone's id is none"));
        }
        Ok(format!("/zones/{}/dns_records", self.zone.id))
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

const PER_PAGE: usize = 100;
/// Contents of one name and type may sum up to 8,192 characters, about 180 digests
/// (<https://developers.cloudflare.com/dns/manage-dns-records/reference/dns-record-types/>); the rest is room.
const MAX_PAGES: u64 = 10;

#[cfg(test)]
mod tests;
