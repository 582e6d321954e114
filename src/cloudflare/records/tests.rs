use serde_json::{Value, json};
use tokio::time::{Instant, advance};

use crate::cloudflare::script::{
    NEVER, Script, Step, answer, count, example, fqdn, html, id, lost, ok, refusal, soon, token, unsent,
};
use crate::metrics::Outcome;
use crate::solver::port::Records;

use super::*;
use crate::cloudflare::exchange::{Answer, ExchangeError};

const NAME: &str = "_acme-challenge.example.com";
const VALUE: &str = "LPsIwTo7o8BoG0-vjCyGQGBWSVIPxI-i_X336eUOQZo";

#[tokio::test(start_paused = true)]
async fn a_record_is_made_with_one_call() {
    let (cloudflare, script) = Script::start([post(ok(&record(NAME, VALUE)))]);
    let made = create(&cloudflare, &example()).await.unwrap();
    assert_eq!(made, Created::New);
    let body = json!({
        "type": "TXT", "name": NAME, "content": format!("\"{VALUE}\""), "ttl": 60, "comment": "ours"
    });
    assert_eq!(script.bodies(), [body]);
    assert_eq!(count(&cloudflare, Endpoint::CreateRecord, Outcome::Success), 1);
}

#[tokio::test(start_paused = true)]
async fn an_identical_record_is_success() {
    for code in [81057, 81058] {
        let (cloudflare, _script) = Script::start([post(refusal(400, code, "exists"))]);
        assert_eq!(create(&cloudflare, &example()).await.unwrap(), Created::Existing);
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_reply_is_settled_by_reading_back() {
    for trouble in [
        Err(lost()),
        Ok(html(520)),
        Ok(html(200)),
        Ok(answer(200, "application/json", "")),
        Err(ExchangeError::TooLong),
    ] {
        // It was carried out.
        let (cloudflare, _script) =
            Script::start([post(trouble.clone()), list(ok(&json!([record(NAME, VALUE)])))]);
        assert_eq!(create(&cloudflare, &example()).await.unwrap(), Created::New);
        // It was not.
        let (cloudflare, _script) = Script::start([
            post(trouble.clone()),
            list(ok(&json!([record(NAME, "another")]))),
            post(ok(&record(NAME, VALUE))),
        ]);
        let start = Instant::now();
        assert_eq!(create(&cloudflare, &example()).await.unwrap(), Created::New);
        assert_eq!(start.elapsed(), PAUSES[0]);
        // It was, a little later.
        let (cloudflare, _script) = Script::start([
            post(trouble),
            list(ok(&json!([]))),
            post(refusal(400, 81058, "An identical record already exists.")),
        ]);
        assert_eq!(create(&cloudflare, &example()).await.unwrap(), Created::New);
    }
}

#[tokio::test(start_paused = true)]
async fn a_reply_that_never_comes_is_settled_too() {
    let silent = post(ok(&record(NAME, VALUE))).after(NEVER);
    let (cloudflare, _script) = Script::start([silent, list(ok(&json!([record(NAME, VALUE)])))]);
    let start = Instant::now();
    assert_eq!(create(&cloudflare, &example()).await.unwrap(), Created::New);
    assert_eq!(start.elapsed(), Duration::from_secs(15));
}

#[tokio::test(start_paused = true)]
async fn a_write_is_sent_three_times_at_most() {
    let empty = || list(ok(&json!([])));
    let (cloudflare, _script) = Script::start([
        post(lost()),
        empty(),
        post(lost()),
        empty(),
        post(lost()),
        empty(),
    ]);
    let error = create(&cloudflare, &example()).await.unwrap_err();
    assert_eq!(*error.cause(), Cause::Unavailable);
    // What was never sent needs no reading back.
    let (cloudflare, _script) =
        Script::start([post(unsent()), post(unsent()), post(ok(&record(NAME, VALUE)))]);
    assert_eq!(create(&cloudflare, &example()).await.unwrap(), Created::New);
}

#[tokio::test(start_paused = true)]
async fn what_can_t_be_read_back_is_not_written_again() {
    let (cloudflare, _script) = Script::start([post(lost()), list(refusal(429, 971, "Please wait"))]);
    assert_eq!(
        *create(&cloudflare, &example()).await.unwrap_err().cause(),
        Cause::RateLimited
    );
}

#[tokio::test(start_paused = true)]
async fn no_write_starts_after_the_deadline() {
    let (cloudflare, script) = Script::start([]);
    let (t, zone) = (token("t"), example());
    let deadline = Deadline::within(Duration::from_secs(1));
    advance(Duration::from_secs(1)).await;
    let made = cloudflare.create(&t, &zone, &fqdn(NAME), new(), deadline).await;
    assert_eq!(*made.unwrap_err().cause(), Cause::OutOfTime);
    let gone = cloudflare.delete(&t, &zone, &id('1'), deadline).await;
    assert_eq!(*gone.unwrap_err().cause(), Cause::OutOfTime);
    // Neither does a repeat whose pause would end after it.
    script.add(post(lost()));
    script.add(list(ok(&json!([]))));
    let deadline = Deadline::within(Duration::from_millis(400));
    let made = cloudflare.create(&t, &zone, &fqdn(NAME), new(), deadline).await;
    assert_eq!(*made.unwrap_err().cause(), Cause::Unavailable);
}

#[tokio::test(start_paused = true)]
async fn refusals_are_told_by_their_causes_and_never_repeated() {
    let zone = || fqdn("example.com");
    let cases = [
        (
            refusal(403, 10000, "Authentication error"),
            Cause::ZoneDenied(zone()),
        ),
        (
            refusal(403, 9109, "Invalid access token"),
            Cause::CredentialRefused,
        ),
        (
            refusal(400, 81045, "Record quota exceeded."),
            Cause::QuotaExceeded(zone()),
        ),
        (
            refusal(400, 81053, "conflict"),
            Cause::RecordRefused { code: 81053 },
        ),
        (refusal(400, 9313, "comment"), Cause::RecordRefused { code: 9313 }),
        (
            refusal(200, 9000, "DNS name is invalid."),
            Cause::RecordRefused { code: 9000 },
        ),
        (refusal(429, 10100, "More than 1200 requests"), Cause::RateLimited),
        (refusal(400, 7003, "Could not route"), Cause::NoZone(zone())),
    ];
    for (answer, cause) in cases {
        let (cloudflare, _script) = Script::start([post(answer)]);
        assert_eq!(*create(&cloudflare, &example()).await.unwrap_err().cause(), cause);
    }
}

#[tokio::test(start_paused = true)]
async fn a_record_that_landed_elsewhere_is_removed() {
    let elsewhere = format!("{NAME}.other.test");
    let (cloudflare, _script) = Script::start([
        post(ok(&record(&elsewhere, VALUE))),
        delete('1', ok(&json!({"id": id('1')}))),
    ]);
    let error = create(&cloudflare, &pinned()).await.unwrap_err();
    assert_eq!(*error.cause(), Cause::WrongPin { fqdn: fqdn(NAME) });
    assert_eq!(cloudflare.api.metrics.records_left.get(), 0);
}

#[tokio::test(start_paused = true)]
async fn it_is_removed_even_with_no_time_left() {
    let elsewhere = format!("{NAME}.other.test");
    let late = delete('1', ok(&json!({"id": id('1')}))).after(Duration::from_secs(2));
    let slow = post(ok(&record(&elsewhere, VALUE))).after(Duration::from_secs(1));
    let (cloudflare, _script) = Script::start([slow, late]);
    let deadline = Deadline::within(Duration::from_millis(1001));
    let made = cloudflare
        .create(&token("t"), &pinned(), &fqdn(NAME), new(), deadline)
        .await;
    assert_eq!(*made.unwrap_err().cause(), Cause::WrongPin { fqdn: fqdn(NAME) });
}

#[tokio::test(start_paused = true)]
async fn one_that_can_t_be_removed_is_counted() {
    let mut hostile = record(&format!("{NAME}.other.test"), VALUE);
    hostile["id"] = json!("../../user");
    let (cloudflare, _script) = Script::start([post(ok(&hostile))]);
    let error = create(&cloudflare, &pinned()).await.unwrap_err();
    assert_eq!(*error.cause(), Cause::WrongPin { fqdn: fqdn(NAME) });
    assert_eq!(cloudflare.api.metrics.records_left.get(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_identical_record_under_a_pin_may_have_landed_elsewhere() {
    let exists = || post(refusal(400, 81058, "An identical record already exists."));
    let (cloudflare, _script) = Script::start([exists(), list(ok(&json!([record(NAME, VALUE)])))]);
    assert_eq!(create(&cloudflare, &pinned()).await.unwrap(), Created::Existing);

    let found = json!([
        record(&format!("{NAME}.other.test"), VALUE),
        record("unrelated.other.test", VALUE)
    ]);
    let (cloudflare, _script) = Script::start([
        exists(),
        list(ok(&json!([]))),
        Step::new(search(&format!("content.contains={VALUE}"), 1), ok(&found)),
        delete('1', ok(&json!({"id": id('1')}))),
    ]);
    let error = create(&cloudflare, &pinned()).await.unwrap_err();
    assert_eq!(*error.cause(), Cause::WrongPin { fqdn: fqdn(NAME) });
}

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
    let found = cloudflare
        .list(&token("t"), &example(), &fqdn(NAME), soon())
        .await
        .unwrap();
    let expected = [
        // The answer is of 09:43:37, the record of 09:42:37.
        Record {
            id: id('1'),
            value: VALUE.into(),
            comment: "ours".into(),
            age: Duration::from_mins(1),
        },
        Record {
            id: id('1'),
            value: "bare".into(),
            comment: String::new(),
            age: Duration::ZERO,
        },
    ];
    assert_eq!(found, expected);
}

#[tokio::test(start_paused = true)]
async fn an_age_is_never_negative() {
    let mut future = record(NAME, VALUE);
    future["created_on"] = json!("2034-05-24T09:42:37.123456Z");
    let (cloudflare, _script) = Script::start([list(ok(&json!([future])))]);
    let found = cloudflare
        .list(&token("t"), &example(), &fqdn(NAME), soon())
        .await
        .unwrap();
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
        let found = cloudflare
            .list(&token("t"), &example(), &fqdn(NAME), soon())
            .await
            .unwrap();
        assert_eq!(found.len() as u64, read * 100);
    }
}

#[tokio::test(start_paused = true)]
async fn a_list_with_a_hole_is_no_list() {
    for (field, value) in [
        ("id", json!("../../user")),
        ("id", Value::Null),
        ("content", Value::Null),
        ("name", Value::Null),
    ] {
        let mut hole = record(NAME, VALUE);
        hole[field] = value;
        let (cloudflare, _script) = Script::start([list(ok(&json!([hole])))]);
        let error = cloudflare
            .list(&token("t"), &example(), &fqdn(NAME), soon())
            .await
            .unwrap_err();
        assert_eq!(*error.cause(), Cause::Unavailable, "{field}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_unreadable_list_is_no_empty_list() {
    for body in [
        "{\"result\":null,\"success\":true}",
        "{\"result\":{},\"success\":true}",
        "{\"success\":true}",
    ] {
        let bad = || list(answer(200, "application/json", body));
        let (cloudflare, _script) = Script::start([bad(), bad(), bad()]);
        let error = cloudflare
            .list(&token("t"), &example(), &fqdn(NAME), soon())
            .await
            .unwrap_err();
        assert_eq!(*error.cause(), Cause::Unavailable, "{body}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_gone_is_deleted() {
    let answers = [
        ok(&json!({"id": id('1')})),
        answer(
            200,
            "application/json",
            r#"{"result":{"id":"11111111111111111111111111111111"}}"#,
        ),
        refusal(404, 81044, "Record does not exist."),
        refusal(404, 1, "Not found"),
    ];
    for answer in answers {
        let (cloudflare, _script) = Script::start([delete('1', answer)]);
        cloudflare
            .delete(&token("t"), &example(), &id('1'), soon())
            .await
            .unwrap();
    }
    // The first call went through, its reply did not.
    let (cloudflare, _script) = Script::start([
        delete('1', lost()),
        delete('1', refusal(404, 81044, "Record does not exist.")),
    ]);
    cloudflare
        .delete(&token("t"), &example(), &id('1'), soon())
        .await
        .unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_page_of_a_proxy_deletes_nothing() {
    for page in [html(404), html(200), answer(404, "application/json", "")] {
        let again = || delete('1', page.clone());
        let (cloudflare, _script) = Script::start([again(), again(), again()]);
        let error = cloudflare
            .delete(&token("t"), &example(), &id('1'), soon())
            .await
            .unwrap_err();
        assert_eq!(*error.cause(), Cause::Unavailable);
    }
}

#[tokio::test(start_paused = true)]
async fn ids_that_are_none_never_become_a_url() {
    let (cloudflare, _script) = Script::start([]);
    for bad in [
        "",
        "../../user/tokens",
        "1111111111111111111111111111111?",
        &id('A'),
        "ä",
    ] {
        let error = cloudflare
            .delete(&token("t"), &example(), bad, soon())
            .await
            .unwrap_err();
        assert_eq!(*error.cause(), Cause::Internal, "{bad}");
        let zone = Zone {
            id: bad.to_owned(),
            ..example()
        };
        let error = cloudflare
            .list(&token("t"), &zone, &fqdn(NAME), soon())
            .await
            .unwrap_err();
        assert_eq!(*error.cause(), Cause::Internal, "{bad}");
        assert_eq!(
            *create(&cloudflare, &zone).await.unwrap_err().cause(),
            Cause::Internal,
            "{bad}"
        );
    }
}

async fn create<X: Exchange>(
    cloudflare: &crate::cloudflare::Cloudflare<X>,
    zone: &Zone,
) -> Result<Created, Error> {
    cloudflare
        .create(&token("t"), zone, &fqdn(NAME), new(), soon())
        .await
}

fn new() -> NewRecord {
    NewRecord {
        value: TxtValue::parse(VALUE).unwrap(),
        ttl: 60,
        comment: "ours".to_owned(),
    }
}

fn pinned() -> Zone {
    Zone {
        name_servers: Vec::new(),
        ..example()
    }
}

fn post(answer: impl Into<Result<Answer, ExchangeError>>) -> Step {
    Step::new(format!("POST /zones/{}/dns_records", id('a')), answer)
}

fn list(answer: impl Into<Result<Answer, ExchangeError>>) -> Step {
    Step::new(search(&format!("name.exact={NAME}"), 1), answer)
}

fn search(filter: &str, page: u64) -> String {
    format!(
        "GET /zones/{}/dns_records?type=TXT&{filter}&per_page=100&page={page}",
        id('a')
    )
}

fn delete(digit: char, answer: impl Into<Result<Answer, ExchangeError>>) -> Step {
    Step::new(
        format!("DELETE /zones/{}/dns_records/{}", id('a'), id(digit)),
        answer,
    )
}

/// As the API answers since 2025: without `zone_id`.
fn record(name: &str, value: &str) -> Value {
    json!({
        "id": id('1'), "name": name, "type": "TXT", "content": format!("\"{value}\""), "proxiable": false,
        "proxied": false, "ttl": 60, "settings": {}, "meta": {}, "comment": "ours", "tags": [],
        "created_on": "2024-05-24T09:42:37.123456Z", "modified_on": "2024-05-24T09:42:37.123456Z"
    })
}
