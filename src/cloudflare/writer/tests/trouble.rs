//! Batches that fail: each change gets its own verdict, and none pays for another's mistake.

use super::*;
use crate::cloudflare::script::{html, lost, unsent};
use crate::cloudflare::writer::queue::SINGLY;

#[tokio::test(start_paused = true)]
async fn who_is_to_blame_is_found_by_halves() {
    let refused = || refusal(400, 9000, "DNS name is invalid.");
    let (cloudflare, _script) = Script::start([
        first(),
        step(refused()),      // a b c d
        batch(&["a", "b"]),   //
        step(refused()),      // c d
        post_step(refused()), // c
        post("d"),
    ]);
    let all = gathered(&cloudflare, &["a", "b", "c", "d"], &[]).await;
    assert_eq!(causes(&all), [None, None, Some(Cause::RecordRefused { code: 9000 }), None]);
}

#[tokio::test(start_paused = true)]
async fn what_is_there_or_gone_already_is_found_by_one_list() {
    let there = refusal(400, 81058, "An identical record already exists.");
    let gone = refusal(404, 81044, "Record does not exist.");
    for answer in [there, gone] {
        let (cloudflare, script) = Script::start([
            first(),
            step(answer),
            list_all(1, 1, &["b", "e"]),
            step(ok(&json!({"deletes": [], "posts": records(&["a"])}))),
        ]);
        let (makings, deletes) = both(&cloudflare, &["a", "b"], &["d", "e"]).await;
        let created: Vec<_> = makings.into_iter().map(|made| made.unwrap().created).collect();
        assert_eq!(created, [Created::New, Created::Existing]);
        let gone: Vec<_> = deletes.into_iter().map(Result::unwrap).collect();
        assert_eq!(gone, [Deleted::Before, Deleted::Now]);
        let body = script.bodies().pop().unwrap();
        assert_eq!(body["deletes"], json!([{"id": id_of("e")}]));
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_reply_is_settled_before_anything_is_repeated() {
    for trouble in [Err(lost()), Ok(html(520)), Ok(html(200)), Ok(ok(&json!({"posts": []})))] {
        // It was carried out.
        let (cloudflare, _script) =
            Script::start([first(), step(trouble.clone()), list_all(1, 1, &["a", "b", "c"])]);
        let all = gathered(&cloudflare, &["a", "b", "c"], &["d"]).await;
        assert_eq!(causes(&all), [None, None, None]);
        // It was not.
        let (cloudflare, _script) = Script::start([
            first(),
            step(trouble),
            list_all(1, 1, &["d"]),
            step(ok(&json!({"posts": records(&["a", "b", "c"])}))),
        ]);
        let all = gathered(&cloudflare, &["a", "b", "c"], &["d"]).await;
        assert_eq!(causes(&all), [None, None, None]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_record_that_is_to_go_is_not_taken_for_the_one_to_come() {
    // Nothing of the batch was carried out: what stands is the old record.
    let again = step(ok(&json!({"posts": records(&["a"])})));
    let (cloudflare, script) = Script::start([first(), step(lost()), list("a", &["a"]), again]);
    let both = async {
        sleep(CALL / 2).await;
        tokio::join!(delete(&cloudflare, "a"), create(&cloudflare, "a"))
    };
    let (_, (deleted, made)) = tokio::join!(create(&cloudflare, "first"), both);
    assert_eq!((deleted.unwrap(), made.unwrap().created), (Deleted::Now, Created::New));
    assert_eq!(script.bodies().pop().unwrap()["deletes"], json!([{"id": id_of("a")}]));
}

#[tokio::test(start_paused = true)]
async fn deletes_whose_reply_is_lost_are_settled_too() {
    let (cloudflare, _script) = Script::start([
        first(),
        step(lost()),
        list("d", &[]),
        list("e", &["e"]),
        removal("e", ok(&json!({}))),
    ]);
    let (_, deleted) = both(&cloudflare, &[], &["d", "e"]).await;
    let deleted: Vec<_> = deleted.into_iter().map(Result::unwrap).collect();
    assert_eq!(deleted, [Deleted::Before, Deleted::Now]);
}

#[tokio::test(start_paused = true)]
async fn what_a_list_does_not_settle_is_split() {
    let there = refusal(400, 81058, "An identical record already exists.");
    let (cloudflare, _script) =
        Script::start([first(), step(there), list("a", &[]), list("b", &[]), post("a"), post("b")]);
    assert_eq!(causes(&gathered(&cloudflare, &["a", "b"], &[]).await), [None, None]);
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_any_plan_allows_is_split_in_halves() {
    let names: Vec<_> = (0..FREE_PLAN).map(|n| format!("n{n}")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let (one, other) = names.split_at(FREE_PLAN / 2);
    let refused = step(refusal(400, 9000, "DNS name is invalid."));
    let (cloudflare, _script) = Script::start([first(), refused, batch(one), batch(other)]);
    assert!(gathered(&cloudflare, &names, &[]).await.iter().all(Result::is_ok));
}

#[tokio::test(start_paused = true)]
async fn an_id_that_is_none_is_in_no_call() {
    let (cloudflare, _script) = Script::start([]);
    let fqdn = fqdn("a.example.com");
    let record = Doomed { fqdn: &fqdn, value: "a", id: "../../user" };
    let refused = cloudflare.delete(&token("t"), &example(), record, soon()).await;
    assert_eq!(*refused.unwrap_err().cause(), Cause::Internal);
    let (record, zone) = (Doomed { id: &id('b'), ..record }, Zone { id: "../../user".into(), ..example() });
    let refused = cloudflare.delete(&token("t"), &zone, record, soon()).await;
    assert_eq!(*refused.unwrap_err().cause(), Cause::Internal);
}

#[tokio::test(start_paused = true)]
async fn a_batch_is_sent_three_times_at_most() {
    let nothing = || [step(lost()), list("a", &[]), list("b", &[])];
    let (cloudflare, script) = Script::start([first()]);
    for _ in 0..3 {
        script.add_all(nothing());
    }
    let all = gathered(&cloudflare, &["a", "b"], &[]).await;
    assert_eq!(causes(&all), [Some(Cause::Unavailable), Some(Cause::Unavailable)]);
    // What was never sent needs no reading back.
    let (cloudflare, _script) = Script::start([first(), step(unsent()), step(unsent()), batch(&["a", "b"])]);
    assert_eq!(causes(&gathered(&cloudflare, &["a", "b"], &[]).await), [None, None]);
}

#[tokio::test(start_paused = true)]
async fn a_token_whose_batches_are_refused_goes_on_alone_and_remembers() {
    for refused in [refusal(403, 10000, "Authentication error"), refusal(404, 7000, "No route for that URI")]
    {
        let (cloudflare, script) = Script::start([first(), step(refused), post("a"), post("b"), post("c")]);
        assert_eq!(causes(&gathered(&cloudflare, &["a", "b", "c"], &[]).await), [None, None, None]);
        script.add_all([first(), post("a"), post("b")]);
        assert_eq!(causes(&gathered(&cloudflare, &["a", "b"], &[]).await), [None, None]);
        tokio::time::advance(SINGLY).await;
        script.add_all([first(), batch(&["a", "b"])]);
        assert_eq!(causes(&gathered(&cloudflare, &["a", "b"], &[]).await), [None, None]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_that_may_not_write_is_told_so_once() {
    let refused = || refusal(403, 10000, "Authentication error");
    let (cloudflare, script) = Script::start([first(), step(refused()), post_step(refused())]);
    let denied = || Some(Cause::ZoneDenied(fqdn("example.com")));
    assert_eq!(causes(&gathered(&cloudflare, &["a", "b", "c"], &[]).await), [denied(), denied(), denied()]);
    // It was no matter of batches.
    script.add_all([first(), batch(&["a", "b"])]);
    assert_eq!(causes(&gathered(&cloudflare, &["a", "b"], &[]).await), [None, None]);
}

#[tokio::test(start_paused = true)]
async fn a_full_zone_is_told_once_and_deletes_go_on() {
    let full = || refusal(400, 81045, "Record quota exceeded.");
    let (cloudflare, _script) = Script::start([
        first(),
        step(full()),                    // d e, a b c
        step(full()),                    // d e, a
        step(ok(&json!({"posts": []}))), // d e
        post_step(full()),               // a
    ]);
    let (makings, deletes) = both(&cloudflare, &["a", "b", "c"], &["d", "e"]).await;
    let quota = || Some(Cause::QuotaExceeded(fqdn("example.com")));
    assert_eq!(causes(&makings), [quota(), quota(), quota()]);
    assert!(deletes.into_iter().all(|deleted| deleted.unwrap() == Deleted::Now));
}

#[tokio::test(start_paused = true)]
async fn a_429_is_told_to_all_and_what_has_to_go_goes_later() {
    let (cloudflare, script) = Script::start([first(), step(busy())]);
    let (makings, deletes) = both(&cloudflare, &["a", "b"], &["d"]).await;
    assert_eq!(causes(&makings), [Some(Cause::RateLimited), Some(Cause::RateLimited)]);
    assert_eq!(*deletes[0].as_ref().unwrap_err().cause(), Cause::RateLimited);
    // Nobody waits for the end of the break who would not see it.
    let begun = Instant::now();
    let texts: Vec<_> =
        [create(&cloudflare, "a").await.unwrap_err(), makings[0].as_ref().unwrap_err().clone()]
            .map(|error| error.to_string())
            .into();
    assert_eq!(texts[0], texts[1]);
    assert_eq!(begun.elapsed(), Duration::ZERO);
    script.add(removal("d", ok(&json!({}))));
    quiet(&cloudflare).await;
    assert_eq!(begun.elapsed(), Duration::from_mins(2));
}

#[tokio::test(start_paused = true)]
async fn what_waits_behind_a_429_is_told_at_once() {
    let (cloudflare, _script) = Script::start([post_step(busy()).after(CALL)]);
    let begun = Instant::now();
    let waiting = async {
        sleep(CALL / 2).await;
        create(&cloudflare, "a").await
    };
    let (flying, waiting) = tokio::join!(create(&cloudflare, "first"), waiting);
    assert_eq!(causes(&[flying, waiting]), [Some(Cause::RateLimited), Some(Cause::RateLimited)]);
    assert_eq!(begun.elapsed(), CALL);
}

#[tokio::test(start_paused = true)]
async fn a_record_of_a_batch_that_landed_elsewhere_is_removed() {
    let landed = json!({"posts": [
        record("a.example.com", "a"), record("b.example.com.other.test", "b"), record("c.example.com", "c")
    ]});
    let (cloudflare, _script) = Script::start([first(), step(ok(&landed)), removal("b", ok(&json!({})))]);
    let all = gathered(&cloudflare, &["a", "b", "c"], &[]).await;
    assert_eq!(causes(&all), [None, Some(Cause::WrongPin { fqdn: fqdn("b.example.com") }), None]);
}

/// Makes and deletes these in one call: they come while the first call is on its way.
async fn both(
    cloudflare: &Scripted,
    make: &[&str],
    remove: &[&str],
) -> (Vec<Result<Made, Error>>, Vec<Result<Deleted, Error>>) {
    let rest = async {
        sleep(CALL / 2).await;
        let makings = join_all(make.iter().map(|name| create(cloudflare, name)));
        let deletes = join_all(remove.iter().map(|name| delete(cloudflare, name)));
        tokio::join!(makings, deletes)
    };
    let (first, rest) = tokio::join!(create(cloudflare, "first"), rest);
    first.unwrap();
    rest
}

async fn gathered(cloudflare: &Scripted, make: &[&str], remove: &[&str]) -> Vec<Result<Made, Error>> {
    let (makings, deletes) = both(cloudflare, make, remove).await;
    assert!(deletes.into_iter().all(|deleted| deleted.is_ok()));
    makings
}

fn first() -> Step {
    post("first").after(CALL)
}

fn step(answer: impl Into<Result<Answer, ExchangeError>>) -> Step {
    Step::new(batch_path(), answer)
}

/// For two minutes.
fn busy() -> Answer {
    let mut answer = refusal(429, 971, "Please wait");
    answer.headers.insert("retry-after", "120".parse().unwrap());
    answer
}

fn causes(all: &[Result<Made, Error>]) -> Vec<Option<Cause>> {
    all.iter().map(|made| made.as_ref().err().map(|error| error.cause().clone())).collect()
}
