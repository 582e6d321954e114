//! The way from a leaf to an authority: its steps, its length, its signatures, and mazes of it.

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, GeneralSubtree, IsCa,
    KeyPair, KeyUsagePurpose, NameConstraints, SanType, date_time_ymd,
};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::super::{Doors, access, config, headers};
use super::{are, sub, unknown, with};
use crate::edge::certs::{Authority, Kind};
use crate::edge::world::Cluster;

#[tokio::test]
async fn the_way_to_an_authority_is_walked_step_by_step() {
    let doors = Doors::new();
    let sub_of = |change: &dyn Fn(&mut CertificateParams)| {
        let mut params = sub("between");
        change(&mut params);
        Authority(CertifiedIssuer::signed_by(params, KeyPair::generate().unwrap(), &doors.proxies.0).unwrap())
    };
    let by = |between: &Authority| [between.leaf(&Kind::default()).chain, vec![between.der()]].concat();
    let plain = sub_of(&|_| {});
    let deep = plain.intermediate_with(|_| {});
    let short = sub_of(&|ca| ca.is_ca = IsCa::Ca(BasicConstraints::Constrained(0)));
    let below_short = short.intermediate_with(|_| {});
    let leaf = deep.leaf(&Kind::default()).chain.remove(0);
    let root = doors.proxies.der();
    let cases = vec![
        ("one step", by(&plain), "carol"),
        ("two steps", vec![leaf.clone(), deep.der(), plain.der()], "carol"),
        ("two steps, backwards", vec![leaf.clone(), plain.der(), deep.der()], "carol"),
        ("two steps, and the end", vec![leaf.clone(), root.clone(), plain.der(), deep.der()], "carol"),
        ("two steps, one twice", vec![leaf.clone(), deep.der(), deep.der(), plain.der()], "carol"),
        ("a step left out", vec![leaf.clone(), plain.der()], "401"),
        ("the step before the leaf", vec![deep.der(), leaf.clone(), plain.der()], "401"),
        // The original ends the connection.
        (
            "something else between",
            vec![leaf.clone(), b"x".to_vec().into(), deep.der(), plain.der()],
            "carol",
        ),
        ("no authority", by(&sub_of(&|ca| ca.is_ca = IsCa::ExplicitNoCa)), "401"),
        ("no word of authority", by(&sub_of(&|ca| ca.is_ca = IsCa::NoCa)), "401"),
        (
            "not for signatures",
            by(&sub_of(&|ca| ca.key_usages = vec![KeyUsagePurpose::DigitalSignature])),
            "401",
        ),
        (
            "for servers",
            by(&sub_of(&|ca| ca.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth])),
            "401",
        ),
        ("expired", by(&sub_of(&|ca| ca.not_after = date_time_ymd(2021, 1, 1))), "401"),
        ("not yet valid", by(&sub_of(&|ca| ca.not_before = date_time_ymd(3000, 1, 1))), "401"),
        (
            "an unknown matter of importance",
            by(&sub_of(&|ca| ca.custom_extensions = vec![unknown(true, b"")])),
            "401",
        ),
        ("as long as it may be", by(&short), "carol"),
        (
            "longer",
            vec![below_short.leaf(&Kind::default()).chain.remove(0), below_short.der(), short.der()],
            "401",
        ),
    ];
    are(&doors, cases).await;
}

/// A way is looked for with each request: who sends many certificates of one name must not make the search long.
#[tokio::test]
async fn a_maze_is_not_walked() {
    let doors = Doors::new();
    // Issued by that name, too: each may be the issuer of each.
    let maze: Vec<_> = (0..100)
        .map(|_| CertifiedIssuer::self_signed(sub("maze"), KeyPair::generate().unwrap()).unwrap())
        .map(|issuer| issuer.der().clone())
        .collect();
    let between = doors.proxies.intermediate_with(|_| {});
    let by = |others: &[CertificateDer<'static>]| {
        [between.leaf(&Kind::default()).chain, others.to_vec(), vec![between.der()]].concat()
    };
    let lost = Authority(CertifiedIssuer::self_signed(sub("maze"), KeyPair::generate().unwrap()).unwrap());
    let lost = lost.leaf(&Kind::default()).chain;
    let cases = vec![
        ("a few that lead nowhere", by(&maze[..4]), "carol"),
        // Stricter than the original, which tries a hundred signatures.
        ("more than a few", by(&maze[..5]), "401"),
        ("many", by(&maze), "401"),
        ("a few and no way", [&lost, &maze[..5]].concat(), "401"),
        ("many and no way", [&lost, &maze[..]].concat(), "401"),
    ];
    are(&doors, cases).await;
}

#[tokio::test]
async fn constraints_of_names_hold() {
    let tree = |name: &str| vec![GeneralSubtree::DnsName(name.to_owned())];
    let named = |name: &str| SanType::DnsName(name.try_into().unwrap());
    for (what, permitted, excluded, san, expected) in [
        ("what is permitted", tree("good"), vec![], Some("a.good"), "carol"),
        ("what is not", tree("good"), vec![], Some("a.bad"), "401"),
        ("what is excluded", vec![], tree("bad"), Some("a.bad"), "401"),
        ("in no name", tree("good"), vec![], None, "carol"),
    ] {
        let proxies = Authority::with("front-proxy-ca", |ca| {
            let (permitted_subtrees, excluded_subtrees) = (permitted.clone(), excluded.clone());
            ca.name_constraints = Some(NameConstraints { permitted_subtrees, excluded_subtrees });
        });
        let doors = Doors::of(proxies, Authority::new("client-ca"));
        let chain = with(&doors, |leaf| leaf.subject_alt_names = san.into_iter().map(named).collect());
        are(&doors, vec![(what, chain, expected)]).await;
    }
}

#[tokio::test]
async fn weak_signatures_are_none() {
    let certificates: Vec<_> =
        CertificateDer::pem_slice_iter(include_bytes!("../weak.pem")).collect::<Result<_, _>>().unwrap();
    let pem = include_str!("../weak.pem").split_inclusive("-----END CERTIFICATE-----\n").collect::<Vec<_>>();
    let under = |authority: &str| {
        let config = config(&[("requestheader-client-ca-file", authority)]);
        Doors { access: access(config, Cluster::default(), Cluster::default()), ..Doors::new() }
    };
    let stated = headers(&[("x-remote-user", b"carol")]);
    for (what, authority, leaf, expected) in [
        ("SHA-256", 0, 1, "carol"),
        ("SHA-1", 0, 2, "401"),
        ("MD5", 0, 3, "401"),
        // The handshake, in which it has to sign, refuses the key.
        ("a short key", 0, 4, "carol"),
        // Stricter than the original.
        ("an authority with a short key", 5, 6, "401"),
    ] {
        let chain = vec![certificates[leaf].clone()];
        assert_eq!(under(pem[authority]).who(&chain, &stated).await, expected, "{what}");
    }
}
