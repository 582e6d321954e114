use std::sync::Arc;

use super::super::fake::{
    ADA_4, ADA_6, ALL, Authorities, BOB_4, NAME, ZONE, cname, delegation, fqdn, has, hearsay, lacks, rcode,
    referral, values,
};
use super::*;
use crate::name::Fqdn;
use crate::propagation::exchange::{Answer, Rcode};
use crate::propagation::front::Fronts;
use crate::solver::error::Cause;

const V: &[&str] = &["v"];

#[tokio::test(start_paused = true)]
async fn what_is_live_is_confirmed_by_two_rounds_the_settle_time_apart() {
    let fake = Authorities::all(&[(0, 20, has(&["v", "other"]))]);
    let sighting = run(&fake, Ask::default()).await.unwrap();
    assert_eq!(sighting.since, at(&fake, 20));
    assert_eq!(sighting.others, ["other"]);
    for server in ALL {
        assert_eq!(fake.asked(server), [0, 1020]);
    }
}

#[tokio::test(start_paused = true)]
async fn no_settle_time_is_two_rounds_back_to_back() {
    let fake = Authorities::all(&[(0, 20, has(V))]);
    let ask = Ask { settle: 0, ..Ask::default() };
    run(&fake, ask).await.unwrap();
    assert_eq!(fake.asked(BOB_4), [0, 20]);
}

#[tokio::test(start_paused = true)]
async fn it_looks_early_and_ever_less_often() {
    let fake = Authorities::all(&[(0, 0, lacks())]);
    let error = run(&fake, Ask::default()).await.unwrap_err();
    assert_eq!(error.cause(), &Cause::NotLive(fqdn(NAME)));
    assert!(error.detail().unwrap().contains("bob.ns.cloudflare.com"));
    let looks = fake.looks();
    assert_eq!(looks[..5], [0, 100, 200, 300, 400]);
    assert!(looks.windows(2).all(|pair| pair[1] - pair[0] <= 1001));
    assert!(looks.len() < 65, "{} in 40 s", looks.len());
    assert!(*looks.last().unwrap() >= 39_000);
    // Everybody once, and then one after the other.
    assert!(fake.count() <= looks.len() + 2 + 1, "{}", fake.count());
    let least = ALL.iter().map(|server| fake.asked(server).len()).min().unwrap();
    assert!(least >= looks.len() / 3, "each in turn");
}

#[tokio::test(start_paused = true)]
async fn all_values_are_wanted_of_each() {
    let fake = Authorities::all(&[(0, 0, has(V)), (600, 0, has(&["w", "v"]))]);
    let ask = Ask { values: &["v", "w"], ..Ask::default() };
    let sighting = run(&fake, ask).await.unwrap();
    assert_eq!(sighting.since, at(&fake, 600));
}

#[tokio::test(start_paused = true)]
async fn one_lagging_point_of_presence_is_waited_for() {
    let fake = Authorities::all(&[(0, 0, has(V))]).say(ADA_6, &[(0, 0, lacks()), (3000, 0, has(V))]);
    let sighting = run(&fake, Ask::default()).await.unwrap();
    assert!(sighting.since >= at(&fake, 3000));
}

#[tokio::test(start_paused = true)]
async fn a_flap_begins_it_anew() {
    // Yes at 0, no at 1000, yes at 1125, yes at 2125.
    let script = [(0, 0, has(V)), (500, 0, lacks()), (1050, 0, has(V))];
    let fake = Authorities::all(&[(0, 0, has(V))]).say(BOB_4, &script);
    let sighting = run(&fake, Ask::default()).await.unwrap();
    assert_eq!(sighting.since, at(&fake, 1125));
    assert_eq!(fake.asked(BOB_4), [0, 1000, 1125, 2125]);
}

#[tokio::test(start_paused = true)]
async fn hearsay_never_confirms() {
    let fake = Authorities::all(&[(0, 0, has(V))]).say(BOB_4, &[(0, 0, hearsay(V))]);
    let error = run(&fake, Ask::default()).await.unwrap_err();
    assert_eq!(error.cause(), &Cause::NotLive(fqdn(NAME)));
}

