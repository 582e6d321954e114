//! E30 to E39: zones, their list, their states.

use std::collections::BTreeSet;

use cloudflare_emulator::{
    NameServerConfig, Plan, RecordConfig, TokenConfig, World, ZoneConfig, ZoneKind, ZoneStatus, derived_id,
};
use hickory_proto::op::ResponseCode;
use serde_json::{Value, json};

use crate::support::{EVERYTHING, Lab, ask, txt, values, world};

#[tokio::test]
async fn e30_name_filter_is_exact_and_ignores_case() {
    let lab = Lab::new(world()).await;
    let found = lab.api().get("/zones?name=EXAMPLE.com").await.ok();
    assert_eq!(names(&found), ["example.com"]);
    assert_eq!(lab.api().get("/zones?name=ample.com").await.ok(), json!([]));
    let operators =
        [("contains:AMPLE", 2), ("starts_with:exa", 1), ("ends_with:.com", 1), ("not_equal:example.com", 1)];
    for (filter, count) in operators {
        let found = lab.api().get(&format!("/zones?name={filter}")).await.ok();
        assert_eq!(found.as_array().unwrap().len(), count, "{filter}");
    }
    assert_eq!(lab.api().get("/zones?name=contains_case_sensitive:AMPLE").await.ok(), json!([]));
}

#[tokio::test]
async fn e31_per_page_of_zones() {
    let lab = Lab::new(world()).await;
    for (asked, given) in [(50, 50), (51, 50), (1, 1), (0, 1)] {
        let reply = lab.api().get(&format!("/zones?per_page={asked}")).await;
        reply.ok();
        assert_eq!(reply.json["result_info"]["per_page"], given);
    }
    lab.emulator.change(|settings| settings.switches.large_zone_page_is_400 = true);
    assert_eq!(lab.api().get("/zones?per_page=51").await.status, 400);
}

#[tokio::test]
async fn e32_pages_of_zones() {
    let mut world = World::new().token(EVERYTHING, &["*"]);
    world.zones = (0..120).map(|index| ZoneConfig::new(&format!("z{index}.example"))).collect();
    let lab = Lab::new(world).await;
    for (page, count) in [(1, 50), (2, 50), (3, 20), (4, 0)] {
        let reply = lab.api().get(&format!("/zones?per_page=50&page={page}")).await;
        assert_eq!(reply.ok().as_array().unwrap().len(), count);
        let info =
            json!({"page": page, "per_page": 50, "count": count, "total_count": 120, "total_pages": 3});
        assert_eq!(reply.json["result_info"], info);
    }
}

