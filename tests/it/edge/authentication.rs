//! Who is recognized by what: every certificate with every set of headers and every token.

use std::sync::Arc;
use std::time::Duration;

use cert_manager_webhook_cloudflare::access::chain::PeerCertificates;
use cert_manager_webhook_cloudflare::access::{Access, Anchors, Identity, token};
use http::{HeaderMap, HeaderName, HeaderValue};
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, ExtendedKeyUsagePurpose, IsCa, KeyUsagePurpose,
    date_time_ymd,
};
use rustls::pki_types::UnixTime;
use tokio::sync::watch;

use super::certs::{Authority, Kind, Leaf};
use super::world::{Cluster, front_proxy, identify};

fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    let pair = |(name, value): &(&str, &str)| {
        (HeaderName::try_from(*name).unwrap(), HeaderValue::from_bytes(value.as_bytes()).unwrap())
    };
    let mut map = HeaderMap::new();
    for (name, value) in pairs.iter().map(pair) {
        map.append(name, value);
    }
    map
}

fn access(proxies: &Authority, clients: &Authority) -> Access<Cluster, Cluster> {
    // The sender may go: the value stays.
    let (_, config) = watch::channel(Some(Arc::new(front_proxy(proxies, clients))));
    Access::new(config, Cluster::default(), Cluster::default())
}

fn peer(leaf: &Leaf) -> PeerCertificates {
    PeerCertificates::new(&leaf.chain)
}

fn user(identity: &Identity) -> String {
    format!("{} {}", identity.name, identity.groups.join(","))
}

/// One row of the matrix per certificate: is it the front proxy's, the name it has by itself, is it refused when
/// nothing else is known.
struct Shown {
    what: &'static str,
    peer: PeerCertificates,
    proxy: bool,
    user: Option<&'static str>,
    refused: bool,
}

fn certificates(proxies: &Authority, clients: &Authority) -> Vec<Shown> {
    let foreign = Authority::new("front-proxy-ca");
    let row = |what, leaf: Leaf| Shown { what, peer: peer(&leaf), proxy: false, user: None, refused: true };
    vec![
        Shown { what: "none", peer: PeerCertificates::default(), proxy: false, user: None, refused: false },
        Shown { proxy: true, ..row("right", proxies.leaf(&Kind::default())) },
        row("foreign", foreign.leaf(&Kind::default())),
        row("wrong name", proxies.leaf(&Kind { name: "somebody", ..Kind::default() })),
        row("expired", proxies.leaf(&Kind { until: 2021, ..Kind::default() })),
        row(
            "for servers",
            proxies.leaf(&Kind { purpose: ExtendedKeyUsagePurpose::ServerAuth, ..Kind::default() }),
        ),
        Shown {
            user: Some("alice dev,ops,system:authenticated"),
            ..row(
                "client",
                clients.leaf(&Kind { name: "alice", organizations: &["dev", "ops"], ..Kind::default() }),
            )
        },
        // The front proxy's name, signed by the authority of the clients: a user of that name, no proxy.
        Shown {
            user: Some("front-proxy-client system:authenticated"),
            ..row("impostor", clients.leaf(&Kind::default()))
        },
        row("expired client", clients.leaf(&Kind { name: "alice", until: 2021, ..Kind::default() })),
    ]
}

