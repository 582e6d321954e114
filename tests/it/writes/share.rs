//! Two instances that know nothing of each other, and somebody else, on one account of 1,200 calls in five minutes.

use std::sync::Arc;
use std::time::Duration;

use cert_manager_webhook_cloudflare::challenge::ChallengeRequest;
use cert_manager_webhook_cloudflare::deadline::Deadline;
use cloudflare_emulator::{Emulator, RateLimit, World, ZoneConfig};
use http::{HeaderMap, Method};
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::cloud::{Cloud, Process};

/// Challenges in so many zones that hardly two changes can share a call.
#[test]
fn two_instances_and_a_foreign_client_are_never_locked_out() {
    super::on_paused_time(async {
        let zones: Vec<_> = (0..ZONES).map(|number| format!("z{number}.example")).collect();
        let names: Vec<_> = zones.iter().map(String::as_str).collect();
        let world = World {
            latency_ms: 60,
            propagation_ms: 1_500,
            rate_limit: Some(RateLimit { per_ip_per_second: None, ..RateLimit::default() }),
            ..World::default()
        };
        let world = zones.iter().fold(world, |world, zone| world.with_zone(ZoneConfig::new(zone)));
        let cloud = Cloud::new(Emulator::detached(&world.token(TOKEN, &names)).unwrap());
        let processes = [cloud.process(), cloud.process()];

        let begun = Instant::now();
        let mut running = JoinSet::new();
        for number in 0..CHALLENGES {
            let process = Arc::clone(&processes[number % 2]);
            let host = format!("n{number}.{}", zones[number % ZONES]);
            running.spawn(async move {
                sleep(SPREAD * u32::try_from(number).unwrap() / u32::try_from(CHALLENGES).unwrap()).await;
                until_done(&process, &host, number, "Present").await;
                until_done(&process, &host, number, "CleanUp").await;
            });
        }
        let mut foreign = JoinSet::new();
        foreign.spawn(somebody_else(cloud.clone()));
        while let Some(ended) = running.join_next().await {
            ended.unwrap();
        }
        foreign.join_all().await;

        let stats = cloud.emulator.stats();
        assert_eq!(stats.answers_by_status.get("429"), None, "{stats:?}");
        let ours = stats.api_calls - FOREIGN_CALLS;
        assert!(ours >= 900, "no more than {ours} calls: the test is too easy");
        assert!(begun.elapsed() < Duration::from_mins(8), "{:?}", begun.elapsed());
        assert_eq!(cloud.standing(&names), []);
    });
}

/// As cert-manager asks: again after a failure.
async fn until_done(process: &Process, host: &str, number: usize, action: &str) {
    let request = || ChallengeRequest {
        action: action.to_owned(),
        dns_name: host.to_owned(),
        key: format!("{number:043}"),
        resource_namespace: "cert-manager".to_owned(),
        resolved_fqdn: format!("_acme-challenge.{host}."),
        config: Some(json!({ "apiTokenSecretRef": { "name": TOKEN, "key": "token" } })),
        ..ChallengeRequest::default()
    };
    while process.answer(request(), Deadline::within(Duration::from_secs(45))).await.is_err() {
        sleep(Duration::from_secs(5)).await;
    }
}

/// Evenly, without a look at anything.
async fn somebody_else(cloud: Cloud) {
    for _ in 0..FOREIGN_CALLS {
        let headers =
            HeaderMap::from_iter([(http::header::AUTHORIZATION, format!("Bearer {TOKEN}").parse().unwrap())]);
        cloud.emulator.call(&Method::GET, "/zones?per_page=50", headers, Vec::new()).await;
        sleep(SPREAD / u32::try_from(FOREIGN_CALLS).unwrap()).await;
    }
}

const TOKEN: &str = "token-of-the-only-user-0123456789-0123456789-01";
const ZONES: usize = 60;
const CHALLENGES: usize = 480;
const FOREIGN_CALLS: u64 = 250;
const SPREAD: Duration = Duration::from_secs(280);
