//! D13: the caching recursive resolver.

use std::time::Duration;

use cloudflare_emulator::{Action, Fault, ListenConfig, ResolverPick, World};
use hickory_proto::op::ResponseCode;
use hickory_proto::rr::RData;

use crate::support::{Lab, ask, pass, txt, values, world};

#[tokio::test]
async fn d13_the_resolver_keeps_what_it_heard() {
    let lab = Lab::new(world()).await;
    // Asked too early: the denial stays for the SOA's minimum.
    let early = lab.resolve("_acme-challenge.example.com", "TXT").await;
    assert_eq!(early.metadata.response_code, ResponseCode::NXDomain);
    assert!(early.metadata.recursion_available && !early.metadata.authoritative);
    lab.create(txt("_acme-challenge", "\"1\"")).await;
    pass(Duration::from_secs(1700)).await;
    let still = lab.resolve("_acme-challenge.example.com", "TXT").await;
    assert_eq!(still.metadata.response_code, ResponseCode::NXDomain);
    assert!(still.authorities[0].ttl <= 100, "the TTL counts down");
    assert_eq!(
        lab.resolve("_acme-challenge.example.com", "CNAME").await.metadata.response_code,
        ResponseCode::NXDomain,
        "for all types"
    );
    pass(Duration::from_secs(100)).await;
    assert_eq!(values(&lab.resolve("_acme-challenge.example.com", "TXT").await), ["1"]);

    // A second value is not seen for min(TTL, 60 s).
    lab.create(txt("_acme-challenge", "\"2\"")).await;
    assert_eq!(values(&lab.resolve("_acme-challenge.example.com", "TXT").await), ["1"]);
    pass(Duration::from_mins(1)).await;
    assert_eq!(values(&lab.resolve("_acme-challenge.example.com", "TXT").await), ["1", "2"]);
    assert_eq!(lab.emulator.stats().resolver_cache_hits, 3);
}

#[tokio::test]
async fn the_positive_cap_and_the_clock_can_be_set() {
    let lab = Lab::new(world().record("example.com", "TXT", "a", "\"1\"")).await;
    lab.emulator.change(|settings| settings.time_scale = 10);
    lab.resolve("a.example.com", "TXT").await;
    lab.create(txt("a", "\"2\"")).await;
    pass(Duration::from_secs(3)).await;
    assert_eq!(values(&lab.resolve("a.example.com", "TXT").await), ["1"]);
    pass(Duration::from_secs(3)).await;
    assert_eq!(values(&lab.resolve("a.example.com", "TXT").await), ["1", "2"]);
    lab.create(txt("a", "\"3\"")).await;
    lab.emulator.flush_resolver();
    assert_eq!(values(&lab.resolve("a.example.com", "TXT").await), ["1", "2", "3"]);
}

#[tokio::test]
async fn delegations_addresses_and_hosts() {
    let mut world = world();
    world
        .hosts
        .insert("localhost.test".to_owned(), vec!["127.0.0.1".parse().unwrap(), "::1".parse().unwrap()]);
    let lab = Lab::new(world).await;
    let servers = lab.resolve("example.com", "NS").await;
    let hosts: Vec<_> = servers.answers.iter().map(|record| record.data.to_string()).collect();
    assert_eq!(hosts, ["ada.ns.cloudflare.com.", "bob.ns.cloudflare.com."]);
    assert_eq!(lab.resolve("ada.ns.cloudflare.com", "A").await.answers.len(), 2);
    let none = lab.resolve("ada.ns.cloudflare.com", "AAAA").await;
    assert_eq!((none.metadata.response_code, none.answers.len()), (ResponseCode::NoError, 0));
    let host = lab.resolve("localhost.test", "AAAA").await;
    assert!(matches!(host.answers[0].data, RData::AAAA(_)));
    assert_eq!(lab.resolve("nowhere.invalid", "A").await.metadata.response_code, ResponseCode::NXDomain);
    assert_eq!(lab.resolve("com", "SOA").await.metadata.response_code, ResponseCode::NoError);
    let soa = lab.resolve("example.com", "SOA").await;
    assert!(matches!(soa.answers[0].data, RData::SOA(_)));
}

