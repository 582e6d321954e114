//! E10 to E25: who calls and what they may do.

use std::time::Duration;

use cloudflare_emulator::{TokenConfig, TokenStatus, derived_id};
use serde_json::{Value, json};

use crate::support::{DNS_EDIT, DNS_READ, EVERYTHING, KEY, Lab, MAIL, ZONE_READ, pass, txt, world};

#[tokio::test]
async fn e10_without_credentials() {
    let lab = Lab::new(world()).await;
    let message = "Missing X-Auth-Key, X-Auth-Email or Authorization headers";
    lab.headers(&[]).get("/zones").await.fails(400, 9106, message);
    lab.headers(&[("x-auth-email", MAIL)]).get("/zones").await.fails(400, 9106, message);
}

#[tokio::test]
async fn e11_malformed_authorization() {
    let lab = Lab::new(world()).await;
    for value in ["Bearer \"x\"", "Bearer Bearer x", "Bearer ", "Basic eDp5", "Bearer a b"] {
        let reply = lab.headers(&[("authorization", value)]).get("/zones").await;
        let error = reply.fails(400, 6003, "Invalid request headers");
        let chain = json!([{"code": 6111, "message": "Invalid format for Authorization header"}]);
        assert_eq!(error["error_chain"], chain, "{value}");
    }
}

#[tokio::test]
async fn e12_unknown_token_on_zones() {
    let lab = Lab::new(world()).await;
    lab.token("unknown").get("/zones").await.fails(403, 9109, "Invalid access token");
}

#[tokio::test]
async fn e13_unknown_token_on_records() {
    let lab = Lab::new(world()).await;
    lab.token("unknown").get(&lab.records("")).await.fails(403, 10000, "Authentication error");
    lab.emulator.change(|settings| settings.switches.unknown_token_on_records_is_9109 = true);
    lab.token("unknown").get(&lab.records("")).await.fails(403, 9109, "Invalid access token");
}

#[tokio::test]
async fn e14_token_without_dns_permission() {
    let lab = Lab::new(world()).await;
    let caller = lab.token(ZONE_READ);
    caller.get(&lab.records("")).await.fails(403, 10000, "Authentication error");
    caller.post(&lab.records(""), txt("a", "\"1\"")).await.fails(403, 10000, "Authentication error");
    let missing = lab.records(&format!("/{}", derived_id("missing")));
    caller.get(&missing).await.fails(403, 10000, "Authentication error");
}

#[tokio::test]
async fn e15_token_that_only_reads() {
    let lab = Lab::new(world()).await;
    let caller = lab.token(DNS_READ);
    caller.get(&lab.records("")).await.ok();
    caller.get(&lab.records("/usage")).await.ok();
    caller.post(&lab.records(""), txt("a", "\"1\"")).await.fails(403, 10000, "Authentication error");
    caller.post(&lab.records("/batch"), json!({})).await.fails(403, 10000, "Authentication error");
    let missing = lab.records(&format!("/{}", derived_id("missing")));
    caller.delete(&missing).await.fails(403, 10000, "Authentication error");
}

#[tokio::test]
async fn e16_token_of_another_zone() {
    let lab = Lab::new(world()).await;
    let other = lab.emulator.zone_id("other.example").unwrap();
    let nowhere = derived_id("no such zone");
    for id in [other, nowhere] {
        let caller = lab.token(DNS_EDIT);
        let records = format!("/zones/{id}/dns_records");
        caller.get(&records).await.fails(403, 10000, "Authentication error");
        caller.post(&records, txt("a", "\"1\"")).await.fails(403, 10000, "Authentication error");
        let zone = format!("/zones/{id}");
        caller.get(&zone).await.fails(403, 9109, "Unauthorized to access requested resource");
    }
}

#[tokio::test]
async fn e17_dns_edit_alone_lists_its_zones_or_not() {
    let lab = Lab::new(world()).await;
    let caller = lab.token(DNS_EDIT);
    let created = caller.post(&lab.records(""), txt("a", "\"1\"")).await.ok();
    caller.delete(&lab.records(&format!("/{}", created["id"].as_str().unwrap()))).await.ok();
    let zones = caller.get("/zones").await.ok();
    assert_eq!(zones.as_array().unwrap().len(), 1);
    assert_eq!(zones[0]["name"], "example.com");

    lab.emulator.change(|settings| settings.switches.zones_need_zone_read = true);
    caller.get("/zones").await.fails(403, 9109, "Unauthorized to access requested resource");
    caller.get(&lab.records("")).await.ok();
    lab.token(ZONE_READ).get("/zones").await.ok();
}

#[tokio::test]
async fn e18_invisible_zone_is_an_empty_list() {
    let lab = Lab::new(world()).await;
    for name in ["nowhere.example", "other.example"] {
        let path = format!("/zones?name={name}");
        let reply = lab.token(ZONE_READ).get(&path).await;
        assert_eq!(reply.ok(), json!([]));
        assert_eq!(reply.json["result_info"]["total_count"], 0);
    }
    lab.emulator.change(|settings| settings.switches.invisible_zone_is_403 = true);
    let reply = lab.token(ZONE_READ).get("/zones?name=nowhere.example").await;
    let error = reply.fails(403, 0, "Actor 'com.cloudflare.api.token.");
    let text = error["message"].as_str().unwrap();
    assert!(
        text.contains("requires permission 'com.cloudflare.api.account.zone.list' to list zones"),
        "{text}"
    );
}

