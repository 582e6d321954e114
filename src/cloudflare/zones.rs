//! Which zone holds a name: looked for in the list of all zones that a credential has, and where that is long or may not
//! be read, asked label by label. Remembered for each credential by itself.

mod choice;
mod listing;

use std::sync::Arc;
use std::time::Duration;

use http::Method;

use self::choice::{Sight, choose};
use self::listing::Listing;
use super::api::{Api, Reply};
use super::budget::Urgency;
use super::error::{Failure, Kind};
use super::exchange::{Call, Exchange};
use super::wire::ZoneObject;
use crate::deadline::Deadline;
use crate::expiring::Expiring;
use crate::flight::Flights;
use crate::issuer::ZonePin;
use crate::metrics::Endpoint;
use crate::name::Fqdn;
use crate::secret::{Credential, CredentialId};
use crate::solver::error::{Cause, Error};
use crate::solver::port::Zone;

/// The zones that credentials have been seen to have, or not to have.
pub(super) struct Zones<X> {
    api: Arc<Api<X>>,
    listings: Arc<Expiring<CredentialId, Listing>>,
    /// Of credentials whose zones are not listed.
    known: Arc<Expiring<Key, Sight>>,
    /// The look-ups in the air, so that each has one call however many wait for it.
    listed: Flights<CredentialId, Result<Listing, Failure>>,
    looked: Flights<Key, Result<Sight, Failure>>,
}

type Key = (CredentialId, Fqdn);

impl<X: Exchange> Zones<X> {
    pub(super) fn new(api: Arc<Api<X>>) -> Self {
        Self {
            api,
            listings: Arc::new(Expiring::new(LISTINGS)),
            known: Arc::new(Expiring::new(NAMES)),
            listed: Flights::new(),
            looked: Flights::new(),
        }
    }

    /// The pinned zone, unasked if its id is; else the longest ancestor of `fqdn` that is a zone of this credential.
    pub(super) async fn find(
        &self,
        credential: &Credential,
        fqdn: &Fqdn,
        pin: Option<&ZonePin>,
        deadline: Deadline,
    ) -> Result<Zone, Error> {
        if let Some(ZonePin { name, id: Some(id), .. }) = pin {
            return Ok(Zone { id: id.clone(), name: name.clone(), name_servers: Vec::new() });
        }
        let names = candidates(fqdn, pin);
        let mut listing = self.listing(credential, deadline).await.map_err(Failure::at_zones)?;
        let mut found = listing.pick(&names);
        if let Some(Sight::Nowhere | Sight::Unfit(_)) = found
            && listing.age() >= NEGATIVE
        {
            // Somebody may have mended it since.
            self.listings.remove(&credential.id());
            listing = self.listing(credential, deadline).await.map_err(Failure::at_zones)?;
            found = listing.pick(&names);
        }
        let found = match found {
            Some(found) => found,
            None => self.walk(credential, names, deadline).await.map_err(Failure::at_zones)?,
        };
        match found {
            Sight::Here(zone) => Ok(zone),
            Sight::Unfit(cause) => Err(cause.into()),
            Sight::Nowhere => Err(Cause::NoZone(fqdn.clone()).into()),
            Sight::Hidden(detail) => Err(Error::new(Cause::ZonesHidden(fqdn.clone()), detail)),
        }
    }

    /// Forgets a zone: a call to it was answered as if it were gone or another's, or it is not served. What was learned
    /// a moment ago would be learned again.
    pub(super) fn forget(&self, credential: CredentialId, zone: &Fqdn) {
        self.known.remove(&(credential, zone.clone()));
        if self.listings.get(&credential).is_some_and(|listing| listing.age() >= FRESH) {
            self.listings.remove(&credential);
        }
    }

    async fn listing(&self, credential: &Credential, deadline: Deadline) -> Result<Listing, Failure> {
        let id = credential.id();
        if let Some(listing) = self.listings.get(&id) {
            return Ok(listing);
        }
        let (api, listings, credential) =
            (Arc::clone(&self.api), Arc::clone(&self.listings), credential.clone());
        // It has a budget of its own: whoever began it may have less time than those who join.
        let flight = self.listed.join(id, async move {
            let listing = listing::read(&api, &credential, Deadline::within(FLIGHT)).await?;
            listings.insert(id, listing.clone(), POSITIVE);
            api.metrics.cloudflare.zone_lists.set(listings.len().try_into().unwrap_or(i64::MAX));
            Ok(listing)
        });
        deadline.run(flight).await.unwrap_or_else(|elapsed| Err(Failure::new(Kind::OutOfTime, elapsed)))
    }

