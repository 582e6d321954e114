//! One fault each, by the emulator's switches: nothing is lost, nothing left, and nothing written a second time where it
//! stands.

use std::sync::Arc;
use std::time::Duration;

use cert_manager_webhook_cloudflare::challenge::ChallengeRequest;
use cert_manager_webhook_cloudflare::deadline::Deadline;
use cert_manager_webhook_cloudflare::solver::error::{Cause, Error};
use cloudflare_emulator::{Action, Emulator, Fault, FaultBody, RecordConfig, TokenConfig, World, ZoneConfig};
use futures::future::join_all;
use serde_json::json;
use tokio::time::sleep;

use super::cloud::{Cloud, Process};
use super::on_paused_time;

/// Whatever befalls a call twice at most, the third comes through, and nobody outside notices.
#[test]
fn what_befalls_a_write_is_made_good() {
    let status = |status, body, apply| Action::Status { status, body, apply };
    let faults = [
        ("an error page before the write", status(502, FaultBody::Html, false)),
        ("an error page after the write", status(502, FaultBody::Html, true)),
        ("a 520 before the write", status(520, FaultBody::Text("error code: 520".into()), false)),
        ("a 520 after the write", status(520, FaultBody::Text("error code: 520".into()), true)),
        ("a page with 200 after the write", status(200, FaultBody::Html, true)),
        ("nothing with 200 after the write", status(200, FaultBody::Empty, true)),
        ("a failure envelope with 500", status(500, FaultBody::Json, false)),
        ("an answer cut in its middle", Action::Cut),
        ("a reset before the write", Action::ResetBefore),
        ("a reset after the write", Action::ResetAfter),
    ];
    for (name, action) in faults {
        for times in [1, 2] {
            for values in [1, 5] {
                on_paused_time(async {
                    let place = Place::new(World::default());
                    let wrong = || Fault::new(action.clone()).times(times);
                    for method in ["POST", "DELETE"] {
                        assert!(place.cloud.emulator.add_fault(wrong().on(method, "dns_records")));
                    }
                    place.all("Present", values).await.unwrap_or_else(|error| panic!("{name}: {error:?}"));
                    assert_eq!(place.standing(), values, "{name}, {times} times, {values} values");

                    place.cloud.emulator.clear_faults();
                    for method in ["POST", "DELETE"] {
                        assert!(place.cloud.emulator.add_fault(wrong().on(method, "dns_records")));
                    }
                    place.all("CleanUp", values).await.unwrap_or_else(|error| panic!("{name}: {error:?}"));
                    assert_eq!(place.standing(), 0, "{name}, {times} times, {values} values");
                });
            }
        }
    }
}

#[test]
fn a_batch_that_half_the_time_loses_its_reply_writes_nothing_twice() {
    on_paused_time(async {
        let place = Place::new(World::default());
        let lost = Fault::new(Action::ResetAfter).every(2).on("POST", "dns_records");
        assert!(place.cloud.emulator.add_fault(lost));
        for _ in 0..5 {
            place.all("Present", 8).await.unwrap();
            assert_eq!(place.standing(), 8);
            place.all("CleanUp", 8).await.unwrap();
            assert_eq!(place.standing(), 0);
        }
    });
}

#[test]
fn a_batch_answered_200_without_success_is_no_success() {
    on_paused_time(async {
        let place = Place::new(World::default());
        let refusal = Action::Error { status: 200, code: 1234, message: "no".into() };
        assert!(place.cloud.emulator.add_fault(Fault::new(refusal).on("POST", "dns_records")));
        let error = place.all("Present", 4).await.unwrap_err();
        assert!(!matches!(error.cause(), Cause::Internal), "{error:?}");
        assert_eq!(place.standing(), 0);
        place.cloud.emulator.clear_faults();
        place.all("Present", 4).await.unwrap();
        place.all("CleanUp", 4).await.unwrap();
        assert_eq!(place.standing(), 0);
    });
}

#[test]
fn a_quota_that_is_exceeded_mid_batch_costs_only_those_without_room() {
    on_paused_time(async {
        let world = World::default().with_zone(ZoneConfig { record_quota: Some(3), ..ZoneConfig::new(ZONE) });
        let place = Place::over(world);
        let answers = join_all((0..5).map(|number| place.answer("Present", number))).await;
        let refused: Vec<_> = answers.iter().filter_map(|answer| answer.as_ref().err()).collect();
        assert_eq!((place.standing(), refused.len()), (3, 2), "{answers:?}");
        assert!(refused.iter().all(|error| error.to_string() == refused[0].to_string()));

        // What goes makes room for what had none.
        place.all("CleanUp", 5).await.unwrap();
        assert_eq!(place.standing(), 0);
        place.all("Present", 2).await.unwrap();
        assert_eq!(place.standing(), 2);
    });
}

