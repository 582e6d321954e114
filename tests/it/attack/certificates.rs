//! Certificates: of the wrong authority, for the wrong purpose, at the wrong time, in the wrong name, or no certificates
//! at all.

mod chains;
mod names;

use cert_manager_webhook_cloudflare::access::Identity;
use rcgen::ExtendedKeyUsagePurpose::{Any, ClientAuth, CodeSigning, ServerAuth};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, CustomExtension, IsCa, KeyPair, KeyUsagePurpose,
    date_time_ymd,
};
use rustls::pki_types::CertificateDer;

use super::forgery::element;
use super::{Doors, access, config, headers, name};
use crate::edge::certs::{Authority, Kind, params};
use crate::edge::world::Cluster;

const PROXY: &str = "front-proxy-client";

type Chain = Vec<CertificateDer<'static>>;

/// Every chain comes with headers that state a user, carol.
async fn are(doors: &Doors, cases: Vec<(&str, Chain, &str)>) {
    let stated = headers(&[("x-remote-user", b"carol"), ("x-remote-group", b"system:masters")]);
    let mut wrong = Vec::new();
    for (what, chain, expected) in cases {
        let got = doors.identity(&chain, &stated).await;
        let master = got.as_ref().is_ok_and(Identity::is_master);
        if name(&got) != expected || master != (expected == "carol") {
            wrong.push(format!("{what}: {got:?}, not {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

fn with(doors: &Doors, change: impl FnOnce(&mut CertificateParams)) -> Chain {
    doors.proxies.leaf_with(PROXY, change).chain
}

#[tokio::test]
async fn what_is_no_certificate_for_a_client_is_none() {
    let doors = Doors::new();
    let purpose = |purposes: &[rcgen::ExtendedKeyUsagePurpose]| {
        let purposes = purposes.to_vec();
        with(&doors, |leaf| leaf.extended_key_usages = purposes)
    };
    let again = |oid: &[u64], value: Vec<u8>| {
        let extension = CustomExtension::from_oid_content(oid, value);
        with(&doors, |leaf| leaf.custom_extensions = vec![extension])
    };
    let good = doors.proxies.leaf(&Kind::default()).chain;
    let client_auth = element(0x30, &element(0x06, &[0x2b, 6, 1, 5, 5, 7, 3, 2]));
    let mut signature = good[0].to_vec();
    *signature.last_mut().unwrap() ^= 1;
    let cases = vec![
        ("good", good.clone(), "carol"),
        ("no purpose", purpose(&[]), "carol"),
        ("for servers", purpose(&[ServerAuth]), "401"),
        ("for code", purpose(&[CodeSigning]), "401"),
        ("for servers and clients", purpose(&[ServerAuth, ClientAuth]), "carol"),
        // Stricter than the original.
        ("for anything", purpose(&[Any]), "401"),
        ("two purposes apart", again(&[2, 5, 29, 37], client_auth), "401"),
        ("expired", with(&doors, |leaf| leaf.not_after = date_time_ymd(2021, 1, 1)), "401"),
        ("not yet valid", with(&doors, |leaf| leaf.not_before = date_time_ymd(3000, 1, 1)), "401"),
        (
            "from the end to the beginning",
            with(&doors, |leaf| {
                (leaf.not_before, leaf.not_after) = (date_time_ymd(3000, 1, 1), date_time_ymd(2021, 1, 1));
            }),
            "401",
        ),
        (
            "an unknown matter of importance",
            with(&doors, |leaf| leaf.custom_extensions = vec![unknown(true, b"")]),
            "401",
        ),
        (
            "an unknown matter",
            with(&doors, |leaf| leaf.custom_extensions = vec![unknown(false, b"")]),
            "carol",
        ),
        (
            "60 kB of it",
            with(&doors, |leaf| leaf.custom_extensions = vec![unknown(false, &[0; 60_000])]),
            "carol",
        ),
        // Stricter than the original, which takes an authority for its own client.
        ("the authority", vec![doors.proxies.der()], "401"),
        ("the clients' authority", vec![doors.clients.der()], "401"),
        ("an authority below", vec![doors.proxies.intermediate_with(|_| {}).der()], "401"),
        ("by itself", vec![Authority::new(PROXY).der()], "401"),
        ("another signature", vec![signature.into()], "401"),
        ("something behind", vec![[&good[0][..], b"\0"].concat().into()], "401"),
        ("cut short", vec![good[0][..good[0].len() - 1].to_vec().into()], "401"),
        ("an empty certificate", vec![Vec::new().into()], "401"),
        ("no certificate", vec![b"GET / HTTP/1.1".to_vec().into()], "401"),
        ("PEM", vec![doors.proxies.leaf(&Kind::default()).pem.into_bytes().into()], "401"),
    ];
    are(&doors, cases).await;
}

/// The key of an authority, the name of another; a name that one of two doors knows.
#[tokio::test]
async fn one_door_s_key_does_not_open_the_other() {
    let doors = Doors::new();
    let impostor = Authority::new("front-proxy-ca");
    let foreign = Authority::new("ca");
    let key = KeyPair::generate().unwrap();
    let masters = Kind { name: "eve", organizations: &["system:masters"], ..Kind::default() };
    // Crossed: the same name and key below both authorities.
    let crossed = KeyPair::generate().unwrap();
    let below = |authority: &Authority| {
        CertifiedIssuer::signed_by(sub("crossed"), copy(&crossed), &authority.0).unwrap()
    };
    let (of_proxies, of_clients) = (below(&doors.proxies), below(&doors.clients));
    let mut leaf = params(PROXY);
    leaf.extended_key_usages = vec![ClientAuth];
    let leaf = leaf.signed_by(&key, &of_clients).unwrap().der().clone();
    let chain = |others: &[&CertificateDer<'static>]| {
        std::iter::once(&leaf).chain(others.iter().copied()).cloned().collect::<Vec<_>>()
    };
    let cases = vec![
        ("masters of the front proxy's authority", doors.proxies.leaf(&masters).chain, "401"),
        ("the same name, another key", impostor.leaf(&Kind::default()).chain, "401"),
        (
            "and the true one sent along",
            [impostor.leaf(&Kind::default()).chain, vec![doors.proxies.der()]].concat(),
            "401",
        ),
        (
            "a foreign one sent along",
            [foreign.leaf(&Kind::default()).chain, vec![foreign.der()]].concat(),
            "401",
        ),
        // A user of that name, and no front proxy.
        ("the clients' authority", doors.clients.leaf(&Kind::default()).chain, PROXY),
        (
            "and the front proxies' one sent along",
            [doors.clients.leaf(&Kind::default()).chain, vec![doors.proxies.der()]].concat(),
            PROXY,
        ),
        ("the same key from one", vec![doors.proxies.leaf_for("eve", &key)], "401"),
        ("the same key from the other", vec![doors.clients.leaf_for("eve", &key)], "eve"),
        (
            "both, the wrong one first",
            vec![doors.clients.leaf_for(PROXY, &key), doors.proxies.leaf_for(PROXY, &key)],
            PROXY,
        ),
        ("crossed, without a way", chain(&[]), "401"),
        ("crossed, by way of the clients", chain(&[of_clients.der()]), PROXY),
        ("crossed, by way of the front proxies", chain(&[of_proxies.der()]), "carol"),
        ("crossed, by either way", chain(&[of_clients.der(), of_proxies.der()]), "carol"),
    ];
    are(&doors, cases).await;
}

/// Without names, any certificate of that authority is a front proxy's: so it says there. It must be that authority.
#[tokio::test]
async fn one_authority_for_both_doors_is_not_one_door() {
    let both = Authority::new("ca");
    let stated = headers(&[("x-remote-user", b"carol")]);
    let mut chain = Vec::new();
    for (names, leaf, expected) in [
        (r#"["front-proxy-client"]"#, PROXY, "carol"),
        (r#"["front-proxy-client"]"#, "eve", "eve"),
        ("[]", "eve", "carol"),
        (r#"[""]"#, "eve", "eve"),
        (r#"[""]"#, PROXY, PROXY),
        ("[null]", "eve", "eve"),
        (r#"["front-proxy-client","eve"]"#, "eve", "carol"),
        (r#"["front-proxy-client,eve"]"#, "eve", "eve"),
        (r#"["*"]"#, "eve", "eve"),
        (r#"["EVE"]"#, "eve", "eve"),
    ] {
        let config = config(&[
            ("client-ca-file", &both.pem()),
            ("requestheader-client-ca-file", &both.pem()),
            ("requestheader-allowed-names", names),
        ]);
        let access = access(config, Cluster::default(), Cluster::default());
        let doors = Doors { access, ..Doors::new() };
        chain = both.leaf(&Kind { name: leaf, ..Kind::default() }).chain;
        assert_eq!(doors.who(&chain, &stated).await, expected, "{names} {leaf}");
    }
    let other = Doors::of(Authority::new("ca"), Authority::new("ca"));
    assert_eq!(other.who(&chain, &stated).await, "401", "of another authority of that name");
}

/// What an authority says of itself counts, though nobody signed it.
#[tokio::test]
async fn an_authority_with_an_unknown_matter_of_importance_signs_for_nobody() {
    for (critical, expected) in [(false, PROXY), (true, "401")] {
        let mut params = sub("ca");
        params.custom_extensions = vec![unknown(critical, b"")];
        let key = KeyPair::generate().unwrap();
        let clients = Authority(CertifiedIssuer::self_signed(params, key).unwrap());
        let chain = clients.leaf(&Kind::default()).chain;
        let doors = Doors::of(Authority::new("front-proxy-ca"), clients);
        assert_eq!(doors.who(&chain, &headers(&[])).await, expected, "{critical}");
    }
}

fn sub(name: &str) -> CertificateParams {
    let mut params = params(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params
}

/// An extension that nobody knows.
fn unknown(critical: bool, value: &[u8]) -> CustomExtension {
    let mut extension = CustomExtension::from_oid_content(&[1, 2, 3, 4], value.to_vec());
    extension.set_criticality(critical);
    extension
}

fn copy(key: &KeyPair) -> KeyPair {
    KeyPair::from_pem(&key.serialize_pem()).unwrap()
}