#[tokio::test(start_paused = true)]
async fn nobody_heard_is_blocked_as_soon_as_all_were_given_their_time() {
    let fake = Authorities::all(&[(0, 4000, None)]);
    assert!(barred(&fake).await.contains("blocked"));
    assert_eq!(Instant::now(), at(&fake, 4000));
    // One that is heard is enough to go on.
    let script = [(0, 0, lacks()), (10_000, 0, has(V))];
    let fake = Authorities::all(&[(0, 4000, None)]).say(BOB_4, &script);
    let ask = Ask { has_detour: true, ..Ask::default() };
    let error = run(&fake, ask).await.unwrap_err();
    assert_eq!(error.cause(), &Cause::NotLive(fqdn(NAME)));
}

#[tokio::test(start_paused = true)]
async fn a_slow_server_is_waited_for() {
    let fake = Authorities::all(&[(0, 5, has(V))]).say(BOB_4, &[(0, 1900, has(V))]);
    let sighting = run(&fake, Ask::default()).await.unwrap();
    assert_eq!(sighting.since, at(&fake, 1900));
}

#[tokio::test(start_paused = true)]
async fn a_silent_address_beside_one_that_answers_costs_time_once() {
    let fake = Authorities::all(&[(0, 5, has(V))]).say(ADA_6, &[(0, 4000, None)]);
    let process = Process::new(&fake);
    let sighting = run_in(&process, Ask::default()).await.unwrap();
    assert_eq!(sighting.since, at(&fake, 4000));
    assert_eq!(Instant::now(), at(&fake, 5005));
    run_in(&process, Ask::default()).await.unwrap();
    assert_eq!(Instant::now(), at(&fake, 6015));
}

#[tokio::test(start_paused = true)]
async fn who_was_quiet_and_is_heard_again_counts_again() {
    let script = [(0, 4000, None), (4500, 1, lacks()), (9000, 1, has(V))];
    let fake = Authorities::all(&[(0, 5, has(V))]).say(ADA_6, &script);
    let sighting = run(&fake, Ask::default()).await.unwrap();
    assert!(sighting.since >= at(&fake, 9000), "{:?}", sighting.since - at(&fake, 0));
}

