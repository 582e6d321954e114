//! The front proxy's headers: without its certificate, in other spellings, more than once, and with odd content.

use cert_manager_webhook_cloudflare::access::Identity;
use http::HeaderMap;

use super::{Doors, Field, headers};
use crate::edge::certs::Kind;

/// `name uid groups extra`, or `401`.
async fn whole(doors: &Doors, fields: &HeaderMap) -> String {
    let chain = doors.proxies.leaf(&Kind::default()).chain;
    match doors.identity(&chain, fields).await {
        Ok(Identity { name, uid, mut groups, extra }) => {
            groups.retain(|group| group != "system:authenticated");
            format!("{name}|{uid}|{groups:?}|{extra:?}")
        }
        Err(_) => "401".to_owned(),
    }
}

/// Every way to state a master.
fn stated() -> Vec<(&'static str, HeaderMap)> {
    let users = [
        "x-remote-user",
        "X-REMOTE-USER",
        "x_remote_user",
        "x-remote_user",
        "remote-user",
        "x-forwarded-user",
        "x-remote-username",
        "x-remote-users",
        "x-remote-user-",
        "-x-remote-user",
        "http_x_remote_user",
    ];
    users
        .into_iter()
        .map(|user| {
            let groups: [Field; 6] = [
                ("x-remote-group", b"system:masters"),
                ("x_remote_group", b"system:masters"),
                ("x-remote-groups", b"system:masters"),
                ("x-remote-uid", b"1"),
                ("x-remote-extra-scopes", b"all"),
                ("x-forwarded-groups", b"system:masters"),
            ];
            let mut fields = headers(&groups);
            fields.extend(headers(&[(user, b"eve")]));
            (user, fields)
        })
        .collect()
}

#[tokio::test]
async fn without_the_certificate_no_spelling_counts() {
    let doors = Doors::new();
    let client = doors.clients.leaf(&Kind { name: "alice", ..Kind::default() }).chain;
    let other = doors.proxies.leaf(&Kind { name: "alice", ..Kind::default() }).chain;
    for (spelling, mut fields) in stated() {
        let nobody = doors.identity(&[], &fields).await.unwrap();
        assert_eq!(nobody, Identity::anonymous(), "{spelling}");
        let alice = doors.identity(&client, &fields).await.unwrap();
        assert_eq!(
            (alice.name.as_str(), alice.groups.len(), alice.extra.len()),
            ("alice", 1, 1),
            "{spelling}"
        );
        assert_eq!(doors.who(&other, &fields).await, "401", "{spelling}");
        fields.insert("authorization", "Bearer bob".parse().unwrap());
        for chain in [&[][..], &other] {
            let bob = doors.identity(chain, &fields).await.unwrap();
            assert_eq!(bob.groups, ["system:authenticated"], "{spelling}");
            assert_eq!((bob.name.as_str(), bob.uid.as_str(), bob.extra.len()), ("bob", "", 0), "{spelling}");
        }
    }
    let right = stated().into_iter().filter(|(spelling, _)| spelling.eq_ignore_ascii_case("x-remote-user"));
    for (spelling, fields) in stated() {
        let is_right = right.clone().any(|(known, _)| known == spelling);
        assert_eq!(whole(&doors, &fields).await.starts_with("eve|1|"), is_right, "{spelling}");
    }
}

