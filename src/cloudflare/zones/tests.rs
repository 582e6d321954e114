use serde_json::{Value, json};
use tokio::time::{Instant, advance};

use crate::cloudflare::script::{
    NEVER, Script, Step, answer, count, example, fqdn, html, id, lost, ok, refusal, soon, token,
};
use crate::deadline::Deadline;
use crate::issuer::ZonePin;
use crate::metrics::{Endpoint, Outcome};
use crate::solver::error::{Cause, Error};
use crate::solver::port::{NewRecord, Records, Zone};

use super::*;

const NAME: &str = "_acme-challenge.a.example.com";

#[tokio::test(start_paused = true)]
async fn one_list_serves_every_name_for_ten_minutes() {
    let (cloudflare, script) = Script::start([list(&[zone()])]);
    let t = token("t");
    for name in [NAME, NAME, "_acme-challenge.example.com", "_acme-challenge.b.example.com"] {
        let found = cloudflare.zone(&t, &fqdn(name), None, soon()).await;
        assert_eq!(found.unwrap(), example());
    }
    advance(POSITIVE).await;
    script.add(list(&[zone()]));
    cloudflare.zone(&t, &fqdn(NAME), None, soon()).await.unwrap();
    assert_eq!(count(&cloudflare, Endpoint::ListZones, Outcome::Success), 2);
}