#[tokio::test(start_paused = true)]
async fn a_name_server_that_is_not_heard_is_no_yes() {
    let fake = Authorities::all(&[(0, 5, has(V))]).say(BOB_4, &[(0, 4000, None)]);
    let error = run(&fake, Ask::default()).await.unwrap_err();
    assert_eq!(error.cause(), &Cause::NotLive(fqdn(NAME)));
    let back = [(0, 4000, None), (8000, 5, has(V))];
    let fake = Authorities::all(&[(0, 5, has(V))]).say(BOB_4, &back);
    run(&fake, Ask::default()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn silence_in_the_second_round_is_no_no_either() {
    let script = [(0, 0, has(V)), (900, 4000, None), (5000, 0, has(V))];
    let fake = Authorities::all(&[(0, 0, has(V))]).say(BOB_4, &script);
    let sighting = run(&fake, Ask::default()).await.unwrap();
    assert_eq!(sighting.since, at(&fake, 0));
    assert_eq!(fake.asked(BOB_4), [0, 1000, 5625]);
}

#[tokio::test(start_paused = true)]
async fn nobody_heard_is_unreachable() {
    let fake = Authorities::all(&[(0, 4000, None)]);
    let error = run(&fake, Ask::default()).await.unwrap_err();
    assert_eq!(error.cause(), &Cause::Unreachable(fqdn(ZONE)));
    assert_eq!(Instant::now(), at(&fake, 40_000));
}

#[tokio::test(start_paused = true)]
async fn a_cname_that_stays_and_is_no_wildcards_is_told() {
    let fake = Authorities::all(&[(0, 0, cname("else.example."))]).say_of(
        "_cmw-probe.example.com",
        ADA_4,
        &[(0, 0, lacks())],
    );
    let error = run(&fake, Ask::default()).await.unwrap_err();
    assert_eq!(error.cause(), &Cause::CnameInTheWay(fqdn(NAME)));
    assert!(Instant::now() >= at(&fake, 3000) && Instant::now() < at(&fake, 4500));
}

#[tokio::test(start_paused = true)]
async fn a_wildcard_cname_goes_when_the_record_comes() {
    let wildcard = (0, 0, cname("else.example."));
    let fake = Authorities::all(&[wildcard.clone(), (2000, 0, has(V))]);
    run(&fake, Ask::default()).await.unwrap();
    // However late that is.
    let fake = Authorities::all(&[wildcard.clone(), (9000, 0, has(V))]).say_of(
        "_cmw-probe.example.com",
        ADA_4,
        &[wildcard],
    );
    run(&fake, Ask::default()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_referral_is_told_at_once() {
    let fake = Authorities::all(&[(0, 0, referral(NAME))]);
    let error = run(&fake, Ask::default()).await.unwrap_err();
    assert_eq!(error.cause(), &Cause::DelegationInTheWay(fqdn(NAME)));
    assert_eq!(Instant::now(), at(&fake, 0));
}

#[tokio::test(start_paused = true)]
async fn refused_twice_by_all_is_believed_and_by_some_is_not() {
    let no = rcode(Rcode::Refused);
    let fake = Authorities::all(&[(0, 0, no.clone())]).say(ADA_6, &[(0, 4000, None)]);
    let error = run(&fake, Ask::default()).await.unwrap_err();
    assert_eq!(error.cause(), &Cause::RefusedEverywhere(fqdn(ZONE)));
    assert_eq!(fake.asked(BOB_4).len(), 2);

    let fake = Authorities::all(&[(0, 0, no.clone()), (50, 0, has(V))]);
    run(&fake, Ask::default()).await.unwrap();
    let fake = Authorities::all(&[(0, 0, has(V))]).say(BOB_4, &[(0, 0, no), (5000, 0, has(V))]);
    run(&fake, Ask::default()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_earlier_sighting_is_the_first_round() {
    let seen = Instant::now();
    tokio::time::advance(Duration::from_secs(5)).await;
    let fake = Authorities::all(&[(0, 10, has(V))]);
    let ask = Ask { seen: Some(seen), ..Ask::default() };
    let sighting = run(&fake, ask).await.unwrap();
    assert_eq!(sighting.since, seen);
    assert_eq!(fake.asked(BOB_4), [0]);
}

#[tokio::test(start_paused = true)]
async fn an_earlier_sighting_settles_first_and_does_not_outweigh_a_no() {
    let seen = Instant::now();
    tokio::time::advance(Duration::from_millis(400)).await;
    let fake = Authorities::all(&[(0, 0, has(V))]);
    let ask = Ask { seen: Some(seen), ..Ask::default() };
    run(&fake, ask).await.unwrap();
    assert_eq!(fake.asked(BOB_4), [600]);

    let begun = Instant::now();
    let fake = Authorities::all(&[(0, 0, lacks()), (50, 0, has(V))]);
    let sighting = run(&fake, ask).await.unwrap();
    assert!(sighting.since > begun);
    assert_eq!(fake.asked(BOB_4), [0, 100, 1100]);
}

#[tokio::test(start_paused = true)]
async fn elsewhere_is_told_at_once_where_nobody_is_an_authority() {
    let elsewhere = Ask { elsewhere: true, ..Ask::default() };
    let fake = Authorities::all(&[(0, 0, rcode(Rcode::Refused))]);
    let error = run(&fake, elsewhere).await.unwrap_err();
    assert_eq!(error.cause(), &Cause::NotDelegated(fqdn(ZONE)));
    assert_eq!(fake.asked(BOB_4), [0]);

    // Another operator's zone of the same name.
    let fake = Authorities::all(&[(0, 0, lacks())]);
    let begun = Instant::now();
    let error = run(&fake, elsewhere).await.unwrap_err();
    assert_eq!(error.cause(), &Cause::NotDelegated(fqdn(ZONE)));
    assert!(begun.elapsed() < Duration::from_millis(4500));
}

#[tokio::test(start_paused = true)]
async fn name_servers_of_the_customers_own_name_prove_it_by_serving() {
    let fake = Authorities::all(&[(0, 0, lacks()), (1500, 0, has(V))])
        .say(BOB_4, &[(0, 0, lacks()), (6000, 0, has(V))]);
    let ask = Ask { elsewhere: true, ..Ask::default() };
    let sighting = run(&fake, ask).await.unwrap();
    assert!(sighting.since >= at(&fake, 6000));
}

#[tokio::test(start_paused = true)]
async fn out_of_time_is_not_live_even_if_it_only_lacks_the_second_look() {
    let fake = Authorities::all(&[(0, 0, has(V))]);
    let ask = Ask { budget: 900, ..Ask::default() };
    let error = run(&fake, ask).await.unwrap_err();
    assert_eq!(error.cause(), &Cause::NotLive(fqdn(NAME)));
    // Not one that was cut off.
    let fake = Authorities::all(&[(0, 0, has(V))]).say(ADA_6, &[(0, 0, has(V)), (900, 4000, None)]);
    let ask = Ask { budget: 2000, ..Ask::default() };
    assert!(run(&fake, ask).await.is_err());
    // What was heard in the last whole round counts, not what was not in one that was cut off.
    let fake = Authorities::all(&[(0, 0, lacks()), (600, 4000, None)]);
    let error = run(&fake, ask).await.unwrap_err();
    assert_eq!(error.cause(), &Cause::NotLive(fqdn(NAME)));
    assert!(error.detail().unwrap().contains("lacks it"), "{error:?}");
}

async fn barred(fake: &Authorities) -> String {
    let ask = Ask { has_detour: true, ..Ask::default() };
    match Process::new(fake).wait(&fqdn(NAME), ask).await {
        Err(Stop::Barred(barrier, _)) => barrier.to_string(),
        other => panic!("{other:?}"),
    }
}

#[derive(Debug, Clone, Copy)]
struct Ask {
    values: &'static [&'static str],
    /// Milliseconds, as the budget.
    settle: u64,
    budget: u64,
    seen: Option<Instant>,
    elsewhere: bool,
    usual: Option<u64>,
    has_detour: bool,
}

impl Default for Ask {
    fn default() -> Self {
        Self {
            values: V,
            settle: 1000,
            budget: 40_000,
            seen: None,
            elsewhere: false,
            usual: None,
            has_detour: false,
        }
    }
}

/// Milliseconds after the begin of a fake's time.
fn at(fake: &Authorities, ms: u64) -> Instant {
    fake.begun() + Duration::from_millis(ms)
}

/// What the waits of a process share.
struct Process {
    questions: Questions<Authorities>,
    fronts: Fronts,
}

impl Process {
    fn new(fake: &Authorities) -> Self {
        Self { questions: Questions::new(Arc::new(fake.clone())), fronts: Fronts::default() }
    }

    async fn wait(&self, name: &Fqdn, ask: Ask) -> Result<Live, Stop> {
        let wait = Wait {
            questions: &self.questions,
            subject: Subject {
                delegation: &delegation(),
                zone: &fqdn(ZONE),
                fqdn: name,
                values: &values(ask.values),
            },
            member: &self.fronts.join(&fqdn(ZONE)),
            usual: ask.usual.map(Duration::from_millis),
            seen: ask.seen,
            settle: Duration::from_millis(ask.settle),
            elsewhere: ask.elsewhere,
            has_detour: ask.has_detour,
            deadline: Deadline::within(Duration::from_millis(ask.budget)),
        };
        wait.run().await
    }
}

async fn run(fake: &Authorities, ask: Ask) -> Result<Sighting, Error> {
    run_in(&Process::new(fake), ask).await
}

async fn run_in(process: &Process, ask: Ask) -> Result<Sighting, Error> {
    match process.wait(&fqdn(NAME), ask).await {
        Ok(live) => Ok(live.sighting),
        Err(Stop::Failed(error)) => Err(error),
        Err(Stop::Barred(barrier, _)) => panic!("{barrier}, and there is no detour"),
    }
}

mod intercepted;
mod many;
