//! E80 to E84: limits and faults.

use std::time::Duration;

use cloudflare_emulator::{Action, Fault, FaultBody, RateLimit};
use serde_json::json;
use tokio::time::Instant;

use crate::support::{DNS_EDIT, DNS_READ, EVERYTHING, Lab, pass, txt, values, world};

#[tokio::test]
async fn e80_calls_of_a_user() {
    let mut limited = world();
    limited.rate_limit = Some(RateLimit { requests: 5, ..RateLimit::default() });
    let lab = Lab::new(limited).await;
    // All tokens of the user share the limit.
    for token in [EVERYTHING, DNS_READ, DNS_EDIT, EVERYTHING, EVERYTHING] {
        lab.token(token).get(&lab.records("")).await.ok();
    }
    let message = "More than 5 requests per 300 seconds reached. Please wait and consider throttling your request speed";
    for _ in 0..2 {
        let refused = lab.token(DNS_EDIT).get(&lab.records("")).await;
        refused.fails(429, 10100, message);
        let wait: u64 = refused.header("retry-after").parse().unwrap();
        assert!((290..=300).contains(&wait), "{wait}");
        assert!(refused.header("ratelimit").starts_with("\"default\";r=0;t="));
    }
    lab.emulator.change(|settings| settings.rate_limit.as_mut().unwrap().code = 971);
    let refused = lab.api().get("/zones").await;
    refused.fails(429, 971, "Please wait and consider throttling your request speed");
    assert_eq!(refused.text.len(), 136, "as long as the one that was seen");
    pass(Duration::from_secs(290)).await;
    assert_eq!(lab.api().get("/zones").await.status, 429, "blocked to the end");
    pass(Duration::from_secs(10)).await;
    lab.api().get("/zones").await.ok();
}

#[tokio::test]
async fn e81_calls_from_an_address() {
    let mut limited = world();
    limited.rate_limit = Some(RateLimit { per_ip_per_second: Some(3), ..RateLimit::default() });
    let lab = Lab::new(limited).await;
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(lab.api().get("/zones").await);
    }
    statuses.pop().unwrap().fails(429, 971, "Please wait");
    assert!(statuses.iter().all(|reply| reply.status == 200));
    pass(Duration::from_secs(1)).await;
    lab.api().get("/zones").await.ok();
}

#[tokio::test]
async fn e82_faults_of_edge_and_network() {
    let lab = Lab::new(world()).await;
    let fault = |action| {
        assert!(lab.emulator.add_fault(Fault::new(action).on("POST", "dns_records$").times(1)));
    };
    let post =
        || async { lab.api().try_send("POST", &lab.records(""), Some(txt("a", "\"1\"").to_string())).await };
    let status = |status, body| Action::Status { status, body, apply: false };

    fault(status(500, FaultBody::Json));
    let reply = post().await.unwrap();
    assert_eq!((reply.status, &reply.json["success"]), (500, &json!(false)));
    for code in [502, 520, 522, 524, 200] {
        fault(status(code, FaultBody::Html));
        let reply = post().await.unwrap();
        assert_eq!((reply.status, reply.header("content-type")), (code, "text/html; charset=UTF-8"));
        assert!(reply.text.starts_with("<!DOCTYPE html>") && reply.text.trim_end().ends_with("</html>"));
    }
    fault(status(503, FaultBody::Empty));
    let reply = post().await.unwrap();
    assert_eq!((reply.status, reply.text.as_str()), (503, ""));
    fault(status(403, FaultBody::Text("error code: 1020".to_owned())));
    assert_eq!(post().await.unwrap().text, "error code: 1020");
    fault(Action::Redirect { status: 302, location: "https://example.net/".to_owned() });
    let reply = post().await.unwrap();
    assert_eq!((reply.status, reply.header("location")), (302, "https://example.net/"));
    fault(Action::RateLimited { retry_after: Some(7), code: Some(971) });
    let reply = post().await.unwrap();
    assert_eq!((reply.status, reply.header("retry-after")), (429, "7"));
    fault(Action::ResetBefore);
    assert!(post().await.is_err());
    assert!(lab.emulator.records("example.com").is_empty(), "nothing so far was applied");

    fault(Action::Cut);
    assert!(post().await.is_err());
    assert_eq!(lab.emulator.records("example.com").len(), 1, "applied, only its answer was cut");
    fault(Action::Slow { ms: 200 });
    let started = Instant::now();
    assert_eq!(post().await.unwrap().json["errors"][0]["code"], 81058);
    assert!(started.elapsed() >= Duration::from_millis(200));

    // Others are not harmed, and skipped calls pass.
    lab.emulator.add_fault(Fault { skip: 1, ..Fault::new(Action::ResetAfter).on("GET", "/zones$").times(1) });
    lab.api().get(&lab.records("")).await.ok();
    lab.api().get("/zones").await.ok();
    assert!(lab.api().try_send("GET", "/zones", None).await.is_err());
    lab.api().get("/zones").await.ok();
    assert!(!lab.emulator.add_fault(Fault::new(Action::Cut).on("GET", "(")), "no pattern");
}

