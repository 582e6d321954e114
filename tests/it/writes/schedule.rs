//! A schedule: challenges that are presented, presented again, cleaned up and cleaned up again, by one process or another.

use std::sync::Arc;
use std::time::Duration;

use cert_manager_webhook_cloudflare::challenge::ChallengeRequest;
use cert_manager_webhook_cloudflare::deadline::Deadline;
use cloudflare_emulator::{Emulator, RateLimit, RecordConfig, World, ZoneConfig};
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::cloud::{Cloud, Process};
use super::random::Random;

/// Plays the schedule that follows from the seed; panics if something else stands in the end than must.
pub(crate) async fn play(seed: u64) {
    let mut random = Random::new(seed);
    let challenges: Vec<_> =
        (0..=random.below(11)).map(|number| Challenge::draw(number, &mut random)).collect();
    let cloud = Cloud::new(Emulator::detached(&world(&challenges, &mut random)).unwrap());
    let percent = *random.pick(&[0, 5, 20, 50]);
    cloud.trouble(random.fork(), percent);
    let processes: Vec<_> = (0..=random.below(2)).map(|_| cloud.process()).collect();

    let mut running = JoinSet::new();
    for challenge in challenges.clone() {
        let player =
            Player { random: random.fork(), processes: processes.clone(), cloud: cloud.clone(), challenge };
        running.spawn(player.play());
    }
    let calm = async {
        sleep(TROUBLE).await;
        cloud.calm();
        std::future::pending::<()>().await;
    };
    let ended = async {
        while let Some(ended) = running.join_next().await {
            ended.unwrap();
        }
    };
    let ended = timeout(PATIENCE, ended);
    tokio::select! {
        () = calm => {}
        ended = ended => ended.unwrap_or_else(|_| panic!("seed {seed}: some have not ended")),
    }
    // What nobody waits for any more ends, too.
    cloud.calm();
    sleep(Duration::from_mins(2)).await;
    let mut expected: Vec<_> = challenges.iter().filter(|c| c.stands).map(Challenge::record).collect();
    expected.push((FOREIGN.0.to_owned(), FOREIGN.1.to_owned()));
    expected.sort();
    assert_eq!(cloud.standing(&ZONES), expected, "seed {seed}");
    assert!(
        processes.iter().all(|process| process.records_left() == 0),
        "seed {seed}: a record was given up"
    );
}

/// What is asked for one value.
#[derive(Debug, Clone)]
struct Challenge {
    zone: &'static str,
    host: &'static str,
    token: &'static str,
    value: String,
    /// Whether its record must stand in the end.
    stands: bool,
    /// Whether somebody made it by hand before.
    is_there: bool,
}

impl Challenge {
    fn draw(number: u64, random: &mut Random) -> Self {
        Self {
            zone: *random.pick(&ZONES),
            host: *random.pick(&["", "a.", "b.", "c.", "d."]),
            token: *random.pick(&TOKENS),
            value: format!("{number:043}"),
            stands: random.percent(40),
            is_there: random.percent(10),
        }
    }

    fn dns_name(&self) -> String {
        format!("{}{}", self.host, self.zone)
    }

    fn record(&self) -> (String, String) {
        (format!("_acme-challenge.{}", self.dns_name()), self.value.clone())
    }

    fn request(&self, action: &str) -> ChallengeRequest {
        ChallengeRequest {
            action: action.to_owned(),
            dns_name: self.dns_name(),
            key: self.value.clone(),
            resource_namespace: "cert-manager".to_owned(),
            resolved_fqdn: format!("{}.", self.record().0),
            config: Some(json!({ "apiTokenSecretRef": { "name": self.token, "key": "token" } })),
            ..ChallengeRequest::default()
        }
    }
}

/// Plays cert-manager for one challenge.
struct Player {
    random: Random,
    processes: Vec<Arc<Process>>,
    cloud: Cloud,
    challenge: Challenge,
}

