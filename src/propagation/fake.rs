//! Authorities and resolvers that do as they are told, on paused time. What they were not told of fails the test.
#![expect(clippy::unnecessary_wraps, reason = "in a script an answer stands beside silence, which is `None`")]

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::Instant;

use super::barrier::ELSEWHERE;
use super::delegation::{Delegation, NameServer};
use super::exchange::{Answer, Exchange, ExchangeError, Rcode};
use super::https::{Https, HttpsError, Told};
use super::lookup::{Family, Found, Lookup, LookupError};
use crate::challenge::TxtValue;
use crate::name::Fqdn;

pub(super) const ZONE: &str = "example.com";
pub(super) const NAME: &str = "_acme-challenge.example.com";
/// Two name servers: the first has an address in each family, the second one.
pub(super) const ADA_4: &str = "108.162.192.1:53";
pub(super) const ADA_6: &str = "[2606:4700:50::1]:53";
pub(super) const BOB_4: &str = "172.64.32.1:53";
pub(super) const ALL: [&str; 3] = [ADA_4, ADA_6, BOB_4];

/// What a server says from an instant on: how long after the begin, how long it takes, and what.
pub(super) type Says = (u64, u64, Option<Answer>);

#[derive(Debug, Clone)]
pub(super) struct Authorities {
    begun: Instant,
    /// By server and name.
    scripts: HashMap<(SocketAddr, Fqdn), Vec<Says>>,
    unrouted: Vec<SocketAddr>,
    /// Milliseconds, server, name.
    asked: Arc<Mutex<Vec<(u64, SocketAddr, Fqdn)>>>,
}

impl Authorities {
    pub(super) fn new() -> Self {
        Self { begun: Instant::now(), scripts: HashMap::new(), unrouted: Vec::new(), asked: Arc::default() }
    }

    /// All three say the same about the challenge's name.
    pub(super) fn all(script: &[Says]) -> Self {
        ALL.iter().fold(Self::new(), |fake, server| fake.say(server, script))
    }

    pub(super) fn say(self, server: &str, script: &[Says]) -> Self {
        self.say_of(NAME, server, script)
    }

    pub(super) fn say_of(mut self, name: &str, server: &str, script: &[Says]) -> Self {
        self.scripts.insert((server.parse().unwrap(), fqdn(name)), script.to_vec());
        self
    }

    pub(super) fn no_route(mut self, server: &str) -> Self {
        self.unrouted.push(server.parse().unwrap());
        self
    }

    pub(super) fn begun(&self) -> Instant {
        self.begun
    }

    /// When a server was asked, in milliseconds after the begin.
    pub(super) fn asked(&self, server: &str) -> Vec<u64> {
        let server: SocketAddr = server.parse().unwrap();
        let asked = self.asked.lock().unwrap();
        let own = asked.iter().filter(|(_, address, _)| *address == server);
        own.map(|(at, ..)| *at).collect()
    }

    /// When anybody was asked for the challenge's name, each instant once.
    pub(super) fn looks(&self) -> Vec<u64> {
        let asked = self.asked.lock().unwrap();
        let mut looks: Vec<_> =
            asked.iter().filter(|(_, _, name)| *name == fqdn(NAME)).map(|(at, ..)| *at).collect();
        looks.dedup();
        looks
    }

    /// How many questions were put.
    pub(super) fn count(&self) -> usize {
        self.asked.lock().unwrap().len()
    }

    /// How many questions an address got in the second that brought it most.
    pub(super) fn busiest_second(&self, server: &str) -> usize {
        let asked = self.asked(server);
        let within = |from: u64| asked.iter().filter(|at| (from..from + 1000).contains(*at)).count();
        asked.iter().map(|at| within(*at)).max().unwrap_or_default()
    }
}

