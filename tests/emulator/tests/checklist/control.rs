//! The control interface and the program, as tests in other languages use them.

use std::process::{Command, Stdio};
use std::time::Duration;

use cloudflare_emulator::{Ready, Stats, World};
use serde_json::{Value, json};

use crate::support::{Lab, txt, world};

async fn control(url: &str, method: &str, body: Option<Value>) -> (u16, Value) {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut request = client.request(method.parse().unwrap(), url);
    if let Some(body) = body {
        request = request.json(&body);
    }
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

#[tokio::test]
async fn everything_can_be_asked_and_changed() {
    let lab = Lab::new(world()).await;
    let url = |path: &str| format!("{}{path}", lab.emulator.control_url());
    let patch = json!({"propagation_ms": 3_600_000, "rate_limit": {"requests": 100}});
    let (status, settings) = control(&url("/settings"), "PATCH", Some(patch)).await;
    assert_eq!((status, &settings["rate_limit"]["window_seconds"]), (200, &json!(300)));
    assert_eq!(control(&url("/settings"), "PATCH", Some(json!({"typo": 1}))).await.0, 400);

    lab.create(txt("a", "\"1\"")).await;
    let (_, records) = control(&url("/records?zone=example.com"), "GET", None).await;
    assert_eq!(records[0]["name"], "a.example.com");
    let visible = url("/visible?name=a.example.com&type=TXT");
    assert_eq!(control(&visible, "GET", None).await.1[0]["rcode"], "NXDOMAIN");
    control(&url("/publish?server=127.0.0.2"), "POST", None).await;
    let (_, seen) = control(&visible, "GET", None).await;
    assert_eq!((&seen[0]["answers"], &seen[1]["answers"]), (&json!(["1"]), &json!([])));

    let fault = json!({"match": {"method": "GET", "path_regex": "/zones"}, "times": 1,
        "action": {"kind": "status", "status": 502, "body": "html"}});
    let (_, faults) = control(&url("/faults"), "POST", Some(json!([fault]))).await;
    assert_eq!(faults.as_array().unwrap().len(), 1);
    assert_eq!(lab.api().get("/zones").await.status, 502);

    let counts: Stats = serde_json::from_value(control(&url("/stats"), "GET", None).await.1).unwrap();
    assert_eq!((counts.api_calls, counts.api_calls_by_endpoint["POST /zones/:id/dns_records"]), (2, 1));
    assert_eq!((counts.answers_by_status["502"], counts.rate_limit_left["user:a1"]), (1, 99));
    let (_, events) = control(&url("/timeline"), "GET", None).await;
    let kinds: Vec<_> =
        events.as_array().unwrap().iter().map(|event| event["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["api", "written", "visible", "api"]);

    let record = json!({"zone": "example.com", "type": "TXT", "name": "b", "content": "\"2\""});
    let (_, added) = control(&url("/records"), "POST", Some(record)).await;
    assert!(lab.emulator.serves_everywhere("b.example.com", "2"));
    let gone = url(&format!("/records?id={}", added["id"].as_str().unwrap()));
    assert_eq!(control(&gone, "DELETE", None).await.0, 200);
    assert_eq!(lab.emulator.records("example.com").len(), 1);

    let pending =
        json!({"name": "example.com", "status": "pending", "delegated_to": ["ns.elsewhere.example"]});
    control(&url("/zones"), "PATCH", Some(pending)).await;
    assert_eq!(lab.api().get("/zones?status=pending").await.ok()[0]["name"], "example.com");
    let token = json!({"value": "second", "permissions": ["dns:read"]});
    control(&url("/tokens"), "PUT", Some(token)).await;
    lab.token("second").get(&lab.records("")).await.ok();
    control(&url("/tokens?value=second"), "DELETE", None).await;
    assert_eq!(lab.token("second").get(&lab.records("")).await.status, 403);

    control(&url("/resolver/flush"), "POST", None).await;
    control(&url("/stats/reset"), "POST", None).await;
    assert_eq!(lab.emulator.stats().api_calls, 0);
    assert_eq!(control(&url("/nothing"), "GET", None).await.0, 404);
    assert_eq!(control(&url("/records?zone=nowhere"), "GET", None).await.0, 400);
}

#[tokio::test]
async fn the_program_says_where_it_listens() {
    let directory = std::env::temp_dir().join(format!("cloudflare-emulator-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let (world, ready) = (directory.join("world.json"), directory.join("ready.json"));
    let text = json!({
        "zones": [{"name": "example.com"}],
        "tokens": [{"value": "tok", "zones": ["example.com"], "permissions": ["dns:edit"]}],
        "kubernetes": {"anything": true},
    });
    std::fs::write(&world, text.to_string()).unwrap();
    let mut program = Command::new(env!("CARGO_BIN_EXE_emulator"))
        .args(["--world".as_ref(), world.as_os_str(), "--ready-file".as_ref(), ready.as_os_str()])
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let ready: Ready = loop {
        match std::fs::read(&ready) {
            Ok(text) => break serde_json::from_slice(&text).unwrap(),
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
        assert!(program.try_wait().unwrap().is_none(), "it has to go on running");
    };
    let stats = control(&format!("{}/stats", ready.control), "GET", None).await;
    assert_eq!(stats.0, 200);
    assert_eq!(ready.zones["example.com"], cloudflare_emulator::derived_id("zone:example.com"));
    assert!(ready.api.ends_with("/client/v4"));
    program.kill().unwrap();
    program.wait().unwrap();
    std::fs::remove_dir_all(&directory).unwrap();
}

#[test]
fn a_world_with_a_typo_is_refused() {
    assert!(serde_json::from_value::<World>(json!({"zone": []})).is_err());
    assert!(
        serde_json::from_value::<World>(json!({"zones": [{"name": "a.example", "plam": "free"}]})).is_err()
    );
}
