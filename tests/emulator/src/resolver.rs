//! A caching recursive resolver, as a CA's or a cluster's: it keeps what it heard, denials included.
//!
//! A denial heard before the record is there is kept for the SOA's minimum, 1800 s by default; a positive
//! answer for its TTL and at most `positive_cap_seconds`. (RFC 2308; for Let's Encrypt's 60 s: O)

use std::collections::HashMap;
use std::time::Duration;

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::rdata::SOA;
use hickory_proto::rr::{Name, RData, Record, RecordType};
use tokio::time::Instant;

use crate::authority::{Reply, ns_records};
use crate::faults::{Action, Asked};
use crate::names::{from_wire, is_within, to_wire};
use crate::propagation::Vantage;
use crate::settings::{ResolverPick, Settings};
use crate::state::State;
use crate::zones::Zone;

/// Whose resolver it is; each has a memory of its own.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum View {
    /// `resolver`: the cluster's.
    Cluster,
    /// `ca_resolver`: the CA's, which hears nothing of what the cluster asked too early.
    Ca,
}

/// What the resolvers remember.
#[derive(Debug, Default)]
pub(crate) struct Caches {
    cluster: Cache,
    ca: Cache,
}

/// What one resolver remembers.
#[derive(Debug, Default)]
struct Cache {
    sets: HashMap<(String, RecordType), Entry>,
    missing: HashMap<String, Entry>,
    turn: usize,
}

#[derive(Clone, Debug)]
struct Entry {
    answer: Heard,
    since: Instant,
    life: Duration,
}

/// What was heard of one name and type: its own records, or a denial with the SOA.
#[derive(Clone, Debug)]
struct Heard {
    rcode: ResponseCode,
    records: Vec<Record>,
    soa: Option<Record>,
}

impl State {
    /// Answers a query, following aliases from zone to zone.
    pub(crate) fn resolve(&mut self, view: View, name: &Name, kind: RecordType, now: Instant) -> Reply {
        let mut reply = Reply { recursion_available: true, ..Reply::code(ResponseCode::NoError) };
        let mut text = from_wire(name);
        let mut owner = name.clone();
        for _ in 0..ALIASES_MAX {
            let heard = self.remembered_or_asked(view, &text, kind, now);
            reply.rcode = heard.rcode;
            reply.authorities = heard.soa.into_iter().collect();
            let alias = heard.records.iter().find_map(|record| match &record.data {
                RData::CNAME(target) if kind != RecordType::CNAME => Some(target.0.clone()),
                _ => None,
            });
            reply.answers.extend(heard.records.into_iter().map(|mut record| {
                record.name = owner.clone(); // as spelled in the query
                record
            }));
            let Some(target) = alias else { return reply };
            text = from_wire(&target);
            owner = target;
        }
        Reply { recursion_available: true, ..Reply::code(ResponseCode::ServFail) }
    }

    fn remembered_or_asked(&mut self, view: View, name: &str, kind: RecordType, now: Instant) -> Heard {
        if let Some(heard) = self.caches.of(view).get(name, kind, now, self.settings.time_scale) {
            self.stats.resolver_cache_hits += 1;
            return heard;
        }
        if let Some(heard) = self.outside_of_zones(name, kind) {
            return heard;
        }
        let heard = self.ask_authorities(view, name, kind, now);
        self.caches.of(view).put(name, kind, &heard, now, &self.settings);
        heard
    }

    /// Hosts, addresses of name servers, delegations, and names above or beside all zones.
    fn outside_of_zones(&self, name: &str, kind: RecordType) -> Option<Heard> {
        if let Some(addresses) = self.hosts.get(name) {
            let wire = to_wire(name)?;
            let records =
                addresses.iter().map(|address| Record::from_rdata(wire.clone(), HOST_TTL, (*address).into()));
            return Some(Heard::of(records.collect(), kind));
        }
        if self.servers.iter().any(|server| server.name == name) {
            return Some(Heard::of(self.addresses(name), kind));
        }
        match self.delegation(name) {
            Some(zone) if zone.name == name && kind == RecordType::NS => {
                Some(Heard::of(ns_records(name, &zone.delegated_to), kind))
            }
            Some(_) => None,
            None => {
                let above = self.zones.iter().any(|zone| is_within(&zone.name, name))
                    || self.servers.iter().any(|server| is_within(&server.name, name))
                    || self.hosts.keys().any(|host| is_within(host, name));
                let exists = name.is_empty() || above;
                let rcode = if exists { ResponseCode::NoError } else { ResponseCode::NXDomain };
                Some(Heard { rcode, records: Vec::new(), soa: root_soa() })
            }
        }
    }

    /// The deepest delegated zone that holds the name. Of several with one name, the active one is delegated.
    fn delegation(&self, name: &str) -> Option<&Zone> {
        let zones =
            self.zones.iter().filter(|zone| !zone.delegated_to.is_empty() && is_within(name, &zone.name));
        zones.rev().max_by_key(|zone| (zone.name.len(), zone.status == crate::ZoneStatus::Active))
    }