#[tokio::test]
async fn nobody_is_recognized_who_should_not_be() {
    let (proxies, clients) = (Authority::new("front-proxy-ca"), Authority::new("client-ca"));
    let access = access(&proxies, &clients);
    let stated = [
        ("nothing", headers(&[]), None),
        (
            "a user",
            headers(&[("x-remote-user", "carol"), ("X-Remote-Group", "g")]),
            Some("carol g,system:authenticated"),
        ),
        (
            "the second header",
            headers(&[("x-remote-user", ""), ("x-other-user", "dave")]),
            Some("dave system:authenticated"),
        ),
        ("groups without a user", headers(&[("x-remote-group", "system:masters")]), None),
        (
            "a master",
            headers(&[("x-remote-user", "eve"), ("x-remote-group", "system:masters")]),
            Some("eve system:masters,system:authenticated"),
        ),
        ("a header that is not configured", headers(&[("x-forwarded-user", "eve")]), None),
    ];
    let tokens = [
        ("none", None, false),
        ("good", Some("Bearer bob"), false),
        ("good, shouted", Some("BEARER bob"), false),
        ("bad", Some("Bearer bad"), true),
        ("unreviewable", Some("Bearer away"), true),
        ("empty", Some("Bearer "), false),
        ("basic", Some("Basic Ym9i"), false),
    ];
    let mut cases = 0;
    for shown in certificates(&proxies, &clients) {
        for (headers_are, stated_headers, stated_user) in &stated {
            for (token_is, token, token_refused) in &tokens {
                let mut headers = stated_headers.clone();
                if let Some(token) = token {
                    headers.insert("authorization", token.parse().unwrap());
                }
                let bob = token_is.starts_with("good").then_some("bob system:authenticated");
                let refused = *token_refused || shown.refused;
                let expected = stated_user
                    .filter(|_| shown.proxy)
                    .or(shown.user)
                    .or(bob)
                    .or((!refused).then_some("system:anonymous system:unauthenticated"));
                let got = access.authenticate(&shown.peer, &headers, UnixTime::now()).await;
                assert_eq!(
                    got.as_ref().ok().map(|caller| user(&caller.identity)).as_deref(),
                    expected,
                    "certificate: {}, headers: {headers_are}, token: {token_is}: {got:?}",
                    shown.what
                );
                let by_proxy = stated_user.is_some() && shown.proxy;
                assert_eq!(
                    got.is_ok_and(|caller| caller.passed_on),
                    by_proxy,
                    "{}, {headers_are}",
                    shown.what
                );
                cases += 1;
            }
        }
    }
    assert_eq!(cases, 9 * 6 * 7);
}

