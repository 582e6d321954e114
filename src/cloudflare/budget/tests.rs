use std::time::Duration;

use futures::FutureExt;

use super::line::{STARVED, TRICKLE};
use super::*;
use crate::cloudflare::script::{limited, ok, refusal};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn a_few_calls_never_wait_and_many_keep_a_pace() {
    let (budget, begun) = (budget(), Instant::now());
    for _ in 0..25 {
        budget.permit(Urgency::Present).await;
    }
    assert_eq!(begun.elapsed(), Duration::ZERO);
    for _ in 0..60 {
        budget.permit(Urgency::Present).await;
    }
    let took = begun.elapsed();
    assert!(took >= 29 * SECOND && took <= 32 * SECOND, "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_pace_that_changes_gives_nothing_away() {
    let budget = paced();
    let begun = Instant::now();
    for turn in 0..40 {
        // Many wait, and then few: each call comes half a second or more after the last all the same.
        if turn % 2 == 0 {
            budget.gather(100);
        } else {
            budget.release(100);
        }
        budget.permit(Urgency::Present).await;
    }
    let took = begun.elapsed();
    assert!(took >= 20 * SECOND && took <= 30 * SECOND, "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn what_nobody_uses_comes_back() {
    let budget = budget();
    for _ in 0..60 {
        budget.permit(Urgency::Present).await;
    }
    tokio::time::advance(20 * SECOND).await;
    let begun = Instant::now();
    for _ in 0..24 {
        budget.permit(Urgency::Present).await;
    }
    assert_eq!(begun.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn clean_ups_gather_before_presents_do() {
    let budget = paced();
    tokio::time::advance(SECOND).await;
    assert!(
        budget.permit(Urgency::CleanUp).now_or_never().is_some(),
        "a tenth of the window is not used yet"
    );

    tell(&budget, 1080, 200).await;
    while budget.permit(Urgency::Present).now_or_never().is_some() {}
    tokio::time::advance(SECOND).await;
    assert!(budget.permit(Urgency::CleanUp).now_or_never().is_none());
    assert!(budget.permit(Urgency::Present).now_or_never().is_some());
}

#[tokio::test(start_paused = true)]
async fn presents_go_first_and_the_old_before_the_young() {
    let budget = paced();
    let order = Mutex::new(Vec::new());
    let take = async |name: &'static str, urgency| {
        drop(budget.permit(urgency).await);
        order.lock().unwrap().push(name);
    };
    tokio::join!(
        take("first clean-up", Urgency::CleanUp),
        take("second clean-up", Urgency::CleanUp),
        take("first present", Urgency::Present),
        take("second present", Urgency::Present),
    );
    let expected = ["first present", "second present", "first clean-up", "second clean-up"];
    assert_eq!(*order.lock().unwrap(), expected);
}

#[tokio::test(start_paused = true)]
async fn a_clean_up_is_not_starved() {
    let budget = paced();
    let presents = async {
        loop {
            drop(budget.permit(Urgency::Present).await);
        }
    };
    let begun = Instant::now();
    tokio::select! {
        _ = budget.permit(Urgency::CleanUp) => {}
        () = presents => {}
    }
    // The pace is half a second, and a clean-up has to let it run down to half of what may run ahead.
    assert!(begun.elapsed() <= STARVED + 15 * SECOND, "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn whoever_leaves_the_line_holds_up_nobody() {
    let budget = paced();
    let mut first = Box::pin(budget.permit(Urgency::Present));
    assert!(first.as_mut().now_or_never().is_none());
    let second = budget.permit(Urgency::Present);
    let leave = async {
        tokio::task::yield_now().await;
        drop(first);
    };
    let begun = Instant::now();
    tokio::join!(second, leave);
    assert!(begun.elapsed() <= SECOND);
}

#[tokio::test(start_paused = true)]
async fn after_a_429_none_goes_until_the_time_named_and_then_one_alone() {
    let budget = budget();
    let early = budget.permit(Urgency::Present).await;
    let late = budget.permit(Urgency::Present).await;
    let mut answer = refusal(429, 971, "Please wait");
    answer.headers.insert("retry-after", "7".parse().unwrap());
    early.learn(&answer);
    drop(early);
    // It was on its way before, and says nothing of the end.
    late.learn(&ok(&serde_json::Value::Null));
    drop(late);
    assert!(budget.is_closed_beyond(Deadline::within(7 * SECOND)));
    let failure = budget.permit_by(Urgency::Present, Deadline::within(6 * SECOND)).await.unwrap_err();
    assert_eq!((failure.kind, failure.detail), (Kind::Limited, closed().detail));

    let begun = Instant::now();
    let (probe, second) = (budget.permit(Urgency::CleanUp), budget.permit(Urgency::CleanUp));
    tokio::pin!(second);
    let probe = tokio::select! {
        biased;
        probe = probe => probe,
        _ = &mut second => panic!("the first in line goes first"),
    };
    assert_eq!(begun.elapsed(), 7 * SECOND);
    assert!(second.as_mut().now_or_never().is_none());
    // Refused once more: the second waits as long again, and is the probe then.
    probe.learn(&answer);
    drop(probe);
    let second = second.await;
    assert_eq!(begun.elapsed(), 14 * SECOND);
    second.learn(&ok(&serde_json::Value::Null));
    drop(second);
    assert!(!budget.is_closed_beyond(Deadline::within(Duration::ZERO)));
    assert!(budget.permit(Urgency::Present).now_or_never().is_some());
}

#[tokio::test(start_paused = true)]
async fn a_probe_without_an_answer_lets_another_try() {
    let budget = budget();
    let call = budget.permit(Urgency::Present).await;
    call.learn(&refusal(429, 971, "Please wait"));
    drop(call);
    let begun = Instant::now();
    drop(budget.permit(Urgency::Present).await);
    assert_eq!(begun.elapsed(), policy::WINDOW, "where nothing is named, a whole window");
    assert!(budget.permit(Urgency::Present).now_or_never().is_some());
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_learns_that_no_call_will_come_in_time() {
    let budget = budget();
    let call = budget.permit(Urgency::Present).await;
    let closed = budget.closed_beyond(Deadline::within(10 * SECOND));
    let refuse = async {
        tokio::time::sleep(SECOND).await;
        call.learn(&refusal(429, 971, "Please wait"));
    };
    let begun = Instant::now();
    tokio::join!(closed, refuse);
    assert_eq!(begun.elapsed(), SECOND);
}

#[tokio::test(start_paused = true)]
async fn of_the_reserve_only_a_trickle_goes_and_of_nothing_none() {
    let budget = budget();
    tell(&budget, 30, 100).await;
    assert!(budget.permit(Urgency::CleanUp).now_or_never().is_none());
    let begun = Instant::now();
    drop(budget.permit(Urgency::Present).await);
    assert_eq!(begun.elapsed(), TRICKLE);
    tell(&budget, 0, 60).await;
    let begun = Instant::now();
    drop(budget.permit(Urgency::Present).await);
    assert_eq!(begun.elapsed(), 61 * SECOND, "the seconds told may be rounded down");
}

#[tokio::test(start_paused = true)]
async fn an_old_clean_up_does_not_stop_the_trickle() {
    let budget = budget();
    tell(&budget, 30, 200).await;
    let clean_up = budget.permit(Urgency::CleanUp);
    let presents = async {
        for _ in 0..6 {
            drop(budget.permit(Urgency::Present).await);
        }
    };
    let begun = Instant::now();
    tokio::join!(clean_up, presents);
    assert!(begun.elapsed() <= TRICKLE * 8, "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_pace_of_a_moment_ago_is_not_owed() {
    let budget = budget();
    tell(&budget, 61, 290).await;
    let begun = Instant::now();
    drop(budget.permit(Urgency::Present).await);
    assert!(begun.elapsed() <= TRICKLE, "no slower than out of the reserve");
    tell(&budget, 900, 200).await;
    let begun = Instant::now();
    drop(budget.permit(Urgency::Present).await);
    assert!(begun.elapsed() <= SECOND, "{:?}", begun.elapsed());
}

/// Two processes that know nothing of each other, and somebody else, with one account's calls.
#[tokio::test(start_paused = true)]
async fn processes_that_read_the_same_headers_stay_within_the_limit() {
    let account = Arc::new(Mutex::new((0_u32, Instant::now() + policy::WINDOW)));
    let call = |account: &Mutex<(u32, Instant)>| {
        let mut account = account.lock().unwrap();
        let now = Instant::now();
        if now >= account.1 {
            *account = (0, now + policy::WINDOW);
        }
        account.0 += 1;
        assert!(account.0 <= 1200, "locked out");
        let (left, rest) = (1200 - account.0, (account.1 - now).as_secs());
        limited(&format!("\"default\";r={left};t={rest}"), "\"default\";q=1200;w=300")
    };
    let ours = async |count: u32| {
        let budget = budget();
        for _ in 0..count {
            let permit = budget.permit(Urgency::Present).await;
            permit.learn(&call(&account));
        }
    };
    let foreign = async {
        for _ in 0..250 {
            call(&account);
            tokio::time::sleep(SECOND).await;
        }
    };
    let begun = Instant::now();
    tokio::join!(ours(450), ours(450), foreign);
    assert!(begun.elapsed() < Duration::from_mins(6), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn credentials_have_budgets_of_their_own_and_their_number_is_bounded() {
    let budgets = Budgets::new(Arc::default());
    let id = |n: usize| crate::cloudflare::script::token(&format!("t{n}")).id();
    let busy = budgets.of(id(0));
    assert!(Arc::ptr_eq(&busy, &budgets.of(id(0))));
    for n in 1..CREDENTIALS + 10 {
        drop(budgets.of(id(n)).permit(Urgency::Present).await);
    }
    assert_eq!(budgets.known.lock().unwrap().len(), CREDENTIALS);
    tokio::time::advance(policy::WINDOW).await;
    budgets.of(id(CREDENTIALS + 11));
    assert_eq!(budgets.known.lock().unwrap().len(), 2, "the busy one and the new one");
}

fn budget() -> Arc<Budget> {
    Arc::new(Budget::new(Arc::default()))
}

/// One that has no call to spare.
fn paced() -> Arc<Budget> {
    let budget = budget();
    while budget.permit(Urgency::Present).now_or_never().is_some() {}
    budget
}

/// An answer tells what is left, and for how many seconds.
async fn tell(budget: &Arc<Budget>, left: u32, rest: u64) {
    let permit = budget.permit(Urgency::Present).await;
    permit.learn(&limited(&format!("\"default\";r={left};t={rest}"), ""));
}
