//! Bearer tokens: in other places and spellings, beside other credentials, and of users that nobody should be.

use std::collections::BTreeMap;

use axum::body::Body;
use cert_manager_webhook_cloudflare::access::{
    AccessError, Attributes, Decision, Identity, PeerCertificates, TokenReviewer,
};
use http::{HeaderMap, Request, StatusCode};
use rustls::pki_types::UnixTime;

use super::{Doors, Field, access, config, headers, name};
use crate::edge::certs::Kind;
use crate::edge::world::{Cluster, World, identify};

const ANONYMOUS: &str = "system:anonymous";

/// Knows one token, and whose it is.
struct Known(Identity);

impl TokenReviewer for Known {
    async fn review(&self, token: &str) -> Result<Option<Identity>, AccessError> {
        Ok((token == "good").then(|| self.0.clone()))
    }
}

fn bob() -> Identity {
    Identity { name: "bob".to_owned(), ..Identity::default() }
}

#[tokio::test]
async fn a_token_is_what_follows_one_word_and_one_space() {
    let access = access(config(&[]), Cluster::default(), Known(bob()));
    let who = async |fields: &HeaderMap| {
        name(&identify(&access, &PeerCertificates::default(), fields, UnixTime::now()).await)
    };
    let cases: [(&[&[u8]], &str); 31] = [
        (&[b"Bearer good"], "bob"),
        (&[b"bearer good"], "bob"),
        (&[b"BEARER good"], "bob"),
        (&[b" Bearer good "], "bob"),
        (&[b"\tBearer good\t"], "bob"),
        (&[b"Bearer good more"], "bob"),
        (&[b"Bearer good  "], "bob"),
        (&[b"Bearer  good"], ANONYMOUS),
        (&[b"Bearer\tgood"], ANONYMOUS),
        (&[b"Bearer \tgood"], "401"),
        (&[b"Bearer good\tmore"], "401"),
        (&[b"Bearer"], ANONYMOUS),
        (&[b"Bearer "], ANONYMOUS),
        (&[b""], ANONYMOUS),
        (&[b"good"], ANONYMOUS),
        (&[b"Bearergood"], ANONYMOUS),
        (&[b"Bearer:good"], ANONYMOUS),
        (&[b"Bearer=good"], ANONYMOUS),
        (&[b"\"Bearer\" good"], ANONYMOUS),
        (&[b"Token good"], ANONYMOUS),
        (&[b"Basic good"], ANONYMOUS),
        (&[b"Basic x, Bearer good"], ANONYMOUS),
        (&[b"Bearer good,"], "401"),
        (&[b"Bearer GOOD"], "401"),
        (&[b"Bearer %67ood"], "401"),
        (&[b"Bearer g\xf6od"], "401"),
        (&[b"Bearer g\xd0\xbeod"], "401"),
        (&[b"B\xc3\xabarer good"], ANONYMOUS),
        (&[b"Bearer bad", b"Bearer good"], "401"),
        (&[b"Bearer good", b"Bearer bad"], "bob"),
        (&[b"Basic x", b"Bearer good"], ANONYMOUS),
    ];
    for (values, expected) in cases {
        let fields: Vec<_> = values.iter().map(|value| ("authorization", *value)).collect();
        let shown: Vec<_> = values.iter().map(|value| value.escape_ascii().to_string()).collect();
        assert_eq!(who(&headers(&fields)).await, expected, "{shown:?}");
    }
    let elsewhere: [Field; 7] = [
        ("proxy-authorization", b"Bearer good"),
        ("x-authorization", b"Bearer good"),
        ("authorization_", b"Bearer good"),
        ("x-forwarded-access-token", b"good"),
        ("x-auth-token", b"good"),
        ("cookie", b"access_token=good; authorization=Bearer good"),
        // The original takes it for a token where something may be watched; nothing may be here.
        ("sec-websocket-protocol", b"base64url.bearer.authorization.k8s.io.Z29vZA, v4.channel.k8s.io"),
    ];
    for (field, value) in elsewhere {
        let upgrade: [Field; 3] = [(field, value), ("connection", b"upgrade"), ("upgrade", b"websocket")];
        assert_eq!(who(&headers(&upgrade)).await, ANONYMOUS, "{field}");
    }
}

