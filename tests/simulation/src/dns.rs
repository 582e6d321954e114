//! The way to name servers and resolvers: questions that are lost, slow, refused or answered by somebody in between.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cert_manager_webhook_cloudflare::name::Fqdn;
use cert_manager_webhook_cloudflare::propagation::exchange::{Answer, Exchange, ExchangeError, Rcode};
use cert_manager_webhook_cloudflare::propagation::https::{Https, HttpsError, Told};
use cert_manager_webhook_cloudflare::propagation::lookup::{Family, Found, Lookup, LookupError};
use cert_manager_webhook_cloudflare::propagation::{Check, Roots, Settings};
use cloudflare_emulator::{Asked, Emulator};
use tokio::time::{Instant, sleep};

use crate::plan::Port;
use crate::process::Wire;
use crate::random::Random;

/// A resolver with a cache, as the CA and the operators of DNS over HTTPS run them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Resolver {
    cache: BTreeMap<String, (Vec<String>, Instant)>,
}

impl Resolver {
    /// The values at a name: as cached, or as told now by the name server at `address`.
    pub(crate) fn ask(
        &mut self,
        emulator: &Emulator,
        address: IpAddr,
        name: &str,
    ) -> (Vec<String>, Duration) {
        let now = Instant::now();
        if let Some((values, until)) = self.cached(name, now) {
            return (values, until - now);
        }
        let asked = emulator.ask(address, name);
        let (values, ttl) = asked.map(|asked| (asked.values, asked.ttl)).unwrap_or_default();
        let cap = if values.is_empty() { u64::MAX } else { POSITIVE_CAP };
        let ttl = Duration::from_secs(u64::from(ttl).min(cap));
        self.cache.insert(name.to_owned(), (values.clone(), now + ttl));
        (values, ttl)
    }

    pub(crate) fn cached(&self, name: &str, now: Instant) -> Option<(Vec<String>, Instant)> {
        self.cache.get(name).filter(|(_, until)| now < *until).cloned()
    }
}

/// Two operators of resolvers over HTTPS.
#[derive(Debug)]
pub(crate) struct Operators {
    names: Vec<String>,
    state: Mutex<(Vec<Resolver>, Random)>,
}

impl Operators {
    pub(crate) fn new(seed: u64) -> Self {
        let names: Vec<_> = (0..3).map(|n| format!("operator {n}")).collect();
        let resolvers = vec![Resolver::default(); names.len()];
        Self { names, state: Mutex::new((resolvers, Random::new(seed ^ 0x5eed))) }
    }

    fn ask(&self, emulator: &Emulator, operator: usize, name: &str) -> (Vec<String>, Duration) {
        let addresses: Vec<_> = emulator.authorities().into_iter().map(|(_, address)| address.ip()).collect();
        let mut state = self.state.lock().unwrap();
        let (resolvers, random) = &mut *state;
        resolvers[operator].ask(emulator, *random.pick(&addresses), name)
    }

    /// How many of them tell this value now without asking anybody.
    pub(crate) fn telling(&self, name: &str, value: &str) -> usize {
        let now = Instant::now();
        let state = self.state.lock().unwrap();
        let tells = |resolver: &&Resolver| {
            resolver.cached(name, now).is_some_and(|(values, _)| values.iter().any(|told| told == value))
        };
        state.0.iter().filter(tells).count()
    }
}

impl Wire {
    async fn authority(&self, server: SocketAddr, name: &Fqdn) -> Result<Answer, ExchangeError> {
        match self.world.plan.port {
            Port::Open | Port::OpenOrDetour => {}
            Port::Blocked => {
                sleep(SILENCE).await;
                return Err(ExchangeError::Silent);
            }
            Port::Intercepted => {
                sleep(Duration::from_millis(5)).await;
                let told = self.world.emulator.ask(server.ip(), name.as_str());
                let answer = told.map(|told| answer(&told)).unwrap_or_default();
                return Ok(Answer { authoritative: false, recursion_available: true, ..answer });
            }
        }
        let fault = self.world.befalls(self.world.plan.bad_questions);
        let what = fault.map(|mut random| (random.below(6), random.millis(100, 2_500)));
        match what {
            Some((0 | 1, _)) => {
                sleep(SILENCE).await;
                return Err(ExchangeError::Silent);
            }
            Some((2, _)) => return Ok(Answer { rcode: Rcode::Other(2), ..Answer::default() }),
            Some((3, _)) => return Ok(Answer { rcode: Rcode::Refused, ..Answer::default() }),
            Some((_, late)) => sleep(late).await,
            None => sleep(WAY).await,
        }
        let told = self.world.emulator.ask(server.ip(), name.as_str());
        sleep(WAY).await;
        Ok(told.map_or(Answer { rcode: Rcode::Refused, ..Answer::default() }, |told| answer(&told)))
    }
}

