//! D01 to D12 and the name servers of D14.

use std::collections::BTreeSet;
use std::time::Duration;

use cloudflare_emulator::{Action, Delay, Fault, NameServerConfig, RecordConfig, ZoneConfig};
use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::{RData, RecordType};
use serde_json::json;

use crate::support::{Lab, ask, ask_tcp, ask_udp, pass, question, txt, values, world};

#[tokio::test]
async fn d01_name_servers_with_a_lag_each() {
    let lab = Lab::new(world()).await;
    let servers = lab.emulator.authorities();
    assert_eq!(servers.len(), 3);
    assert_eq!(servers.iter().map(|(name, _)| name).collect::<BTreeSet<_>>().len(), 2);
    let delay = |address: &str, ms| Delay { address: Some(address.parse().unwrap()), ms, ..Delay::default() };
    lab.emulator
        .change(|settings| settings.delays = vec![delay("127.0.0.3", 1000), delay("127.0.0.4", 2000)]);
    lab.create(txt("a", "\"1\"")).await;
    for (seconds, visible) in [(0, [1, 0, 0]), (1, [1, 1, 0]), (1, [1, 1, 1])] {
        pass(Duration::from_secs(seconds)).await;
        for ((_, address), visible) in servers.iter().zip(visible) {
            let answer = ask(*address, "a.example.com", "TXT").await;
            assert!(answer.metadata.authoritative && !answer.metadata.recursion_available);
            assert_eq!(values(&answer).len(), visible, "{address}");
        }
    }
}

#[tokio::test]
async fn d02_writes_and_deletes_take_their_time() {
    let mut world = world();
    world.propagation_ms = 1500;
    let lab = Lab::new(world).await;
    let serves = |value: &'static str| lab.emulator.serves_everywhere("a.example.com", value);
    let id = lab.create(txt("a", "\"1\"")).await["id"].as_str().unwrap().to_owned();
    assert!(!serves("1"));
    assert_eq!(lab.dig("a.example.com", "TXT").await.metadata.response_code, ResponseCode::NXDomain);
    pass(Duration::from_millis(1500)).await;
    assert!(serves("1"));
    assert_eq!(values(&lab.dig("a.example.com", "TXT").await), ["1"]);
    lab.api().delete(&lab.records(&format!("/{id}"))).await.ok();
    assert!(serves("1"), "still");
    pass(Duration::from_millis(1500)).await;
    assert!(values(&lab.dig("a.example.com", "TXT").await).is_empty());

    // Per record, and per name server; a change on its way can be let through.
    let rule = Delay { name: Some("slow.example.com".to_owned()), ms: 3_600_000, ..Delay::default() };
    lab.emulator.change(|settings| {
        settings.propagation_ms = 0;
        settings.delays = vec![rule];
    });
    lab.create(txt("fast", "\"1\"")).await;
    lab.create(txt("slow", "\"1\"")).await;
    assert!(lab.emulator.serves_everywhere("fast.example.com", "1"));
    lab.emulator.publish_now(Some("bob.ns.cloudflare.com"));
    let rcodes: Vec<_> =
        lab.emulator.visible("slow.example.com", "TXT").into_iter().map(|seen| seen.rcode).collect();
    assert_eq!(rcodes, ["NXDOMAIN", "NXDOMAIN", "NOERROR"]);
    lab.emulator.publish_now(None);
    assert!(lab.emulator.serves_everywhere("slow.example.com", "1"));
}

#[tokio::test]
async fn d03_denials_carry_the_soa() {
    let lab = Lab::new(world().record("example.com", "A", "www", "192.0.2.1")).await;
    for (name, rcode) in [("missing", ResponseCode::NXDomain), ("www", ResponseCode::NoError)] {
        let answer = lab.dig(&format!("{name}.example.com"), "TXT").await;
        assert_eq!(answer.metadata.response_code, rcode);
        assert!(answer.metadata.authoritative && answer.answers.is_empty());
        let soa = &answer.authorities[0];
        assert_eq!((soa.name.to_string().as_str(), soa.ttl), ("example.com.", 1800));
        let RData::SOA(data) = &soa.data else { panic!("{soa}") };
        assert_eq!((data.minimum, data.refresh, data.retry, data.expire), (1800, 10_000, 2400, 604_800));
    }
}