#[tokio::test]
async fn the_whole_identity_is_read_from_the_headers() {
    let (proxies, clients) = (Authority::new("front-proxy-ca"), Authority::new("client-ca"));
    let access = access(&proxies, &clients);
    let leaf = proxies.leaf(&Kind::default());
    let headers = headers(&[
        ("x-remote-user", "system:serviceaccount:cert-manager:cert-manager"),
        ("x-remote-user", "second"),
        ("x-remote-uid", "1-2"),
        ("x-remote-group", "a,b"),
        ("x-remote-group", ""),
        ("x-remote-group", "groß"),
        ("x-other-group", "c"),
        ("x-remote-extra-authentication.kubernetes.io%2fcredential-id", "JTI=1"),
        ("x-remote-extra-authentication.kubernetes.io%2Fcredential-id", ""),
        ("x-remote-extra-bad%zz", "v"),
        ("x-remote-extra-", "empty"),
    ]);
    let identity = identify(&access, &peer(&leaf), &headers, UnixTime::now()).await.unwrap();
    assert_eq!(identity.name, "system:serviceaccount:cert-manager:cert-manager");
    assert_eq!(identity.uid, "1-2");
    assert_eq!(identity.groups, ["a,b", "groß", "c", "system:authenticated"]);
    let extra: Vec<_> = identity.extra.iter().map(|(key, values)| format!("{key}={values:?}")).collect();
    assert_eq!(
        extra,
        [r#"=["empty"]"#, r#"authentication.kubernetes.io/credential-id=["JTI=1", ""]"#, r#"bad%zz=["v"]"#]
    );
}

/// The original sends such bytes to the review, whose JSON has one U+FFFD for each of them. Nobody falls through to
/// another credential.
#[tokio::test]
async fn what_is_not_utf8_is_replaced() {
    let (proxies, clients) = (Authority::new("front-proxy-ca"), Authority::new("client-ca"));
    let access = access(&proxies, &clients);
    let leaf = proxies.leaf(&Kind::default());
    let mut stated = headers(&[("authorization", "Bearer bob")]);
    stated.insert("x-remote-user", HeaderValue::from_bytes(b"car\xe2\x82l").unwrap());
    stated.insert("x-remote-group", HeaderValue::from_bytes(b"system:masters\xff").unwrap());
    let identity = identify(&access, &peer(&leaf), &stated, UnixTime::now()).await.unwrap();
    assert_eq!(user(&identity), "car\u{fffd}\u{fffd}l system:masters\u{fffd},system:authenticated");
    assert!(!identity.is_master());

    // Nor is a token with such a byte no token.
    let mut token = HeaderMap::new();
    token.insert("authorization", HeaderValue::from_bytes(b"Bearer b\xf6b").unwrap());
    let identity = identify(&access, &PeerCertificates::default(), &token, UnixTime::now()).await.unwrap();
    assert_eq!(user(&identity), "b\u{fffd}b system:authenticated");
}

#[tokio::test]
async fn whom_the_front_proxy_does_not_know_is_nobody() {
    let (proxies, clients) = (Authority::new("front-proxy-ca"), Authority::new("client-ca"));
    let access = access(&proxies, &clients);
    let leaf = proxies.leaf(&Kind::default());
    let stated = headers(&[("x-remote-user", "alice"), ("x-remote-group", "system:unauthenticated")]);
    let identity = identify(&access, &peer(&leaf), &stated, UnixTime::now()).await.unwrap();
    assert!(identity.is_anonymous());
    assert_eq!(user(&identity), "alice system:unauthenticated");
}

#[test]
fn one_space_too_many_is_told() {
    for (value, misplaced) in [
        ("Bearer  t", true),
        ("BEARER  t u", true),
        ("Bearer t", false),
        ("Bearer ", false),
        ("Bearer", false),
        ("Basic  t", false),
    ] {
        assert_eq!(token::is_misplaced(&headers(&[("authorization", value)])), misplaced, "{value}");
    }
}

#[tokio::test]
async fn a_client_certificate_names_itself_in_the_extras() {
    let (proxies, clients) = (Authority::new("front-proxy-ca"), Authority::new("client-ca"));
    let leaf = clients.leaf(&Kind { name: "alice", ..Kind::default() });
    let nameless = clients.leaf(&Kind { name: "", ..Kind::default() });
    let access = access(&proxies, &clients);
    let who = async |leaf: &Leaf| identify(&access, &peer(leaf), &HeaderMap::new(), UnixTime::now()).await;
    let alice = who(&leaf).await.unwrap();
    let credential = &alice.extra["authentication.kubernetes.io/credential-id"][0];
    assert!(credential.starts_with("X509SHA256=") && credential.len() == 11 + 64, "{credential}");
    // No name is no opinion, but the front proxy's authority has refused it by then.
    assert!(who(&nameless).await.is_err());
}

/// Go takes the last of several common names; what can't be read is nobody's rather than another's.
#[tokio::test]
async fn a_second_common_name_is_the_one_that_counts() {
    let (proxies, clients) = (Authority::new("front-proxy-ca"), Authority::new("client-ca"));
    let access = access(&proxies, &clients);
    let stated = headers(&[("x-remote-user", "carol")]);
    let who = async |leaf: &Leaf| identify(&access, &peer(leaf), &stated, UnixTime::now()).await;
    let proxy = "front-proxy-client";
    assert_eq!(who(&proxies.two_names("x", proxy, false)).await.unwrap().name, "carol");
    assert!(who(&proxies.two_names(proxy, "x", false)).await.is_err());
    assert!(who(&proxies.two_names(proxy, "x", true)).await.is_err());
    assert_eq!(who(&clients.two_names("x", "alice", false)).await.unwrap().name, "alice");
    assert!(who(&clients.two_names("alice", "x", true)).await.is_err());
}

#[tokio::test]
async fn without_a_configuration_only_tokens_count() {
    let proxies = Authority::new("front-proxy-ca");
    let (_, config) = watch::channel(None);
    let access = Access::new(config, Cluster::default(), Cluster::default());
    let leaf = proxies.leaf(&Kind::default());
    let stated = headers(&[("x-remote-user", "eve"), ("x-remote-group", "system:masters")]);
    let identity = identify(&access, &peer(&leaf), &stated, UnixTime::now()).await.unwrap();
    assert!(identity.is_anonymous());
}

/// The requests of a connection share a verdict, but not with another second, nor under other authorities.
#[tokio::test]
async fn a_verdict_is_for_this_second_and_these_authorities() {
    let anchors = |authority: &Authority| Arc::new(Anchors::parse(&authority.pem()).unwrap());
    let authority = Authority::new("ca");
    let (ours, others) = (anchors(&authority), anchors(&Authority::new("ca")));
    let peer = peer(&authority.leaf(&Kind { until: 2030, ..Kind::default() }));
    // The first moments of 2029 and of 2031.
    let at = |seconds| UnixTime::since_unix_epoch(Duration::from_secs(seconds));
    let (before, after) = (at(1_861_920_000), at(1_924_992_000));
    for _ in 0..2 {
        assert!(ours.verify(&peer, before).is_ok());
        assert!(others.verify(&peer, before).is_err());
        assert!(ours.verify(&peer, after).is_err());
        assert!(anchors(&authority).verify(&peer, before).is_ok());
    }
}

/// What Go asks of an authority and webpki does not.
#[tokio::test]
async fn an_authority_that_may_not_sign_for_clients_signs_for_nobody() {
    let clients = Authority::new("client-ca");
    let stated = headers(&[("x-remote-user", "carol")]);
    let fine: [(&str, Authority); 3] = [
        ("plain", Authority::new("ca")),
        (
            "of clients",
            Authority::with("ca", |ca| ca.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth]),
        ),
        ("short", Authority::with("ca", |ca| ca.is_ca = IsCa::Ca(BasicConstraints::Constrained(0)))),
    ];
    let unfit: [(&str, Authority); 5] = [
        ("expired", Authority::with("ca", |ca| ca.not_after = date_time_ymd(2021, 1, 1))),
        ("future", Authority::with("ca", |ca| ca.not_before = date_time_ymd(3000, 1, 1))),
        (
            "of servers",
            Authority::with("ca", |ca| ca.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth]),
        ),
        ("no signer", Authority::with("ca", |ca| ca.key_usages = vec![KeyUsagePurpose::DigitalSignature])),
        ("no authority", Authority::with("ca", |ca| ca.is_ca = IsCa::ExplicitNoCa)),
    ];
    for (what, authority, trusted) in
        fine.iter().map(|(w, a)| (w, a, true)).chain(unfit.iter().map(|(w, a)| (w, a, false)))
    {
        let access = access(authority, &clients);
        let leaf = authority.leaf(&Kind::default());
        let got = identify(&access, &peer(&leaf), &stated, UnixTime::now()).await;
        assert_eq!(got.is_ok(), trusted, "{what}: {got:?}");
    }
}

