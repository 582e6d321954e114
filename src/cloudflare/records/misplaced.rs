//! Records that a wrong zone id made in another zone: noticed, removed, told.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::de::IgnoredAny;
use tracing::{info, warn};

use super::ZoneRecords;
use crate::cloudflare::budget::Urgency;
use crate::cloudflare::error::{Failure, Kind};
use crate::cloudflare::exchange::Exchange;
use crate::deadline::Deadline;
use crate::name::Fqdn;
use crate::solver::error::{Cause, Error};
use crate::solver::port::{Created, Made, NewRecord};

/// Why a record does not stand where it should.
pub(in crate::cloudflare) struct Astray {
    pub(in crate::cloudflare) error: Error,
    /// The id of one that stands elsewhere instead, to be removed.
    pub(in crate::cloudflare) litter: Option<String>,
}

impl From<Error> for Box<Astray> {
    fn from(error: Error) -> Self {
        Self::new(Astray { error, litter: None })
    }
}

impl<X: Exchange> ZoneRecords<X> {
    /// Cloudflare appends the zone's name to one that is not within it (NewFuture/DDNS#21): then the id is another
    /// zone's, and what was made there is litter.
    pub(in crate::cloudflare) fn check(
        &self,
        fqdn: &Fqdn,
        name: &str,
        id: Option<String>,
    ) -> Result<Made, Box<Astray>> {
        if Fqdn::parse(name).is_ok_and(|name| name == *fqdn) {
            info!(zone = %self.zone.name, %fqdn, "Created a record");
            return Ok(Made { created: Created::New, id });
        }
        let error = Error::new(Cause::WrongPin { fqdn: fqdn.clone() }, format!("zone id {}", self.zone.id));
        Err(Box::new(Astray { error, litter: Some(id.unwrap_or_default()) }))
    }

    /// "An identical record already exists": at this name, unless the pinned id is another zone's, where an earlier
    /// call that got no answer may have left it.
    pub(in crate::cloudflare) async fn existing(
        &self,
        fqdn: &Fqdn,
        record: &NewRecord,
        created: Created,
        deadline: Deadline,
    ) -> Result<Made, Box<Astray>> {
        let made = Made { created, id: None };
        let is_pinned = self.zone.name_servers.is_empty();
        if !is_pinned || self.holds(fqdn, record, deadline).await.map_err(|failure| self.error(failure))? {
            return Ok(made);
        }
        let appended = format!("{fqdn}.");
        let found = self.search(None, &format!("content.contains={}", record.value), deadline).await;
        let found = found.map_err(|failure| self.error(failure))?;
        let mut misplaced = found
            .into_iter()
            .filter(|named| named.record.value == record.value.as_str())
            .filter(|named| named.name.to_ascii_lowercase().starts_with(&appended));
        let Some(first) = misplaced.next() else {
            return Ok(made);
        };
        self.check(fqdn, &first.name, Some(first.record.id))
    }

    async fn holds(&self, fqdn: &Fqdn, record: &NewRecord, deadline: Deadline) -> Result<bool, Failure> {
        let found = self.read(None, &BTreeSet::from([fqdn.clone()]), deadline).await?;
        Ok(found.into_values().flatten().any(|found| found.value == record.value.as_str()))
    }

    /// The request may have little time left, but the litter is there now: this has a time of its own.
    pub(in crate::cloudflare) async fn remove_misplaced(&self, id: &str) {
        let deleted = async {
            let (call, deadline) = (self.removal(id)?, Deadline::within(UNDO));
            self.api.repeated::<IgnoredAny>(None, Urgency::Present, &self.credential, &call, deadline).await
        };
        match deleted.await {
            Err(failure) if !matches!(failure.kind, Kind::NoRecord | Kind::NotFound) => {
                self.api.metrics.records_left.inc();
                warn!(zone_id = self.zone.id, id, "A misplaced record is left: {}", failure.detail);
            }
            _ => info!(zone_id = self.zone.id, id, "Deleted a misplaced record"),
        }
    }
}

/// For the removal of a misplaced record.
const UNDO: Duration = Duration::from_secs(5);
