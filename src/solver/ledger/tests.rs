use super::entry::KEPT_AFTER_GONE;
use super::*;
use crate::issuer::CredentialSource;
use crate::secret::Secret;

#[tokio::test(start_paused = true)]
async fn what_is_gone_is_remembered_as_long_as_it_matters() {
    let (ledger, fqdn, a) = (Ledger::default(), fqdn("a.example.com"), value("a"));
    ledger.wrote(key(&fqdn, &a), writer());
    ledger.confirmed(key(&fqdn, &a));
    ledger.gone(key(&fqdn, &a), &zone(), &[], Instant::now());
    assert!(ledger.writer(key(&fqdn, &a)).is_none());
    assert_eq!(ledger.all_confirmed(&fqdn).len(), 1);
    tokio::time::advance(KEPT_AFTER_GONE).await;
    ledger.wrote(key(&fqdn, &value("b")), writer());
    assert!(ledger.all_confirmed(&fqdn).is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_is_written_while_its_predecessor_is_deleted_stands() {
    let (ledger, fqdn, a) = (Ledger::default(), fqdn("a.example.com"), value("a"));
    let with = |id: &str| Writer { id: Some(id.to_owned()), ..writer() };
    ledger.wrote(key(&fqdn, &a), with("old"));
    tokio::time::advance(Duration::from_secs(1)).await;
    let begun = Instant::now();
    tokio::time::advance(Duration::from_millis(60)).await;
    ledger.wrote(key(&fqdn, &a), with("new"));
    ledger.gone(key(&fqdn, &a), &zone(), &["old"], begun);
    assert_eq!(ledger.writer(key(&fqdn, &a)).and_then(|writer| writer.id).as_deref(), Some("new"));
    ledger.gone(key(&fqdn, &a), &zone(), &["new"], begun);
    assert!(ledger.writer(key(&fqdn, &a)).is_none());

    // Seed 105949: at the very moment at which the list is asked for that shows nothing of it.
    ledger.wrote(key(&fqdn, &a), with("newest"));
    ledger.gone(key(&fqdn, &a), &zone(), &[], Instant::now());
    assert!(ledger.writer(key(&fqdn, &a)).is_some());
}

/// Simulation, seed 15212: who asked for it was gone before the answer.
#[tokio::test(start_paused = true)]
async fn what_may_have_been_written_ahead_is_remembered_until_that_is_settled() {
    let (ledger, fqdn, a) = (Ledger::default(), fqdn("a.example.com"), value("a"));
    let ahead = || {
        let ahead = Ahead { name: fqdn.clone(), with: value("b"), source: CredentialSource::Ambient };
        Writer { ahead: Some(Box::new(ahead)), ..writer() }
    };
    let begun = Instant::now();
    ledger.intends(key(&fqdn, &a), ahead());
    // A delete that began before may have come first.
    tokio::time::advance(Duration::from_secs(1)).await;
    ledger.gone(key(&fqdn, &a), &zone(), &[], begun);
    assert_eq!(ledger.ahead().len(), 1);
    ledger.gone(key(&fqdn, &a), &zone(), &[], Instant::now());
    assert!(ledger.ahead().is_empty());

    ledger.intends(key(&fqdn, &a), ahead());
    ledger.refused(key(&fqdn, &a));
    assert!(ledger.ahead().is_empty());
    ledger.intends(key(&fqdn, &a), ahead());
    ledger.wrote(key(&fqdn, &a), ahead());
    ledger.confirmed(key(&fqdn, &a));
    assert!(ledger.ahead().is_empty());
}

/// Simulation, seed 204: the value had come back at another replica.
#[tokio::test(start_paused = true)]
async fn only_a_clean_up_that_follows_at_once_is_a_repetition() {
    let (ledger, fqdn, a) = (Ledger::default(), fqdn("a.example.com"), value("a"));
    let challenges = vec!["uid".to_owned()];
    ledger.wrote(key(&fqdn, &a), writer());
    ledger.gone(key(&fqdn, &a), &zone(), &[], Instant::now());
    ledger.cleaned(key(&fqdn, &a), challenges.clone());
    assert!(ledger.is_cleaned(key(&fqdn, &a), &challenges));
    tokio::time::advance(REPEATED).await;
    assert!(!ledger.is_cleaned(key(&fqdn, &a), &challenges));
}

#[tokio::test(start_paused = true)]
async fn seen_means_all_of_them() {
    let (ledger, fqdn) = (Ledger::default(), fqdn("a.example.com"));
    let (a, b) = (value("a"), value("b"));
    let first = Instant::now();
    let both = || [key(&fqdn, &a), key(&fqdn, &b)].into_iter();
    ledger.saw(both().take(1), first, None);
    assert_eq!(ledger.seen(both()), None);
    tokio::time::advance(Duration::from_secs(1)).await;
    ledger.saw(both().skip(1), Instant::now(), None);
    assert_eq!(ledger.seen(both().take(1)), Some(first));
    assert_eq!(ledger.seen(both()), Some(Instant::now()));

    // Never away since: each keeps its own; away in between: both are as new as the sighting.
    ledger.saw(both(), Instant::now(), Some(Instant::now()));
    assert_eq!(ledger.seen(both().take(1)), Some(first));
    ledger.saw(both(), Instant::now(), None);
    assert_eq!(ledger.seen(both().take(1)), Some(Instant::now()));
}

#[tokio::test(start_paused = true)]
async fn doubt_keeps_the_means_to_remove() {
    let (ledger, fqdn, a) = (Ledger::default(), fqdn("a.example.com"), value("a"));
    ledger.wrote(key(&fqdn, &a), writer());
    assert!(ledger.recent_writer(key(&fqdn, &a)).is_some());
    ledger.doubt(key(&fqdn, &a));
    assert!(ledger.recent_writer(key(&fqdn, &a)).is_none());
    assert!(ledger.writer_for(&fqdn, &a, "apps").is_some());
    assert!(ledger.writer_for(&fqdn, &a, "others").is_none());
    ledger.wrote(key(&fqdn, &a), writer());
    tokio::time::advance(RECENT).await;
    assert!(ledger.recent_writer(key(&fqdn, &a)).is_none());
    ledger.stands(key(&fqdn, &a));
    assert!(ledger.recent_writer(key(&fqdn, &a)).is_some());
}

#[tokio::test(start_paused = true)]
async fn what_is_remembered_passes_to_the_next_credential_of_the_same_namespace_and_zone() {
    let (ledger, fqdn, a) = (Ledger::default(), fqdn("a.example.com"), value("a"));
    let next = Credential::Token(Secret::parse(b"next").unwrap());
    let of_next = Key { credential: next.id(), ..key(&fqdn, &a) };
    let elsewhere = Zone { id: "1".repeat(32), ..zone() };
    ledger.wrote(key(&fqdn, &a), writer());
    ledger.confirmed(key(&fqdn, &a));
    let confirmed = ledger.all_confirmed(&fqdn);
    tokio::time::advance(Duration::from_secs(1)).await;
    ledger.confirmed(of_next);

    ledger.inherit(of_next, &zone(), "others", &next);
    ledger.inherit(of_next, &elsewhere, "apps", &next);
    assert!(ledger.writer(of_next).is_none());
    ledger.inherit(of_next, &zone(), "apps", &next);
    assert_eq!(ledger.writer(of_next).map(|writer| writer.credential.id()), Some(next.id()));
    assert!(ledger.writer(key(&fqdn, &a)).is_none());
    // It may have been asked for since the first of both.
    assert_eq!(ledger.all_confirmed(&fqdn), confirmed);

    ledger.gone(key(&fqdn, &a), &elsewhere, &[], Instant::now());
    assert!(ledger.writer(of_next).is_some());
    tokio::time::advance(Duration::from_secs(1)).await;
    ledger.gone(key(&fqdn, &a), &zone(), &[], Instant::now());
    assert!(ledger.writer(of_next).is_none());
}

#[tokio::test(start_paused = true)]
async fn the_number_of_names_is_bounded() {
    let count = Gauge::default();
    let ledger = Ledger::counted_by(count.clone());
    for n in 0..=MAX_NAMES {
        ledger.wrote(key(&fqdn(&format!("n{n}.example.com")), &value("a")), writer());
        tokio::time::advance(Duration::from_millis(1)).await;
    }
    assert_eq!((ledger.lock().len(), count.get()), (MAX_NAMES, MAX_NAMES.try_into().unwrap()));
    assert!(ledger.writer(key(&fqdn("n0.example.com"), &value("a"))).is_none());
}

#[tokio::test(start_paused = true)]
async fn the_number_of_values_at_a_name_is_bounded() {
    let (ledger, fqdn) = (Ledger::default(), fqdn("a.example.com"));
    for n in 0..=MAX_VALUES {
        ledger.wrote(key(&fqdn, &value(&format!("v{n}"))), writer());
        tokio::time::advance(Duration::from_millis(1)).await;
    }
    assert_eq!(ledger.lock()[&fqdn].len(), MAX_VALUES);
    assert!(ledger.writer(key(&fqdn, &value("v0"))).is_none());
    assert!(ledger.writer(key(&fqdn, &value("v1"))).is_some());
}

fn credential() -> Credential {
    Credential::Token(Secret::parse(b"t").unwrap())
}

fn key<'a>(fqdn: &'a Fqdn, value: &'a TxtValue) -> Key<'a> {
    Key { fqdn, value, credential: credential().id() }
}

fn writer() -> Writer {
    Writer {
        namespace: "apps".into(),
        credential: credential(),
        zone: zone(),
        created: Created::New,
        id: None,
        ahead: None,
    }
}

fn zone() -> Zone {
    Zone { id: "0".repeat(32), name: fqdn("example.com"), name_servers: Vec::new() }
}

fn fqdn(text: &str) -> Fqdn {
    Fqdn::parse(text).unwrap()
}

fn value(text: &str) -> TxtValue {
    TxtValue::parse(text).unwrap()
}