#[tokio::test]
async fn e19_verify_a_good_token() {
    let lab = Lab::new(world()).await;
    let reply = lab.token(DNS_EDIT).get("/user/tokens/verify").await;
    let result = reply.ok();
    assert_eq!(result["status"], "active");
    assert_eq!(result["id"].as_str().unwrap().len(), 32);
    let message = json!({"code": 10000, "message": "This API Token is valid and active", "type": null});
    assert_eq!(reply.json["messages"], json!([message]));
}

#[tokio::test]
async fn e20_verify_a_bad_token() {
    let lab = Lab::new(world()).await;
    lab.token("unknown").get("/user/tokens/verify").await.fails(401, 1000, "Invalid API Token");
    let key = lab.headers(&[("x-auth-email", MAIL), ("x-auth-key", KEY)]);
    key.get("/user/tokens/verify").await.fails(400, 1001, "Missing \"Authorization\" header");
}

#[tokio::test]
async fn e21_expired_and_disabled_tokens() {
    let lab = Lab::new(world()).await;
    for (status, text) in [(TokenStatus::Expired, "expired"), (TokenStatus::Disabled, "disabled")] {
        lab.emulator.add_token(TokenConfig { status, ..TokenConfig::new(text) });
        let caller = lab.token(text);
        assert_eq!(caller.get("/user/tokens/verify").await.ok()["status"], text);
        caller.get("/zones").await.fails(403, 9109, "Invalid access token");
        caller.get(&lab.records("")).await.fails(403, 9109, "Invalid access token");
        lab.emulator.change(|settings| settings.switches.dead_token_verify_is_401 = true);
        caller.get("/user/tokens/verify").await.fails(401, 1000, "Invalid API Token");
        lab.emulator.change(|settings| settings.switches.dead_token_verify_is_401 = false);
    }
}

#[tokio::test]
async fn e22_token_for_other_addresses() {
    let lab = Lab::new(world()).await;
    let allowed_ips = vec!["192.0.2.7".parse().unwrap()];
    lab.emulator.add_token(TokenConfig { allowed_ips, ..TokenConfig::new("from-elsewhere") });
    let reply = lab.token("from-elsewhere").get("/zones").await;
    reply.fails(403, 9109, "Cannot use the access token from location: 127.0.0.1");
}

#[tokio::test]
async fn e23_global_key() {
    let lab = Lab::new(world()).await;
    let key = |mail, key| lab.headers(&[("x-auth-email", mail), ("x-auth-key", key)]);
    assert_eq!(key(MAIL, KEY).get("/zones").await.ok().as_array().unwrap().len(), 2);
    key(MAIL, KEY).post(&lab.records(""), txt("a", "\"1\"")).await.ok();
    let malformed = key(MAIL, EVERYTHING).get("/zones").await;
    let error = malformed.fails(400, 6003, "Invalid request headers");
    assert_eq!(error["error_chain"][0]["code"], 6103);
    let wrong = "f".repeat(37);
    key(MAIL, &wrong).get("/zones").await.fails(403, 9103, "Unknown X-Auth-Key or X-Auth-Email");
    key("other@example.com", KEY).get("/zones").await.fails(403, 9103, "Unknown X-Auth-Key or X-Auth-Email");
}

#[tokio::test]
async fn e24_account_owned_token() {
    let token = "cfat_0123456789";
    let lab = Lab::new(world().token(token, &["example.com"])).await;
    let caller = lab.token(token);
    let zones = caller.get("/zones").await.ok();
    caller.post(&lab.records(""), txt("a", "\"1\"")).await.ok();
    let account = zones[0]["account"]["id"].as_str().unwrap();
    let verify = format!("/accounts/{account}/tokens/verify");
    assert_eq!(caller.get(&verify).await.ok()["status"], "active");
    caller.get("/user/tokens/verify").await.fails(401, 1000, "Invalid API Token");
    lab.token(DNS_EDIT).get(&verify).await.fails(401, 1000, "Invalid API Token");
}

#[tokio::test]
async fn e25_revoked_at_once_and_new_after_a_while() {
    let lab = Lab::new(world()).await;
    lab.token(DNS_EDIT).get(&lab.records("")).await.ok();
    lab.emulator.remove_token(DNS_EDIT);
    lab.token(DNS_EDIT).get(&lab.records("")).await.fails(403, 10000, "Authentication error");
    lab.emulator.add_token(TokenConfig { settles_ms: 60_000, ..TokenConfig::new("fresh") });
    let refused: Value = lab.token("fresh").get("/zones").await.json;
    assert_eq!(refused["errors"][0], json!({"code": 10001, "message": "Unable to authenticate request"}));
    pass(Duration::from_mins(1)).await;
    lab.token("fresh").get("/zones").await.ok();
}