impl Player {
    async fn play(mut self) {
        sleep(self.random.millis(0, 20_000)).await;
        let lives = if self.random.percent(15) { 2 } else { 1 };
        for life in 1..=lives {
            let goes = !self.challenge.stands || life < lives;
            let under_way = self.present(goes).await;
            if self.random.percent(10) {
                self.cloud.remove(self.challenge.zone, &self.challenge.record());
                if !goes {
                    // Once it is not served any more, cert-manager asks again.
                    sleep(Duration::from_secs(5)).await;
                    self.present(false).await;
                }
            }
            if goes {
                self.clean_up().await;
            }
            drop(under_way);
        }
    }

    /// Until it succeeds; if it is to go, perhaps not so long. Returns what still runs.
    async fn present(&mut self, goes: bool) -> JoinSet<bool> {
        loop {
            let process = Arc::clone(self.random.pick(&self.processes));
            // Requests that meet are asked of one process: two that know nothing of each other can't keep an order.
            let together = if self.random.percent(15) { 2 } else { 1 };
            let mut running = JoinSet::new();
            for _ in 0..together {
                let request = self.challenge.request("Present");
                let deadline = self.deadline();
                let process = Arc::clone(&process);
                running.spawn(async move { process.answer(request, deadline).await.is_ok() });
            }
            if goes && self.random.percent(25) {
                sleep(self.random.millis(1, 3_000)).await;
                self.processes = vec![process];
                return running;
            }
            let mut is_presented = true;
            while let Some(answer) = running.join_next().await {
                is_presented &= answer.unwrap();
            }
            if is_presented || (goes && self.random.percent(20)) {
                return running;
            }
            sleep(self.random.millis(500, 10_000)).await;
        }
    }

    /// Until it succeeds, and perhaps once more.
    async fn clean_up(&mut self) {
        let mut again = self.random.percent(15);
        loop {
            let process = Arc::clone(self.random.pick(&self.processes));
            let request = self.challenge.request("CleanUp");
            if process.answer(request, self.deadline()).await.is_ok() && !std::mem::take(&mut again) {
                return;
            }
            sleep(self.random.millis(500, 10_000)).await;
        }
    }

    fn deadline(&mut self) -> Deadline {
        let hurried = self.random.percent(20);
        Deadline::within(if hurried { self.random.millis(10, 5_000) } else { Duration::from_secs(45) })
    }
}

fn world(challenges: &[Challenge], random: &mut Random) -> World {
    let mut world = World {
        latency_ms: 60,
        propagation_ms: *random.pick(&[0, 1_500]),
        propagation_jitter_ms: 500,
        rate_limit: random.percent(50).then(RateLimit::default),
        ..World::default()
    };
    world.switches.bare_delete = random.percent(10);
    for zone in ZONES {
        world =
            world.with_zone(ZoneConfig { record_quota: quota(challenges, random), ..ZoneConfig::new(zone) });
    }
    for token in TOKENS {
        world = world.token(token, &ZONES);
    }
    world.records.extend(challenges.iter().filter(|challenge| challenge.is_there).map(by_hand));
    let (name, value) = FOREIGN;
    world.record(ZONES[0], "TXT", name, value)
}

/// Room for what must stand, and for little else.
fn quota(challenges: &[Challenge], random: &mut Random) -> Option<usize> {
    let needed = challenges.iter().filter(|challenge| challenge.stands || challenge.is_there).count();
    random.percent(20).then_some(needed + 2)
}

fn by_hand(challenge: &Challenge) -> RecordConfig {
    let (name, content) = challenge.record();
    RecordConfig {
        zone: challenge.zone.to_owned(),
        kind: "TXT".to_owned(),
        name,
        content: format!("\"{content}\""),
        ttl: 60,
        comment: None,
        priority: None,
        hidden: false,
    }
}

const ZONES: [&str; 2] = ["one.example", "two.example"];
const TOKENS: [&str; 2] =
    ["token-of-the-first-user-0123456789-0123456789", "token-of-the-second-user-0123456789-012345678"];
/// Somebody else's record.
const FOREIGN: (&str, &str) = ("_acme-challenge.one.example", "made-by-somebody-else");
/// How long calls come to grief.
const TROUBLE: Duration = Duration::from_mins(2);
const PATIENCE: Duration = Duration::from_hours(2);
