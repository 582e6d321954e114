//! Somebody in between answers in the authority's place.

use super::*;
use crate::propagation::barrier::ELSEWHERE;

#[tokio::test(start_paused = true)]
async fn an_interceptor_of_all_is_told() {
    let fake = Authorities::all(&[(0, 0, hearsay(V))]);
    let error = run(&fake, Ask::default()).await.unwrap_err();
    assert_eq!(error.cause(), &Cause::Intercepted(fqdn(ZONE)));
    let begun = Instant::now();
    assert!(barred(&fake).await.contains("intercepted"));
    assert_eq!(begun.elapsed(), Duration::ZERO, "at once where there is another way");
}

/// Without RA it may be a lame server, with AA even a true one: only the question for another's name tells.
#[tokio::test(start_paused = true)]
async fn an_interceptor_in_disguise_is_found_by_a_name_that_is_anothers() {
    let no_authority = Some(Answer { values: vec!["v".to_owned()], ..Answer::default() });
    for (says, found_at) in [(no_authority, 0), (lacks(), 5000)] {
        let fake = Authorities::all(&[(0, 0, says.clone())]);
        let disguised = ALL.iter().fold(fake.clone(), |fake, server| {
            fake.say_of(ELSEWHERE, server, &[(0, 0, has(&["v=spf1 -all"]))])
        });
        let begun = Instant::now();
        assert!(barred(&disguised).await.contains("intercepted"));
        let took = begun.elapsed();
        assert!((found_at..found_at + 1000).contains(&took.as_millis()), "{took:?}");
        let error = run(&disguised, Ask::default()).await.unwrap_err();
        assert_eq!(error.cause(), &Cause::Intercepted(fqdn(ZONE)));
        // Whoever refuses, or drops the question, is no interceptor.
        let silent =
            ALL.iter().fold(fake.clone(), |fake, server| fake.say_of(ELSEWHERE, server, &[(0, 4000, None)]));
        for genuine in [fake, silent] {
            let ask = Ask { has_detour: true, ..Ask::default() };
            let error = run(&genuine, ask).await.unwrap_err();
            let late =
                if says == lacks() { Cause::NotLive(fqdn(NAME)) } else { Cause::Unreachable(fqdn(ZONE)) };
            assert_eq!(error.cause(), &late);
        }
    }
}

/// Simulation, seed 1068800: the question for another's name was waited for beyond the deadline.
#[tokio::test(start_paused = true)]
async fn the_search_for_an_interceptor_ends_with_the_request() {
    for budget in (5_000..6_500).step_by(100) {
        let lacking = Authorities::all(&[(0, 0, lacks())]);
        let silent =
            ALL.iter().fold(lacking, |fake, server| fake.say_of(ELSEWHERE, server, &[(0, 4000, None)]));
        let begun = Instant::now();
        let error = run(&silent, Ask { budget, ..Ask::default() }).await.unwrap_err();
        assert_eq!(error.cause(), &Cause::NotLive(fqdn(NAME)));
        assert!(begun.elapsed() <= Duration::from_millis(budget), "{:?} of {budget} ms", begun.elapsed());
    }
}