    /// Asks label by label. An error of the API ends the walk: nearer to the root there is nothing to learn from it
    /// (cert-manager's own solver walks on, and asks the same question once per label).
    async fn walk(
        &self,
        credential: &Credential,
        names: Vec<Fqdn>,
        deadline: Deadline,
    ) -> Result<Sight, Failure> {
        let mut hidden = None;
        for name in names {
            match self.look(credential, name, deadline).await? {
                Sight::Nowhere => {}
                Sight::Hidden(detail) => hidden = Some(detail),
                found => return Ok(found),
            }
        }
        Ok(hidden.map_or(Sight::Nowhere, Sight::Hidden))
    }

    async fn look(&self, credential: &Credential, name: Fqdn, deadline: Deadline) -> Result<Sight, Failure> {
        let key = (credential.id(), name);
        if let Some(sight) = self.known.get(&key) {
            return Ok(sight);
        }
        let (api, known, credential) = (Arc::clone(&self.api), Arc::clone(&self.known), credential.clone());
        let flight = self.looked.join(key.clone(), async move {
            let sight = ask(&api, &credential, &key.1).await?;
            let ttl = if matches!(sight, Sight::Here(_)) { POSITIVE } else { NEGATIVE };
            known.insert(key, sight.clone(), ttl);
            api.metrics.cloudflare.zones.set(known.len().try_into().unwrap_or(i64::MAX));
            Ok(sight)
        });
        deadline.run(flight).await.unwrap_or_else(|elapsed| Err(Failure::new(Kind::OutOfTime, elapsed)))
    }
}

async fn ask<X: Exchange>(api: &Api<X>, credential: &Credential, name: &Fqdn) -> Result<Sight, Failure> {
    let query = format!("name={name}&per_page={PER_PAGE}");
    match list(api, credential, &query, Deadline::within(FLIGHT)).await {
        Ok(reply) => choose(name, &reply.result),
        Err(failure) if failure.kind == Kind::Denied => Ok(Sight::Hidden(failure.detail)),
        Err(failure) => Err(failure),
    }
}

/// <https://developers.cloudflare.com/api/resources/zones/methods/list/>
async fn list<X: Exchange>(
    api: &Api<X>,
    credential: &Credential,
    query: &str,
    deadline: Deadline,
) -> Result<Reply<Vec<ZoneObject>>, Failure> {
    let path = format!("/zones?{query}");
    let call = Call { endpoint: Endpoint::ListZones, method: Method::GET, path, body: None };
    api.repeated(None, Urgency::Present, credential, &call, deadline).await
}

/// The zones' names to look for, the longest first. No zone begins with an underscore. A name of a hundred labels is
/// somebody's joke, not a hundred calls.
fn candidates(fqdn: &Fqdn, pin: Option<&ZonePin>) -> Vec<Fqdn> {
    if let Some(pin) = pin {
        return vec![pin.name.clone()];
    }
    let mut names: Vec<_> = fqdn.ancestors().filter(|name| !name.as_str().starts_with('_')).collect();
    names.split_off(names.len().saturating_sub(MAX_CANDIDATES))
}

/// How long a zone, or the list of all, is remembered. One that goes is forgotten at the first call that says so.
const POSITIVE: Duration = Duration::from_mins(10);
/// How long it is remembered that there is none, or none that will do: somebody may be about to mend it.
const NEGATIVE: Duration = Duration::from_mins(1);
/// What is younger is not asked for again, however many failures point to it.
const FRESH: Duration = Duration::from_secs(10);
/// Lists of zones, of at most [`listing::MAX_PAGES`] pages, so about 40 KiB at most each.
const LISTINGS: usize = 256;
/// Names, each about 300 bytes.
const NAMES: usize = 4096;
const MAX_CANDIDATES: usize = 16;
/// The most that the API gives.
const PER_PAGE: u64 = 50;
/// For a look-up with its repeats; the waiters' own deadlines end sooner.
const FLIGHT: Duration = Duration::from_secs(40);

#[cfg(test)]
mod tests;
