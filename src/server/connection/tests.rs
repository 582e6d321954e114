//! A connection without a socket, on a clock that stands still until everybody waits.

use axum::routing::get;
use harness::attack::frames::{self, INITIAL_WINDOW, Kind};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{Duration, Instant, sleep, timeout};

use super::*;

#[tokio::test(start_paused = true)]
async fn a_head_that_does_not_end_is_not_waited_for() {
    let mut world = World::new();
    for said in ["", "G", "GET / HTTP/1.1\r\nhost: x\r\n"] {
        let mut client = world.http1();
        client.write_all(said.as_bytes()).await.unwrap();
        assert_eq!(world.ends_after(&mut client).await, world.context.limits.header, "{said:?}");
    }
    // A drop now and then does not help.
    let mut client = world.http1();
    let dripping = async {
        for _ in 0..1000 {
            sleep(Duration::from_secs(1)).await;
            if client.write_all(b"x").await.is_err() {
                break;
            }
        }
    };
    let begun = Instant::now();
    dripping.await;
    assert!(begun.elapsed() <= world.context.limits.header + Duration::from_secs(1), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn between_two_requests_there_is_more_time_and_in_the_second_head_there_is_not() {
    let mut world = World::new();
    let mut client = world.http1();
    world.ask(&mut client, "/").await;
    assert_eq!(world.ends_after(&mut client).await, world.context.limits.idle);

    let mut client = world.http1();
    world.ask(&mut client, "/").await;
    sleep(Duration::from_secs(100)).await;
    client.write_all(b"G").await.unwrap();
    assert_eq!(world.ends_after(&mut client).await, world.context.limits.header);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_nobody_reads_ends_the_connection() {
    let mut world = World::new();
    let mut client = world.http1();
    client.write_all(b"GET /large HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    world.ended_in(world.context.limits.unread).await;

    let mut client = world.http2();
    let mut said = frames::opening(&[(INITIAL_WINDOW, 0)]);
    said.extend(frames::request(0, &frames::get("/")));
    client.write_all(&said).await.unwrap();
    // It is read, and no window is ever opened.
    assert_eq!(world.ends_after(&mut client).await, world.context.limits.unread);
}

#[tokio::test(start_paused = true)]
async fn a_request_may_take_its_time() {
    let mut world = World::new();
    let mut client = world.http1();
    client.write_all(b"GET /wait HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    sleep(Duration::from_mins(4)).await;
    world.go.notify_one();
    assert!(world.answer(&mut client).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test(start_paused = true)]
async fn an_old_connection_of_http1_is_told_so_with_an_answer() {
    let mut world = World::new();
    let mut client = world.http1();
    let age = world.context.limits.age_of(world.count);
    let begun = Instant::now();
    while begun.elapsed() < age {
        let answer = world.ask(&mut client, "/").await;
        assert!(!answer.contains("connection: close"), "{:?}: {answer}", begun.elapsed());
        sleep(Duration::from_mins(1)).await;
    }
    assert!(world.ask(&mut client, "/").await.contains("connection: close"));
    assert_eq!(world.ends_after(&mut client).await, Duration::ZERO);
}

/// The request in flight is answered all the same.
#[tokio::test(start_paused = true)]
async fn an_old_connection_of_http2_takes_no_further_request() {
    let mut world = World::new();
    let mut client = world.http2();
    let age = world.context.limits.age_of(world.count);
    client.write_all(&frames::opening(&[])).await.unwrap();
    let begun = Instant::now();
    let mut number = 0;
    while begun.elapsed() + Duration::from_mins(1) < age {
        client.write_all(&frames::request(number, &frames::get("/"))).await.unwrap();
        number += 1;
        sleep(Duration::from_mins(1)).await;
    }
    client.write_all(&frames::request(number, &frames::get("/wait"))).await.unwrap();
    sleep(Duration::from_mins(2)).await;
    let mut said = world.said(&mut client).await;
    assert!(frames::read(&said).any(|frame| frame.is(Kind::GoAway)));
    world.go.notify_one();
    client.read_to_end(&mut said).await.unwrap();
    let answered = frames::read(&said).find(|frame| frame.stream == frames::stream(number)).unwrap();
    assert!(answered.is(Kind::Headers), "{answered:?}");
    assert!(frames::read(&said).filter_map(|frame| frame.go_away()).all(|code| code == 0));
}

#[tokio::test(start_paused = true)]
async fn who_gives_up_every_request_is_sent_away() {
    let mut world = World::new();
    let mut client = world.http2();
    client.write_all(&frames::opening(&[])).await.unwrap();
    let mut number = 0;
    let mut said = Vec::new();
    while frames::read(&said).all(|frame| !frame.is(Kind::GoAway)) {
        assert!(number <= u32::try_from(MAX_RESETS).unwrap());
        // Slowly: the request is being answered when it is reset.
        client.write_all(&frames::request(number, &frames::get("/wait"))).await.unwrap();
        sleep(Duration::from_millis(1)).await;
        client.write_all(&frames::reset(number)).await.unwrap();
        sleep(Duration::from_millis(1)).await;
        said.extend(world.said(&mut client).await);
        number += 1;
    }
    assert_eq!(number, u32::try_from(MAX_RESETS).unwrap());
    assert!(world.ends_after(&mut client).await <= Duration::from_secs(5));
}

#[tokio::test(start_paused = true)]
async fn a_body_that_nobody_has_read_is_in_the_way_of_no_request() {
    let mut world = World::new();
    let smuggled = "GET / HTTP/1.1\r\nhost: x\r\n\r\n";
    let sized = |times: usize| {
        let length = smuggled.len() * times;
        format!("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n{}", smuggled.repeat(times))
    };
    let chunked = "POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n";
    // What is short is read away, the last one for a request of its own.
    for short in [sized(20), format!("{chunked}3\r\nabc\r\n0\r\n\r\n")] {
        let mut client = world.http1();
        client.write_all(format!("{short}{smuggled}").as_bytes()).await.unwrap();
        let said = world.answers(&mut client).await;
        assert!(said.starts_with("HTTP/1.1 405") && !said.contains("connection: close"), "{said}");
        assert_eq!(said.matches("HTTP/1.1 200").count(), 1, "{said}");
    }
    // What is long, late or broken ends the connection.
    let late = format!("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 999\r\n\r\n{smuggled}");
    let expected = "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\nexpect: 100-continue\r\n\r\n";
    for refused in [sized(20_000), late, expected.to_owned(), format!("{chunked}zz\r\n{smuggled}")] {
        let mut client = world.http1();
        let (mut read, mut write) = tokio::io::split(&mut client);
        let mut said = Vec::new();
        let (_, read) = tokio::join!(write.write_all(refused.as_bytes()), read.read_to_end(&mut said));
        read.unwrap();
        let said = String::from_utf8(said).unwrap();
        assert!(said.starts_with("HTTP/1.1 405") && said.contains("connection: close"), "{said}");
        assert_eq!(said.matches("HTTP/1.1").count(), 1, "{said}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_head_that_can_be_read_in_two_ways_ends_the_connection() {
    let mut world = World::new();
    for head in [
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: x\r\nhost: y\r\n\r\n",
        "POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "GET healthz HTTP/1.1\r\nhost: x\r\n\r\n",
    ] {
        let mut client = world.http1();
        client.write_all(format!("{head}GET / HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes()).await.unwrap();
        let mut said = String::new();
        client.read_to_string(&mut said).await.unwrap();
        assert!(said.starts_with("HTTP/1.1 400") || said.starts_with("HTTP/1.1 501"), "{said}");
        assert_eq!(said.matches("HTTP/1.1").count(), 1, "{said}");
    }
}

/// Connections one after the other, all of them to the same three pages.
struct World {
    context: Arc<Context>,
    go: Arc<Notify>,
    count: u32,
    served: Option<JoinHandle<()>>,
}

impl World {
    fn new() -> Self {
        let go = Arc::new(Notify::new());
        let waits = Arc::clone(&go);
        let router = Router::new()
            .route("/", get(|| async { "here" }))
            .route("/large", get(|| async { "x".repeat(1 << 20) }))
            .route("/wait", get(move || async move { waits.notified().await }));
        let aborting = CancellationToken::new();
        let context = Arc::new(Context {
            router,
            acceptor: None,
            limits: Limits::default(),
            roster: Roster::new(1, aborting.clone()),
            closing: CancellationToken::new(),
            aborting,
            tasks: TaskTracker::new(),
        });
        Self { context, go, count: 0, served: None }
    }

    fn http1(&mut self) -> DuplexStream {
        self.connect(false)
    }

    fn http2(&mut self) -> DuplexStream {
        self.connect(true)
    }

    fn connect(&mut self, h2: bool) -> DuplexStream {
        let (client, server) = duplex(64 * 1024);
        self.count += 1;
        let peer = Peer { certificates: PeerCertificates::default(), h2, number: self.count };
        let context = Arc::clone(&self.context);
        self.served = Some(self.context.tasks.spawn(async move {
            let place = context.roster.enter().await.unwrap();
            speak(server, peer, place, &context).await;
        }));
        client
    }

    async fn ask(&self, client: &mut DuplexStream, path: &str) -> String {
        client.write_all(format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes()).await.unwrap();
        self.answer(client).await
    }

    /// All that the server has to say for now.
    async fn answers(&self, client: &mut DuplexStream) -> String {
        let mut said = String::new();
        while let answer = self.answer(client).await
            && !answer.is_empty()
        {
            said.push_str(&answer);
        }
        said
    }

    async fn answer(&self, client: &mut DuplexStream) -> String {
        String::from_utf8(self.said(client).await).unwrap()
    }

    /// What the server has to say for now.
    async fn said(&self, client: &mut DuplexStream) -> Vec<u8> {
        let mut bytes = vec![0; 64 * 1024];
        let length =
            timeout(Duration::from_millis(1), client.read(&mut bytes)).await.map_or(0, Result::unwrap);
        bytes.truncate(length);
        bytes
    }

    /// How long the server keeps the connection, which is read meanwhile.
    async fn ends_after(&mut self, client: &mut DuplexStream) -> Duration {
        let begun = Instant::now();
        client.read_to_end(&mut Vec::new()).await.unwrap();
        self.served.take().unwrap().await.unwrap();
        begun.elapsed()
    }

    /// The same for one that is not read.
    async fn ended_in(&mut self, limit: Duration) {
        let begun = Instant::now();
        self.served.take().unwrap().await.unwrap();
        assert_eq!(begun.elapsed(), limit);
    }
}
