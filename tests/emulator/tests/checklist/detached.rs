//! The emulator without sockets, as tests with many schedules use it: same answers, same faults, paused time.

use std::time::Duration;

use cloudflare_emulator::{Action, Emulator, Fault, Heard};
use http::{HeaderMap, Method, Response};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::support::{EVERYTHING, txt, world};

struct Client {
    emulator: Emulator,
    records: String,
}

impl Client {
    fn new(latency_ms: u64) -> Self {
        let mut world = world();
        world.latency_ms = latency_ms;
        let emulator = Emulator::detached(&world).unwrap();
        let records = format!("/zones/{}/dns_records", emulator.zone_id("example.com").unwrap());
        Self { emulator, records }
    }

    async fn call(&self, method: Method, target: &str, body: &Value) -> Heard {
        let mut headers = HeaderMap::new();
        headers.insert("authorization", format!("Bearer {EVERYTHING}").parse().unwrap());
        self.emulator.call(&method, target, headers, body.to_string().into_bytes()).await
    }

    async fn post(&self, name: &str) -> Heard {
        self.call(Method::POST, &self.records, &txt(name, "\"1\"")).await
    }

    fn names(&self) -> Vec<String> {
        self.emulator.records("example.com").into_iter().map(|record| record.name).collect()
    }
}

fn answer(heard: Heard) -> Response<Vec<u8>> {
    let Heard::Answer(answer) = heard else { panic!("{heard:?}") };
    answer
}

#[tokio::test(start_paused = true)]
async fn a_call_takes_its_latency_and_has_its_effect_halfway() {
    let client = Client::new(60);
    let begun = Instant::now();
    let posted = answer(client.post("a").await);
    assert_eq!(begun.elapsed(), Duration::from_millis(60));
    assert_eq!(
        (posted.status().as_u16(), &posted.headers()["content-type"]),
        (200, &"application/json".parse().unwrap())
    );
    assert!(posted.headers().contains_key("ratelimit") && posted.headers().contains_key("cf-ray"));
    let posted: Value = serde_json::from_slice(posted.body()).unwrap();
    assert_eq!(posted["result"]["name"], "a.example.com");
    assert!(client.emulator.serves_everywhere("a.example.com", "1"));

    let listed = answer(client.call(Method::GET, &format!("{}?type=TXT", client.records), &json!({})).await);
    let listed: Value = serde_json::from_slice(listed.body()).unwrap();
    assert_eq!(listed["result_info"]["total_count"], 1);
    assert_eq!(client.emulator.stats().api_calls, 2);
    assert_eq!(answer(client.call(Method::GET, "/nowhere", &json!({})).await).status(), 404);

    // A client that goes away: before the effect there is none, after it there is.
    for (leaves_at, names) in [(29, 1), (31, 2)] {
        let name = format!("left-at-{leaves_at}");
        let left = tokio::time::timeout(Duration::from_millis(leaves_at), client.post(&name)).await;
        assert!(left.is_err());
        assert_eq!(client.names().len(), names);
    }
}

#[tokio::test(start_paused = true)]
async fn faults_are_heard_as_faults() {
    let client = Client::new(0);
    for action in [Action::ResetBefore, Action::ResetAfter, Action::Cut, Action::Slow { ms: 5000 }] {
        client.emulator.add_fault(Fault::new(action).on("POST", "dns_records$").times(1));
    }
    assert!(matches!(client.post("before").await, Heard::Reset));
    assert!(matches!(client.post("after").await, Heard::Reset));
    let Heard::Cut(half) = client.post("cut").await else { panic!("not cut") };
    assert!(serde_json::from_slice::<Value>(half.body()).is_err() && !half.body().is_empty());
    let begun = Instant::now();
    answer(client.post("slow").await);
    assert_eq!(begun.elapsed(), Duration::from_secs(5));
    assert_eq!(client.names(), ["after.example.com", "cut.example.com", "slow.example.com"]);
}
