//! Records that a wrong zone id made in another zone: noticed, removed, told.

use std::time::Duration;

use tracing::{info, warn};

use super::ZoneRecords;
use crate::cloudflare::exchange::Exchange;
use crate::deadline::Deadline;
use crate::name::Fqdn;
use crate::solver::error::{Cause, Error};
use crate::solver::port::{Created, NewRecord};

impl<X: Exchange> ZoneRecords<'_, X> {
    /// Cloudflare appends the zone's name to one that is not within it (NewFuture/DDNS#21): then the id is another
    /// zone's, and what was made there is litter.
    pub(super) async fn check(&self, fqdn: &Fqdn, name: &str, id: Option<&str>) -> Result<Created, Error> {
        if Fqdn::parse(name).is_ok_and(|name| name == *fqdn) {
            info!(zone = %self.zone.name, %fqdn, "Created a record");
            return Ok(Created::New);
        }
        self.remove_misplaced(id.unwrap_or_default()).await;
        Err(Error::new(Cause::WrongPin { fqdn: fqdn.clone() }, format!("zone id {}", self.zone.id)))
    }

    /// The request may have little time left, but the litter is there now: this has a time of its own.
    async fn remove_misplaced(&self, id: &str) {
        if let Err(failure) = self.delete(id, Deadline::within(UNDO)).await {
            self.api.metrics.records_left.inc();
            warn!(zone_id = self.zone.id, id, "A misplaced record is left: {}", failure.detail);
        }
    }

    /// "An identical record already exists": at this name, unless the pinned id is another zone's, where an earlier
    /// call that got no answer may have left it.
    pub(super) async fn existing(
        &self,
        fqdn: &Fqdn,
        record: &NewRecord,
        made: Created,
        deadline: Deadline,
    ) -> Result<Created, Error> {
        let pinned = self.zone.name_servers.is_empty();
        if !pinned || self.holds(fqdn, &record.value, deadline).await? {
            return Ok(made);
        }
        let appended = format!("{fqdn}.");
        let found = self.search(&format!("content.contains={}", record.value), deadline).await;
        let found = found.map_err(|failure| self.error(failure))?;
        let mut misplaced = found
            .into_iter()
            .filter(|named| named.record.value == record.value.as_str())
            .filter(|named| named.name.to_ascii_lowercase().starts_with(&appended));
        let Some(first) = misplaced.next() else {
            return Ok(made);
        };
        self.check(fqdn, &first.name, Some(&first.record.id)).await
    }
}

/// For the removal of a misplaced record.
const UNDO: Duration = Duration::from_secs(5);
