//! Peers that mean harm, at a small size: each is cut off or refused, and meanwhile others are served. `make hostile`
//! plays them at full size against the program.

use std::time::Duration;

use cert_manager_webhook_cloudflare::server::{Limits, raise_descriptor_limit};
use futures::future::join_all;
use harness::attack::{BodyKind, Flood, HeadKind, Target};
use http::StatusCode;
use tokio::time::timeout;

use super::drain::{Running, Start};
use super::tls::client;
use super::world::{CHALLENGES, World};

/// RFC 9113 §7.
const ENHANCE_YOUR_CALM: Option<u32> = Some(11);

#[tokio::test]
async fn slow_peers_are_cut_off() {
    let besieged = Besieged::start(Limits { handshake: SHORT, header: SHORT, ..Limits::default() });
    let target = &besieged.target;
    // The time limit of a body is the API's; a request may ask for less.
    let path = &format!("{CHALLENGES}?timeout=300ms");
    let slow = (0..20).map(|_| async {
        let (handshake, head, body) = tokio::join!(
            target.slow_handshake(STEP),
            target.slow_head(STEP),
            target.slow_body(path, "bob", STEP),
        );
        (handshake.unwrap(), head.unwrap(), body.unwrap())
    });
    for (_, head, body) in besieged.while_serving(join_all(slow)).await {
        assert_eq!(head.status(), None);
        assert!(body.status().is_some_and(|status| status >= 400), "{}", String::from_utf8_lossy(&body.said));
    }
}

#[tokio::test]
async fn a_peer_that_never_reads_is_cut_off() {
    let besieged = Besieged::start(Limits { unread: SHORT, ..Limits::default() });
    let target = &besieged.target;
    let (asked, pinged) = besieged
        .while_serving(async { tokio::join!(target.never_reads("/apis"), target.deaf_flood(Flood::Ping)) })
        .await;
    // It was heard, until there was no room for its answers.
    assert!(asked.unwrap() > 100);
    assert!(pinged.unwrap() > 100);
}

/// Twice as many as there is room for.
#[tokio::test]
async fn those_who_wait_keep_nobody_out() {
    raise_descriptor_limit();
    // None of them goes by itself.
    let ever = Duration::from_hours(1);
    let limits = Limits { handshake: ever, header: ever, idle: ever, ..Limits::default() };
    let besieged = Besieged::start(limits);
    // This one is known, and keeps its connection throughout.
    let known = client(None);
    besieged.is_served(&known).await;
    let before = besieged.server.connections();
    let target = &besieged.target;
    let silent = join_all((0..1948).map(|_| target.silent())).await;
    let idle = besieged.while_serving(join_all((0..50).map(|_| target.idle_http2()))).await;
    assert!(silent.iter().all(Result::is_ok) && idle.iter().all(Result::is_ok));
    let others = besieged.server.connections() - before;
    besieged.is_served(&known).await;
    assert_eq!(besieged.server.connections() - before, others, "it had to connect anew");
}

#[tokio::test]
async fn a_body_of_a_hundred_megabytes_is_refused_early() {
    let besieged = Besieged::start(Limits::default());
    for kind in [BodyKind::Declared, BodyKind::Chunked] {
        let sent = besieged.target.large_body(kind, CHALLENGES, "bob", 100);
        let fate = besieged.while_serving(sent).await.unwrap();
        assert_eq!(fate.status(), Some(413), "{kind:?}: {}", String::from_utf8_lossy(&fate.said));
        // Three were read; the others are in the buffers of both ends.
        assert!(fate.taken < 50, "{kind:?}: {} MiB were taken", fate.taken);
    }
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let besieged = Besieged::start(Limits::default());
    for kind in [HeadKind::Many, HeadKind::Huge] {
        let fate = besieged.while_serving(besieged.target.large_head(kind)).await.unwrap();
        assert_eq!(fate.status(), Some(431), "{kind:?}: {}", String::from_utf8_lossy(&fate.said));
    }
    let bomb = besieged.while_serving(besieged.target.compressed_bomb(1000)).await.unwrap();
    assert_eq!(bomb.go_away(), ENHANCE_YOUR_CALM, "{bomb:?}");
}

#[tokio::test]
async fn rapid_resets_end_the_connection() {
    let besieged = Besieged::start(Limits::default());
    let fate = besieged.while_serving(besieged.target.rapid_reset("/apis", 10_000)).await.unwrap();
    assert_eq!(fate.go_away(), ENHANCE_YOUR_CALM, "{fate:?}");
    // It never came to be asked whether they may.
    assert!(besieged.world.cluster.seen().iter().all(|(who, _)| who.name == "bob"));
}

#[tokio::test]
async fn floods_of_frames_end_the_connection() {
    let besieged = Besieged::start(Limits::default());
    for flood in [Flood::Continuation, Flood::Data] {
        let fate = besieged.while_serving(besieged.target.flood(flood, 30_000)).await.unwrap();
        assert_eq!(fate.go_away(), ENHANCE_YOUR_CALM, "{flood:?}: {fate:?}");
    }
}

/// A server under attack, and a client that means well.
struct Besieged {
    world: World,
    server: Running,
    target: Target,
}

impl Besieged {
    fn start(limits: Limits) -> Self {
        let world = World::new();
        let server = Running::start(&world, Start { limits, ..Start::default() });
        let target = Target::new(server.direct).unwrap();
        Self { world, server, target }
    }

    /// Waits for an attack to end, while new clients and an old one are served all the time.
    async fn while_serving<T>(&self, attack: impl Future<Output = T>) -> T {
        let old = client(None);
        let serving = async {
            loop {
                self.is_served(&old).await;
                self.is_served(&client(None)).await;
            }
        };
        let result = tokio::select! {
            result = timeout(SOON, attack) => result.expect("the server does not end it"),
            () = serving => unreachable!("it serves for ever"),
        };
        self.is_served(&old).await;
        result
    }

    async fn is_served(&self, client: &reqwest::Client) {
        let answer = client.get(self.server.url("/apis")).bearer_auth("bob").send();
        let answer = timeout(SOON, answer).await.expect("a client has to wait").unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
    }
}

const SHORT: Duration = Duration::from_millis(300);
const STEP: Duration = Duration::from_millis(10);
const SOON: Duration = Duration::from_secs(30);
