//! Who is to be asked about a zone: the name servers it is delegated to, and their addresses.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use futures::future::{join, join_all};

use super::address::is_public;
use super::exchange::Exchange;
use super::lookup::{Family, Found, Lookup, LookupError};
use crate::expiring::Expiring;
use crate::flight::Flights;
use crate::name::Fqdn;
use crate::solver::error::{Cause, Error};

/// The name servers of a zone, sorted by name; at least one, each with at least one address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Delegation {
    /// Who is asked.
    pub(super) servers: Vec<NameServer>,
}

/// A name server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NameServer {
    /// As in the NS record.
    pub(super) name: Fqdn,
    /// IPv4 and IPv6 in turn.
    pub(super) addresses: Vec<SocketAddr>,
}

impl Delegation {
    /// Whether none of its name servers is one of `assigned`. An empty list says nothing.
    pub(super) fn is_elsewhere(&self, assigned: &[Fqdn]) -> bool {
        !assigned.is_empty() && !self.servers.iter().any(|server| assigned.contains(&server.name))
    }
}

/// Finds delegations, and keeps them for a while. What is public is the same for every credential.
#[derive(Debug)]
pub(super) struct Delegations<L, E> {
    finder: Arc<Finder<L, E>>,
    known: Arc<Expiring<Fqdn, Arc<Delegation>>>,
    /// However many wait for a zone's, there is one look-up in the air.
    flights: Flights<Fqdn, Result<Arc<Delegation>, Error>>,
}

/// Looks them up.
#[derive(Debug)]
struct Finder<L, E> {
    lookup: L,
    exchange: Arc<E>,
    port: u16,
    allow_private: bool,
}

impl<L: Lookup, E: Exchange> Delegations<L, E> {
    /// `port` is that of the authorities; `exchange` tells where this host has a route.
    pub(super) fn new(lookup: L, exchange: Arc<E>, port: u16, allow_private: bool) -> Self {
        let finder = Arc::new(Finder { lookup, exchange, port, allow_private });
        Self { finder, known: Arc::new(Expiring::new(CAPACITY)), flights: Flights::new() }
    }

    /// The delegation of `zone`. An address counts where this host has a route to it.
    pub(super) async fn find(&self, zone: &Fqdn) -> Result<Arc<Delegation>, Error> {
        if let Some(known) = self.known.get(zone) {
            return Ok(known);
        }
        let (finder, known, key) = (Arc::clone(&self.finder), Arc::clone(&self.known), zone.clone());
        let flight = self.flights.join(zone.clone(), async move {
            let (delegation, ttl) = finder.look_up(&key).await?;
            let delegation = Arc::new(delegation);
            tracing::debug!(zone = %key, ?delegation, ?ttl, "delegation found");
            known.insert(key, Arc::clone(&delegation), ttl.clamp(SHORTEST, LONGEST));
            Ok(delegation)
        });
        flight.await
    }

    /// Looks it up anew next time: what it led to was a failure.
    pub(super) fn forget(&self, zone: &Fqdn) {
        self.known.remove(zone);
    }

    /// How many are kept.
    pub(super) fn len(&self) -> usize {
        self.known.len()
    }
}

