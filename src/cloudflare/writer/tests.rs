//! Group commit against a script of calls.

mod trouble;

use std::time::Duration;

use futures::FutureExt;
use futures::future::join_all;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout};

use super::queue::FREE_PLAN;
use super::*;
use crate::challenge::TxtValue;
use crate::cloudflare::Cloudflare;
use crate::cloudflare::exchange::{Answer, ExchangeError};
use crate::cloudflare::script::{Script, Step, example, fqdn, id, limited, ok, refusal, soon, token};
use crate::solver::port::{Created, Deleted, Doomed, Made, NewRecord, Records};

type Scripted = Cloudflare<Arc<Script>>;

const CALL: Duration = Duration::from_millis(60);

#[tokio::test(start_paused = true)]
async fn what_comes_during_a_call_shares_the_next() {
    let (cloudflare, script) = Script::start([post("a").after(CALL), batch(&["b", "c"]).after(CALL)]);
    let later = async {
        sleep(CALL / 2).await;
        tokio::join!(create(&cloudflare, "b"), create(&cloudflare, "c"), delete(&cloudflare, "d"))
    };
    let begun = Instant::now();
    let (a, (b, c, d)) = tokio::join!(create(&cloudflare, "a"), later);
    assert_eq!(begun.elapsed(), CALL * 2);
    for (made, name) in [(a, "a"), (b, "b"), (c, "c")] {
        assert_eq!(made.unwrap(), Made { created: Created::New, id: Some(id_of(name)) });
    }
    assert_eq!(d.unwrap(), Deleted::Now);
    let sent = &script.bodies()[1];
    assert_eq!(sent["deletes"], json!([{"id": id_of("d")}]));
    assert_eq!(sent["posts"][0]["content"], "\"b\"");
    assert_eq!(sent["posts"][1]["name"], "c.example.com");
}

#[tokio::test(start_paused = true)]
async fn a_making_and_a_delete_of_one_record_keep_their_order() {
    let (cloudflare, _script) =
        Script::start([post("x").after(CALL), post("a").after(CALL), removal("a", ok(&json!({})))]);
    let first = create(&cloudflare, "x");
    let second = async {
        sleep(CALL / 2).await;
        tokio::join!(create(&cloudflare, "a"), delete(&cloudflare, "a"))
    };
    let (_, (made, deleted)) = tokio::join!(first, second);
    assert_eq!((made.unwrap().created, deleted.unwrap()), (Created::New, Deleted::Now));
}

#[tokio::test(start_paused = true)]
async fn the_same_twice_is_one_change() {
    let (cloudflare, _script) = Script::start([post("x").after(CALL), batch(&["a"]).after(CALL)]);
    let rest = async {
        sleep(CALL / 2).await;
        let makings = tokio::join!(create(&cloudflare, "a"), create(&cloudflare, "a"));
        makings.0.unwrap();
        makings.1.unwrap();
    };
    let deletes = async {
        sleep(CALL / 2).await;
        let deletes = tokio::join!(delete(&cloudflare, "d"), delete(&cloudflare, "d"));
        assert_eq!((deletes.0.unwrap(), deletes.1.unwrap()), (Deleted::Now, Deleted::Now));
    };
    tokio::join!(create(&cloudflare, "x"), rest, deletes).0.unwrap();
}

