//! What goes wrong meanwhile, and what rotates.

use std::time::Duration;

use anyhow::{Result, ensure};
use cloudflare_emulator::kubernetes::{Failure, Resource};
use cloudflare_emulator::{Action, Fault, FaultBody, RateLimit, TokenConfig, ZoneConfig};
use harness::{Challenge, Scene, Setting, Webhook};
use serde::Serialize;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

/// Everything that disturbs, a step each second.
pub(crate) struct Chaos<'a> {
    scene: &'a Scene,
    webhook: &'a Webhook,
    strangers: reqwest::Client,
    second: u32,
    /// The number of each zone's token.
    tokens: [u32; ZONES],
    /// The one that was replaced last, and is to be revoked.
    replaced: Option<String>,
    events: Events,
}

/// What was done how often.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(crate) struct Events {
    pub(crate) tokens_replaced: u32,
    pub(crate) certificates_replaced: u32,
    pub(crate) watches_cut: u32,
    pub(crate) watches_expired: u32,
    pub(crate) answers_of_the_cluster_failed: u32,
    pub(crate) strangers: u32,
}

impl<'a> Chaos<'a> {
    pub(crate) fn new(scene: &'a Scene, webhook: &'a Webhook) -> Result<Self> {
        let strangers =
            reqwest::Client::builder().no_proxy().tls_danger_accept_invalid_certs(true).build()?;
        let events = Events::default();
        Ok(Self { scene, webhook, strangers, second: 0, tokens: [0; ZONES], replaced: None, events })
    }

    pub(crate) fn events(&self) -> Events {
        self.events
    }

    /// Disturbs what runs, until it ends by itself; then all is well again.
    pub(crate) async fn while_running(&mut self, running: impl Future<Output = Result<()>>) -> Result<()> {
        for (percent, action) in faults() {
            ensure!(self.scene.cloudflare.add_fault(Fault::new(action).percent(percent)), "no pattern");
        }
        let scene = self.scene;
        let ended = tokio::select! {
            ended = running => ended,
            broken = self.disturb() => broken,
        };
        scene.cloudflare.clear_faults();
        ended
    }

    /// Until it fails.
    async fn disturb(&mut self) -> Result<()> {
        let mut seconds = interval_at(Instant::now() + SECOND, SECOND);
        seconds.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            seconds.tick().await;
            self.step().await?;
        }
    }

    async fn step(&mut self) -> Result<()> {
        self.second += 1;
        let (second, cluster) = (self.second, self.scene.cluster.server());
        let events = &mut self.events;
        // A token is replaced in its Secret, and the one before it is revoked some seconds later.
        if second.is_multiple_of(10) {
            let of = second as usize / 10 % ZONES;
            self.replaced = Some(token(of, self.tokens[of]));
            self.tokens[of] += 1;
            give_token(self.scene, of, self.tokens[of])?;
            events.tokens_replaced += 1;
        }
        if second % 10 == 3
            && let Some(token) = self.replaced.take()
        {
            self.scene.cloudflare.remove_token(&token);
        }
        if second.is_multiple_of(20) {
            self.scene.certificates.renew()?;
            events.certificates_replaced += 1;
        }
        if second.is_multiple_of(7) {
            cluster.cut_watches(Resource::Challenges);
            events.watches_cut += 1;
        }
        if second.is_multiple_of(45) {
            cluster.expire_watches(Resource::Challenges);
            events.watches_expired += 1;
        }
        if second.is_multiple_of(5) {
            cluster.fail_next(Resource::Secrets, Failure::Status(500), 1);
            cluster.fail_next(Resource::SubjectAccessReviews, Failure::Cut, 1);
            events.answers_of_the_cluster_failed += 2;
        }
        // The timeline is of no use here, and grows.
        if second.is_multiple_of(60) {
            self.scene.cloudflare.reset_stats();
        }
        self.stranger().await;
        self.events.strangers += 2;
        Ok(())
    }

    /// One without a certificate, and one who does not speak TLS; both are gone at once.
    async fn stranger(&self) {
        let address = self.webhook.address;
        // Whatever they get.
        let _ = self.strangers.get(format!("https://{address}/apis")).bearer_auth("guessed").send().await;
        if let Ok(mut stream) = TcpStream::connect(address).await {
            let _ = stream.write_all(b"GET / HTTP/1.1\r\n\r\n").await;
        }
    }
}

/// One in ten calls and one in twenty questions, in all.
fn faults() -> Vec<(u8, Action)> {
    vec![
        (2, Action::Status { status: 502, body: FaultBody::Html, apply: false }),
        (1, Action::Status { status: 500, body: FaultBody::Json, apply: true }),
        (1, Action::RateLimited { retry_after: Some(1), code: Some(10100) }),
        (2, Action::ResetBefore),
        (2, Action::ResetAfter),
        (1, Action::Cut),
        (1, Action::Slow { ms: 2000 }),
        (2, Action::Silent),
        (1, Action::ServFail),
        (1, Action::DnsSlow { ms: 800 }),
        (1, Action::Truncate),
    ]
}

pub(crate) fn setting() -> Setting {
    Setting {
        latency_ms: 60,
        propagation_ms: 500,
        zones: (0..ZONES).map(|of| ZoneConfig::new(&zone(of))).collect(),
        rate_limit: Some(RateLimit { requests: 20_000, ..RateLimit::default() }),
        ..Setting::default()
    }
}

/// The first token of each zone.
pub(crate) fn put_tokens(scene: &Scene) -> Result<()> {
    (0..ZONES).try_for_each(|of| give_token(scene, of, 0))
}

fn give_token(scene: &Scene, of: usize, number: u32) -> Result<()> {
    let value = token(of, number);
    scene.cloudflare.add_token(TokenConfig { zones: vec![zone(of)], ..TokenConfig::new(&value) });
    let [challenge, _] = Challenge::pair()?;
    scene.cluster.put_token(&challenge.with_secret(&secret(of)), &value);
    Ok(())
}

fn token(of: usize, number: u32) -> String {
    format!("token-{number}-of-zone-{of}-0123456789abcdefghij")
}

pub(crate) fn zone(of: usize) -> String {
    format!("soak{of}.example")
}

pub(crate) fn secret(of: usize) -> String {
    format!("cloudflare-{of}")
}

pub(crate) const ZONES: usize = 6;
const SECOND: Duration = Duration::from_secs(1);
