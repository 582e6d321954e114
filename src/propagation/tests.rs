mod detour;
mod loopback;

use tokio::time::Instant;

use super::fake::{Authorities, Directory, NAME, Operators, ZONE, fqdn, has, lacks, rcode, values};
use super::*;
use crate::propagation::exchange::Rcode;
use crate::solver::error::Cause;
use crate::solver::port::Zone;

#[tokio::test(start_paused = true)]
async fn resolvers_are_asked_for_the_delegation_and_never_for_the_challenge() {
    let directory = Directory::usual();
    let fake = Authorities::all(&[(0, 30, lacks()), (1500, 30, has(&["v"]))]);
    let checker = checker(directory.clone(), fake);
    let begun = Instant::now();
    confirm(&checker, &zone(&["ada.ns.cloudflare.com"])).await.unwrap();
    assert!(begun.elapsed() < Duration::from_millis(3500), "{:?}", begun.elapsed());
    let mut asked = directory.asked();
    asked.sort();
    let expected = [
        "ada.ns.cloudflare.com",
        "ada.ns.cloudflare.com",
        "bob.ns.cloudflare.com",
        "bob.ns.cloudflare.com",
        ZONE,
    ];
    assert_eq!(asked, expected);
}

#[tokio::test(start_paused = true)]
async fn a_delegation_that_led_to_a_failure_is_looked_up_anew() {
    let directory = Directory::usual();
    let refused = (0, 0, rcode(Rcode::Refused));
    let fake = Authorities::all(&[refused, (1000, 0, has(&["v"]))]);
    let checker = checker(directory.clone(), fake);
    confirm(&checker, &zone(&[])).await.unwrap_err();
    tokio::time::advance(Duration::from_secs(1)).await;
    confirm(&checker, &zone(&[])).await.unwrap();
    confirm(&checker, &zone(&[])).await.unwrap();
    let asked = directory.asked();
    assert_eq!(asked.iter().filter(|name| *name == ZONE).count(), 2);
}

#[tokio::test(start_paused = true)]
async fn another_operators_name_servers_are_not_delegated() {
    let fake = Authorities::all(&[(0, 0, rcode(Rcode::Refused))]);
    let checker = checker(Directory::usual(), fake);
    let error = confirm(&checker, &zone(&["carl.ns.cloudflare.com"])).await.unwrap_err();
    assert_eq!(error.cause(), &Cause::NotDelegated(fqdn(ZONE)));
}

#[tokio::test(start_paused = true)]
async fn the_sooner_of_timeout_and_deadline_ends_it_with_the_same_text() {
    let fake = Authorities::all(&[(0, 0, lacks())]);
    let checker = checker(Directory::usual(), fake.clone());
    let mut texts = Vec::new();
    for (budget, bound) in [(60, 40), (7, 7)] {
        let begun = Instant::now();
        let error = confirm_within(&checker, &zone(&[]), Duration::from_secs(budget)).await.unwrap_err();
        assert!(begun.elapsed() <= Duration::from_secs(bound));
        assert!(begun.elapsed() >= Duration::from_secs(bound - 1));
        texts.push(error.to_string());
    }
    assert_eq!(texts[0], texts[1]);
    let error = confirm_within(&checker, &zone(&[]), Duration::ZERO).await.unwrap_err();
    assert_eq!(error.cause(), &Cause::OutOfTime);
}

#[tokio::test(start_paused = true)]
async fn slow_resolvers_are_told_from_a_slow_authority() {
    let checker = checker(Directory::usual().slow(Duration::from_mins(2)), Authorities::new());
    let error = confirm(&checker, &zone(&[])).await.unwrap_err();
    assert_eq!(error.cause(), &Cause::DelegationUnknown(fqdn(ZONE)));
}

#[tokio::test(start_paused = true)]
async fn many_at_once_do_not_disturb_each_other() {
    let fake = Authorities::all(&[(0, 10, lacks()), (700, 10, has(&["v"]))]);
    let checker = checker(Directory::usual(), fake.clone());
    let zone = zone(&[]);
    let all = futures::future::join_all((0..20).map(|_| confirm(&checker, &zone))).await;
    assert!(all.iter().all(Result::is_ok));
    assert!(fake.count() <= 60, "{}: the same name each time", fake.count());
}

/// The zone's usual delay is learned, and the next wait is spared what came too early.
#[tokio::test(start_paused = true)]
async fn the_next_wait_of_a_zone_asks_less() {
    let mut counts = Vec::new();
    let metrics: Arc<Metrics> = Arc::default();
    let mut known = None;
    for _ in 0..3 {
        let fake = Authorities::all(&[(0, 10, lacks()), (3000, 10, has(&["v"]))]);
        let exchange = Arc::new(fake.clone());
        let mut checker =
            checker_with(Directory::usual(), exchange, Judges::Authority, Operators::new(&[]), &metrics);
        if let Some(tempo) = known.take() {
            checker.tempo = tempo;
        }
        let begun = Instant::now();
        confirm(&checker, &zone(&[])).await.unwrap();
        assert!(begun.elapsed() <= Duration::from_millis(4500), "{:?}", begun.elapsed());
        counts.push(fake.count());
        known = Some(checker.tempo);
    }
    assert!(counts[1] < counts[0] && counts[2] < counts[0], "{counts:?}");
}

