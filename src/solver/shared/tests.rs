use super::*;
use crate::name::Fqdn;

const LIFETIME: Duration = Duration::from_mins(1);

#[tokio::test(start_paused = true)]
async fn a_rival_is_what_was_confirmed_before_ours_was_live() {
    let (a, b, live) = (value("a"), value("b"), now());
    let moment = Duration::from_millis(1);
    for (at, holds) in [(live - moment, true), (live, false), (live + moment, false)] {
        let confirmed = [Confirmed { value: b.clone(), at, gone: None }];
        let evidence = Evidence { confirmed: &confirmed, ..nothing(&a, live) };
        assert_eq!(evidence.quiet_at(LIFETIME), holds.then_some(live + LIFETIME));
    }
}

#[tokio::test(start_paused = true)]
async fn what_this_process_confirmed_it_knows_better_than_the_watch() {
    let (a, b, live) = (value("a"), value("b"), now());
    let known = [challenge(&b, Stage::Presented(None))];
    let confirmed = [Confirmed { value: b, at: live, gone: None }];
    assert!(Evidence { known: &known, ..nothing(&a, live) }.quiet_at(LIFETIME).is_some());
    let both = Evidence { known: &known, confirmed: &confirmed, ..nothing(&a, live) };
    assert_eq!(both.quiet_at(LIFETIME), None);
}

#[tokio::test(start_paused = true)]
async fn a_listed_value_is_a_stranger_s_unless_a_challenge_explains_it() {
    let (a, b, live) = (value("a"), value("b"), now());
    let listed = [b.clone()];
    let stranger = Evidence { listed: &listed, ..nothing(&a, live) };
    assert_eq!(stranger.quiet_at(LIFETIME), Some(live + LIFETIME));
    let known = [challenge(&b, Stage::Over { at: live, presented: None })];
    assert_eq!(Evidence { known: &known, ..stranger }.quiet_at(LIFETIME), None);
}

#[tokio::test(start_paused = true)]
async fn a_predecessor_is_an_ended_challenge_of_the_same_value() {
    let (a, b, at) = (value("a"), value("b"), now());
    let over = Stage::Over { at, presented: Some(None) };
    for (value, stage, counts) in [(&a, over, true), (&a, Stage::Pending, false), (&b, over, false)] {
        let known = [challenge(value, stage)];
        let evidence = Evidence { known: &known, written: Some((at, false)), ..nothing(&a, at) };
        assert_eq!(evidence.predecessor_gone(), counts.then_some(at + DELETE_SPREADS));
    }
}

#[tokio::test(start_paused = true)]
async fn ours_was_written_with_a_challenge_that_was_presented_once() {
    let (a, b, live) = (value("a"), value("b"), now());
    let presented = challenge(&b, Stage::Presented(None));
    let is_with = |known: &[LiveChallenge]| {
        Evidence { known, ahead_of: Some(&b), ..nothing(&a, live) }.written_with().is_some()
    };
    assert!(is_with(std::slice::from_ref(&presented)));
    assert!(!is_with(&[challenge(&b, Stage::Pending)]));
    assert!(!is_with(&[presented, challenge(&b, Stage::Over { at: live, presented: None })]));
}

#[test]
fn of_several_namespaces_only_the_issuer_s_own_counts() {
    let a = value("a");
    let known = ["hostile", "apps"]
        .map(|namespace| LiveChallenge { namespace: namespace.into(), ..challenge(&a, Stage::Pending) });
    assert_eq!(only_namespace(known.iter(), "apps"), Some("apps"));
    assert_eq!(only_namespace(known.iter(), "cert-manager"), None);
    assert_eq!(only_namespace(known.iter().take(1), "cert-manager"), Some("hostile"));
}

/// No more than since when the value has been live.
fn nothing(value: &TxtValue, live_since: Instant) -> Evidence<'_> {
    Evidence {
        value,
        found: false,
        written: None,
        live_since,
        mark: None,
        ahead_of: None,
        known: &[],
        confirmed: &[],
        listed: &[],
    }
}

fn challenge(value: &TxtValue, stage: Stage) -> LiveChallenge {
    LiveChallenge {
        uid: "uid".into(),
        namespace: "apps".into(),
        dns_name: Fqdn::parse("example.com").unwrap(),
        value: value.clone(),
        solver: [0; 32],
        stage,
    }
}

/// Of a digest's form.
fn value(letter: &str) -> TxtValue {
    TxtValue::parse(&letter.repeat(43)).unwrap()
}

/// With room before it.
fn now() -> Instant {
    Instant::now() + LIFETIME
}
