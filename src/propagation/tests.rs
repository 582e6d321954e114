mod loopback;

use super::fake::{Authorities, BOB_4, Directory, NAME, ZONE, fqdn, has, lacks, rcode, values};
use super::*;
use crate::propagation::exchange::Rcode;
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
    assert!(fake.asked(BOB_4).len() <= 20 * 10);
}

#[tokio::test]
async fn off_knows_nothing_and_needs_nothing() {
    let check = LiveCheck::new(Settings { check: Check::Off, ..settings() });
    let (zone, values) = (zone(&[]), values(&["v"]));
    let watch = Watch { zone: &zone, fqdn: &fqdn(NAME), values: &values, seen: None };
    let deadline = Deadline::within(Duration::from_secs(1));
    assert_eq!(check.unwrap().confirm(watch, deadline).await.unwrap(), None);
}

/// As by default, but for the roots: nobody is trusted.
fn settings() -> Settings {
    let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    Settings {
        check: Check::Authority,
        timeout: Duration::from_secs(40),
        settle: Duration::from_secs(1),
        authority_port: 53,
        allow_private_name_servers: false,
        recursive_servers: Vec::new(),
        recursive_servers_only: false,
        tls: rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth(),
    }
}

fn checker(directory: Directory, exchange: Authorities) -> Checker<Directory, Authorities> {
    Checker {
        delegations: Delegations::new(directory, 53, false),
        exchange,
        quiet: quiet(),
        timeout: Duration::from_secs(40),
        settle: Duration::from_secs(1),
    }
}

async fn confirm(checker: &Checker<Directory, Authorities>, zone: &Zone) -> Result<Sighting, Error> {
    confirm_within(checker, zone, Duration::from_secs(45)).await
}

async fn confirm_within(
    checker: &Checker<Directory, Authorities>,
    zone: &Zone,
    budget: Duration,
) -> Result<Sighting, Error> {
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