#[tokio::test]
async fn off_knows_nothing_and_needs_nothing() {
    let check = LiveCheck::new(&Settings { check: Check::Off, ..settings() }, Arc::default());
    let (zone, values) = (zone(&[]), values(&["v"]));
    let watch = Watch { zone: &zone, fqdn: &fqdn(NAME), values: &values, seen: None };
    let deadline = Deadline::within(Duration::from_secs(1));
    assert_eq!(check.unwrap().confirm(watch, deadline).await.unwrap(), None);
}

/// Those that cert-manager may have asked too early are no judges, and one operator is none either.
#[tokio::test]
async fn doh_needs_two_operators_that_nobody_else_asks() {
    let check = |check, asked: &str, judges: &[&str]| {
        let settings = Settings {
            check,
            recursive_servers: vec![asked.parse().unwrap()],
            doh_servers: judges.iter().map(|url| url.parse().unwrap()).collect(),
            ..settings()
        };
        LiveCheck::new(&settings, Arc::default())
    };
    let two = ["https://1.1.1.1", "https://9.9.9.9"];
    assert!(check(Check::Doh, "192.0.2.1", &two).is_ok());
    for (asked, judges) in
        [("1.0.0.1", two), ("192.0.2.1", ["https://1.1.1.1", "https://cloudflare-dns.com"])]
    {
        assert!(matches!(check(Check::Doh, asked, &judges), Err(ResolverError::TooFew)));
        let auto = check(Check::Auto, asked, &judges).unwrap();
        assert!(format!("{auto:?}").contains("judges: Authority"), "as well as it can");
    }
}

/// The roots are needed by whoever asks over HTTPS, and by nobody else.
#[tokio::test]
async fn roots_are_loaded_only_when_they_are_needed() {
    let none = || Arc::new(Roots::new(|| Err(rustls::Error::General("none".to_owned()))));
    let with = |recursive: &str| Settings {
        check: Check::Auto,
        roots: none(),
        recursive_servers: vec![recursive.parse().unwrap()],
        doh_servers: vec!["https://1.1.1.1".parse().unwrap(), "https://9.9.9.9".parse().unwrap()],
        ..settings()
    };
    assert!(LiveCheck::new(&with("192.0.2.1"), Arc::default()).is_ok());
    let refused = LiveCheck::new(&with("https://192.0.2.1"), Arc::default());
    assert!(matches!(refused, Err(ResolverError::Roots(_))));
}

/// As by default, but for the roots: nobody is trusted.
fn settings() -> Settings {
    Settings {
        check: Check::Authority,
        timeout: Duration::from_secs(40),
        settle: Duration::from_secs(1),
        authority_port: 53,
        allow_private_name_servers: false,
        recursive_servers: Vec::new(),
        recursive_servers_only: false,
        doh_servers: Vec::new(),
        roots: Arc::new(Roots::new(resolver::nobody)),
    }
}

type TestChecker = Checker<Directory, Authorities, Operators>;

fn checker(directory: Directory, exchange: Authorities) -> TestChecker {
    let operators = Operators::new(&[]);
    checker_with(directory, Arc::new(exchange), Judges::Authority, operators, &Arc::default())
}

fn checker_with(
    directory: Directory,
    exchange: Arc<Authorities>,
    judges: Judges,
    operators: Operators,
    metrics: &Arc<Metrics>,
) -> TestChecker {
    let times = Times { timeout: Duration::from_secs(40), settle: Duration::from_secs(1) };
    let delegations = Delegations::new(directory, Arc::clone(&exchange), 53, false);
    Checker::new(judges, times, delegations, exchange, operators, Arc::clone(metrics))
}

async fn confirm(checker: &TestChecker, zone: &Zone) -> Result<Sighting, Error> {
    confirm_within(checker, zone, Duration::from_secs(45)).await
}

async fn confirm_within(checker: &TestChecker, zone: &Zone, budget: Duration) -> Result<Sighting, Error> {
    let values = values(&["v"]);
    let watch = Watch { zone, fqdn: &fqdn(NAME), values: &values, seen: None };
    checker.confirm(watch, Deadline::within(budget)).await
}

fn zone(assigned: &[&str]) -> Zone {
    Zone {
        id: "0".repeat(32),
        name: fqdn(ZONE),
        name_servers: assigned.iter().map(|name| fqdn(name)).collect(),
    }
}