#[tokio::test(start_paused = true)]
async fn zones_and_credentials_are_never_held_up_by_each_other() {
    let other = Zone { id: id('b'), name: fqdn("example.org"), ..example() };
    let path = format!("POST /zones/{}/dns_records", other.id);
    let (cloudflare, _script) = Script::start([
        post("a").after(CALL * 100),
        Step::new(path, ok(&record("x.example.org", "x"))),
        post("c").by(&token("t2")),
    ]);
    let begun = Instant::now();
    let slow = create(&cloudflare, "a");
    let quick = async {
        let record = || new("x");
        cloudflare.create(&token("t"), &other, &fqdn("x.example.org"), record(), soon()).await.unwrap();
        cloudflare.create(&token("t2"), &example(), &fqdn("c.example.com"), new("c"), soon()).await.unwrap();
        begun.elapsed()
    };
    let (slow, quick) = tokio::join!(slow, quick);
    slow.unwrap();
    assert_eq!(quick, Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn nobody_makes_what_nobody_waits_for_and_a_delete_goes_all_the_same() {
    let (cloudflare, _script) = Script::start([post("x").after(CALL), removal("d", ok(&json!({})))]);
    let left = async {
        sleep(CALL / 4).await;
        let hasty = Deadline::within(CALL / 4);
        let doomed = fqdn("d.example.com");
        let record = Doomed { fqdn: &doomed, value: "d", id: &id_of("d") };
        let (t, zone, fqdn) = (token("t"), example(), fqdn("a.example.com"));
        let made = cloudflare.create(&t, &zone, &fqdn, new("a"), hasty);
        let deleted = cloudflare.delete(&t, &zone, record, hasty);
        let (made, deleted) = tokio::join!(made, deleted);
        assert_eq!(*made.unwrap_err().cause(), Cause::RateLimited);
        assert_eq!(*deleted.unwrap_err().cause(), Cause::RateLimited);
    };
    tokio::join!(create(&cloudflare, "x"), left).0.unwrap();
    // The delete is on its way when there is nobody any more.
    quiet(&cloudflare).await;
}

#[tokio::test(start_paused = true)]
async fn a_list_shows_what_was_to_be_made_before() {
    let (cloudflare, _script) = Script::start([post("a").after(CALL), list("a", &["a"])]);
    let listed = async {
        tokio::task::yield_now().await;
        listed(&cloudflare, "a").await
    };
    let (made, found) = tokio::join!(create(&cloudflare, "a"), listed);
    made.unwrap();
    assert_eq!(found, [id_of("a")]);
}

#[tokio::test(start_paused = true)]
async fn a_list_waits_for_nothing_else() {
    let (cloudflare, _script) = Script::start([
        post("x").after(CALL),
        list("b", &["b"]),
        list("d", &["d"]),
        batch(&["a"]).after(CALL),
        list("a", &["a"]),
    ]);
    let begun = Instant::now();
    let lists = async {
        sleep(CALL / 2).await;
        let waiting = async { tokio::join!(create(&cloudflare, "a"), delete(&cloudflare, "d")) };
        let listed_at = async |name: &str| {
            assert_eq!(listed(&cloudflare, name).await, [id_of(name)]);
            begun.elapsed()
        };
        let (_, b, d, a) = tokio::join!(waiting, listed_at("b"), listed_at("d"), listed_at("a"));
        assert_eq!((b, d, a), (CALL / 2, CALL / 2, CALL * 2));
    };
    tokio::join!(create(&cloudflare, "x"), lists).0.unwrap();
}

#[tokio::test(start_paused = true)]
async fn at_the_deadline_it_counts_whether_a_change_was_on_its_way() {
    let (cloudflare, _script) = Script::start([post("x").after(CALL)]);
    let hasty = |name: &'static str| {
        let (cloudflare, fqdn) = (&cloudflare, fqdn(&format!("{name}.example.com")));
        async move {
            let deadline = Deadline::within(CALL / 2);
            cloudflare.create(&token("t"), &example(), &fqdn, new(name), deadline).await.unwrap_err()
        }
    };
    let waiting = async {
        sleep(CALL / 4).await;
        hasty("a").await
    };
    let (flying, waiting) = tokio::join!(hasty("x"), waiting);
    assert_eq!((flying.cause(), waiting.cause()), (&Cause::OutOfTime, &Cause::RateLimited));
    quiet(&cloudflare).await;
    assert_eq!(cloudflare.api.metrics.cloudflare.writes_waiting.get(), 0);
}

/// Simulation, seed 261347: a record had the mark of a Present that had given up, and said nothing of the one that made it.
#[tokio::test(start_paused = true)]
async fn what_nobody_waits_for_any_more_is_not_made_for_the_next() {
    let (cloudflare, script) = Script::start([post("x").after(CALL), post("a")]);
    let create_a = async |comment: &str, deadline| {
        let record = NewRecord { comment: comment.to_owned(), ..new("a") };
        cloudflare.create(&token("t"), &example(), &fqdn("a.example.com"), record, deadline).await
    };
    let waiting = async {
        sleep(CALL / 4).await;
        create_a("first", Deadline::within(CALL / 4)).await.unwrap_err();
        create_a("second", soon()).await
    };
    let (x, a) = tokio::join!(create(&cloudflare, "x"), waiting);
    assert_eq!((x.unwrap().created, a.unwrap().created), (Created::New, Created::New));
    assert_eq!(script.bodies()[1]["comment"], "second");
    assert_eq!(cloudflare.api.metrics.cloudflare.writes_waiting.get(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_clean_up_waits_for_others_until_a_present_takes_it_along() {
    let (cloudflare, _script) = Script::start([batch(&["b"])]);
    let budget = cloudflare.api.budget(&token("t"));
    while let Some(permit) = budget.permit(Urgency::Present).now_or_never() {
        permit.learn(&limited("\"default\";r=1080;t=200", ""));
    }
    let both = async { tokio::join!(delete(&cloudflare, "a"), delete(&cloudflare, "c")) };
    let mut both = std::pin::pin!(both);
    assert!(timeout(Duration::from_secs(1), both.as_mut()).await.is_err(), "nobody is in a hurry");
    let waiting = &cloudflare.api.metrics.cloudflare.writes_waiting;
    assert_eq!(waiting.get(), 2);
    let begun = Instant::now();
    let (deleted, made) = tokio::join!(both, create(&cloudflare, "b"));
    assert_eq!((deleted.0.unwrap(), deleted.1.unwrap()), (Deleted::Now, Deleted::Now));
    assert_eq!((made.unwrap().created, begun.elapsed()), (Created::New, Duration::ZERO));
    assert_eq!(waiting.get(), 0);
}

#[tokio::test(start_paused = true)]
async fn queues_that_nobody_uses_are_forgotten_when_there_are_many() {
    let (cloudflare, _script) = Script::start([]);
    let queue = |number: usize| {
        let zone = Zone { id: format!("{number:032x}"), ..example() };
        cloudflare.writer(&token("t"), &zone)
    };
    let busy = queue(0);
    for number in 1..QUEUES {
        assert!(!Arc::ptr_eq(&busy, &queue(number)));
    }
    let known = || cloudflare.writers.known.lock().unwrap().len();
    assert_eq!(known(), QUEUES);
    queue(QUEUES);
    assert_eq!(known(), 2, "the busy one and the new one");
    assert!(Arc::ptr_eq(&busy, &queue(0)));
}

#[tokio::test(start_paused = true)]
async fn lists_of_many_names_are_one_list_of_the_zone() {
    let all = list_all(1, 1, &["b", "c", "d", "other"]);
    let (cloudflare, _script) = Script::start([list("a", &["a"]).after(CALL), all]);
    let rest = async {
        sleep(CALL / 2).await;
        let lists =
            tokio::join!(listed(&cloudflare, "b"), listed(&cloudflare, "c"), listed(&cloudflare, "e"));
        assert_eq!(lists, (vec![id_of("b")], vec![id_of("c")], vec![]));
    };
    tokio::join!(listed(&cloudflare, "a"), rest);
    assert_eq!(cloudflare.api.metrics.cloudflare.lists_waiting.get(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_zone_with_more_pages_than_names_is_asked_by_name() {
    let (cloudflare, _script) = Script::start([
        list("x", &[]).after(CALL),
        list_all(1, 4, &["other"]),
        list("a", &["a"]),
        list("b", &[]),
        list("c", &["c"]),
    ]);
    let rest = async {
        sleep(CALL / 2).await;
        let lists =
            tokio::join!(listed(&cloudflare, "a"), listed(&cloudflare, "b"), listed(&cloudflare, "c"));
        assert_eq!(lists, (vec![id_of("a")], vec![], vec![id_of("c")]));
    };
    tokio::join!(listed(&cloudflare, "x"), rest);
}

#[tokio::test(start_paused = true)]
async fn larger_batches_are_tried_once_the_smaller_went_through() {
    let names: Vec<_> = (0..=FREE_PLAN).map(|n| format!("n{n}")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let (full, rest) = names.split_at(FREE_PLAN);
    let (cloudflare, script) =
        Script::start([post("x").after(CALL), batch(full).after(CALL), post(rest[0]).after(CALL)]);
    let all = async {
        sleep(CALL / 2).await;
        let all = join_all(names.iter().map(|name| create(&cloudflare, name)));
        all.await.into_iter().for_each(|made| drop(made.unwrap()));
    };
    tokio::join!(create(&cloudflare, "x"), all).0.unwrap();

    // Now 201 go together; refused, they go in parts of what any plan allows, and so it stays.
    let refused = Step::new(batch_path(), refusal(400, 9209, "too many")).after(CALL);
    let again = || [batch(full).after(CALL), post(rest[0]).after(CALL)];
    script.add(post("y").after(CALL));
    script.add(refused);
    script.add_all(again());
    script.add(post("z").after(CALL));
    script.add_all(again());
    for first in ["y", "z"] {
        let all = async {
            sleep(CALL / 2).await;
            let all = join_all(names.iter().map(|name| create(&cloudflare, name)));
            all.await.into_iter().for_each(|made| drop(made.unwrap()));
        };
        tokio::join!(create(&cloudflare, first), all).0.unwrap();
    }
}

/// Waits until no queue has a task any more.
async fn quiet(cloudflare: &Scripted) {
    cloudflare.writers.work.close();
    cloudflare.writers.work.wait().await;
    cloudflare.writers.work.reopen();
}

async fn create(cloudflare: &Scripted, name: &str) -> Result<Made, Error> {
    cloudflare.create(&token("t"), &example(), &fqdn(&format!("{name}.example.com")), new(name), soon()).await
}

async fn delete(cloudflare: &Scripted, name: &str) -> Result<Deleted, Error> {
    let fqdn = fqdn(&format!("{name}.example.com"));
    let record = Doomed { fqdn: &fqdn, value: name, id: &id_of(name) };
    cloudflare.delete(&token("t"), &example(), record, soon()).await
}

async fn listed(cloudflare: &Scripted, name: &str) -> Vec<String> {
    let fqdn = fqdn(&format!("{name}.example.com"));
    let found = cloudflare.list(&token("t"), &example(), &fqdn, soon()).await.unwrap();
    found.into_iter().map(|record| record.id).collect()
}

fn new(value: &str) -> NewRecord {
    NewRecord { value: TxtValue::parse(value).unwrap(), ttl: 60, comment: String::new() }
}

/// The call that makes the record of this name, its answer and its id.
fn post(name: &str) -> Step {
    post_step(ok(&record(&format!("{name}.example.com"), name)))
}

fn post_step(answer: impl Into<Result<Answer, ExchangeError>>) -> Step {
    Step::new(format!("POST /zones/{}/dns_records", id('a')), answer)
}

fn removal(name: &str, answer: impl Into<Result<Answer, ExchangeError>>) -> Step {
    Step::new(format!("DELETE /zones/{}/dns_records/{}", id('a'), id_of(name)), answer)
}

/// A batch that makes these records, and its answer.
fn batch(names: &[&str]) -> Step {
    let posts: Vec<_> = names.iter().map(|name| record(&format!("{name}.example.com"), name)).collect();
    Step::new(batch_path(), ok(&json!({"deletes": [], "patches": [], "puts": [], "posts": posts})))
}

fn batch_path() -> String {
    format!("POST /zones/{}/dns_records/batch", id('a'))
}

/// The records at a name, each by what was made there.
fn list(name: &str, found: &[&str]) -> Step {
    let query = format!("name.exact={name}.example.com&per_page=100&page=1");
    Step::new(format!("GET /zones/{}/dns_records?type=TXT&{query}", id('a')), ok(&records(found)))
}

fn list_all(page: u64, total: u64, found: &[&str]) -> Step {
    let body = json!({
        "result": records(found), "success": true, "errors": [], "messages": [],
        "result_info": {"page": page, "total_pages": total}
    });
    Step::new(
        format!("GET /zones/{}/dns_records?type=TXT&per_page=500&page={page}", id('a')),
        crate::cloudflare::script::answer(200, "application/json", &body.to_string()),
    )
}

fn records(names: &[&str]) -> Value {
    names.iter().map(|name| record(&format!("{name}.example.com"), name)).collect()
}

fn record(name: &str, value: &str) -> Value {
    json!({"id": id_of(value), "name": name, "type": "TXT", "content": format!("\"{value}\""), "ttl": 60})
}

/// The id of the record whose value this is.
fn id_of(value: &str) -> String {
    let digits = value.bytes().fold(0_u128, |digits, byte| digits << 8 | u128::from(byte));
    format!("{digits:032x}")
}
