//! Which zone holds a name: asked of the API, label by label, and remembered for each credential by itself.

mod choice;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use futures::future::{BoxFuture, Shared, WeakShared};
use http::Method;

use self::choice::{Sight, choose};
use super::api::Api;
use super::error::{Failure, Kind};
use super::exchange::{Call, Exchange};
use super::wire::ZoneObject;
use crate::deadline::Deadline;
use crate::expiring::Expiring;
use crate::issuer::ZonePin;
use crate::metrics::Endpoint;
use crate::name::Fqdn;
use crate::secret::{Credential, CredentialId};
use crate::solver::error::{Cause, Error};
use crate::solver::port::Zone;

/// The zones that credentials have been seen to have, or not to have.
pub(super) struct Zones<X> {
    api: Arc<Api<X>>,
    known: Arc<Expiring<Key, Sight>>,
    /// The look-ups in the air, so that each has one call however many wait for it. They live in their waiters:
    /// when the last one leaves, the call is dropped.
    flights: Mutex<HashMap<Key, WeakShared<Flight>>>,
}

type Key = (CredentialId, Fqdn);
type Flight = BoxFuture<'static, Result<Sight, Failure>>;

impl<X: Exchange> Zones<X> {
    pub(super) fn new(api: Arc<Api<X>>) -> Self {
        Self { api, known: Arc::new(Expiring::new(CAPACITY)), flights: Mutex::default() }
    }

    /// The pinned zone, unasked if its id is; else the longest ancestor of `fqdn` that is a zone of this credential.
    ///
    /// An error of the API ends the walk: nearer to the root there is nothing to learn from it (cert-manager's own
    /// solver walks on, and asks the same question once per label).
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
        let mut hidden = None;
        for name in candidates(fqdn, pin) {
            match self.look(credential, name, deadline).await {
                Ok(Sight::Here(zone)) => return Ok(zone),
                Ok(Sight::Unfit(cause)) => return Err(cause.into()),
                Ok(Sight::Nowhere) => {}
                Ok(Sight::Hidden(detail)) => hidden = Some(detail),
                Err(failure) => return Err(failure.at_zones()),
            }
        }
        Err(match hidden {
            Some(detail) => Error::new(Cause::ZonesHidden(fqdn.clone()), detail),
            None => Cause::NoZone(fqdn.clone()).into(),
        })
    }

    /// Forgets a zone: a call to it was answered as if it were gone or another's.
    pub(super) fn forget(&self, credential: CredentialId, zone: &Fqdn) {
        self.known.remove(&(credential, zone.clone()));
    }

    async fn look(&self, credential: &Credential, name: Fqdn, deadline: Deadline) -> Result<Sight, Failure> {
        let key = (credential.id(), name);
        if let Some(sight) = self.known.get(&key) {
            return Ok(sight);
        }
        let flight = self.join(key, credential);
        deadline.run(flight).await.unwrap_or_else(|elapsed| Err(Failure::new(Kind::OutOfTime, elapsed)))
    }

    /// The look-up in the air for this key, or a new one. It has a budget of its own: whoever began it may have less
    /// time than those who joined.
    fn join(&self, key: Key, credential: &Credential) -> Shared<Flight> {
        let mut flights = self.flights.lock().unwrap_or_else(PoisonError::into_inner);
        let running = flights.get(&key).and_then(WeakShared::upgrade);
        if let Some(flight) = running.filter(|flight| flight.peek().is_none()) {
            return flight;
        }
        flights.retain(|_, flight| flight.upgrade().is_some());
        let flight = fetch(Arc::clone(&self.api), Arc::clone(&self.known), key.clone(), credential.clone());
        let flight = flight.boxed().shared();
        if let Some(weak) = flight.downgrade() {
            flights.insert(key, weak);
        }
        flight
    }
}

impl<X> std::fmt::Debug for Zones<X> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Zones").finish_non_exhaustive()
    }
}

async fn fetch<X: Exchange>(
    api: Arc<Api<X>>,
    known: Arc<Expiring<Key, Sight>>,
    key: Key,
    credential: Credential,
) -> Result<Sight, Failure> {
    let name = &key.1;
    let call = Call {
        endpoint: Endpoint::ListZones,
        method: Method::GET,
        path: format!("/zones?name={name}&per_page=50"),
        body: None,
    };
    let reply = api.repeated::<Vec<ZoneObject>>(&credential, &call, Deadline::within(FLIGHT)).await;
    let sight = match reply {
        Ok(reply) => choose(name, &reply.result)?,
        Err(failure) if failure.kind == Kind::Denied => Sight::Hidden(failure.detail),
        Err(failure) => return Err(failure),
    };
    let ttl = if matches!(sight, Sight::Here(_)) { POSITIVE } else { NEGATIVE };
    known.insert(key, sight.clone(), ttl);
    Ok(sight)
}

/// The zones' names to ask for, the longest first. No zone begins with an underscore. A name of a hundred labels is
/// somebody's joke, not a hundred calls.
fn candidates(fqdn: &Fqdn, pin: Option<&ZonePin>) -> Vec<Fqdn> {
    if let Some(pin) = pin {
        return vec![pin.name.clone()];
    }
    let mut names: Vec<_> = fqdn.ancestors().filter(|name| !name.as_str().starts_with('_')).collect();
    names.split_off(names.len().saturating_sub(MAX_CANDIDATES))
}

/// How long a zone is remembered. One that goes is forgotten at the first call that says so.
const POSITIVE: Duration = Duration::from_mins(10);
/// How long it is remembered that there is none, or none that will do: somebody may be about to mend it.
const NEGATIVE: Duration = Duration::from_mins(1);
/// Names, each about 300 bytes.
const CAPACITY: usize = 4096;
const MAX_CANDIDATES: usize = 16;
/// For a call and its repeats; the waiters' own deadlines end sooner.
const FLIGHT: Duration = Duration::from_secs(40);

#[cfg(test)]
mod tests;
