//! E70 to E76: batches.

use std::collections::BTreeSet;

use cloudflare_emulator::{Action, Event, Fault, Plan, TokenConfig, World, ZoneConfig, derived_id};
use serde_json::{Value, json};

use crate::support::{EVERYTHING, Lab, txt, values, world};

#[tokio::test]
async fn e70_deletes_go_before_posts() {
    let lab = Lab::new(world()).await;
    let old = lab.create(txt("a", "\"1\"")).await["id"].clone();
    let result = batch(&lab, json!({"posts": [txt("a", "\"1\"")], "deletes": [{"id": old}]})).await;
    assert_ne!(result["posts"][0]["id"], old);
    assert_eq!(lab.emulator.records("example.com").len(), 1);
    assert_eq!(values(&lab.dig("a.example.com", "TXT").await), ["1"]);
}

#[tokio::test]
async fn e71_one_bad_item_and_nothing_happens() {
    let lab = Lab::new(world()).await;
    let kept = lab.create(txt("a", "\"1\"")).await;
    let before = lab.emulator.records("example.com");
    let body = json!({
        "deletes": [{"id": kept["id"]}],
        "posts": [txt("b", "\"1\""), txt("b", "\"broken"), txt("b", "\"1\"")],
    });
    let reply = lab.api().post(&lab.records("/batch"), body).await;
    reply.fails(400, 9207, "Content for TXT record is invalid.");
    let after = lab.emulator.records("example.com");
    assert_eq!(json!(after), json!(before));
    assert_eq!(values(&lab.dig("a.example.com", "TXT").await), ["1"]);
    assert!(values(&lab.dig("b.example.com", "TXT").await).is_empty());
}

#[tokio::test]
async fn e71_quota_in_the_middle_of_a_batch() {
    let mut world = world();
    world.zones[0].record_quota = Some(3);
    let lab = Lab::new(world).await;
    let mut ids = Vec::new();
    for name in ["a", "b"] {
        ids.push(lab.create(txt(name, "\"1\"")).await["id"].clone());
    }
    let before = json!(lab.emulator.records("example.com"));
    let posts = json!([txt("c", "\"1\""), txt("d", "\"1\""), txt("e", "\"1\"")]);
    for deletes in [json!([]), json!([{"id": ids[1]}])] {
        let body = json!({"deletes": deletes, "posts": posts});
        let reply = lab.api().post(&lab.records("/batch"), body).await;
        reply.fails(400, 81045, "Record quota exceeded.");
        assert_eq!(json!(lab.emulator.records("example.com")), before);
        assert_eq!(values(&lab.dig("b.example.com", "TXT").await), ["1"], "not even the delete");
    }
    // What is deleted in the same batch makes room.
    batch(&lab, json!({"deletes": [{"id": ids[0]}, {"id": ids[1]}], "posts": posts})).await;
    assert_eq!(lab.emulator.records("example.com").len(), 3);
}

#[tokio::test]
async fn e71_success_false_with_status_200() {
    let lab = Lab::new(world()).await;
    let message = "Record quota exceeded.".to_owned();
    let action = Action::Error { status: 200, code: 81045, message };
    lab.emulator.add_fault(Fault::new(action).on("POST", "/batch$").times(1));
    let posts = json!({"posts": [txt("a", "\"1\"")]});
    // Not held against the description, which knows of no such thing.
    let reply = lab.api().try_send("POST", &lab.records("/batch"), Some(posts.to_string())).await.unwrap();
    reply.fails(200, 81045, "Record quota exceeded.");
    assert!(lab.emulator.records("example.com").is_empty());
    batch(&lab, posts).await;
}

#[tokio::test]
async fn e70_token_without_the_right_to_batch() {
    let lab =
        Lab::new(world().with_token(TokenConfig { no_batch: true, ..TokenConfig::new("one-by-one") })).await;
    let token = lab.token("one-by-one");
    let posts = json!({"posts": [txt("a", "\"1\"")]});
    token.post(&lab.records("/batch"), posts).await.fails(403, 10000, "Authentication error");
    token.post(&lab.records(""), txt("a", "\"1\"")).await.ok();
}

