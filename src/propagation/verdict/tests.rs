use super::super::fake::{NAME, ZONE, cname, delegation, fqdn, has, hearsay, lacks, rcode, referral, values};
use super::*;

#[test]
fn a_value_is_compared_whole_and_looked_for_among_others() {
    let of = |served: &[&str], wanted: &[&str]| judge(has(served), wanted);
    assert_eq!(of(&["one"], &["one"]), Outcome::Has(vec![]));
    assert_eq!(of(&["zero", "one"], &["one"]), Outcome::Has(vec!["zero".to_owned()]));
    assert_eq!(of(&["one", "two"], &["two", "one"]), Outcome::Has(vec![]));
    for served in ["one-", "on", "ONE", " one", "\"one\"", ""] {
        assert_eq!(of(&[served], &["one"]), Outcome::Lacks, "{served:?}");
    }
    assert_eq!(of(&["one"], &["one", "two"]), Outcome::Lacks);
    assert_eq!(of(&[], &["one"]), Outcome::Lacks);
}

#[test]
fn hearsay_never_counts() {
    let served = &["one"];
    assert_eq!(judge(hearsay(served), served), Outcome::Resolver);
    let change = |change: fn(&mut Answer)| {
        let mut answer = has(served).unwrap();
        change(&mut answer);
        judge(Some(answer), served)
    };
    assert_eq!(change(|a| a.authoritative = false), Outcome::NotAuthoritative);
    assert_eq!(change(|a| a.recursion_available = true), Outcome::Resolver);
    let refused = change(|a| (a.recursion_available, a.rcode) = (true, Rcode::Refused));
    assert_eq!(refused, Outcome::Resolver);
}

#[test]
fn what_else_an_authority_may_say() {
    assert_eq!(judge(lacks(), &["one"]), Outcome::Lacks);
    assert_eq!(judge(cname("else.example."), &["one"]), Outcome::Cname("else.example.".to_owned()));
    assert_eq!(judge(rcode(Rcode::Refused), &["one"]), Outcome::Refused);
    let failed = Outcome::Failed(Rcode::Other(2));
    assert_eq!(judge(rcode(Rcode::Other(2)), &["one"]), failed);
    assert_eq!(failed.to_string(), "fails with SERVFAIL");
}

#[test]
fn only_a_cut_between_the_zone_and_the_name_is_a_referral() {
    assert_eq!(judge(referral(NAME), &["one"]), Outcome::Referral(fqdn(NAME)));
    for elsewhere in [ZONE, "com", "www.example.com", "a._acme-challenge.example.com"] {
        assert_eq!(judge(referral(elsewhere), &["one"]), Outcome::NotAuthoritative, "{elsewhere}");
    }
}

#[test]
fn a_round_is_live_only_if_each_name_is_heard_and_nobody_heard_says_no() {
    let (yes, no, quiet) = (Outcome::Has(vec![]), Outcome::Lacks, Outcome::Silent(String::new()));
    let cases = [
        ([&yes, &yes, &yes], Verdict::Live),
        ([&yes, &quiet, &yes], Verdict::Live),
        ([&quiet, &yes, &yes], Verdict::Live),
        ([&yes, &yes, &quiet], Verdict::Unheard),
        ([&quiet, &quiet, &yes], Verdict::Unheard),
        ([&quiet, &quiet, &quiet], Verdict::Unheard),
        ([&yes, &no, &yes], Verdict::Lacking),
        ([&yes, &yes, &no], Verdict::Lacking),
        ([&no, &no, &no], Verdict::Lacking),
        ([&yes, &yes, &Outcome::NotAuthoritative], Verdict::Lacking),
        ([&yes, &yes, &Outcome::Refused], Verdict::Lacking),
        ([&quiet, &Outcome::Refused, &Outcome::Refused], Verdict::Refused),
        ([&Outcome::NotAuthoritative, &Outcome::Refused, &quiet], Verdict::Foreign),
    ];
    let delegation = delegation();
    for (outcomes, verdict) in cases {
        let round = round(&delegation, outcomes);
        assert_eq!(round.verdict(), verdict, "{round}");
    }
    let mut cut = round(&delegation, [&yes, &yes, &yes]);
    cut.whole = false;
    assert_eq!(cut.verdict(), Verdict::Unheard);
}

#[test]
fn all_must_agree_on_what_is_hopeless() {
    let alias = Outcome::Cname("t.".to_owned());
    let referral = Outcome::Referral(fqdn(NAME));
    let delegation = delegation();
    let verdict = |outcomes| format!("{:?}", round(&delegation, outcomes).verdict());
    assert_eq!(verdict([&alias, &alias, &alias]), "Cname(\"t.\")");
    assert_eq!(verdict([&alias, &alias, &Outcome::Lacks]), "Lacking");
    assert_eq!(verdict([&referral, &referral, &referral]), "Delegated");
    assert_eq!(verdict([&referral, &Outcome::Has(vec![]), &referral]), "Lacking");
}

#[test]
fn the_log_names_who_stands_in_the_way_and_the_others_are_told_once() {
    let delegation = delegation();
    let one = Outcome::Has(vec!["b".to_owned(), "a".to_owned()]);
    let two = Outcome::Has(vec!["b".to_owned()]);
    let round_with = |third| round(&delegation, [&one, &two, third]);
    assert_eq!(round_with(&Outcome::Lacks).to_string(), "bob.ns.cloudflare.com 172.64.32.1:53 lacks it");
    assert_eq!(round_with(&two).others(), ["a", "b"]);
}

fn judge(answer: Option<Answer>, wanted: &[&str]) -> Outcome {
    Outcome::of(&answer.unwrap(), &fqdn(ZONE), &fqdn(NAME), &values(wanted))
}

fn round<'a>(delegation: &'a Delegation, outcomes: [&Outcome; 3]) -> Round<'a> {
    let addresses = delegation.servers.iter().enumerate();
    let addresses = addresses.flat_map(|(n, server)| server.addresses.iter().map(move |a| (n, *a)));
    let looks = addresses.zip(outcomes).map(|((server, address), outcome)| Look {
        server,
        address,
        outcome: outcome.clone(),
    });
    Round { delegation, looks: looks.collect(), whole: true }
}
