use super::super::fake::{NAME, Operators, Tells, fqdn, values};
use super::*;

/// Has the value, beside another.
const YES: Tells = (0, 20, Some((&["v", "other"], 60)));
/// As a resolver that was asked too early says for half an hour.
const NO: Tells = (0, 20, Some((&[], 1800)));
const SILENT: Tells = (0, 4000, None);

#[tokio::test(start_paused = true)]
async fn two_operators_are_asked_late_and_the_third_is_kept() {
    let operators = Operators::new(&[&[YES], &[YES], &[]]);
    let begun = Instant::now();
    let sighting = run(&operators, Ask::default()).await.unwrap();
    assert_eq!(operators.asked(), [(8000, 0), (9020, 1)]);
    assert_eq!(sighting.others, ["other"]);
    assert_eq!(sighting.since, begun + Duration::from_millis(9040));
}

#[tokio::test(start_paused = true)]
async fn a_slow_zone_is_given_more_time() {
    for (usual, first) in [(1500, 8000), (6000, 12_000), (60_000, 16_000)] {
        let operators = Operators::new(&[&[YES], &[YES]]);
        let ask = Ask { usual: Some(Duration::from_millis(usual)), ..Ask::default() };
        run(&operators, ask).await.unwrap();
        assert_eq!(operators.asked()[0], (first, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn a_no_is_no_verdict_and_is_not_asked_for_again_before_it_is_over() {
    let denials = Denials::new();
    let operators = Operators::new(&[&[NO], &[YES], &[YES]]);
    run_with(&operators, &denials, Ask::default()).await.unwrap();
    assert_eq!(operators.asked(), [(8000, 0), (16_040, 1), (17_060, 2)]);
    // Nor by the next Present.
    let operators = Operators::new(&[&[], &[YES], &[NO]]);
    let shortfall = run_with(&operators, &denials, Ask::default()).await.unwrap_err();
    assert!(
        matches!(&shortfall, Shortfall::Unconfirmed(text) if text.contains("operator 1 has it")),
        "{shortfall:?}"
    );
    assert_eq!(operators.asked(), [(8000, 1), (9020, 2)]);
    assert_eq!(denials.len(), 2);
    // But afterwards.
    tokio::time::advance(Duration::from_mins(30)).await;
    let operators = Operators::new(&[&[YES], &[YES], &[]]);
    run_with(&operators, &denials, Ask::default()).await.unwrap();
    assert_eq!(operators.asked().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_answer_with_other_values_is_respected_for_its_time_to_live() {
    let stale = [(0, 0, Some((&["other"][..], 10))), (18_000, 0, Some((&["v"][..], 60)))];
    let operators = Operators::new(&[&stale, &[YES]]);
    run(&operators, Ask::default()).await.unwrap();
    assert_eq!(operators.asked(), [(8000, 0), (16_000, 1), (18_000, 0)]);
}

#[tokio::test(start_paused = true)]
async fn one_operator_is_not_enough() {
    for others in [NO, SILENT] {
        let operators = Operators::new(&[&[YES], &[others], &[others]]);
        let begun = Instant::now();
        let shortfall = run(&operators, Ask::default()).await.unwrap_err();
        assert!(matches!(shortfall, Shortfall::Unconfirmed(_)), "{shortfall:?}");
        assert!(begun.elapsed() <= Duration::from_secs(40));
    }
}

#[tokio::test(start_paused = true)]
async fn who_is_silent_is_passed_over_and_tried_again() {
    let operators = Operators::new(&[&[SILENT], &[YES], &[SILENT, (14_000, 20, YES.2)]]);
    run(&operators, Ask::default()).await.unwrap();
    assert_eq!(operators.asked(), [(8000, 0), (12_000, 1), (13_020, 2), (17_020, 0), (21_020, 2)]);
}

#[tokio::test(start_paused = true)]
async fn nobody_heard_is_unreached_and_nobody_trusted_is_told_at_once() {
    let operators = Operators::new(&[&[SILENT], &[SILENT]]);
    let shortfall = run(&operators, Ask::default()).await.unwrap_err();
    assert!(matches!(shortfall, Shortfall::Unreached(_)), "{shortfall:?}");
    assert!(operators.asked().len() > 4);
    let operators = Operators::new(&[&[YES], &[YES]]).without_roots();
    let shortfall = run(&operators, Ask::default()).await.unwrap_err();
    assert!(matches!(shortfall, Shortfall::Roots(_)), "{shortfall:?}");
}

#[tokio::test(start_paused = true)]
async fn what_was_seen_live_may_be_asked_for_at_once() {
    let seen = Instant::now();
    tokio::time::advance(Duration::from_secs(5)).await;
    let operators = Operators::new(&[&[YES], &[YES]]);
    let ask = Ask { seen: Some(seen), ..Ask::default() };
    let sighting = run(&operators, ask).await.unwrap();
    assert_eq!(operators.asked(), [(0, 0), (20, 1)]);
    assert_eq!(sighting.since, seen);
    // A no outweighs it.
    let operators = Operators::new(&[&[NO], &[YES], &[YES]]);
    assert!(run(&operators, ask).await.unwrap().since > seen);
}

#[derive(Debug, Clone, Copy, Default)]
struct Ask {
    usual: Option<Duration>,
    seen: Option<Instant>,
}

async fn run(operators: &Operators, ask: Ask) -> Result<Sighting, Shortfall> {
    run_with(operators, &Denials::new(), ask).await
}

async fn run_with(operators: &Operators, denials: &Denials, ask: Ask) -> Result<Sighting, Shortfall> {
    let quorum = Quorum {
        https: operators,
        denials,
        fqdn: &fqdn(NAME),
        values: &values(&["v"]),
        written: Instant::now(),
        seen: ask.seen,
        usual: ask.usual,
        settle: Duration::from_secs(1),
        deadline: Deadline::within(Duration::from_secs(40)),
    };
    quorum.run().await
}
