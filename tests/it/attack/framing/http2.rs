//! Heads of HTTP/2 that no library sends (RFC 9113 §8.2, §8.3).

use harness::attack::frames::{
    END_HEADERS, END_STREAM, Kind, frame, get, kept, opening, read, request, stream,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{connect, serve, users};
use crate::cluster::soon;
use crate::edge::certs::{Authority, Kind as Certificate};
use crate::edge::world::World;

/// `:method`, `:scheme` and `:path` as given, and no `:authority`.
fn pseudo(fields: &[(&str, &str)]) -> Vec<u8> {
    fields.iter().flat_map(|(name, value)| kept(name, value.as_bytes())).collect()
}

fn authorities() -> (Authority, Authority) {
    (Authority::new("front-proxy-ca"), Authority::new("client-ca"))
}

#[tokio::test]
async fn a_head_that_is_none_is_nobody_s() {
    let (proxies, clients) = authorities();
    let world = World::new();
    world.trust(&proxies, &clients);
    let server = serve(&world, false);
    let leaf = proxies.leaf(&Certificate::default());
    let carol = kept("x-remote-user", b"carol");
    let with = |name: &str, value: &[u8]| [get("/apis"), carol.clone(), kept(name, value)].concat();
    let plain = [(":method", "GET"), (":scheme", "https"), (":path", "/apis")];
    let path = |path: &str| [pseudo(&[plain[0], plain[1], (":path", path)]), carol.clone()].concat();
    let mut wrong = Vec::new();
    for (what, block, heard) in [
        ("plain", with("x", b"y"), "carol"),
        ("a name in upper case", [get("/apis"), kept("X-Remote-User", b"eve")].concat(), ""),
        ("a second user", with("x-remote-user", b"eve"), "carol"),
        ("another spelling of the user", with("x_remote_user", b"eve"), "carol"),
        ("a name with a space", with("x-remote-user ", b"eve"), ""),
        ("a name with a colon", with("x:y", b"z"), ""),
        ("an empty name", with("", b"z"), ""),
        ("a value with an end of line", with("x", b"y\r\nx-remote-group: system:masters"), ""),
        ("a value with a line feed", with("x", b"y\nz"), ""),
        ("a value with a NUL", with("x", b"y\0"), ""),
        ("connection", with("connection", b"x-remote-group"), ""),
        ("keep-alive", with("keep-alive", b"x"), ""),
        ("transfer-encoding", with("transfer-encoding", b"chunked"), ""),
        ("upgrade", with("upgrade", b"h2c"), ""),
        ("an unknown pseudo-header", with(":user", b"eve"), ""),
        ("a pseudo-header behind", with(":path", b"/healthz"), ""),
        ("two paths", [pseudo(&[(":path", "/healthz")]), get("/apis"), carol.clone()].concat(), ""),
        ("two methods", [pseudo(&[(":method", "POST")]), get("/apis"), carol.clone()].concat(), ""),
        ("a status", [pseudo(&[(":status", "200")]), get("/apis"), carol.clone()].concat(), ""),
        ("no method", [pseudo(&plain[1..]), carol.clone()].concat(), ""),
        ("no scheme", [pseudo(&[plain[0], plain[2]]), carol.clone()].concat(), ""),
        // The original ends the stream. Here an empty path is authorized, which is more than `/`, and that one answered.
        ("no path", [pseudo(&plain[..2]), carol.clone()].concat(), "carol"),
        ("an empty path", path(""), ""),
        ("a path without a slash", path("apis"), ""),
        ("a path with a space", path("/a pis"), ""),
        ("a path with a NUL", path("/apis\0"), ""),
        ("a fragment", path("/apis#x"), "carol"),
        ("a body that does not come", with("content-length", b"5"), ""),
        ("two lengths", [with("content-length", b"0"), kept("content-length", b"1")].concat(), ""),
    ] {
        let mut connection = connect(&server, Some(&leaf), b"h2").await.unwrap();
        let bytes = [opening(&[]), request(0, &block)].concat();
        connection.write_all(&bytes).await.unwrap();
        connection.flush().await.unwrap();
        answered(&mut connection).await;
        let got = users(&world).join(" ");
        if got != heard {
            wrong.push(format!("{what}: {got:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Listens until the first stream is answered or reset, or the connection ends.
async fn answered(connection: &mut (impl AsyncReadExt + Unpin)) {
    let mut said = Vec::new();
    let over = |said: &[u8]| {
        read(said).any(|seen| {
            let ends = seen.is(Kind::Headers) || seen.is(Kind::Reset);
            (seen.stream == stream(0) && ends) || seen.go_away().is_some_and(|code| code != 0)
        })
    };
    while !over(&said) {
        match soon(connection.read_buf(&mut said)).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
    }
}

#[tokio::test]
async fn a_trailer_is_no_header() {
    let (proxies, clients) = authorities();
    let world = World::new();
    world.trust(&proxies, &clients);
    let server = serve(&world, false);
    let leaf = proxies.leaf(&Certificate::default());
    let head = |user: &str| {
        let post = pseudo(&[
            (":method", "POST"),
            (":scheme", "https"),
            (":path", "/apis/g.example.com/v1alpha1/cf"),
        ]);
        if user.is_empty() { post } else { [post, kept("x-remote-user", user.as_bytes())].concat() }
    };
    let trailers = [
        kept("x-remote-user", b"eve"),
        kept("x-remote-group", b"system:masters"),
        kept("authorization", b"Bearer eve"),
    ]
    .concat();
    for (user, heard) in [("carol", "carol"), ("", "")] {
        let mut connection = connect(&server, Some(&leaf), b"h2").await.unwrap();
        let bytes = [
            opening(&[]),
            frame(Kind::Headers, END_HEADERS, stream(0), &head(user)),
            frame(Kind::Data, 0, stream(0), b"{}"),
            frame(Kind::Headers, END_HEADERS | END_STREAM, stream(0), &trailers),
        ];
        connection.write_all(&bytes.concat()).await.unwrap();
        connection.flush().await.unwrap();
        answered(&mut connection).await;
        assert_eq!(users(&world).join(" "), heard);
    }
    assert!(world.solver.asked.lock().unwrap().is_empty());
}