#[tokio::test]
async fn e33_one_name_in_two_accounts() {
    let second = ZoneConfig { account: "a2".to_owned(), ..ZoneConfig::new("example.com") };
    let twin = ZoneConfig { status: ZoneStatus::Pending, ..ZoneConfig::new("example.com") };
    let member = TokenConfig { account: "*".to_owned(), ..TokenConfig::new("member-of-both") };
    let lab = Lab::new(world().with_zone(second).with_zone(twin).with_token(member)).await;
    let caller = lab.token("member-of-both");
    let list = async |query: &str| caller.get(&format!("/zones?name=example.com{query}")).await.ok();
    let found = list("").await;
    assert_eq!(names(&found).len(), 3, "one in each account, and the first one's pending twin");
    let ids: BTreeSet<_> =
        found.as_array().unwrap().iter().map(|zone| zone["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), 3);
    assert_eq!(names(&list("&status=active").await).len(), 2);
    let account = derived_id("account:a2");
    let own = list(&format!("&account.id={account}")).await;
    assert_eq!((names(&own).len(), &own[0]["account"]), (1, &json!({"id": account, "name": "a2"})));
    assert_eq!(names(&list("&account.name=a1").await).len(), 2);
    // A token of one account sees nothing of the other.
    assert_eq!(names(&lab.api().get("/zones?name=example.com").await.ok()).len(), 2);
}

#[tokio::test]
async fn e34_internal_zones_are_hidden() {
    let internal = ZoneConfig { kind: ZoneKind::Internal, ..ZoneConfig::new("internal.example") };
    let lab = Lab::new(world().with_zone(internal)).await;
    assert_eq!(names(&lab.api().get("/zones").await.ok()), ["example.com", "other.example"]);
    assert_eq!(names(&lab.api().get("/zones?type=internal").await.ok()), ["internal.example"]);
    assert_eq!(names(&lab.api().get("/zones?type=full,internal").await.ok()).len(), 3);
}

#[tokio::test]
async fn e35_the_zone_object() {
    let vanity = ZoneConfig {
        plan: Plan::Business,
        vanity_name_servers: vec!["ada.ns.cloudflare.com".to_owned()],
        ..ZoneConfig::new("vanity.example")
    };
    let lab = Lab::new(world().with_zone(vanity)).await;
    let zone = lab.api().get(&format!("/zones/{}", lab.zone)).await.ok();
    assert_eq!(zone["name_servers"], json!(["ada.ns.cloudflare.com", "bob.ns.cloudflare.com"]));
    assert_eq!(
        (&zone["status"], &zone["paused"], &zone["type"], &zone["plan"]["legacy_id"]),
        (&json!("active"), &json!(false), &json!("full"), &json!("free"))
    );
    assert!(zone["permissions"].as_array().unwrap().contains(&json!("#dns_records:edit")));
    assert!(zone.get("vanity_name_servers").is_none());
    let vanity = lab.api().get("/zones?name=vanity.example").await.ok();
    assert_eq!(vanity[0]["vanity_name_servers"], json!(["ada.ns.cloudflare.com"]));
    assert_eq!(vanity[0]["plan"]["legacy_id"], "business");
}

#[tokio::test]
async fn e36_pending_zone_is_served_and_not_delegated() {
    let elsewhere = vec!["ns1.elsewhere.example".to_owned()];
    let pending = ZoneConfig {
        status: ZoneStatus::Pending,
        delegated_to: Some(elsewhere.clone()),
        ..ZoneConfig::new("pending.example")
    };
    // What the delegation leads to: the same name, held by someone else.
    let old = ZoneConfig {
        account: "x".to_owned(),
        name_servers: Some(elsewhere),
        ..ZoneConfig::new("pending.example")
    };
    let mut world = world().with_zone(pending).with_zone(old);
    world.name_servers.push(NameServerConfig {
        name: "ns1.elsewhere.example".to_owned(),
        addresses: vec!["127.0.0.9".parse().unwrap()],
    });
    let lab = Lab::new(world).await;
    let id = lab.emulator.zone_id("pending.example").unwrap();
    assert_eq!(lab.api().get(&format!("/zones/{id}")).await.ok()["status"], "pending");
    lab.api().post(&format!("/zones/{id}/dns_records"), txt("a.pending.example", "\"1\"")).await.ok();
    assert_eq!(values(&lab.dig("a.pending.example", "TXT").await), ["1"]);
    let delegated = ask(lab.authority_at("127.0.0.9"), "a.pending.example", "TXT").await;
    assert_eq!(delegated.metadata.response_code, ResponseCode::NXDomain);
    let resolved = lab.resolve("a.pending.example", "TXT").await;
    assert_eq!(resolved.metadata.response_code, ResponseCode::NXDomain);
}

#[tokio::test]
async fn e37_deleted_zone_answers_dns_until_it_is_purged() {
    let lab = Lab::new(world().record("example.com", "TXT", "a.example.com", "\"1\"")).await;
    lab.emulator.set_zone_status("example.com", ZoneStatus::Deleted);
    lab.api().get(&lab.records("")).await.fails(403, 10000, "Authentication error");
    let zone = format!("/zones/{}", lab.zone);
    lab.api().get(&zone).await.fails(403, 9109, "Unauthorized to access requested resource");
    assert_eq!(lab.api().get("/zones?name=example.com").await.ok(), json!([]));
    assert_eq!(values(&lab.dig("a.example.com", "TXT").await), ["1"]);
    lab.emulator.set_zone_status("example.com", ZoneStatus::Purged);
    assert_eq!(lab.dig("a.example.com", "TXT").await.metadata.response_code, ResponseCode::Refused);
}

#[tokio::test]
async fn e38_initializing_zone_is_not_served() {
    let lab = Lab::new(world()).await;
    lab.emulator.set_zone_status("example.com", ZoneStatus::Initializing);
    assert_eq!(lab.api().get(&format!("/zones/{}", lab.zone)).await.ok()["status"], "initializing");
    assert_eq!(lab.dig("example.com", "SOA").await.metadata.response_code, ResponseCode::Refused);
}

#[tokio::test]
async fn e39_moved_zone() {
    let lab = Lab::new(world()).await;
    lab.emulator.set_zone_status("example.com", ZoneStatus::Moved);
    lab.emulator.set_delegation("example.com", &["ns1.elsewhere.example"]);
    assert_eq!(lab.api().get("/zones?status=moved").await.ok()[0]["status"], "moved");
    lab.create(txt("a", "\"1\"")).await;
    assert_eq!(lab.resolve("a.example.com", "TXT").await.metadata.response_code, ResponseCode::ServFail);
    let record = RecordConfig { zone: "nowhere".to_owned(), ..RecordConfig::default() };
    assert!(lab.emulator.add_record(&record).is_err());
}

fn names(zones: &Value) -> Vec<&str> {
    zones.as_array().unwrap().iter().map(|zone| zone["name"].as_str().unwrap()).collect()
}