#[tokio::test]
async fn broken_servers_are_passed_over() {
    let lab = Lab::new(world().record("example.com", "TXT", "a", "\"1\"")).await;
    for action in [Action::Silent, Action::ServFail, Action::Refused, Action::Intercept { txt: Vec::new() }] {
        lab.emulator.clear_faults();
        lab.emulator.flush_resolver();
        lab.emulator.add_fault(Fault::new(action).server("ada.ns.cloudflare.com"));
        assert_eq!(values(&lab.resolve("a.example.com", "TXT").await), ["1"]);
    }
    lab.emulator.flush_resolver();
    lab.emulator.add_fault(Fault::new(Action::Silent).server("bob.ns.cloudflare.com"));
    assert_eq!(lab.resolve("a.example.com", "TXT").await.metadata.response_code, ResponseCode::ServFail);
    // The resolver itself can fail, too, and what it could not find out is not kept.
    lab.emulator.clear_faults();
    lab.emulator.add_fault(Fault::new(Action::Refused).server("resolver").times(1));
    assert_eq!(lab.resolve("a.example.com", "TXT").await.metadata.response_code, ResponseCode::Refused);
    assert_eq!(values(&lab.resolve("a.example.com", "TXT").await), ["1"]);
}

#[tokio::test]
async fn it_looks_from_elsewhere() {
    let lab = Lab::new(world()).await;
    lab.emulator.change(|settings| settings.pop_delay_ms = 5000);
    lab.create(txt("a", "\"1\"")).await;
    assert!(lab.emulator.serves_everywhere("a.example.com", "1"));
    assert_eq!(lab.resolve("a.example.com", "TXT").await.metadata.response_code, ResponseCode::NXDomain);
    lab.emulator.flush_resolver();
    pass(Duration::from_secs(5)).await;
    assert_eq!(values(&lab.resolve("a.example.com", "TXT").await), ["1"]);

    // As if it always met the server that lags.
    let delay = cloudflare_emulator::Delay {
        server: Some("bob.ns.cloudflare.com".to_owned()),
        ms: 3000,
        ..cloudflare_emulator::Delay::default()
    };
    lab.emulator.change(|settings| {
        settings.pop_delay_ms = 0;
        settings.delays = vec![delay];
        settings.pick = ResolverPick::Slowest;
    });
    lab.create(txt("b", "\"1\"")).await;
    assert_eq!(values(&lab.dig("b.example.com", "TXT").await), ["1"]);
    assert!(values(&lab.resolve("b.example.com", "TXT").await).is_empty());
}

/// cert-manager asks the cluster's resolver for the SOA at the challenge name before it presents.
#[tokio::test]
async fn the_ca_has_a_memory_of_its_own() {
    let mut world = world();
    world.ca_resolver = Some(ListenConfig::default());
    let lab = Lab::new(world).await;
    let early = lab.resolve("_acme-challenge.example.com", "SOA").await;
    assert_eq!(early.metadata.response_code, ResponseCode::NXDomain);
    lab.create(txt("_acme-challenge", "\"1\"")).await;
    assert!(values(&lab.resolve("_acme-challenge.example.com", "TXT").await).is_empty());
    let ca = lab.emulator.ca_resolver_addr().unwrap();
    assert_eq!(values(&ask(ca, "_acme-challenge.example.com", "TXT").await), ["1"]);
    assert_eq!(lab.emulator.stats().dns_queries_by_server["ca-resolver"], 1);
}

/// States that are replaced are dropped, and what is served does not change by it.
#[tokio::test]
async fn old_states_are_forgotten() {
    let lab = Lab::new(world()).await;
    for round in 0..3 {
        let id = lab.create(txt("a", &format!("\"{round}\""))).await["id"].as_str().unwrap().to_owned();
        pass(Duration::from_secs(2)).await;
        assert_eq!(values(&lab.dig("a.example.com", "TXT").await), [round.to_string()]);
        lab.api().delete(&lab.records(&format!("/{id}"))).await.ok();
        pass(Duration::from_secs(2)).await;
        assert_eq!(lab.dig("a.example.com", "TXT").await.metadata.response_code, ResponseCode::NXDomain);
    }
}

#[tokio::test]
async fn a_world_without_resolver() {
    let mut world: World = world();
    world.resolver = None;
    let lab = Lab::new(world).await;
    assert!(lab.emulator.resolver_addr().is_none());
}