#[tokio::test]
async fn d05_case_is_ignored_and_kept() {
    let lab = Lab::new(world()).await;
    lab.create(txt("_acme-challenge", "\"1\"")).await;
    let answer = lab.dig("_aCMe-chALLenge.eXAMPle.CoM", "TXT").await;
    assert_eq!(answer.queries[0].name().to_ascii(), "_aCMe-chALLenge.eXAMPle.CoM.");
    assert_eq!(answer.answers[0].name.to_ascii(), "_aCMe-chALLenge.eXAMPle.CoM.");
    assert_eq!(values(&answer), ["1"]);
}

#[tokio::test]
async fn d06_long_answers_go_over_tcp() {
    let lab = Lab::new(world()).await;
    lab.create(txt("split", &format!("\"{}\"", "x".repeat(300)))).await;
    lab.create(txt("split", "\"two\" \"strings\"")).await;
    let strings: BTreeSet<Vec<usize>> = lab
        .dig("split.example.com", "TXT")
        .await
        .answers
        .iter()
        .map(|record| match &record.data {
            RData::TXT(txt) => txt.txt_data.iter().map(|string| string.len()).collect(),
            other => panic!("{other}"),
        })
        .collect();
    assert_eq!(strings, BTreeSet::from([vec![255, 45], vec![3, 7]]));

    for index in 0..30 {
        lab.create(txt("many", &format!("\"{index:043}\""))).await;
    }
    for (payload, fits) in [(None, false), (Some(1232), false), (Some(4096), true)] {
        let answer = ask_udp(lab.authority(), &question("many.example.com", "TXT", payload)).await.unwrap();
        assert_eq!((answer.metadata.truncation, answer.answers.len()), (!fits, if fits { 30 } else { 0 }));
        assert_eq!(answer.edns.is_some(), payload.is_some());
    }
    let queries = ["many", "split", "many"].map(|name| question(&format!("{name}.example.com"), "TXT", None));
    let answers = ask_tcp(lab.authority(), &queries).await;
    assert_eq!(answers.iter().map(|answer| answer.answers.len()).collect::<Vec<_>>(), [30, 2, 30]);
    assert!(answers.iter().all(|answer| !answer.metadata.truncation));
}

#[tokio::test]
async fn d07_foreign_names_are_refused() {
    let lab = Lab::new(world()).await;
    for name in ["example.net", "com", "notexample.com"] {
        let answer = lab.dig(name, "TXT").await;
        assert_eq!(answer.metadata.response_code, ResponseCode::Refused);
        assert!(!answer.metadata.authoritative && answer.authorities.is_empty());
    }
}

#[tokio::test]
async fn d08_wildcards_and_names_without_records() {
    let world = world()
        .record("example.com", "TXT", "*.example.com", "\"wild\"")
        .record("example.com", "A", "deep.empty.example.com", "192.0.2.1")
        .record("example.com", "CNAME", "*.alias.example.com", "target.example.net");
    let lab = Lab::new(world).await;
    assert_eq!(values(&lab.dig("any.thing.example.com", "TXT").await), ["wild"]);
    let nodata = lab.dig("any.example.com", "A").await;
    assert_eq!((nodata.metadata.response_code, nodata.answers.len()), (ResponseCode::NoError, 0));
    // An empty non-terminal exists, and the wildcard does not cover what is below an existing name.
    let between = lab.dig("empty.example.com", "TXT").await;
    assert_eq!((between.metadata.response_code, between.answers.len()), (ResponseCode::NoError, 0));
    let below = lab.dig("x.empty.example.com", "TXT").await;
    assert_eq!(below.metadata.response_code, ResponseCode::NXDomain);
    let alias = lab.dig("_acme-challenge.x.alias.example.com", "TXT").await;
    assert_eq!(alias.answers[0].record_type(), RecordType::CNAME);
    // The explicit record ends the synthesis.
    lab.create(txt("_acme-challenge.x.alias.example.com", "\"1\"")).await;
    assert_eq!(values(&lab.dig("_acme-challenge.x.alias.example.com", "TXT").await), ["1"]);
}

