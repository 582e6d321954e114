//! Create, and the records that landed elsewhere.

use super::*;

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
    let (cloudflare, _script) =
        Script::start([post(lost()), empty(), post(lost()), empty(), post(lost()), empty()]);
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
    assert_eq!(*create(&cloudflare, &example()).await.unwrap_err().cause(), Cause::RateLimited);
}

#[tokio::test(start_paused = true)]
async fn no_write_starts_after_the_deadline() {
    let (cloudflare, script) = Script::start([]);
    let (t, zone) = (token("t"), example());
    let deadline = Deadline::within(Duration::from_secs(1));
    advance(Duration::from_secs(1)).await;
    let made = cloudflare.create(&t, &zone, &fqdn(NAME), new(), deadline).await;
    assert_eq!(*made.unwrap_err().cause(), Cause::OutOfTime);
    let gone = delete_one(&cloudflare, &id('1'), deadline).await;
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
        (refusal(403, 10000, "Authentication error"), Cause::ZoneDenied(zone())),
        (refusal(403, 9109, "Invalid access token"), Cause::CredentialRefused),
        (refusal(400, 81045, "Record quota exceeded."), Cause::QuotaExceeded(zone())),
        (refusal(400, 81053, "conflict"), Cause::RecordRefused { code: 81053 }),
        (refusal(400, 9313, "comment"), Cause::RecordRefused { code: 9313 }),
        (refusal(200, 9000, "DNS name is invalid."), Cause::RecordRefused { code: 9000 }),
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
    let (cloudflare, _script) =
        Script::start([post(ok(&record(&elsewhere, VALUE))), delete('1', ok(&json!({"id": id('1')})))]);
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
    let made = cloudflare.create(&token("t"), &pinned(), &fqdn(NAME), new(), deadline).await;
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

    let found = json!([record(&format!("{NAME}.other.test"), VALUE), record("unrelated.other.test", VALUE)]);
    let (cloudflare, _script) = Script::start([
        exists(),
        list(ok(&json!([]))),
        Step::new(search(&format!("content.contains={VALUE}"), 1), ok(&found)),
        delete('1', ok(&json!({"id": id('1')}))),
    ]);
    let error = create(&cloudflare, &pinned()).await.unwrap_err();
    assert_eq!(*error.cause(), Cause::WrongPin { fqdn: fqdn(NAME) });
}