#[tokio::test]
async fn intermediates_count_if_they_are_sent_along() {
    let clients = Authority::new("client-ca");
    let stated = headers(&[("x-remote-user", "carol")]);
    let short = Authority::with("ca", |ca| ca.is_ca = IsCa::Ca(BasicConstraints::Constrained(0)));
    for (root, trusted) in [(Authority::new("ca"), true), (short, false)] {
        let access = access(&root, &clients);
        let intermediate = root.intermediate_with(|_| {});
        let mut leaf = intermediate.leaf(&Kind::default());
        assert!(identify(&access, &peer(&leaf), &stated, UnixTime::now()).await.is_err());
        leaf.chain.push(intermediate.der());
        assert_eq!(identify(&access, &peer(&leaf), &stated, UnixTime::now()).await.is_ok(), trusted);
    }
}

/// What a certificate differs in.
type Change<'a> = &'a dyn Fn(&mut CertificateParams);

/// `CheckSignatureFrom` of `crypto/x509`; webpki looks at the basic constraints alone.
#[tokio::test]
async fn an_intermediate_that_may_not_sign_signs_for_nobody() {
    let (root, clients) = (Authority::new("ca"), Authority::new("client-ca"));
    let access = access(&root, &clients);
    let stated = headers(&[("x-remote-user", "carol")]);
    let critical = |ca: &mut CertificateParams| {
        let mut unknown = CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 99999, 1], vec![5, 0]);
        unknown.set_criticality(true);
        ca.custom_extensions = vec![unknown];
    };
    let kinds: [(&str, bool, Change<'_>); 5] = [
        ("signs certificates", true, &|_| {}),
        ("says nothing of its key", true, &|ca| ca.key_usages = Vec::new()),
        ("signs something else", false, &|ca| ca.key_usages = vec![KeyUsagePurpose::DigitalSignature]),
        ("is for servers", false, &|ca| ca.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth]),
        ("has a condition", false, &critical),
    ];
    for (what, trusted, change) in kinds {
        let intermediate = root.intermediate_with(change);
        let mut leaf = intermediate.leaf(&Kind::default());
        leaf.chain.push(intermediate.der());
        let got = identify(&access, &peer(&leaf), &stated, UnixTime::now()).await;
        assert_eq!(got.is_ok(), trusted, "{what}: {got:?}");
    }
}

#[tokio::test]
async fn a_chain_is_judged_at_the_time_of_the_request() {
    let (proxies, clients) = (Authority::new("front-proxy-ca"), Authority::new("client-ca"));
    let access = access(&proxies, &clients);
    let leaf = proxies.leaf(&Kind { until: 2100, ..Kind::default() });
    let stated = headers(&[("x-remote-user", "carol")]);
    let later = UnixTime::since_unix_epoch(Duration::from_hours(1_200_000));
    assert!(identify(&access, &peer(&leaf), &stated, UnixTime::now()).await.is_ok());
    assert!(identify(&access, &peer(&leaf), &stated, later).await.is_err());
}