#[tokio::test]
async fn e72_operations_of_a_batch() {
    let paid = ZoneConfig { plan: Plan::Pro, record_quota: Some(5000), ..ZoneConfig::new("paid.example") };
    let lab = Lab::new(world().with_zone(paid)).await;
    let posts = |count: usize| (0..count).map(|index| txt(&format!("n{index}"), "\"1\"")).collect::<Vec<_>>();
    let reply = lab.api().post(&lab.records("/batch"), json!({"posts": posts(201)})).await;
    assert_eq!((reply.status, &reply.json["success"]), (400, &json!(false)));
    assert!(lab.emulator.records("example.com").is_empty());
    batch(&lab, json!({"posts": posts(200)})).await;
    let paid = format!("/zones/{}/dns_records/batch", lab.emulator.zone_id("paid.example").unwrap());
    assert_eq!(lab.api().post(&paid, json!({"posts": posts(3501)})).await.status, 400);
    lab.api().post(&paid, json!({"posts": posts(201)})).await.ok();
}

#[tokio::test]
async fn e73_results_are_full_records_in_order() {
    let lab = Lab::new(world()).await;
    let mut ids = Vec::new();
    for name in ["d1", "d2", "p1", "u1"] {
        ids.push(lab.create(txt(name, "\"1\"")).await["id"].clone());
    }
    let mut put = txt("u1", "\"put\"");
    put["id"] = ids[3].clone();
    let body = json!({
        "deletes": [{"id": ids[1]}, {"id": ids[0]}],
        "patches": [{"id": ids[2], "content": "\"patched\""}],
        "puts": [put],
        "posts": [txt("n2", "\"1\""), txt("n1", "\"1\"")],
    });
    let result = batch(&lab, body).await;
    let names = |list: &str| -> Vec<Value> {
        result[list].as_array().unwrap().iter().map(|record| record["name"].clone()).collect()
    };
    assert_eq!(names("deletes"), ["d2.example.com", "d1.example.com"]);
    assert_eq!(names("posts"), ["n2.example.com", "n1.example.com"]);
    assert_eq!(result["patches"][0]["content"], "\"patched\"");
    assert_eq!(result["puts"][0]["content"], "\"put\"");
    assert_eq!(result["deletes"][0]["content"], "\"1\"");
}

#[tokio::test]
async fn e74_records_of_a_batch_appear_one_by_one() {
    let mut world = world();
    world.propagation_ms = 50;
    world.propagation_jitter_ms = 200;
    let lab = Lab::new(world).await;
    let posts: Vec<_> = (0..10).map(|index| txt(&format!("n{index}"), "\"1\"")).collect();
    batch(&lab, json!({"posts": posts})).await;
    tokio::time::sleep(std::time::Duration::from_millis(270)).await;
    let (mut written, mut moments) = (BTreeSet::new(), BTreeSet::new());
    for event in lab.emulator.timeline() {
        match event {
            Event::Written { ms, .. } => written.insert(ms),
            Event::Visible { ms, .. } => moments.insert(ms),
            _ => false,
        };
    }
    assert_eq!(written.len(), 1, "one transaction");
    assert!(moments.len() > 5, "many moments: {moments:?}");
    assert!(moments.iter().all(|ms| (50..=252).contains(&(ms - written.first().unwrap()))), "{moments:?}");
}

#[tokio::test]
async fn e75_unknown_id_fails_the_batch() {
    let lab = Lab::new(world()).await;
    let body = json!({"deletes": [{"id": derived_id("missing")}], "posts": [txt("a", "\"1\"")]});
    lab.api().post(&lab.records("/batch"), body).await.fails(404, 81044, "Record does not exist.");
    assert!(lab.emulator.records("example.com").is_empty());
}

#[tokio::test]
async fn e76_empty_batch() {
    let lab = Lab::new(World::new().zone("example.com").token(EVERYTHING, &["*"])).await;
    let empty = json!({"deletes": [], "patches": [], "puts": [], "posts": []});
    assert_eq!(batch(&lab, json!({})).await, empty);
    lab.emulator.change(|settings| settings.switches.empty_batch_is_400 = true);
    assert_eq!(lab.api().post(&lab.records("/batch"), json!({})).await.status, 400);
}

async fn batch(lab: &Lab, body: Value) -> Value {
    lab.api().post(&lab.records("/batch"), body).await.ok()
}