#[tokio::test(start_paused = true)]
async fn that_there_is_none_is_believed_for_a_minute() {
    let (cloudflare, script) = Script::start([list(&[])]);
    for _ in 0..2 {
        assert_eq!(*failed(&cloudflare).await.cause(), Cause::NoZone(fqdn(NAME)));
    }
    advance(NEGATIVE).await;
    script.add(list(&[zone()]));
    cloudflare.zone(&token("t"), &fqdn(NAME), None, soon()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_list_of_several_pages_is_read_whole() {
    let others = |page: u64| -> Vec<_> {
        let other = |n: u64| {
            let mut other = zone();
            other["name"] = json!(format!("z{}.test", page * 50 + n));
            other
        };
        (0..50).map(other).collect()
    };
    let (cloudflare, _script) =
        Script::start([page(1, 3, &others(1)), page(2, 3, &others(2)), page(3, 3, &[zone()])]);
    cloudflare.zone(&token("t"), &fqdn(NAME), None, soon()).await.unwrap();
    // Where the answer does not count its pages, a full one is not the last.
    let uncounted = |number: u64, zones: &[Value]| Step::new(list_path(number), ok(&json!(zones)));
    let (cloudflare, _script) = Script::start([uncounted(1, &others(1)), uncounted(2, &[zone()])]);
    cloudflare.zone(&token("t"), &fqdn(NAME), None, soon()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn of_many_zones_the_longest_is_asked_for_and_remembered_ten_minutes() {
    let (cloudflare, script) =
        Script::start([many(), look("a.example.com", &[]), look("example.com", &[zone()])]);
    let t = token("t");
    for name in [NAME, NAME, "_acme-challenge.example.com"] {
        let found = cloudflare.zone(&t, &fqdn(name), None, soon()).await;
        assert_eq!(found.unwrap(), example());
    }
    assert_eq!(count(&cloudflare, Endpoint::ListZones, Outcome::Success), 3);
    // Another name of the same zone costs one call, for what might be a zone of its own.
    script.add(look("b.example.com", &[]));
    cloudflare.zone(&t, &fqdn("_acme-challenge.b.example.com"), None, soon()).await.unwrap();
    // That there is none is forgotten sooner.
    advance(NEGATIVE).await;
    script.add(look("a.example.com", &[]));
    cloudflare.zone(&t, &fqdn(NAME), None, soon()).await.unwrap();
    advance(POSITIVE.saturating_sub(NEGATIVE)).await;
    script.add(many());
    script.add(look("example.com", &[zone()]));
    cloudflare.zone(&t, &fqdn("_acme-challenge.example.com"), None, soon()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_subdomain_zone_comes_before_its_parent() {
    let mut sub = zone();
    sub["name"] = json!("A.Example.com");
    sub["name_servers"] = Value::Null;
    sub["vanity_name_servers"] = json!(["ns1.example.com", "not a name"]);
    let (cloudflare, _script) = Script::start([list(&[zone(), sub])]);
    let found = cloudflare.zone(&token("t"), &fqdn(NAME), None, soon()).await.unwrap();
    assert_eq!((found.name, found.name_servers), (fqdn("a.example.com"), vec![fqdn("ns1.example.com")]));
}

#[tokio::test(start_paused = true)]
async fn a_pinned_id_needs_no_call_and_a_pinned_name_one() {
    let (cloudflare, script) = Script::start([]);
    let mut pin = ZonePin { name: fqdn("example.com"), id: Some(id('f')), source: None };
    let found = cloudflare.zone(&token("t"), &fqdn(NAME), Some(&pin), soon()).await.unwrap();
    assert_eq!(found, Zone { id: id('f'), name: fqdn("example.com"), name_servers: vec![] });
    pin.id = None;
    script.add(list(&[]));
    let error = cloudflare.zone(&token("t"), &fqdn(NAME), Some(&pin), soon()).await.unwrap_err();
    assert_eq!(*error.cause(), Cause::NoZone(fqdn(NAME)));
}

#[tokio::test(start_paused = true)]
async fn credentials_never_share() {
    let (cloudflare, _script) = Script::start([list(&[zone()]).by(&token("t1")), list(&[]).by(&token("t2"))]);
    let name = fqdn("_acme-challenge.example.com");
    cloudflare.zone(&token("t1"), &name, None, soon()).await.unwrap();
    let error = cloudflare.zone(&token("t2"), &name, None, soon()).await.unwrap_err();
    assert_eq!(*error.cause(), Cause::NoZone(name.clone()));
    cloudflare.zone(&token("t1"), &name, None, soon()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn two_that_ask_at_once_share_one_call() {
    let slow = look("example.com", &[zone()]).after(Duration::from_secs(2));
    let (cloudflare, _script) = Script::start([many().after(Duration::from_secs(2)), slow]);
    let (t, name) = (token("t"), fqdn("_acme-challenge.example.com"));
    let ask = || cloudflare.zone(&t, &name, None, soon());
    let (first, second, third) = tokio::join!(ask(), ask(), ask());
    assert_eq!(first.unwrap(), example());
    assert_eq!(second.unwrap(), example());
    assert_eq!(third.unwrap(), example());
}

#[tokio::test(start_paused = true)]
async fn different_credentials_ask_apart_at_once() {
    let (cloudflare, _script) = Script::start([
        list(&[zone()]).by(&token("t1")).after(Duration::from_secs(2)),
        list(&[]).by(&token("t2")).after(Duration::from_secs(2)),
    ]);
    let (t1, t2, name) = (token("t1"), token("t2"), fqdn("_acme-challenge.example.com"));
    let (first, second) =
        tokio::join!(cloudflare.zone(&t1, &name, None, soon()), cloudflare.zone(&t2, &name, None, soon()));
    assert_eq!(first.unwrap(), example());
    assert_eq!(*second.unwrap_err().cause(), Cause::NoZone(name));
}

#[tokio::test(start_paused = true)]
async fn who_joins_does_not_fall_with_who_began() {
    let (cloudflare, _script) = Script::start([list(&[zone()]).after(Duration::from_secs(4))]);
    let (t, name) = (token("t"), fqdn("_acme-challenge.example.com"));
    let hasty = Deadline::within(Duration::from_secs(1));
    let (first, second) =
        tokio::join!(cloudflare.zone(&t, &name, None, hasty), cloudflare.zone(&t, &name, None, soon()));
    assert_eq!(*first.unwrap_err().cause(), Cause::OutOfTime);
    assert_eq!(second.unwrap(), example());
}

#[tokio::test(start_paused = true)]
async fn a_look_up_that_all_have_left_is_begun_anew() {
    let (cloudflare, _script) = Script::start([list(&[]).after(NEVER), list(&[zone()])]);
    let (t, name) = (token("t"), fqdn("_acme-challenge.example.com"));
    let hasty = Deadline::within(Duration::from_secs(1));
    cloudflare.zone(&t, &name, None, hasty).await.unwrap_err();
    assert_eq!(cloudflare.zone(&t, &name, None, soon()).await.unwrap(), example());
}

#[tokio::test(start_paused = true)]
async fn twins_are_told_apart() {
    let with = |fields: Value| {
        let mut zone = zone();
        for (key, value) in fields.as_object().unwrap() {
            zone[key] = value.clone();
        }
        zone
    };
    let other = || with(json!({"id": id('b')}));
    let pending = || with(json!({"id": id('c'), "status": "pending"}));
    let internal = || with(json!({"id": id('d'), "type": "internal"}));
    let partial = || with(json!({"id": id('e'), "type": "partial"}));
    let apex = fqdn("example.com");
    let cases = [
        (vec![pending(), internal(), zone()], Ok(example())),
        (vec![partial(), zone()], Ok(example())),
        (vec![zone(), zone()], Ok(example())),
        (vec![zone(), other()], Err(Cause::ManyZones(apex.clone()))),
        (vec![pending()], Err(Cause::ZoneNotActive { zone: apex.clone(), status: "pending" })),
        (
            vec![with(json!({"status": "<b>hostile</b>"}))],
            Err(Cause::ZoneNotActive { zone: apex.clone(), status: "in an unknown state" }),
        ),
        (vec![partial(), pending()], Err(Cause::ZoneNotServed { zone: apex.clone(), kind: "partial" })),
        (
            vec![with(json!({"type": "secondary"}))],
            Err(Cause::ZoneNotServed { zone: apex.clone(), kind: "secondary" }),
        ),
        (vec![internal()], Err(Cause::NoZone(apex.clone()))),
        (vec![with(json!({"name": "example.com.evil.test"}))], Err(Cause::NoZone(apex.clone()))),
        (vec![with(json!({"id": "../accounts"}))], Err(Cause::Unavailable)),
        (vec![with(json!({"id": id('A')}))], Err(Cause::Unavailable)),
    ];
    for (listed, expected) in cases {
        let by_list = vec![list(&listed)];
        let by_name = vec![many(), look("example.com", &listed)];
        for steps in [by_list, by_name] {
            let (cloudflare, _script) = Script::start(steps);
            let found = cloudflare.zone(&token("t"), &apex, None, soon()).await;
            assert_eq!(found.map_err(|error| error.cause().clone()), expected, "{listed:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_may_not_be_listed_is_no_end() {
    let legacy = "Actor 'com.cloudflare.api.token.1' requires permission 'com.cloudflare.api.account.zone.list' to list zones";
    for hidden in [refusal(403, 0, legacy), refusal(403, 10000, "Authentication error")] {
        let all = || Step::new(list_path(1), hidden.clone());
        let sub = || Step::new(path("a.example.com"), hidden.clone());
        let (cloudflare, _script) = Script::start([all(), sub(), look("example.com", &[zone()])]);
        cloudflare.zone(&token("t"), &fqdn(NAME), None, soon()).await.unwrap();

        let (cloudflare, _script) = Script::start([all(), sub(), look("example.com", &[])]);
        let error = cloudflare.zone(&token("t"), &fqdn(NAME), None, soon()).await.unwrap_err();
        assert_eq!(*error.cause(), Cause::ZonesHidden(fqdn(NAME)));
        assert!(error.detail().unwrap().contains("cf-ray"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_definite_refusal_ends_the_walk_at_once() {
    let cases = [
        (refusal(403, 9109, "Invalid access token"), Cause::CredentialRefused),
        (refusal(400, 6003, "Invalid request headers"), Cause::CredentialRefused),
        (refusal(403, 9109, "Cannot use the access token from location: 192.0.2.1"), Cause::AddressRefused),
        (refusal(429, 971, "Please wait"), Cause::RateLimited),
    ];
    for (answer, cause) in cases {
        let (cloudflare, _script) = Script::start([Step::new(list_path(1), answer.clone())]);
        assert_eq!(*failed(&cloudflare).await.cause(), cause);
        let (cloudflare, _script) = Script::start([many(), Step::new(path("a.example.com"), answer)]);
        assert_eq!(*failed(&cloudflare).await.cause(), cause);
    }
}

#[tokio::test(start_paused = true)]
async fn trouble_is_tried_thrice_at_one_label_and_not_remembered() {
    for trouble in [Ok(html(520)), Ok(refusal(404, 7000, "No route for that URI")), Err(lost())] {
        let again = || Step::new(path("a.example.com"), trouble.clone());
        let (cloudflare, script) = Script::start([many(), again(), again(), again()]);
        let start = Instant::now();
        assert_eq!(*failed(&cloudflare).await.cause(), Cause::Unavailable);
        assert_eq!(start.elapsed(), Duration::from_millis(1500));
        script.add(look("a.example.com", &[]));
        script.add(look("example.com", &[zone()]));
        cloudflare.zone(&token("t"), &fqdn(NAME), None, soon()).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_gets_fifteen_seconds_and_a_request_its_deadline() {
    let silent = || list(&[zone()]).after(NEVER);
    let (cloudflare, _script) = Script::start([silent(), list(&[zone()])]);
    let name = fqdn("_acme-challenge.example.com");
    let start = Instant::now();
    cloudflare.zone(&token("t"), &name, None, soon()).await.unwrap();
    assert_eq!(start.elapsed(), Duration::from_millis(15_500));

    let (cloudflare, _script) = Script::start([silent()]);
    let start = Instant::now();
    let hasty = Deadline::within(Duration::from_secs(3));
    let error = cloudflare.zone(&token("t"), &name, None, hasty).await.unwrap_err();
    assert_eq!((error.cause(), start.elapsed()), (&Cause::OutOfTime, Duration::from_secs(3)));
}

#[tokio::test(start_paused = true)]
async fn a_zone_that_is_gone_or_anothers_is_forgotten() {
    let post = format!("POST /zones/{}/dns_records", id('a'));
    let cases = [
        (refusal(400, 7003, "Could not route"), Cause::NoZone(fqdn("example.com"))),
        (refusal(404, 1, "Not found"), Cause::NoZone(fqdn("example.com"))),
        (refusal(403, 10000, "Authentication error"), Cause::ZoneDenied(fqdn("example.com"))),
    ];
    for (answer, cause) in cases {
        let (cloudflare, script) = Script::start([list(&[zone()]), Step::new(post.clone(), answer)]);
        let (t, name) = (token("t"), fqdn("_acme-challenge.example.com"));
        let zone_found = cloudflare.zone(&t, &name, None, soon()).await.unwrap();
        // What was read a moment ago is not read again for each failure.
        cloudflare.doubt(&t, &zone_found);
        cloudflare.zone(&t, &name, None, soon()).await.unwrap();
        advance(FRESH).await;
        let record = NewRecord {
            value: crate::challenge::TxtValue::parse("v").unwrap(),
            ttl: 60,
            comment: String::new(),
        };
        let error = cloudflare.create(&t, &zone_found, &name, record, soon()).await.unwrap_err();
        assert_eq!(*error.cause(), cause);
        script.add(list(&[zone()]));
        cloudflare.zone(&t, &name, None, soon()).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_name_of_a_hundred_labels_is_not_a_hundred_calls() {
    let labels = format!("{}example.com", "a.".repeat(100));
    let name = fqdn(&labels);
    let asked = candidates(&name, None);
    assert_eq!((asked.len(), asked.last()), (MAX_CANDIDATES, Some(&fqdn("example.com"))));
}

async fn failed<X: Exchange>(cloudflare: &crate::cloudflare::Cloudflare<X>) -> Error {
    cloudflare.zone(&token("t"), &fqdn(NAME), None, soon()).await.unwrap_err()
}

fn list(zones: &[Value]) -> Step {
    page(1, 1, zones)
}

/// More zones than are read.
fn many() -> Step {
    page(1, 5, &vec![zone(); 50])
}

fn page(number: u64, total: u64, zones: &[Value]) -> Step {
    let body = json!({
        "result": zones, "success": true, "errors": [], "messages": [],
        "result_info": {"page": number, "per_page": 50, "total_pages": total}
    });
    Step::new(list_path(number), answer(200, "application/json", &body.to_string()))
}

fn list_path(number: u64) -> String {
    format!("GET /zones?per_page=50&page={number}")
}

fn look(name: &str, zones: &[Value]) -> Step {
    Step::new(path(name), ok(&json!(zones)))
}

fn path(name: &str) -> String {
    format!("GET /zones?name={name}&per_page=50")
}

fn zone() -> Value {
    json!({
        "id": id('a'), "name": "example.com", "status": "active", "type": "full", "paused": false,
        "name_servers": ["ada.ns.cloudflare.com", "bob.ns.cloudflare.com"], "vanity_name_servers": null,
        "a_field": {"of": "tomorrow"}
    })
}