#[tokio::test]
async fn d09_alias_at_the_name() {
    let world = world()
        .record("example.com", "CNAME", "_acme-challenge.example.com", "x.other.example")
        .record("other.example", "TXT", "x.other.example", "\"there\"");
    let lab = Lab::new(world).await;
    lab.create(txt("_acme-challenge", "\"hidden by the alias\"")).await;
    let answer = lab.dig("_acme-challenge.example.com", "TXT").await;
    assert_eq!((answer.metadata.response_code, answer.answers.len()), (ResponseCode::NoError, 1));
    let RData::CNAME(target) = &answer.answers[0].data else { panic!("{answer}") };
    assert_eq!(target.0.to_string(), "x.other.example.");
    let resolved = lab.resolve("_acme-challenge.example.com", "TXT").await;
    assert_eq!((resolved.answers.len(), values(&resolved)), (2, vec!["there".to_owned()]));
}

#[tokio::test]
async fn d10_hidden_record() {
    let mut world = world();
    world.records.push(RecordConfig {
        zone: "example.com".to_owned(),
        kind: "TXT".to_owned(),
        name: "_acme-challenge.example.com".to_owned(),
        content: "\"universal-ssl\"".to_owned(),
        ttl: 300,
        hidden: true,
        ..RecordConfig::default()
    });
    let lab = Lab::new(world).await;
    lab.create(txt("_acme-challenge", "\"1\"")).await;
    assert_eq!(lab.list("").await.len(), 1);
    assert_eq!(values(&lab.dig("_acme-challenge.example.com", "TXT").await), ["1", "universal-ssl"]);
}

#[tokio::test]
async fn d11_no_caa() {
    let lab = Lab::new(world()).await;
    let answer = lab.dig("example.com", "CAA").await;
    assert_eq!((answer.metadata.response_code, answer.answers.len()), (ResponseCode::NoError, 0));
    assert_eq!(answer.authorities[0].record_type(), RecordType::SOA);
}

#[tokio::test]
async fn d12_ttl_serial_and_any() {
    let lab = Lab::new(world()).await;
    let before = serial(&lab.dig("example.com", "SOA").await);
    let mut automatic = txt("auto", "\"1\"");
    automatic["ttl"] = json!(1);
    lab.create(automatic).await;
    lab.create(txt("minute", "\"1\"")).await;
    assert_eq!(lab.dig("auto.example.com", "TXT").await.answers[0].ttl, 300);
    assert_eq!(lab.dig("minute.example.com", "TXT").await.answers[0].ttl, 60);
    assert_eq!(serial(&lab.dig("example.com", "SOA").await), before + 2);
    let any = lab.dig("minute.example.com", "ANY").await;
    assert_eq!(any.answers[0].data.to_string().split_whitespace().next(), Some("RFC8482"));
    let servers = lab.dig("example.com", "NS").await;
    assert_eq!((servers.answers.len(), servers.answers[0].ttl), (2, 86_400));
}