impl<L: Lookup, E: Exchange> Finder<L, E> {
    async fn look_up(&self, zone: &Fqdn) -> Result<(Delegation, Duration), Error> {
        let unknown = |detail: &str| Error::new(Cause::DelegationUnknown(zone.clone()), detail);
        let found = self.lookup.name_servers(zone).await;
        let found = found.map_err(|error| unknown(&format!("NS {zone}: {error}")))?;
        if found.records.is_empty() {
            return Err(Error::new(
                Cause::NotDelegated(zone.clone()),
                "the resolvers know no NS records of it",
            ));
        }
        let mut names: Vec<_> = found.records.iter().flat_map(|name| Fqdn::parse(name)).collect();
        names.sort();
        names.dedup();
        names.truncate(MOST);

        let each = names.iter().map(|name| {
            join(self.lookup.addresses(name, Family::V4), self.lookup.addresses(name, Family::V6))
        });
        let mut ttl = found.ttl;
        let mut servers = Vec::new();
        for (name, (v4, v6)) in names.iter().zip(join_all(each).await) {
            let addresses =
                both(v4, v6).map_err(|error| unknown(&format!("addresses of {name}: {error}")))?;
            // Any at all: a public one beside it does not make asking a private one right.
            if let Some(private) = self.private(&addresses.records) {
                let detail = format!("{name} is {private}");
                return Err(Error::new(Cause::PrivateNameServer(zone.clone()), detail));
            }
            let port = self.port;
            let addresses_there = addresses.records.iter().map(|ip| SocketAddr::new(*ip, port));
            let routed: Vec<_> = addresses_there.filter(|a| self.exchange.has_route(*a)).collect();
            if routed.is_empty() {
                let found = &addresses.records;
                tracing::warn!(%zone, name_server = %name, ?found, "no address to ask it at");
                continue;
            }
            ttl = ttl.min(addresses.ttl);
            servers.push((name.clone(), routed));
        }
        if servers.is_empty() {
            return Err(unknown("none of its name servers has an address with a route"));
        }
        Ok((spread(servers), ttl))
    }

    fn private(&self, addresses: &[IpAddr]) -> Option<IpAddr> {
        let mut addresses = addresses.iter().filter(|_| !self.allow_private);
        addresses.find(|address| !is_public(**address)).copied()
    }
}

/// The addresses of both families in turn. One family is enough: some middleboxes break the other's questions.
fn both(
    v4: Result<Found<IpAddr>, LookupError>,
    v6: Result<Found<IpAddr>, LookupError>,
) -> Result<Found<IpAddr>, LookupError> {
    let (v4, v6) = match (v4, v6) {
        (Ok(v4), Ok(v6)) => (v4, v6),
        (Ok(one), Err(error)) | (Err(error), Ok(one)) => {
            if one.records.is_empty() {
                return Err(error);
            }
            // Soon looked up again: the other family may be there then.
            return Ok(Found { records: tidy(one.records), ttl: Duration::ZERO });
        }
        (Err(error), Err(_)) => return Err(error),
    };
    // An empty answer's time to live says nothing.
    let ttls = [&v4, &v6].into_iter().filter(|found| !found.records.is_empty());
    let ttl = ttls.map(|found| found.ttl).min().unwrap_or_default();
    let records = in_turn([tidy(v4.records), tidy(v6.records)]).collect();
    Ok(Found { records, ttl })
}

/// Sorted, so that every replica asks the same ones when there are too many.
fn tidy(mut addresses: Vec<IpAddr>) -> Vec<IpAddr> {
    addresses.sort();
    addresses.dedup();
    addresses
}

/// At most [`MOST`] addresses, the first of each name before the second of any.
fn spread(servers: Vec<(Fqdn, Vec<SocketAddr>)>) -> Delegation {
    let (names, addresses): (Vec<_>, Vec<_>) = servers.into_iter().unzip();
    let mut servers: Vec<_> =
        names.into_iter().map(|name| NameServer { name, addresses: Vec::new() }).collect();
    let numbered = addresses
        .into_iter()
        .enumerate()
        .map(|(n, list)| list.into_iter().map(move |address| (n, address)).collect::<Vec<_>>());
    for (n, address) in in_turn(numbered).take(MOST) {
        if let Some(server) = servers.get_mut(n) {
            server.addresses.push(address);
        }
    }
    Delegation { servers }
}

/// The first of each list, then the second of each, and so on.
fn in_turn<T>(lists: impl IntoIterator<Item = Vec<T>>) -> impl Iterator<Item = T> {
    let mut lists: Vec<_> = lists.into_iter().map(Vec::into_iter).collect();
    std::iter::from_fn(move || {
        let round: Vec<_> = lists.iter_mut().filter_map(Iterator::next).collect();
        (!round.is_empty()).then_some(round)
    })
    .flatten()
}

/// Addresses that are asked about one zone, and so name servers too. Cloudflare's have twelve.
const MOST: usize = 16;
const SHORTEST: Duration = Duration::from_secs(30);
const LONGEST: Duration = Duration::from_mins(10);
/// Zones.
const CAPACITY: usize = 4096;

#[cfg(test)]
mod tests;