#[tokio::test]
async fn a_token_in_the_query_is_none() {
    let world = World::new();
    for query in ["access_token=bob", "token=bob", "authorization=Bearer%20bob", "bearer_token=bob"] {
        let request = Request::get(format!("/apis?{query}")).body(Body::empty()).unwrap();
        assert_eq!(world.send(request).await.status, StatusCode::FORBIDDEN, "{query}");
    }
    assert!(world.cluster.seen().iter().all(|(who, _)| *who == Identity::anonymous()));
}

/// The first credential that holds is the caller's; what others say is not added to it.
#[tokio::test]
async fn credentials_do_not_mix() {
    let doors = Doors::new();
    let proxy = doors.proxies.leaf(&Kind::default()).chain;
    let alice = doors.clients.leaf(&Kind { name: "alice", organizations: &["dev"], ..Kind::default() }).chain;
    let foreign = doors.proxies.leaf(&Kind { name: "x", ..Kind::default() }).chain;
    let carol: Field = ("x-remote-user", b"carol");
    let masters: Field = ("x-remote-group", b"system:masters");
    let good: Field = ("authorization", b"Bearer bob");
    let bad: Field = ("authorization", b"Bearer bad");
    let away: Field = ("authorization", b"Bearer away");
    for (what, chain, fields, expected) in [
        ("proxy, token", &proxy, &[carol, good][..], "carol system:authenticated"),
        ("proxy, bad token", &proxy, &[carol, bad], "carol system:authenticated"),
        ("proxy, unreviewed token", &proxy, &[carol, away], "carol system:authenticated"),
        ("proxy without a user, token", &proxy, &[masters, good], "bob system:authenticated"),
        ("proxy without a user, bad token", &proxy, &[masters, bad], "401"),
        ("client, headers, token", &alice, &[carol, masters, good], "alice dev,system:authenticated"),
        ("client, bad token", &alice, &[bad], "alice dev,system:authenticated"),
        ("refused, headers, token", &foreign, &[carol, masters, good], "bob system:authenticated"),
        ("refused, headers, bad token", &foreign, &[carol, masters, bad], "401"),
        ("refused, headers, unreviewed token", &foreign, &[carol, masters, away], "401"),
        ("refused", &foreign, &[carol, masters], "401"),
    ] {
        let got = doors.identity(chain, &headers(fields)).await;
        let got = got.map_or("401".to_owned(), |who| format!("{} {}", who.name, who.groups.join(",")));
        assert_eq!(got, expected, "{what}");
    }
}

/// A review may say what it likes: it is the API server's. Nothing is added to it that makes more of it.
#[tokio::test]
async fn a_user_is_what_the_review_says_and_no_more() {
    let path = Attributes::NonResource { verb: "get".to_owned(), path: "/metrics".to_owned() };
    for (user, groups, expected_groups, allowed) in [
        ("", &[][..], "system:authenticated", true),
        ("system:anonymous", &[], "", false),
        ("system:anonymous", &["system:authenticated"], "system:authenticated", false),
        ("mallory", &["system:unauthenticated"], "system:unauthenticated", false),
        ("mallory", &["system:authenticated"], "system:authenticated", false),
        ("mallory", &["system:master"], "system:master,system:authenticated", false),
        ("mallory", &["system:masters,"], "system:masters,,system:authenticated", false),
        ("mallory", &["SYSTEM:MASTERS"], "SYSTEM:MASTERS,system:authenticated", false),
        ("system:masters", &[], "system:authenticated", true),
        ("mallory", &["system:masters"], "system:masters,system:authenticated", true),
    ] {
        let groups = groups.iter().map(|group| (*group).to_owned()).collect();
        let extra = BTreeMap::from([("k".to_owned(), vec!["v".to_owned()])]);
        let stated = Identity { name: user.to_owned(), uid: "1".to_owned(), groups, extra: extra.clone() };
        let cluster = Cluster::default();
        let access = access(config(&[]), cluster.clone(), Known(stated));
        let fields = headers(&[("authorization", b"Bearer good"), ("x-remote-group", b"system:masters")]);
        let caller =
            access.authenticate(&PeerCertificates::default(), &fields, UnixTime::now()).await.unwrap();
        let got = &caller.identity;
        assert_eq!((got.name.as_str(), got.groups.join(",")), (user, expected_groups.to_owned()));
        assert_eq!((got.uid.as_str(), &got.extra), ("1", &extra));
        let decision = access.authorize(&caller, &path).await.unwrap();
        assert_eq!(decision == Decision::Allowed, allowed, "{user} {expected_groups}");
        // Of all these, only the last is not asked about.
        assert_eq!(cluster.seen().is_empty(), got.groups.contains(&"system:masters".to_owned()), "{user}");
    }
}