#[tokio::test]
async fn d14_interceptor_and_split_horizon() {
    // A box in between: not authoritative, recursion offered, and old news.
    let lab = Lab::new(world()).await;
    lab.create(txt("_acme-challenge", "\"new\"")).await;
    let lie = Action::Intercept { txt: vec!["stale".to_owned()] };
    lab.emulator.add_fault(Fault::new(lie).server("127.0.0.2").times(1));
    let answer = lab.dig("_acme-challenge.example.com", "TXT").await;
    assert!(!answer.metadata.authoritative && answer.metadata.recursion_available);
    assert_eq!(values(&answer), ["stale"]);
    assert_eq!(values(&lab.dig("_acme-challenge.example.com", "TXT").await), ["new"]);

    // Faults of single servers.
    for (action, rcode) in
        [(Action::ServFail, ResponseCode::ServFail), (Action::Refused, ResponseCode::Refused)]
    {
        lab.emulator.add_fault(Fault::new(action).server("bob.ns.cloudflare.com").times(1));
        let answer = ask(lab.authority_at("127.0.0.4"), "example.com", "SOA").await;
        assert_eq!(answer.metadata.response_code, rcode);
    }
    lab.emulator.add_fault(Fault::new(Action::Truncate).server("127.0.0.2"));
    assert!(lab.dig("example.com", "SOA").await.metadata.truncation);
    let over_tcp = ask_tcp(lab.authority(), &[question("example.com", "SOA", None)]).await;
    assert_eq!((over_tcp[0].metadata.truncation, over_tcp[0].answers.len()), (false, 1));
    lab.emulator.clear_faults();
    lab.emulator.add_fault(Fault::new(Action::Silent).server("127.0.0.2").times(1));
    assert!(ask_udp(lab.authority(), &question("example.com", "SOA", None)).await.is_none());
    lab.dig("example.com", "SOA").await;

    // Split horizon: the same name, held by an internal name server, to which this cluster's resolver goes.
    let internal = ZoneConfig {
        account: "internal".to_owned(),
        name_servers: Some(vec!["ns.internal.example".to_owned()]),
        ..ZoneConfig::new("example.com")
    };
    let mut world = world().with_zone(internal);
    world.name_servers.push(NameServerConfig {
        name: "ns.internal.example".to_owned(),
        addresses: vec!["127.0.0.9".parse().unwrap()],
    });
    let lab = Lab::new(world).await;
    lab.emulator.set_delegation("example.com", &["ns.internal.example"]);
    lab.create(txt("_acme-challenge", "\"new\"")).await;
    assert_eq!(values(&lab.dig("_acme-challenge.example.com", "TXT").await), ["new"]);
    let inside = ask(lab.authority_at("127.0.0.9"), "_acme-challenge.example.com", "TXT").await;
    assert_eq!(inside.metadata.response_code, ResponseCode::NXDomain);
    let resolved = lab.resolve("_acme-challenge.example.com", "TXT").await;
    assert_eq!(resolved.metadata.response_code, ResponseCode::NXDomain);
}

/// Not in the list, but a webhook meets it: the challenge name delegated away.
#[tokio::test]
async fn delegation_inside_of_a_zone() {
    let world = world()
        .record("example.com", "NS", "_acme-challenge.example.com", "bob.ns.cloudflare.com")
        .with_zone(ZoneConfig::new("_acme-challenge.example.com"))
        .record("_acme-challenge.example.com", "TXT", "@", "\"there\"");
    let lab = Lab::new(world).await;
    lab.emulator
        .set_zone_status("_acme-challenge.example.com", cloudflare_emulator::ZoneStatus::Initializing);
    let answer = lab.dig("x._acme-challenge.example.com", "TXT").await;
    assert!(!answer.metadata.authoritative && answer.answers.is_empty());
    assert_eq!(answer.authorities[0].record_type(), RecordType::NS);
    assert_eq!(answer.additionals[0].record_type(), RecordType::A);
    lab.emulator.set_zone_status("_acme-challenge.example.com", cloudflare_emulator::ZoneStatus::Active);
    assert_eq!(values(&lab.resolve("_acme-challenge.example.com", "TXT").await), ["there"]);
}

fn serial(answer: &Message) -> u32 {
    match &answer.answers[0].data {
        RData::SOA(soa) => soa.serial,
        other => panic!("{other}"),
    }
}