    fn ask_authorities(&mut self, view: View, name: &str, kind: RecordType, now: Instant) -> Heard {
        let mut hosts = self.delegation(name).map(|zone| zone.delegated_to.clone()).unwrap_or_default();
        for _ in 0..REFERRALS_MAX {
            let Some(reply) = self.ask_one_of(view, &hosts, name, kind, now) else {
                break;
            };
            let referral: Vec<String> = reply
                .authorities
                .iter()
                .filter_map(|record| match &record.data {
                    RData::NS(host) => Some(from_wire(&host.0)),
                    _ => None,
                })
                .collect();
            if reply.authoritative || referral.is_empty() {
                let own = |record: &Record| from_wire(&record.name) == name;
                return Heard {
                    rcode: reply.rcode,
                    records: reply.answers.into_iter().filter(own).collect(),
                    soa: reply.authorities.into_iter().find(|record| record.record_type() == RecordType::SOA),
                };
            }
            hosts = referral;
        }
        Heard { rcode: ResponseCode::ServFail, records: Vec::new(), soa: None }
    }

    /// The first usable answer of these hosts; silent, failing, refusing and lying ones are passed over.
    fn ask_one_of(
        &mut self,
        view: View,
        hosts: &[String],
        name: &str,
        kind: RecordType,
        now: Instant,
    ) -> Option<Reply> {
        let mut servers: Vec<usize> = (0..self.servers.len())
            .filter(|index| hosts.iter().any(|host| host.eq_ignore_ascii_case(&self.servers[*index].name)))
            .collect();
        if servers.is_empty() {
            return None;
        }
        if self.settings.pick == ResolverPick::RoundRobin {
            let cache = self.caches.of(view);
            let turn = cache.turn % servers.len();
            cache.turn = cache.turn.wrapping_add(1);
            servers.rotate_left(turn);
        }
        let all = servers.clone();
        let wire = to_wire(name)?;
        for index in servers {
            let server = self.servers.get(index)?.clone();
            let asked = Asked {
                server: &server.name,
                address: Some(server.address),
                transport: "udp",
                name,
                kind: &kind.to_string(),
            };
            let unusable = matches!(
                self.faults.for_query(asked),
                Some(Action::Silent | Action::ServFail | Action::Refused | Action::Intercept { .. })
            );
            let one = [index];
            let seen = if self.settings.pick == ResolverPick::Slowest { all.as_slice() } else { &one };
            let extra = Duration::from_millis(self.settings.pop_delay_ms);
            let reply = self.authority(index, &wire, kind, Vantage { servers: seen, extra, now });
            if !unusable && reply.rcode != ResponseCode::Refused {
                return Some(reply);
            }
        }
        None
    }
}

impl View {
    /// Its name in statistics, timeline and faults.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Cluster => "resolver",
            Self::Ca => "ca-resolver",
        }
    }
}

impl Caches {
    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    fn of(&mut self, view: View) -> &mut Cache {
        match view {
            View::Cluster => &mut self.cluster,
            View::Ca => &mut self.ca,
        }
    }
}

impl Cache {
    fn get(&self, name: &str, kind: RecordType, now: Instant, scale: u32) -> Option<Heard> {
        // That a name does not exist holds for all types (RFC 8020).
        let entry = self.missing.get(name).filter(|entry| entry.left(now, scale).is_some());
        let entry = entry.or_else(|| self.sets.get(&(name.to_owned(), kind)))?;
        let left = entry.left(now, scale)?;
        let mut heard = entry.answer.clone();
        let seconds = u32::try_from(left.as_secs()).unwrap_or(u32::MAX);
        for record in heard.records.iter_mut().chain(heard.soa.as_mut()) {
            record.ttl = record.ttl.min(seconds);
        }
        Some(heard)
    }

    fn put(&mut self, name: &str, kind: RecordType, heard: &Heard, now: Instant, settings: &Settings) {
        if heard.rcode != ResponseCode::NoError && heard.rcode != ResponseCode::NXDomain {
            return;
        }
        let negative = |soa: &Record| match &soa.data {
            RData::SOA(SOA { minimum, .. }) => {
                let minimum = u64::from(soa.ttl.min(*minimum)); // RFC 2308 §5
                minimum.min(settings.negative_cap_seconds.unwrap_or(u64::MAX))
            }
            _ => 0,
        };
        let ttl = heard.records.iter().map(|record| u64::from(record.ttl)).min();
        let positive = ttl.map(|ttl| ttl.min(settings.positive_cap_seconds));
        let seconds = positive.unwrap_or_else(|| heard.soa.as_ref().map_or(0, negative));
        let entry = Entry { answer: heard.clone(), since: now, life: Duration::from_secs(seconds) };
        if heard.rcode == ResponseCode::NXDomain && heard.records.is_empty() {
            self.missing.insert(name.to_owned(), entry);
        } else {
            self.sets.insert((name.to_owned(), kind), entry);
        }
    }
}

impl Entry {
    fn left(&self, now: Instant, scale: u32) -> Option<Duration> {
        let age = now.saturating_duration_since(self.since) * scale.max(1);
        self.life.checked_sub(age).filter(|left| !left.is_zero())
    }
}

impl Heard {
    fn of(all: Vec<Record>, kind: RecordType) -> Self {
        let records: Vec<_> = all.into_iter().filter(|record| record.record_type() == kind).collect();
        let soa = if records.is_empty() { root_soa() } else { None };
        Self { rcode: ResponseCode::NoError, records, soa }
    }
}

/// Stands for everything above the zones.
fn root_soa() -> Option<Record> {
    let soa = SOA::new(
        to_wire("a.root-servers.net")?,
        to_wire("nstld.verisign-grs.com")?,
        2_026_110_100,
        1800,
        900,
        604_800,
        900,
    );
    Some(Record::from_rdata(Name::root(), 900, RData::SOA(soa)))
}

const ALIASES_MAX: usize = 8;
const REFERRALS_MAX: usize = 4;
const HOST_TTL: u32 = 30;