impl Exchange for Authorities {
    async fn ask(&self, server: SocketAddr, name: &Fqdn) -> Result<Answer, ExchangeError> {
        let now = u64::try_from(self.begun.elapsed().as_millis()).unwrap();
        self.asked.lock().unwrap().push((now, server, name.clone()));
        let script = self.scripts.get(&(server, name.clone()));
        if script.is_none() && *name == fqdn(ELSEWHERE) {
            return Ok(rcode(Rcode::Refused).unwrap());
        }
        let script = script.unwrap_or_else(|| panic!("{server} was not to be asked for {name}"));
        let (_, took, answer) = script
            .iter()
            .rfind(|(from, ..)| *from <= now)
            .unwrap_or_else(|| panic!("{server} was not to be asked for {name} at {now} ms"));
        tokio::time::sleep(Duration::from_millis(*took)).await;
        answer.clone().ok_or(ExchangeError::Silent)
    }

    fn has_route(&self, server: SocketAddr) -> bool {
        !self.unrouted.contains(&server)
    }
}

/// An authority's answer with these values.
pub(super) fn has(values: &[&str]) -> Option<Answer> {
    Some(Answer {
        authoritative: true,
        values: values.iter().map(|value| (*value).to_owned()).collect(),
        ..Answer::default()
    })
}

pub(super) fn lacks() -> Option<Answer> {
    Some(Answer { authoritative: true, rcode: Rcode::NxDomain, ..Answer::default() })
}

pub(super) fn cname(target: &str) -> Option<Answer> {
    Some(Answer { authoritative: true, cname: Some(target.to_owned()), ..Answer::default() })
}

pub(super) fn referral(cut: &str) -> Option<Answer> {
    Some(Answer { referral: Some(fqdn(cut)), ..Answer::default() })
}

pub(super) fn rcode(rcode: Rcode) -> Option<Answer> {
    Some(Answer { rcode, ..Answer::default() })
}

/// A resolver's answer: not authoritative.
pub(super) fn hearsay(values: &[&str]) -> Option<Answer> {
    has(values).map(|answer| Answer { authoritative: false, recursion_available: true, ..answer })
}

/// The delegation to ada and bob.
pub(super) fn delegation() -> Delegation {
    let server = |name: &str, addresses: &[&str]| NameServer {
        name: fqdn(name),
        addresses: addresses.iter().map(|a| a.parse().unwrap()).collect(),
    };
    Delegation {
        servers: vec![
            server("ada.ns.cloudflare.com", &[ADA_4, ADA_6]),
            server("bob.ns.cloudflare.com", &[BOB_4]),
        ],
    }
}

/// What an operator says of the challenge's name from an instant on: milliseconds after the begin, how long it takes, and
/// the values with their time to live; `None` is silence.
pub(super) type Tells = (u64, u64, Option<(&'static [&'static str], u64)>);

/// Operators of resolvers over HTTPS.
#[derive(Debug, Clone)]
pub(super) struct Operators {
    begun: Instant,
    names: Vec<String>,
    scripts: Vec<Vec<Tells>>,
    has_roots: bool,
    /// Milliseconds, operator.
    asked: Arc<Mutex<Vec<(u64, usize)>>>,
}

impl Operators {
    pub(super) fn new(scripts: &[&[Tells]]) -> Self {
        Self {
            begun: Instant::now(),
            names: (0..scripts.len()).map(|n| format!("operator {n}")).collect(),
            scripts: scripts.iter().map(|script| script.to_vec()).collect(),
            has_roots: true,
            asked: Arc::default(),
        }
    }

    pub(super) fn without_roots(mut self) -> Self {
        self.has_roots = false;
        self
    }

    /// Milliseconds and operator of each question.
    pub(super) fn asked(&self) -> Vec<(u64, usize)> {
        self.asked.lock().unwrap().clone()
    }
}

impl Https for Operators {
    fn operators(&self) -> &[String] {
        &self.names
    }

