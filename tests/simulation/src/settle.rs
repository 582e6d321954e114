//! How true "live" is: successes whose record was missing at a point of presence that the check could not see.
//!
//! The check asks the name servers' addresses from one place, and anycast leads it to one point of presence there. The
//! CA looks from several places. A record reaches each point of presence and each address there at a time of its own; how
//! those times lie, nobody outside of Cloudflare knows, so several distributions are tried.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cert_manager_webhook_cloudflare::challenge::TxtValue;
use cert_manager_webhook_cloudflare::deadline::Deadline;
use cert_manager_webhook_cloudflare::metrics::Metrics;
use cert_manager_webhook_cloudflare::name::Fqdn;
use cert_manager_webhook_cloudflare::propagation::exchange::{Answer, Exchange, ExchangeError, Rcode};
use cert_manager_webhook_cloudflare::propagation::https::{Https, HttpsError, Told};
use cert_manager_webhook_cloudflare::propagation::lookup::{Family, Found, Lookup, LookupError};
use cert_manager_webhook_cloudflare::propagation::{Check, LiveCheck, Network};
use cert_manager_webhook_cloudflare::solver::port::{Propagation, Watch, Zone};
use tokio::time::{Instant, sleep};

use crate::dns::settings;
use crate::random::Random;

/// How long a record takes to a point of presence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spread {
    /// 0.3 to 1.5 s, each address for itself.
    Even,
    /// Log-normal about 1 s; a fifth are above 1.5 s, one in a hundred above 3.2 s.
    Usual,
    /// As usual; one point of presence in a hundred is ten times as late.
    Straggler,
    /// As usual; all of ours are 1 s ahead of the others.
    Ahead,
}

impl Spread {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Even, Self::Usual, Self::Straggler, Self::Ahead];
}

/// What came of many Presents.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Truth {
    /// Successes.
    pub confirmed: u64,
    /// Those whose record was missing at an address that was asked.
    pub missing_here: u64,
    /// Those whose record was missing, at that moment, where one of the CA's places looked.
    pub missing_there: u64,
    /// From the write to success, all together, in milliseconds.
    pub waited: u64,
}

/// Plays so many Presents with this settle time, on paused time.
#[must_use]
pub fn truth(spread: Spread, settle: Duration, presents: u64, seed: u64) -> Truth {
    let mut truth = Truth::default();
    let mut random = Random::new(seed);
    for _ in 0..presents.div_ceil(ZONE) {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_time().start_paused(true).build().unwrap();
        runtime.block_on(zone(spread, settle, &mut random, &mut truth));
    }
    truth
}

/// A zone's Presents, one after the other, as the check learns from one what to expect of the next.
async fn zone(spread: Spread, settle: Duration, random: &mut Random, truth: &mut Truth) {
    let places = Places::default();
    let network = Network { lookup: places.clone(), exchange: places.clone(), https: places.clone() };
    let check =
        LiveCheck::over(network, &settings(Check::Authority, settle), Arc::new(Metrics::default())).unwrap();
    let zone = Zone { id: "0".repeat(32), name: fqdn("example.com"), name_servers: Vec::new() };
    for number in 0..ZONE {
        let begun = Instant::now();
        let here: Vec<_> = (0..ADDRESSES).map(|_| begun + spread.delay(random, true)).collect();
        places.0.lock().unwrap().clone_from(&here);
        // Each of the CA's places asks one address of a point of presence of its own.
        let there: Vec<_> = (0..CA_PLACES).map(|_| begun + spread.delay(random, false)).collect();
        let (fqdn, value) = (fqdn(&format!("_acme-challenge.n{number}.example.com")), value());
        let watch = Watch { zone: &zone, fqdn: &fqdn, values: &[value], seen: None };
        if check.confirm(watch, Deadline::within(Duration::from_mins(1))).await.is_ok() {
            let is_late = |at: &Instant| *at > Instant::now();
            truth.confirmed += 1;
            truth.missing_here += u64::from(here.iter().any(is_late));
            truth.missing_there += u64::from(there.iter().any(is_late));
            truth.waited += u64::try_from(begun.elapsed().as_millis()).unwrap();
        }
    }
}

impl Spread {
    fn delay(self, random: &mut Random, is_here: bool) -> Duration {
        match self {
            Self::Even => random.millis(300, 1_500),
            Self::Straggler if !is_here && random.percent(1) => usual(random) * 10,
            Self::Ahead if !is_here => usual(random) + Duration::from_secs(1),
            Self::Usual | Self::Straggler | Self::Ahead => usual(random),
        }
    }
}

/// Log-normal with a median of a second; the sum of twelve even numbers is normal enough.
fn usual(random: &mut Random) -> Duration {
    let sum: f64 =
        (0..12).map(|_| f64::from(u32::try_from(random.below(1 << 20)).unwrap()) / f64::from(1 << 20)).sum();
    Duration::from_secs_f64((SIGMA * (sum - 6.0)).exp())
}

/// The addresses of the zone's name servers: from when each serves the record.
#[derive(Debug, Clone, Default)]
struct Places(Arc<Mutex<Vec<Instant>>>);

impl Exchange for Places {
    async fn ask(&self, server: SocketAddr, _: &Fqdn) -> Result<Answer, ExchangeError> {
        sleep(WAY).await;
        let IpAddr::V4(address) = server.ip() else { panic!("{server}") };
        let from = self.0.lock().unwrap()[usize::from(address.octets()[3])];
        let answer = if from <= Instant::now() {
            Answer { authoritative: true, values: vec![value().as_str().to_owned()], ..Answer::default() }
        } else {
            Answer { authoritative: true, rcode: Rcode::NxDomain, ..Answer::default() }
        };
        sleep(WAY).await;
        Ok(answer)
    }

    fn has_route(&self, _: SocketAddr) -> bool {
        true
    }
}

impl Lookup for Places {
    async fn name_servers(&self, _: &Fqdn) -> Result<Found<String>, LookupError> {
        let records = SERVERS.map(str::to_owned).to_vec();
        Ok(Found { records, ttl: Duration::from_hours(24) })
    }

    async fn addresses(&self, host: &Fqdn, family: Family) -> Result<Found<IpAddr>, LookupError> {
        let ttl = Duration::from_mins(5);
        let half = u8::try_from(ADDRESSES / 2).unwrap();
        let first = if host.as_str() == SERVERS[0] { 0 } else { half };
        let numbers = if family == Family::V4 { first..first + half } else { 0..0 };
        Ok(Found { records: numbers.map(|n| Ipv4Addr::new(192, 0, 2, n).into()).collect(), ttl })
    }
}

impl Https for Places {
    fn operators(&self) -> &[String] {
        &[]
    }

    async fn ask(&self, _: usize, _: &Fqdn) -> Result<Told, HttpsError> {
        Err(HttpsError::Failed("nobody".to_owned()))
    }
}

fn fqdn(text: &str) -> Fqdn {
    Fqdn::parse(text).unwrap()
}

fn value() -> TxtValue {
    TxtValue::parse("live").unwrap()
}

const SERVERS: [&str; 2] = ["ada.ns.cloudflare.com", "bob.ns.cloudflare.com"];
/// As many as Cloudflare's name servers have.
const ADDRESSES: usize = 12;
/// Let's Encrypt looks from as many (<https://letsencrypt.org/docs/multiva/>).
const CA_PLACES: usize = 5;
/// Presents of one zone, one after the other.
const ZONE: u64 = 50;
/// Of the logarithm.
const SIGMA: f64 = 0.5;
/// One way to a name server.
const WAY: Duration = Duration::from_millis(8);
