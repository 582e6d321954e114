//! List and delete; what the tests of create share with them.

mod create;

use serde_json::{Value, json};
use tokio::time::{Instant, advance};

use crate::cloudflare::api::PAUSES;

use crate::challenge::TxtValue;
use crate::cloudflare::script::{
    NEVER, Script, Step, answer, count, example, fqdn, html, id, lost, ok, refusal, soon, token, unsent,
};
use crate::metrics::Outcome;
use crate::solver::error::Cause;
use crate::solver::port::{Created, Deleted, Doomed, Records};

use super::*;
use crate::cloudflare::exchange::{Answer, ExchangeError};

const NAME: &str = "_acme-challenge.example.com";
const VALUE: &str = "LPsIwTo7o8BoG0-vjCyGQGBWSVIPxI-i_X336eUOQZo";

#[tokio::test(start_paused = true)]
async fn a_list_is_decoded_and_compared_here() {
    let mut bare = record("_ACME-Challenge.Example.COM", "x");
    bare["content"] = json!("bare");
    bare["comment"] = Value::Null;
    bare["created_on"] = json!("yesterday");
    let mut address = record(NAME, "192.0.2.1");
    address["type"] = json!("A");
    let others = [
        record("x._acme-challenge.example.com", VALUE),
        record("_acme-challenge.example.com.evil.test", VALUE),
        address,
    ];
    let mut all = vec![record(NAME, VALUE), bare];
    all.extend(others);
    let (cloudflare, _script) = Script::start([list(ok(&json!(all)))]);
    let found = cloudflare.list(&token("t"), &example(), &fqdn(NAME), soon()).await.unwrap();
    let expected = [
        // The answer is of 09:43:37, the record of 09:42:37.
        Record { id: id('1'), value: VALUE.into(), comment: "ours".into(), age: Duration::from_mins(1) },
        Record { id: id('1'), value: "bare".into(), comment: String::new(), age: Duration::ZERO },
    ];
    assert_eq!(found, expected);
}

