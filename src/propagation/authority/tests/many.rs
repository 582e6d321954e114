//! Many names of one zone at once: what they cost, and that they cost no time.

use futures::future::join_all;

use super::*;

/// Sixty names that are live after a second and a half, give or take a bit: each costs its two rounds, and little else.
#[tokio::test(start_paused = true)]
async fn sixty_names_cost_their_rounds_and_few_pilots() {
    for (usual, pilots) in [(None, 360), (Some(1500), 360)] {
        let fake = names(60, |n| 1500 + n * 37 % 200);
        let process = Process::new(&fake);
        let lives = wait_for_all(&process, 60, Ask { usual, ..Ask::default() }).await;
        for (n, live) in lives.into_iter().enumerate() {
            let live = live.unwrap();
            let took = live.took.unwrap().as_millis();
            let served = 1500 + n as u128 * 37 % 200;
            assert!(took >= served && took <= served + served / 8 + 150, "{n}: {took}");
        }
        let rounds = 60 * 2 * ALL.len();
        assert!(fake.count() <= rounds + pilots, "{} for {rounds}", fake.count());
        for server in ALL {
            assert!(fake.busiest_second(server) <= 150, "{}", fake.busiest_second(server));
        }
    }
}

/// One that never comes costs the others nothing, be it the first written of them or not.
#[tokio::test(start_paused = true)]
async fn a_name_that_never_comes_holds_nobody_up() {
    let fake = names(10, |n| if n % 2 == 0 { 1000 } else { u64::MAX });
    let process = Process::new(&fake);
    let lives = wait_for_all(&process, 10, Ask { budget: 10_000, ..Ask::default() }).await;
    for (n, live) in lives.into_iter().enumerate() {
        if n % 2 == 0 {
            assert!(live.unwrap().took.unwrap() <= Duration::from_millis(1300));
        } else {
            assert!(matches!(live, Err(Stop::Failed(error)) if matches!(error.cause(), Cause::NotLive(_))));
        }
    }

    // The bad case: all but one lack, and it is not its turn.
    let fake = names(10, |n| if n == 7 { 1000 } else { u64::MAX });
    let process = Process::new(&fake);
    let mut lives = wait_for_all(&process, 10, Ask { budget: 10_000, ..Ask::default() }).await;
    let took = lives.swap_remove(7).unwrap().took.unwrap();
    assert!(took <= Duration::from_millis(1000 + 500 + 150), "{took:?}");
}

/// A value that is live already is confirmed the settle time later, whatever else is known of the zone.
#[tokio::test(start_paused = true)]
async fn what_is_live_takes_the_settle_time_alone() {
    let fake = names(10, |n| if n == 9 { 0 } else { 4000 });
    let process = Process::new(&fake);
    let all = join_all((0..9).map(|n| {
        let process = &process;
        async move { process.wait(&name(n), Ask::default()).await.map(drop) }
    }));
    let live = async {
        tokio::time::sleep(Duration::from_secs(2)).await;
        let begun = Instant::now();
        process.wait(&name(9), Ask { usual: Some(4000), ..Ask::default() }).await.unwrap();
        begun.elapsed()
    };
    let (_, took) = tokio::join!(all, live);
    // One exchange of 10 ms for the pilot, and one for each round.
    assert_eq!(took, Duration::from_millis(1030));
}

/// The same name twice, as by two issuers: each round's questions are put once where they are in the air at once.
#[tokio::test(start_paused = true)]
async fn waits_for_the_same_name_share_their_questions() {
    let fake = names(1, |_| 0);
    let process = Process::new(&fake);
    let ask = Ask { usual: Some(100), ..Ask::default() };
    let name = name(0);
    let (one, other) = tokio::join!(process.wait(&name, ask), process.wait(&name, ask));
    assert_eq!(one.unwrap().sighting, other.unwrap().sighting);
    // Two pilots, at most the three questions that they left over, and one last round; alone they were twelve.
    assert!(fake.count() <= 2 + 3 + ALL.len(), "{}", fake.count());
    for server in ALL {
        let asked = fake.asked(server);
        assert!(asked.last().unwrap() - asked[0] >= 1000, "{asked:?}");
    }
}

async fn wait_for_all(process: &Process, count: u64, ask: Ask) -> Vec<Result<Live, Stop>> {
    join_all((0..count).map(|n| async move { process.wait(&name(n), ask).await })).await
}

/// Every address serves the nth name so long after the begin; an answer takes 10 ms.
fn names(count: u64, live_at: impl Fn(u64) -> u64) -> Authorities {
    let scripts = (0..count).flat_map(|n| ALL.map(|server| (n, server)));
    scripts.fold(Authorities::new(), |fake, (n, server)| {
        let script = [(0, 10, lacks()), (live_at(n), 10, has(V))];
        fake.say_of(name(n).as_str(), server, &script)
    })
}

fn name(n: u64) -> Fqdn {
    fqdn(&format!("_acme-challenge.n{n}.example.com"))
}
