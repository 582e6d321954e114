//! E40 to E52 and E57 to E62: single records.

use std::time::Duration;

use cloudflare_emulator::{Plan, Switches, World, ZoneConfig};
use serde_json::{Value, json};

use crate::support::{EVERYTHING, Lab, pass, txt, values, world};

#[tokio::test]
async fn e40_post_txt_quoted() {
    let lab = Lab::new(world()).await;
    let record = lab.create(txt("_ACME-challenge.Example.com", "\"Value\"")).await;
    let id = record["id"].as_str().unwrap();
    assert!(id.len() == 32 && id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')), "{id}");
    let mut expected = json!({
        "id": id, "type": "TXT", "name": "_acme-challenge.example.com", "content": "\"Value\"", "proxiable": false,
        "proxied": false, "ttl": 60, "settings": {}, "meta": {}, "comment": null, "tags": [],
    });
    expected["created_on"] = record["created_on"].clone();
    expected["modified_on"] = record["created_on"].clone();
    assert_eq!(record, expected, "no zone_id, zone_name or locked, either");
    assert_eq!(lab.api().get(&lab.records(&format!("/{id}"))).await.ok(), record);
}

#[tokio::test]
async fn e41_post_txt_unquoted() {
    let lab = Lab::new(world()).await;
    let record = lab.create(txt("a", "Bare-Value_1")).await;
    assert_eq!(record["content"], "Bare-Value_1");
    lab.create(txt("b", "\"Bare-Value_1\"")).await;
    for name in ["a.example.com", "b.example.com"] {
        assert_eq!(values(&lab.dig(name, "TXT").await), ["Bare-Value_1"]);
    }
}

#[tokio::test]
async fn e42_inconsistent_quotes() {
    let lab = Lab::new(world()).await;
    for content in ["\"abc", "\"a\" b\"", "abc\"", ""] {
        let reply = lab.api().post(&lab.records(""), txt("a", content)).await;
        assert_eq!((reply.status, &reply.json["success"]), (400, &json!(false)), "{content}");
    }
    assert!(lab.emulator.records("example.com").is_empty());
}

#[tokio::test]
async fn e43_identical_record() {
    let lab = Lab::new(world()).await;
    lab.create(txt("a", "\"1\"")).await;
    let mut again = txt("A.example.com", "\"1\"");
    again["ttl"] = json!(300);
    again["comment"] = json!("mine");
    let reply = lab.api().post(&lab.records(""), again.clone()).await;
    reply.fails(400, 81058, "An identical record already exists.");
    assert!(reply.text.starts_with(r#"{"result":null,"success":false,"errors":"#), "{}", reply.text);
    lab.emulator.change(|settings| settings.switches.identical_is_81057 = true);
    lab.api().post(&lab.records(""), again.clone()).await.fails(400, 81057, "Record already exists.");
    lab.emulator.change(|settings| settings.switches.wrapped_validation_errors = true);
    let wrapped = lab.api().post(&lab.records(""), again).await;
    let error = wrapped.fails(400, 1004, "DNS Validation Error");
    assert_eq!(error["error_chain"], json!([{"code": 81057, "message": "Record already exists."}]));
    // Content keeps its case: this is another value.
    lab.create(txt("a", "\"x\"")).await;
    lab.create(txt("a", "\"X\"")).await;
}

#[tokio::test]
async fn e44_quoted_twin() {
    let lab = Lab::new(world()).await;
    lab.create(txt("a", "1")).await;
    lab.create(txt("a", "\"1\"")).await;
    assert_eq!(values(&lab.dig("a.example.com", "TXT").await), ["1"], "one RRset holds a record once");
    lab.emulator.change(|settings| {
        settings.switches = Switches { txt_twin_is_identical: true, ..Switches::default() }
    });
    lab.create(txt("b", "1")).await;
    let twin = lab.api().post(&lab.records(""), txt("b", "\"1\"")).await;
    twin.fails(400, 81058, "An identical record already exists.");
}

#[tokio::test]
async fn e45_two_values_at_one_name() {
    let lab = Lab::new(world()).await;
    lab.create(txt("_acme-challenge", "\"1\"")).await;
    lab.create(txt("_acme-challenge", "\"2\"")).await;
    assert_eq!(values(&lab.dig("_acme-challenge.example.com", "TXT").await), ["1", "2"]);
}

#[tokio::test]
async fn e46_names_are_completed() {
    let lab = Lab::new(world()).await;
    let cases = [
        ("@", "example.com"),
        ("a", "a.example.com"),
        ("b.example.com", "b.example.com"),
        ("c.example.com.", "c.example.com"),
        ("Bücher", "xn--bcher-kva.example.com"),
        ("mail.other.example", "mail.other.example.example.com"),
        ("*.w", "*.w.example.com"),
    ];
    for (sent, stored) in cases {
        assert_eq!(lab.create(txt(sent, "\"1\"")).await["name"], stored, "{sent}");
    }
    let long = "x".repeat(64);
    for bad in ["a..b", "", long.as_str(), "a b"] {
        lab.api().post(&lab.records(""), txt(bad, "\"1\"")).await.fails(400, 9000, "DNS name is invalid.");
    }
}

#[tokio::test]
async fn e47_ttl() {
    let enterprise = ZoneConfig { plan: Plan::Enterprise, ..ZoneConfig::new("big.example") };
    let lab = Lab::new(world().with_zone(enterprise)).await;
    let record = lab.create(json!({"type": "TXT", "name": "a", "content": "\"1\""})).await;
    assert_eq!(record["ttl"], 1);
    assert_eq!(lab.dig("a.example.com", "TXT").await.answers[0].ttl, 300);
    for (ttl, fine) in
        [(60, true), (86_400, true), (30, false), (59, false), (86_401, false), (0, false), (2, false)]
    {
        let body = json!({"type": "TXT", "name": format!("t{ttl}"), "content": "\"1\"", "ttl": ttl});
        let reply = lab.api().post(&lab.records(""), body).await;
        if fine {
            assert_eq!(reply.ok()["ttl"], ttl);
        } else {
            reply.fails(400, 9021, "Invalid TTL");
        }
    }
    let big = lab.emulator.zone_id("big.example").unwrap();
    let body = json!({"type": "TXT", "name": "a", "content": "\"1\"", "ttl": 30});
    assert_eq!(lab.api().post(&format!("/zones/{big}/dns_records"), body).await.ok()["ttl"], 30);
}

#[tokio::test]
async fn e48_comments() {
    let paid = ZoneConfig { plan: Plan::Pro, ..ZoneConfig::new("paid.example") };
    let lab = Lab::new(world().with_zone(paid)).await;
    let paid = format!("/zones/{}/dns_records", lab.emulator.zone_id("paid.example").unwrap());
    for (path, most) in [(lab.records(""), 100), (paid, 500)] {
        let with = |name: &str, comment: String| json!({"type": "TXT", "name": name, "content": "\"1\"", "ttl": 60, "comment": comment});
        let fits = lab.api().post(&path, with("a", "ü".repeat(most))).await.ok();
        assert_eq!(fits["comment"], "ü".repeat(most));
        assert_eq!(fits["comment_modified_on"], fits["created_on"]);
        let message = format!("DNS record comment exceeds the maximum length of {most} characters.");
        lab.api().post(&path, with("b", "x".repeat(most + 1))).await.fails(400, 9313, &message);
        assert_eq!(lab.api().post(&path, with("b", "a\nb".to_owned())).await.status, 400);
    }
}

#[tokio::test]
async fn e49_tags_on_a_free_zone() {
    let lab = Lab::new(world()).await;
    let mut body = txt("a", "\"1\"");
    body["tags"] = json!(["owner:me"]);
    let message = "DNS record has 1 tags, exceeding the quota of 0.";
    lab.api().post(&lab.records(""), body).await.fails(400, 9300, message);
}

#[tokio::test]
async fn e50_record_quota() {
    let small = ZoneConfig { record_quota: Some(2), ..ZoneConfig::new("example.com") };
    let lab = Lab::new(World::new().with_zone(small).token(EVERYTHING, &["*"])).await;
    let first = lab.create(txt("a", "\"1\"")).await;
    lab.create(txt("a", "\"2\"")).await;
    lab.api().post(&lab.records(""), txt("a", "\"3\"")).await.fails(400, 81045, "Record quota exceeded.");
    lab.api().delete(&lab.records(&format!("/{}", first["id"].as_str().unwrap()))).await.ok();
    lab.create(txt("a", "\"3\"")).await;
}

#[tokio::test]
async fn e51_length_of_txt() {
    let lab = Lab::new(world()).await;
    let long = format!("\"{}\"", "x".repeat(4090));
    let message = "Record content exceeds the allowed length of 4096 wire format bytes.";
    lab.api().post(&lab.records(""), txt("a", &long)).await.fails(400, 9015, message);
    for fill in ["a", "b"] {
        lab.create(txt("a", &format!("\"{}\"", fill.repeat(4000)))).await;
    }
    let more = format!("\"{}\"", "c".repeat(200));
    lab.api().post(&lab.records(""), txt("a", &more)).await.fails(400, 83011, "Combined content length");
}

#[tokio::test]
async fn e52_a_and_cname_exclude_each_other() {
    let lab = Lab::new(world()).await;
    let a = json!({"type": "A", "name": "a", "content": "192.0.2.1", "ttl": 60});
    let cname =
        |name: &str| json!({"type": "CNAME", "name": name, "content": "target.example.com", "ttl": 60});
    lab.create(cname("c")).await;
    lab.create(a.clone()).await;
    let mut over = a;
    over["name"] = json!("c");
    lab.api().post(&lab.records(""), over).await.fails(
        400,
        81054,
        "A CNAME record with that host already exists.",
    );
    let message = "An A, AAAA, or CNAME record with that host already exists.";
    lab.api().post(&lab.records(""), cname("a")).await.fails(400, 81053, message);
    let bad = json!({"type": "A", "name": "d", "content": "192.0.2", "ttl": 60});
    let message = "Content for A record must be a valid IPv4 address.";
    lab.api().post(&lab.records(""), bad).await.fails(400, 9005, message);
}

#[tokio::test]
async fn e57_delete() {
    let lab = Lab::new(world()).await;
    for bare in [false, true] {
        lab.emulator.change(|settings| settings.switches.bare_delete = bare);
        let id = lab.create(txt("a", "\"1\"")).await["id"].clone();
        let path = lab.records(&format!("/{}", id.as_str().unwrap()));
        let reply = lab.api().delete(&path).await;
        assert_eq!((reply.status, &reply.json["result"]), (200, &json!({"id": id})));
        assert_eq!(reply.json.get("success").is_none(), bare);
        assert!(lab.emulator.records("example.com").is_empty());
        assert!(values(&lab.dig("a.example.com", "TXT").await).is_empty());
    }
}

#[tokio::test]
async fn e58_delete_again() {
    let lab = Lab::new(world()).await;
    let id = lab.create(txt("a", "\"1\"")).await["id"].clone();
    let path = lab.records(&format!("/{}", id.as_str().unwrap()));
    lab.api().delete(&path).await.ok();
    let reply = lab.api().delete(&path).await;
    assert_eq!(reply.status, 404);
    let body = r#"{"result":null,"success":false,"errors":[{"code":81044,"message":"Record does not exist."}],"messages":[]}"#;
    assert_eq!(reply.text, body);
}

#[tokio::test]
async fn e59_record_of_another_zone() {
    let lab = Lab::new(world()).await;
    let id = lab.create(txt("a", "\"1\"")).await["id"].clone();
    let other = lab.emulator.zone_id("other.example").unwrap();
    let path = format!("/zones/{other}/dns_records/{}", id.as_str().unwrap());
    lab.api().get(&path).await.fails(404, 81044, "Record does not exist.");
    lab.api().delete(&path).await.fails(404, 81044, "Record does not exist.");
    assert_eq!(lab.emulator.records("example.com").len(), 1);
}

#[tokio::test]
async fn e60_patch_keeps_and_put_resets() {
    let lab = Lab::new(world()).await;
    let mut body = txt("a", "\"1\"");
    body["comment"] = json!("mine");
    let created = lab.create(body).await;
    let path = lab.records(&format!("/{}", created["id"].as_str().unwrap()));
    pass(Duration::from_secs(1)).await;
    let patched = lab.api().patch(&path, json!({"content": "\"2\""})).await.ok();
    let mut expected = created.clone();
    expected["content"] = json!("\"2\"");
    expected["modified_on"] = patched["modified_on"].clone();
    assert_eq!(patched, expected);
    assert!(patched["modified_on"].as_str() > created["modified_on"].as_str());
    assert_eq!(values(&lab.dig("a.example.com", "TXT").await), ["2"]);
    let retyped = lab.api().patch(&path, json!({"type": "A", "content": "192.0.2.1"})).await;
    assert_eq!((retyped.status, &retyped.json["success"]), (400, &json!(false)));
    let emptied = lab.api().patch(&path, json!({"comment": ""})).await.ok();
    assert_eq!(emptied["comment"], Value::Null);
    lab.api().patch(&path, json!({"comment": "again"})).await.ok();
    let put = lab.api().put(&path, json!({"type": "TXT", "name": "a", "content": "\"3\""})).await.ok();
    assert_eq!((&put["comment"], &put["tags"], &put["ttl"]), (&Value::Null, &json!([]), &json!(1)));
    assert_eq!((&put["id"], &put["created_on"]), (&created["id"], &created["created_on"]));
}

#[tokio::test]
async fn e61_usage() {
    let enterprise = ZoneConfig { plan: Plan::Enterprise, ..ZoneConfig::new("big.example") };
    let lab = Lab::new(world().with_zone(enterprise)).await;
    lab.create(txt("a", "\"1\"")).await;
    let usage = lab.api().get(&lab.records("/usage")).await.ok();
    assert_eq!(usage, json!({"record_quota": 200, "record_usage": 1}));
    let big = lab.emulator.zone_id("big.example").unwrap();
    let usage = lab.api().get(&format!("/zones/{big}/dns_records/usage")).await.ok();
    assert_eq!(usage, json!({"record_quota": null, "record_usage": 0}));
}

#[tokio::test]
async fn e62_read_after_write() {
    let lab = Lab::new(world()).await;
    lab.create(txt("a", "\"1\"")).await;
    assert_eq!(lab.list("").await.len(), 1);
    lab.emulator.change(|settings| settings.switches.list_lag_ms = 1000);
    lab.create(txt("a", "\"2\"")).await;
    let listed = lab.list("?name=a.example.com").await;
    assert!(listed.iter().all(|record| record["content"] != "\"2\""), "not yet");
    pass(Duration::from_secs(1)).await;
    assert_eq!(lab.list("?name=a.example.com").await.len(), 2);
}
