//! `--propagation-check=auto` and `doh`: which way is gone, and what is said when none leads anywhere.

use super::super::fake::{Says, Tells, hearsay};
use super::*;
use crate::propagation::barrier::Barrier;

const YES: Tells = (0, 20, Some((&["v"], 60)));
const NO: Tells = (0, 20, Some((&[], 1800)));
const MUTE: Tells = (0, 4000, None);
const BLOCKED: Says = (0, 4000, None);

#[tokio::test(start_paused = true)]
async fn as_long_as_the_authority_is_heard_no_resolver_is_asked() {
    let fake = Authorities::all(&[(0, 10, lacks()), (20_000, 10, has(&["v"]))]);
    let operators = Operators::new(&[&[], &[]]);
    confirm(&auto(&fake, &operators), &zone(&[])).await.unwrap();
    assert_eq!(operators.asked(), []);
}

#[tokio::test(start_paused = true)]
async fn where_port_53_is_blocked_or_intercepted_two_resolvers_decide() {
    for says in [BLOCKED, (0, 10, hearsay(&["v"]))] {
        let fake = Authorities::all(&[says]);
        let operators = Operators::new(&[&[YES], &[YES]]);
        let checker = auto(&fake, &operators);
        let begun = Instant::now();
        confirm(&checker, &zone(&[])).await.unwrap();
        assert_eq!(begun.elapsed(), Duration::from_millis(9040), "what was found out cost no time");
        // For a while nobody finds out again.
        let asked = fake.count();
        confirm(&checker, &zone(&[])).await.unwrap();
        assert_eq!(fake.count(), asked);
        tokio::time::advance(Duration::from_mins(5)).await;
        confirm(&checker, &zone(&[])).await.unwrap();
        assert!(fake.count() > asked);
    }
}

/// The first to find out tells the others of the zone, whatever they are waiting for.
#[tokio::test(start_paused = true)]
async fn what_one_wait_found_out_serves_those_that_wait_with_it() {
    let fake = Authorities::all(&[(0, 60_000, None)]);
    let operators = Operators::new(&[&[YES], &[YES]]);
    let checker = auto(&fake, &operators);
    let zone = zone(&[]);
    let begun = Instant::now();
    let find_out = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        checker.barriers.met(&fqdn(ZONE), Barrier::Blocked);
    };
    let (confirmed, ()) = tokio::join!(confirm(&checker, &zone), find_out);
    confirmed.unwrap();
    assert_eq!(begun.elapsed(), Duration::from_millis(9040));
}

#[tokio::test(start_paused = true)]
async fn what_is_barred_for_one_zone_is_not_for_another() {
    let fake = Authorities::all(&[(0, 10, has(&["v"]))]);
    let operators = Operators::new(&[&[], &[]]);
    let checker = auto(&fake, &operators);
    checker.barriers.met(&fqdn("example.org"), Barrier::Blocked);
    confirm(&checker, &zone(&[])).await.unwrap();
    assert_eq!(operators.asked(), []);
}

#[tokio::test(start_paused = true)]
async fn the_error_names_the_state() {
    let (fqdn, zone_name) = (fqdn(NAME), fqdn(ZONE));
    let blocked = "port 53 is blocked";
    let intercepted = "port 53 is intercepted";
    let unwanted = "--propagation-check=doh is set";
    let hearsay = (0, 10, hearsay(&["v"]));
    let unconfirmed = |why| Cause::Unconfirmed { fqdn: fqdn.clone(), why };
    let unreachable = |why| Cause::HttpsUnreachable { zone: zone_name.clone(), why };
    let cases = [
        (Judges::Both, BLOCKED, NO, unconfirmed(blocked)),
        (Judges::Both, hearsay.clone(), NO, unconfirmed(intercepted)),
        (Judges::Both, BLOCKED, MUTE, unreachable(blocked)),
        (Judges::Both, hearsay.clone(), MUTE, unreachable(intercepted)),
        (Judges::Both, (0, 10, lacks()), NO, Cause::NotLive(fqdn.clone())),
        (Judges::Https, BLOCKED, NO, unconfirmed(unwanted)),
        (Judges::Https, BLOCKED, MUTE, unreachable(unwanted)),
        (Judges::Authority, BLOCKED, NO, Cause::Unreachable(zone_name.clone())),
        (Judges::Authority, hearsay, NO, Cause::Intercepted(zone_name.clone())),
    ];
    for (judges, authority, resolver, cause) in cases {
        let fake = Authorities::all(&[authority]);
        let operators = Operators::new(&[&[resolver], &[resolver], &[resolver]]);
        let checker = over(&fake, &operators, judges);
        let begun = Instant::now();
        let error = confirm(&checker, &zone(&["ada.ns.cloudflare.com"])).await.unwrap_err();
        assert_eq!(error.cause(), &cause, "{judges:?}");
        assert!(begun.elapsed() <= Duration::from_secs(40));
        let again = confirm(&checker, &zone(&["ada.ns.cloudflare.com"])).await.unwrap_err();
        assert_eq!(error.to_string(), again.to_string(), "byte-stable");
    }
}

#[tokio::test(start_paused = true)]
async fn delegated_elsewhere_is_told_over_https_too() {
    for judges in [Judges::Both, Judges::Https] {
        let fake = Authorities::all(&[BLOCKED]);
        let operators = Operators::new(&[&[NO], &[NO]]);
        let error = confirm(&over(&fake, &operators, judges), &zone(&["carl.ns.cloudflare.com"])).await;
        assert_eq!(error.unwrap_err().cause(), &Cause::NotDelegated(fqdn(ZONE)));
        // But name servers of the customer's own name serve the record all the same.
        let operators = Operators::new(&[&[YES], &[YES]]);
        let checker = over(&fake, &operators, Judges::Https);
        confirm(&checker, &zone(&["carl.ns.cloudflare.com"])).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_delegation_two_resolvers_decide_too() {
    let operators = Operators::new(&[&[YES], &[YES]]);
    let broken = Directory::usual().broken_zone();
    let exchange = Arc::new(Authorities::new());
    let checker = checker_with(broken, exchange, Judges::Both, operators.clone(), &Arc::default());
    confirm(&checker, &zone(&[])).await.unwrap();
    let slow = Directory::usual().slow(Duration::from_mins(2));
    let exchange = Arc::new(Authorities::new());
    let checker = checker_with(slow, exchange, Judges::Both, operators, &Arc::default());
    let begun = Instant::now();
    confirm(&checker, &zone(&[])).await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn without_roots_the_error_says_so() {
    let fake = Authorities::all(&[BLOCKED]);
    let operators = Operators::new(&[&[YES], &[YES]]).without_roots();
    let error = confirm(&auto(&fake, &operators), &zone(&[])).await.unwrap_err();
    assert_eq!(error.cause(), &Cause::NoRoots);
}

fn auto(fake: &Authorities, operators: &Operators) -> TestChecker {
    over(fake, operators, Judges::Both)
}

fn over(fake: &Authorities, operators: &Operators, judges: Judges) -> TestChecker {
    let exchange = Arc::new(fake.clone());
    checker_with(Directory::usual(), exchange, judges, operators.clone(), &Arc::default())
}