#[test]
fn an_identical_record_made_by_hand_serves_and_goes() {
    for values in [1, 4] {
        on_paused_time(async {
            let world = World { records: vec![by_hand(0)], ..World::default() };
            let place = Place::new(world);
            place.all("Present", values).await.unwrap();
            assert_eq!(place.standing(), values, "no second beside the one by hand");
            place.all("CleanUp", values).await.unwrap();
            assert_eq!(place.standing(), 0);
        });
    }
}

#[test]
fn a_record_deleted_by_hand_is_written_anew_and_missed_by_no_clean_up() {
    for values in [1, 4] {
        on_paused_time(async {
            let place = Place::new(World::default());
            place.all("Present", values).await.unwrap();
            place.cloud.remove(ZONE, &record(0));
            // Neither is a delete by an id that is gone a failure, nor does it keep the others from going.
            place.all("CleanUp", values).await.unwrap();
            assert_eq!(place.standing(), 0);

            place.all("Present", values).await.unwrap();
            place.cloud.remove(ZONE, &record(0));
            // Once it is served no more, the authority shows it.
            sleep(Duration::from_secs(5)).await;
            place.all("Present", values).await.unwrap();
            assert_eq!(place.standing(), values);
            place.all("CleanUp", values).await.unwrap();
            assert_eq!(place.standing(), 0);
        });
    }
}

#[test]
fn a_token_that_may_not_batch_makes_single_calls() {
    on_paused_time(async {
        let token = TokenConfig { no_batch: true, ..TokenConfig::new(TOKEN) };
        let world = World::default().with_zone(ZoneConfig::new(ZONE));
        let place = Place::over(World { tokens: vec![token], ..world });
        place.all("Present", 6).await.unwrap();
        assert_eq!(place.standing(), 6);
        place.all("CleanUp", 6).await.unwrap();
        assert_eq!(place.standing(), 0);
    });
}

/// A zone and a process that writes there.
struct Place {
    cloud: Cloud,
    process: Arc<Process>,
}

impl Place {
    fn new(world: World) -> Self {
        Self::over(world.with_zone(ZoneConfig::new(ZONE)))
    }

    fn over(world: World) -> Self {
        let world = World { latency_ms: 60, propagation_ms: 1_500, ..world };
        let world = if world.tokens.is_empty() { world.token(TOKEN, &[ZONE]) } else { world };
        let cloud = Cloud::new(Emulator::detached(&world).unwrap());
        Self { process: cloud.process(), cloud }
    }

    async fn answer(&self, action: &str, number: usize) -> Result<(), Error> {
        let (name, key) = record(number);
        let request = ChallengeRequest {
            action: action.to_owned(),
            dns_name: name.trim_start_matches("_acme-challenge.").to_owned(),
            key,
            resource_namespace: "cert-manager".to_owned(),
            resolved_fqdn: format!("{name}."),
            config: Some(json!({ "apiTokenSecretRef": { "name": TOKEN, "key": "token" } })),
            ..ChallengeRequest::default()
        };
        self.process.answer(request, Deadline::within(Duration::from_secs(45))).await
    }

    async fn all(&self, action: &str, values: usize) -> Result<(), Error> {
        join_all((0..values).map(|number| self.answer(action, number))).await.into_iter().collect()
    }

    /// How many records stand; two of one name and value fail the test.
    fn standing(&self) -> usize {
        let standing = self.cloud.standing(&[ZONE]);
        assert!(standing.windows(2).all(|pair| pair[0] != pair[1]), "{standing:?}");
        standing.len()
    }
}

fn record(number: usize) -> (String, String) {
    (format!("_acme-challenge.n{number}.{ZONE}"), format!("{number:043}"))
}

fn by_hand(number: usize) -> RecordConfig {
    let (name, content) = record(number);
    RecordConfig {
        zone: ZONE.to_owned(),
        kind: "TXT".to_owned(),
        name,
        content: format!("\"{content}\""),
        ttl: 300,
        comment: None,
        priority: None,
        hidden: false,
    }
}

const ZONE: &str = "one.example";
const TOKEN: &str = "token-of-the-only-user-0123456789-0123456789-01";