#[tokio::test]
async fn values_are_taken_as_they_stand() {
    const USER: &str = "x-remote-user";
    const GROUP: &str = "x-remote-group";
    const UID: &str = "x-remote-uid";
    let doors = Doors::new();
    let cases: [(&[Field], &str); 24] = [
        (&[(USER, b"a"), (USER, b"b")], "a||[]|{}"),
        (&[(USER, b""), (USER, b"b")], "401"),
        (&[(USER, b""), ("x-other-user", b"c")], "c||[]|{}"),
        (&[("x-other-user", b"c"), (USER, b"a")], "a||[]|{}"),
        (&[(USER, b"a,b")], "a,b||[]|{}"),
        (&[(USER, b" a ")], " a ||[]|{}"),
        (&[(USER, b"\t")], "\t||[]|{}"),
        (&[(USER, b"a\tb")], "a\tb||[]|{}"),
        (&[(USER, b"%61")], "%61||[]|{}"),
        (&[(USER, b"a\xff\xfe")], "a\u{fffd}\u{fffd}||[]|{}"),
        (&[(USER, b"a\xc0\x80")], "a\u{fffd}\u{fffd}||[]|{}"),
        (&[(USER, "\u{43e}".as_bytes())], "\u{43e}||[]|{}"),
        (&[(GROUP, b"system:masters")], "401"),
        (&[(UID, b"1"), (GROUP, b"system:masters")], "401"),
        (&[(USER, b"a"), (UID, b"1"), (UID, b"2")], "a|1|[]|{}"),
        (&[(USER, b"a"), (UID, b""), (UID, b"2")], "a||[]|{}"),
        (&[(USER, b"a"), (GROUP, b"g,system:masters")], r#"a||["g,system:masters"]|{}"#),
        (&[(USER, b"a"), (GROUP, b""), (GROUP, b"g")], r#"a||["g"]|{}"#),
        (&[(USER, b"a"), (GROUP, b"g"), (GROUP, b"g")], r#"a||["g", "g"]|{}"#),
        (&[(USER, b"a"), ("x-remote-group-x", b"g")], "a||[]|{}"),
        (&[(USER, b"a"), (GROUP, b"system:masters ")], r#"a||["system:masters "]|{}"#),
        (&[(USER, b"a"), (GROUP, b"System:Masters")], r#"a||["System:Masters"]|{}"#),
        (&[(USER, b"a"), (GROUP, b"system:masters\xff")], "a||[\"system:masters\u{fffd}\"]|{}"),
        (&[(USER, b"system:anonymous")], "system:anonymous||[]|{}"),
    ];
    for (fields, expected) in cases {
        assert_eq!(whole(&doors, &headers(fields)).await, expected, "{fields:?}");
        let identity = doors.identity(&doors.proxies.leaf(&Kind::default()).chain, &headers(fields)).await;
        assert!(identity.is_err() || !identity.unwrap().is_master(), "{fields:?}");
    }
}

#[tokio::test]
async fn keys_of_extras_are_unescaped_once() {
    let doors = Doors::new();
    let cases: [(&[Field], &str); 12] = [
        (&[("x-remote-extra-a", b"1")], r#"{"a": ["1"]}"#),
        (&[("X-Remote-Extra-A", b"1")], r#"{"a": ["1"]}"#),
        (&[("x-remote-extra-a%2fb", b"1"), ("x-remote-extra-A%2Fb", b"2")], r#"{"a/b": ["1", "2"]}"#),
        (&[("x-remote-extra-a%252fb", b"1")], r#"{"a%2fb": ["1"]}"#),
        (&[("x-remote-extra-%41", b"1"), ("x-remote-extra-a", b"2")], r#"{"A": ["1"], "a": ["2"]}"#),
        (&[("x-remote-extra-%00", b"1")], r#"{"\0": ["1"]}"#),
        (&[("x-remote-extra-%0d%0a", b"1")], r#"{"\r\n": ["1"]}"#),
        (&[("x-remote-extra-%zz", b"1")], r#"{"%zz": ["1"]}"#),
        (&[("x-remote-extra-a%2", b"1")], r#"{"a%2": ["1"]}"#),
        (&[("x-remote-extra-%ff", b"1")], "{\"\u{fffd}\": [\"1\"]}"),
        (&[("x-remote-extra-", b"1")], r#"{"": ["1"]}"#),
        (&[("x-remote-extra", b"1"), ("xx-remote-extra-a", b"1")], "{}"),
    ];
    for (fields, expected) in cases {
        let mut stated = headers(&[("x-remote-user", b"a")]);
        stated.extend(headers(fields));
        assert_eq!(whole(&doors, &stated).await, format!("a||[]|{expected}"), "{fields:?}");
    }
}

/// Names of headers that are none, or that mean something else, too.
#[tokio::test]
async fn a_configuration_is_taken_at_its_word() {
    const USER: &str = "requestheader-username-headers";
    const GROUP: &str = "requestheader-group-headers";
    const EXTRA: &str = "requestheader-extra-headers-prefix";
    let carol =
        headers(&[("x-remote-user", b"carol"), ("x-remote-group", b"g"), ("authorization", b"Basic x")]);
    for (key, value, expected) in [
        (USER, "[]", "401"),
        (USER, "", "401"),
        (USER, "null", "401"),
        (USER, r#"[""]"#, "401"),
        (USER, r#"[" X-Remote-User"]"#, "401"),
        (USER, r#"["X-Remote-User "]"#, "401"),
        (USER, r#"["X-Remote-User,X-Other"]"#, "401"),
        (USER, r#"["X_Remote_User"]"#, "401"),
        (USER, r#"["x-remote-user"]"#, r#"carol||["g"]|{}"#),
        (USER, r#"["X-Remote-\u0055ser"]"#, r#"carol||["g"]|{}"#),
        (USER, r#"["Authorization"]"#, r#"Basic x||["g"]|{}"#),
        (USER, r#"["X-Remote-Group"]"#, r#"g||["g"]|{}"#),
        (GROUP, "[]", "carol||[]|{}"),
        (GROUP, r#"["X-Remote-Group","x-remote-group"]"#, r#"carol||["g", "g"]|{}"#),
        (EXTRA, "[]", r#"carol||["g"]|{}"#),
        (EXTRA, r#"["X-Remote-G"]"#, r#"carol||["g"]|{"roup": ["g"]}"#),
        (EXTRA, r#"["X-Remote-Gr","X-Remote-G"]"#, r#"carol||["g"]|{"oup": ["g"], "roup": ["g"]}"#),
        (
            EXTRA,
            r#"[""]"#,
            r#"carol||["g"]|{"authorization": ["Basic x"], "x-remote-group": ["g"], "x-remote-user": ["carol"]}"#,
        ),
    ] {
        assert_eq!(whole(&Doors::with(&[(key, value)]), &carol).await, expected, "{key} {value}");
    }
}