#[tokio::test]
async fn e83_lost_reply() {
    let lab = Lab::new(world()).await;
    for (name, action) in [("a", Action::ResetAfter), ("b", Action::Cut)] {
        lab.emulator.add_fault(Fault::new(action).on("POST", "dns_records").times(1));
        let body = txt(name, "\"1\"");
        let lost = lab.api().try_send("POST", &lab.records(""), Some(body.to_string())).await;
        assert!(lost.is_err(), "{name}");
        assert_eq!(values(&lab.dig(&format!("{name}.example.com"), "TXT").await), ["1"]);
        let again = lab.api().post(&lab.records(""), body).await;
        again.fails(400, 81058, "An identical record already exists.");
    }
    assert_eq!(lab.emulator.stats().answers_by_status["reset"], 1);
}

#[tokio::test]
async fn e84_a_5xx_applies_only_when_told_so() {
    let lab = Lab::new(world()).await;
    for apply in [false, true] {
        let action = Action::Status { status: 502, body: FaultBody::Html, apply };
        lab.emulator.add_fault(Fault::new(action).on("POST", "").times(1));
        let reply = lab.api().post(&lab.records(""), txt("a", "\"1\"")).await;
        assert_eq!(reply.status, 502);
        assert_eq!(lab.emulator.records("example.com").len(), usize::from(apply));
    }
}

#[tokio::test]
async fn e83_some_replies_are_lost() {
    let lab = Lab::new(world()).await;
    let lost = async |count: u32| {
        let mut lost = Vec::new();
        for number in 0..count {
            let body = txt(&format!("n{number}"), &format!("\"{count}\""));
            let posts = json!({"posts": [body]}).to_string();
            lost.push(lab.api().try_send("POST", &lab.records("/batch"), Some(posts)).await.is_err());
        }
        lost
    };
    let reset = || Fault::new(Action::ResetAfter).on("POST", "/batch$");
    lab.emulator.add_fault(Fault { skip: 1, ..reset().every(2) });
    assert_eq!(lost(6).await, [false, true, false, true, false, true]);
    assert_eq!(lab.emulator.records("example.com").len(), 6, "all were applied");
    lab.emulator.clear_faults();
    lab.emulator.add_fault(reset().percent(50));
    let by_chance = lost(40).await.into_iter().filter(|lost| *lost).count();
    assert!((8..=32).contains(&by_chance), "{by_chance} of 40");
    lab.emulator.clear_faults();
    lab.emulator.add_fault(reset().percent(0));
    assert_eq!(lost(2).await, [false, false]);
}

#[tokio::test]
async fn e02_faults_tell_the_truth_about_the_budget() {
    let mut limited = world();
    limited.rate_limit = Some(RateLimit::default());
    let lab = Lab::new(limited).await;
    for _ in 0..3 {
        lab.api().get("/zones").await.ok();
    }
    let message = "Internal error".to_owned();
    let error = Action::Error { status: 500, code: 10500, message };
    let limit = Action::RateLimited { retry_after: Some(7), code: None };
    for (action, left) in [(error, "\"default\";r=1197;t=29"), (limit, "\"default\";r=0;t=7")] {
        lab.emulator.add_fault(Fault::new(action).on("GET", "/zones$").times(1));
        let reply = lab.api().get("/zones").await;
        assert!(reply.header("ratelimit").starts_with(left), "{}", reply.header("ratelimit"));
    }
    assert_eq!(lab.emulator.stats().rate_limit_lowest["user:a1"], 1197);
    lab.emulator.reset_stats();
    assert!(lab.emulator.stats().rate_limit_lowest.is_empty());
}