    async fn ask(&self, operator: usize, name: &Fqdn) -> Result<Told, HttpsError> {
        assert_eq!(*name, fqdn(NAME));
        if !self.has_roots {
            return Err(HttpsError::Roots("none".to_owned()));
        }
        let now = u64::try_from(self.begun.elapsed().as_millis()).unwrap();
        self.asked.lock().unwrap().push((now, operator));
        let script = self.scripts[operator].iter();
        let told = script.rev().find(|(from, ..)| *from <= now);
        let (_, took, told) =
            told.unwrap_or_else(|| panic!("operator {operator} was not to be asked at {now} ms"));
        tokio::time::sleep(Duration::from_millis(*took)).await;
        let (values, ttl) = told.ok_or_else(|| HttpsError::Failed("silent".to_owned()))?;
        let values = values.iter().map(|value| (*value).to_owned()).collect();
        Ok(Told { values, ttl: Duration::from_secs(ttl) })
    }
}

/// A recursive resolver.
#[derive(Debug, Clone, Default)]
pub(super) struct Directory {
    name_servers: HashMap<Fqdn, Result<Found<String>, LookupError>>,
    addresses: HashMap<(Fqdn, Family), Result<Found<IpAddr>, LookupError>>,
    delay: Duration,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Directory {
    /// That which leads to [`delegation`].
    pub(super) fn usual() -> Self {
        Self::default()
            .zone(&["bob.ns.cloudflare.com.", "Ada.NS.cloudflare.com."], 86400)
            .host("ada.ns.cloudflare.com", &["108.162.192.1"], &["2606:4700:50::1"])
            .host("bob.ns.cloudflare.com", &["172.64.32.1"], &[])
    }

    pub(super) fn zone(mut self, names: &[&str], ttl: u64) -> Self {
        let found = Found {
            records: names.iter().map(|name| (*name).to_owned()).collect(),
            ttl: Duration::from_secs(ttl),
        };
        self.name_servers.insert(fqdn(ZONE), Ok(found));
        self
    }

    pub(super) fn broken_zone(mut self) -> Self {
        self.name_servers.insert(fqdn(ZONE), Err(failed()));
        self
    }

    pub(super) fn host(self, host: &str, v4: &[&str], v6: &[&str]) -> Self {
        self.family(host, Family::V4, Some(v4)).family(host, Family::V6, Some(v6))
    }

    /// `None` fails.
    pub(super) fn family(mut self, host: &str, family: Family, addresses: Option<&[&str]>) -> Self {
        let found = addresses.map(|addresses| Found {
            records: addresses.iter().map(|a| a.parse().unwrap()).collect(),
            ttl: Duration::from_mins(5),
        });
        self.addresses.insert((fqdn(host), family), found.ok_or_else(failed));
        self
    }

    pub(super) fn slow(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// Every name it was asked for.
    pub(super) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

impl Lookup for Directory {
    async fn name_servers(&self, zone: &Fqdn) -> Result<Found<String>, LookupError> {
        self.asked.lock().unwrap().push(zone.to_string());
        tokio::time::sleep(self.delay).await;
        let found = self.name_servers.get(zone);
        found.unwrap_or_else(|| panic!("{zone} was not to be looked up")).clone()
    }

    async fn addresses(&self, host: &Fqdn, family: Family) -> Result<Found<IpAddr>, LookupError> {
        self.asked.lock().unwrap().push(host.to_string());
        let found = self.addresses.get(&(host.clone(), family));
        found.unwrap_or_else(|| panic!("{host} was not to be looked up")).clone()
    }
}

fn failed() -> LookupError {
    LookupError("SERVFAIL".to_owned())
}

pub(super) fn values(texts: &[&str]) -> Vec<TxtValue> {
    texts.iter().map(|text| TxtValue::parse(text).unwrap()).collect()
}

pub(super) fn fqdn(text: &str) -> Fqdn {
    Fqdn::parse(text).unwrap()
}
