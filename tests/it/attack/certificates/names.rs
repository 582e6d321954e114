//! The subject of a certificate: names that look like another, and texts that are not what they claim to be.

use rcgen::{DnType, SanType};

use super::super::forgery::{text, uid};
use super::super::{Doors, headers};
use super::{PROXY, are, with};
use crate::edge::certs::{Kind, Leaf};

/// The front proxy's name is compared byte by byte.
#[tokio::test]
async fn what_looks_like_the_front_proxy_is_not() {
    let doors = Doors::new();
    let other = [
        "",
        " ",
        "Front-Proxy-Client",
        " front-proxy-client",
        "front-proxy-client ",
        "front-proxy-client\0",
        "front-proxy-client\0.example",
        "\0front-proxy-client",
        "front-proxy-client\n",
        "front\u{2011}proxy\u{2011}client",
        "fr\u{43e}nt-proxy-client",
        "front-proxy-client\u{200b}",
        "front-proxy-client,front-proxy-client",
        "front-proxy-clien",
        "*",
    ];
    let named = |name| (name, doors.proxies.leaf(&Kind { name, ..Kind::default() }).chain, "401");
    are(&doors, other.into_iter().map(named).collect()).await;
    let silent =
        with(&doors, |leaf| leaf.distinguished_name.remove(DnType::CommonName).then_some(()).unwrap());
    let san = with(&doors, |leaf| {
        leaf.distinguished_name = rcgen::DistinguishedName::new();
        leaf.subject_alt_names = vec![SanType::DnsName(PROXY.try_into().unwrap())];
    });
    let unit = with(&doors, |leaf| {
        leaf.distinguished_name = rcgen::DistinguishedName::new();
        leaf.distinguished_name.push(DnType::OrganizationalUnitName, PROXY);
    });
    are(
        &doors,
        vec![("no name", silent, "401"), ("an alternative name", san, "401"), ("a unit", unit, "401")],
    )
    .await;
}

/// A text in a certificate has a type. What Go's parser refuses must be nobody's name here (`parseASN1String` of
/// `crypto/x509/parser.go`).
#[tokio::test]
async fn a_name_is_of_the_type_it_claims() {
    const UTF8: u8 = 0x0c;
    const NUMERIC: u8 = 0x12;
    const PRINTABLE: u8 = 0x13;
    const T61: u8 = 0x14;
    const IA5: u8 = 0x16;
    const VISIBLE: u8 = 0x1a;
    const UNIVERSAL: u8 = 0x1c;
    const BMP: u8 = 0x1e;
    let doors = Doors::new();
    let forge = |leaf: &Leaf, from: &str, tag: u8, to: &[u8]| {
        vec![doors.clients.forge(leaf, &text(UTF8, from.as_bytes()), &text(tag, to))]
    };
    let mut cases = Vec::new();
    for (what, tag, bytes, expected) in [
        ("UTF-8", UTF8, &b"ev\xc3\xa9"[..], "evé"),
        ("broken UTF-8", UTF8, b"evil\xc3", "401"),
        ("printable", PRINTABLE, b"eve:1", "eve:1"),
        ("not printable", PRINTABLE, b"e@vil", "401"),
        ("printable, with a NUL", PRINTABLE, b"e\0vil", "401"),
        ("printable, in UTF-8", PRINTABLE, b"ev\xc3\xa9", "401"),
        ("ASCII", IA5, b"e@vil", "e@vil"),
        ("ASCII, in UTF-8", IA5, b"ev\xc3\xa9", "401"),
        ("numeric", NUMERIC, b"1 2 3", "1 2 3"),
        ("numeric, in letters", NUMERIC, b"admin", "401"),
        // The original reads these two, as Latin-1 and as UTF-16.
        ("teletex", T61, b"ev\xc3\xa9", "401"),
        ("two bytes each", BMP, b"\0a\0b", "401"),
        ("visible", VISIBLE, b"admin", "401"),
        ("universal", UNIVERSAL, b"\0\0\0a", "401"),
        ("a number", 0x02, b"\x01", "401"),
    ] {
        let placeholder = "x".repeat(bytes.len());
        let leaf = doors.clients.leaf_with(&placeholder, |_| {});
        cases.push((what, forge(&leaf, &placeholder, tag, bytes), expected));
        let group = doors.clients.leaf_with("eve", |leaf| {
            leaf.distinguished_name.push(DnType::OrganizationName, placeholder.as_str());
        });
        let expected = if expected == "401" { "401" } else { "eve" };
        cases.push((what, forge(&group, &placeholder, tag, bytes), expected));
    }
    are(&doors, cases).await;
}

#[tokio::test]
async fn a_uid_is_one_text_that_says_something() {
    let doors = Doors::new();
    for (what, uids, expected) in [
        ("none", &[][..], Some("")),
        ("one", &["u-1"], Some("u-1")),
        ("empty", &[""], None),
        ("two", &["u-1", "u-2"], None),
        ("the same twice", &["u-1", "u-1"], None),
    ] {
        let leaf = doors.clients.leaf_with("eve", |leaf| {
            for (index, id) in uids.iter().enumerate() {
                // A name keeps one value of each type, and takes these for two.
                let kind =
                    if index == 0 { uid() } else { DnType::CustomDnType(vec![1, 3, 6, 1, 4, 1, 57684, 2]) };
                leaf.distinguished_name.push(kind, *id);
            }
        });
        let [other, this] = [57684_u32, 57683].map(|part| {
            let [high, middle, low] = [part >> 14, part >> 7, part].map(|bits| (bits & 0x7f) as u8);
            [0x80 | high, 0x80 | middle, low, 2]
        });
        let chain =
            if uids.len() == 2 { vec![doors.clients.forge(&leaf, &other, &this)] } else { leaf.chain };
        let got = doors.identity(&chain, &headers(&[])).await;
        assert_eq!(got.as_ref().ok().map(|identity| identity.uid.as_str()), expected, "{what}: {got:?}");
    }
}