impl Exchange for Wire {
    async fn ask(&self, server: SocketAddr, name: &Fqdn) -> Result<Answer, ExchangeError> {
        self.life.reach().await;
        self.world.judge.asked();
        let told = self.life.alive(self.authority(server, name)).await;
        self.life.heard(server.ip(), told.is_ok());
        told
    }

    fn has_route(&self, _: SocketAddr) -> bool {
        true
    }
}

impl Lookup for Wire {
    async fn name_servers(&self, zone: &Fqdn) -> Result<Found<String>, LookupError> {
        self.life.reach().await;
        self.life.alive(sleep(WAY)).await;
        if self.world.befalls(self.world.plan.bad_questions).is_some() {
            return Err(LookupError("SERVFAIL".to_owned()));
        }
        let records = self.world.emulator.delegation(zone.as_str());
        Ok(Found { records, ttl: Duration::from_mins(5) })
    }

    async fn addresses(&self, host: &Fqdn, family: Family) -> Result<Found<IpAddr>, LookupError> {
        self.life.reach().await;
        self.life.alive(sleep(WAY)).await;
        let known = self.world.emulator.authorities().into_iter();
        let mut records: Vec<_> =
            known.filter(|(name, _)| name == host.as_str()).map(|(_, address)| address.ip()).collect();
        if host.as_str() == ELSEWHERE {
            records.push(Ipv4Addr::new(198, 51, 100, 53).into());
        }
        records.retain(|address| address.is_ipv4() == (family == Family::V4));
        Ok(Found { records, ttl: Duration::from_mins(5) })
    }
}

impl Https for Wire {
    fn operators(&self) -> &[String] {
        &self.world.operators.names
    }

    async fn ask(&self, operator: usize, name: &Fqdn) -> Result<Told, HttpsError> {
        self.life.reach().await;
        self.life.alive(sleep(WAY)).await;
        if self.world.befalls(self.world.plan.bad_questions).is_some() {
            return Err(HttpsError::Failed("refused".to_owned()));
        }
        let (values, ttl) = self.world.operators.ask(&self.world.emulator, operator, name.as_str());
        Ok(Told { values, ttl })
    }
}

/// How to check in a network that is simulated.
pub(crate) fn settings(check: Check, settle: Duration) -> Settings {
    Settings {
        check,
        timeout: Duration::from_secs(40),
        settle,
        authority_port: 53,
        allow_private_name_servers: true,
        recursive_servers: Vec::new(),
        recursive_servers_only: false,
        doh_servers: Vec::new(),
        roots: Arc::new(Roots::new(|| unreachable!("nobody is asked over TLS"))),
    }
}

fn answer(told: &Asked) -> Answer {
    Answer {
        authoritative: told.authoritative,
        recursion_available: false,
        rcode: match told.rcode {
            0 => Rcode::NoError,
            3 => Rcode::NxDomain,
            5 => Rcode::Refused,
            other => Rcode::Other(other),
        },
        values: told.values.clone(),
        cname: told.cname.clone(),
        referral: told.referral.as_deref().and_then(|owner| Fqdn::parse(owner).ok()),
    }
}

/// To a name server, one way.
const WAY: Duration = Duration::from_millis(8);
/// As long as the program's sockets wait for an answer.
const SILENCE: Duration = Duration::from_secs(3);
/// Let's Encrypt's resolvers keep nothing longer.
const POSITIVE_CAP: u64 = 60;
/// Who is named by the parent of a zone that went elsewhere.
pub(crate) const ELSEWHERE: &str = "ns1.elsewhere.example";