#[tokio::test(start_paused = true)]
async fn an_age_is_never_negative() {
    let mut future = record(NAME, VALUE);
    future["created_on"] = json!("2034-05-24T09:42:37.123456Z");
    let (cloudflare, _script) = Script::start([list(ok(&json!([future])))]);
    let found = cloudflare.list(&token("t"), &example(), &fqdn(NAME), soon()).await.unwrap();
    assert_eq!(found[0].age, Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn pages_are_followed_to_a_bound() {
    let page = |n: u64, total: u64| {
        let records: Vec<_> = (0..100).map(|at| record(NAME, &format!("{n}-{at}"))).collect();
        let body = json!({
            "result": records, "success": true, "errors": [], "messages": [],
            "result_info": {"page": n, "per_page": 100, "total_pages": total, "count": 100, "total_count": 100 * total}
        });
        Step::new(
            search(&format!("name.exact={NAME}"), n),
            answer(200, "application/json", &body.to_string()),
        )
    };
    for (total, read) in [(2, 2), (1_000_000, MAX_PAGES)] {
        let (cloudflare, _script) = Script::start((1..=read).map(|n| page(n, total)));
        let found = cloudflare.list(&token("t"), &example(), &fqdn(NAME), soon()).await.unwrap();
        assert_eq!(found.len() as u64, read * 100);
    }
}

#[tokio::test(start_paused = true)]
async fn a_list_with_a_hole_is_no_list() {
    for (field, value) in
        [("id", json!("../../user")), ("id", Value::Null), ("content", Value::Null), ("name", Value::Null)]
    {
        let mut hole = record(NAME, VALUE);
        hole[field] = value;
        let (cloudflare, _script) = Script::start([list(ok(&json!([hole])))]);
        let error = cloudflare.list(&token("t"), &example(), &fqdn(NAME), soon()).await.unwrap_err();
        assert_eq!(*error.cause(), Cause::Unavailable, "{field}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_unreadable_list_is_no_empty_list() {
    for body in
        ["{\"result\":null,\"success\":true}", "{\"result\":{},\"success\":true}", "{\"success\":true}"]
    {
        let bad = || list(answer(200, "application/json", body));
        let (cloudflare, _script) = Script::start([bad(), bad(), bad()]);
        let error = cloudflare.list(&token("t"), &example(), &fqdn(NAME), soon()).await.unwrap_err();
        assert_eq!(*error.cause(), Cause::Unavailable, "{body}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_gone_is_deleted() {
    let answers = [
        ok(&json!({"id": id('1')})),
        answer(200, "application/json", r#"{"result":{"id":"11111111111111111111111111111111"}}"#),
        refusal(404, 81044, "Record does not exist."),
        refusal(404, 1, "Not found"),
    ];
    for answer in answers {
        let (cloudflare, _script) = Script::start([delete('1', answer)]);
        delete_one(&cloudflare, &id('1'), soon()).await.unwrap();
    }
    // The first call went through, its reply did not.
    let (cloudflare, _script) =
        Script::start([delete('1', lost()), delete('1', refusal(404, 81044, "Record does not exist."))]);
    assert_eq!(delete_one(&cloudflare, &id('1'), soon()).await.unwrap(), Deleted::Before);
}

#[tokio::test(start_paused = true)]
async fn a_page_of_a_proxy_deletes_nothing() {
    for page in [html(404), html(200), answer(404, "application/json", "")] {
        let again = || delete('1', page.clone());
        let (cloudflare, _script) = Script::start([again(), again(), again()]);
        let error = delete_one(&cloudflare, &id('1'), soon()).await.unwrap_err();
        assert_eq!(*error.cause(), Cause::Unavailable);
    }
}

#[tokio::test(start_paused = true)]
async fn ids_that_are_none_never_become_a_url() {
    let (cloudflare, _script) = Script::start([]);
    for bad in ["", "../../user/tokens", "1111111111111111111111111111111?", &id('A'), "ä"] {
        let error = delete_one(&cloudflare, bad, soon()).await.unwrap_err();
        assert_eq!(*error.cause(), Cause::Internal, "{bad}");
        let zone = Zone { id: bad.to_owned(), ..example() };
        let error = cloudflare.list(&token("t"), &zone, &fqdn(NAME), soon()).await.unwrap_err();
        assert_eq!(*error.cause(), Cause::Internal, "{bad}");
        assert_eq!(*create(&cloudflare, &zone).await.unwrap_err().cause(), Cause::Internal, "{bad}");
    }
}

async fn create<X: Exchange>(
    cloudflare: &crate::cloudflare::Cloudflare<X>,
    zone: &Zone,
) -> Result<Created, Error> {
    cloudflare.create(&token("t"), zone, &fqdn(NAME), new(), soon()).await.map(|made| made.created)
}

async fn delete_one<X: Exchange>(
    cloudflare: &crate::cloudflare::Cloudflare<X>,
    id: &str,
    deadline: Deadline,
) -> Result<Deleted, Error> {
    let fqdn = fqdn(NAME);
    let record = Doomed { fqdn: &fqdn, value: VALUE, id };
    cloudflare.delete(&token("t"), &example(), record, deadline).await
}

fn new() -> NewRecord {
    NewRecord { value: TxtValue::parse(VALUE).unwrap(), ttl: 60, comment: "ours".to_owned() }
}

fn pinned() -> Zone {
    Zone { name_servers: Vec::new(), ..example() }
}

fn post(answer: impl Into<Result<Answer, ExchangeError>>) -> Step {
    Step::new(format!("POST /zones/{}/dns_records", id('a')), answer)
}

fn list(answer: impl Into<Result<Answer, ExchangeError>>) -> Step {
    Step::new(search(&format!("name.exact={NAME}"), 1), answer)
}

fn search(filter: &str, page: u64) -> String {
    format!("GET /zones/{}/dns_records?type=TXT&{filter}&per_page=100&page={page}", id('a'))
}

fn delete(digit: char, answer: impl Into<Result<Answer, ExchangeError>>) -> Step {
    Step::new(format!("DELETE /zones/{}/dns_records/{}", id('a'), id(digit)), answer)
}

/// As the API answers since 2025: without `zone_id`.
fn record(name: &str, value: &str) -> Value {
    json!({
        "id": id('1'), "name": name, "type": "TXT", "content": format!("\"{value}\""), "proxiable": false,
        "proxied": false, "ttl": 60, "settings": {}, "meta": {}, "comment": "ours", "tags": [],
        "created_on": "2024-05-24T09:42:37.123456Z", "modified_on": "2024-05-24T09:42:37.123456Z"
    })
}
