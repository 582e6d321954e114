//! One certificate for `example.com` and `*.example.com`, from the first `Present` to the last `CleanUp`.
//!
//! The real program runs; Cloudflare, the cluster, cert-manager and the CA are played, with the requests that
//! cert-manager sends and the delays of the real thing. Nothing is shown that has not been asked for: the name servers
//! are asked over DNS before the CA is, and at the end whether anything is left.
#![expect(clippy::print_stdout, reason = "it is made to be read")]

mod keep;
mod timeline;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use clap::Parser;
use clap::builder::FalseyValueParser;
use cloudflare_emulator::Delay;
use harness::command::{self, Program};
use harness::{CertManager, Challenge, Scene, Setting, Webhook, ZONE, ask, until};
use tokio::time::{Instant, timeout};

use self::timeline::Timeline;

/// Plays a certificate's challenges against the program and shows the timeline.
#[derive(Debug, Parser)]
struct Arguments {
    /// Leave everything running afterwards, and say how to ask it.
    #[arg(long, env = "KEEP", value_parser = FalseyValueParser::new())]
    keep: bool,
    #[command(flatten)]
    program: Program,
}

#[tokio::main]
async fn main() -> ExitCode {
    command::ended("demo", run(&Arguments::parse()).await)
}

async fn run(arguments: &Arguments) -> Result<()> {
    let delay = |last: u8, ms| Delay { address: Some([127, 0, 0, last].into()), ms, ..Delay::default() };
    let delays = vec![delay(2, 700), delay(3, 1100)];
    let setting = Setting { latency_ms: 60, propagation_ms: 1500, delays, ..Setting::default() };
    let scene = Scene::start(arguments.program.binary()?, setting).await?;
    let challenges = Challenge::pair()?;
    scene.cluster.create(&challenges);
    let mut webhook = scene.spawn(&[])?;
    let ready = webhook.ready().await?;
    scene.cluster.is_watched().await?;
    introduce(&challenges, ready);

    let play = Play { scene: &scene, webhook: &webhook, challenges: &challenges };
    timeout(LIMIT, play.run()).await.with_context(|| format!("not done within {LIMIT:?}"))??;
    if arguments.keep {
        keep::keep(&scene, &webhook, &Challenge::of("www")?).await?;
    }
    webhook.terminate()?;
    let status = webhook.exit(LIMIT).await?;
    ensure!(status.success(), "the program ended with {status}; it said:\n{}", webhook.log());
    Ok(())
}

fn introduce([a, b]: &[Challenge; 2], ready: Duration) {
    println!();
    println!("  A certificate for {} and {}: two TXT records at", a.title(), b.title());
    println!("  {}. A call to Cloudflare takes 60 ms; its name servers", a.fqdn());
    println!("  serve a change after 0.7, 1.1 and 1.5 s. The webhook was ready in {} ms.", ready.as_millis());
    println!();
    println!("    A  {:<15}{}", a.title(), a.value());
    println!("    B  {:<15}{}", b.title(), b.value());
    println!();
    println!("  {:>6}   {:<16}{:<34}value", "ms", "who", "what");
}

struct Play<'a> {
    scene: &'a Scene,
    webhook: &'a Webhook,
    challenges: &'a [Challenge; 2],
}

impl Play<'_> {
    async fn run(&self) -> Result<()> {
        let timeline = Timeline::begin(self.scene, self.challenges);
        let begun = Instant::now();
        let confirmed = tokio::select! {
            result = self.certificate(&timeline, begun) => result?,
            () = timeline.follow() => bail!("the timeline has no end"),
        };
        timeline.print_until(u64::MAX);
        self.summary(&confirmed, begun.elapsed())
    }

    /// Both challenges, in the order of cert-manager; returns when each was confirmed.
    async fn certificate(&self, timeline: &Timeline<'_>, begun: Instant) -> Result<Vec<Duration>> {
        let cert_manager = self.scene.cert_manager(self.webhook)?;
        let mut confirmed = Vec::new();
        for challenge in self.challenges {
            self.present(timeline, &cert_manager, challenge).await?;
            confirmed.push(begun.elapsed());
            self.validate(timeline, challenge).await?;
            let value = [challenge.value().to_owned()];
            timeline.tell("cert-manager", format!("CleanUp {}", challenge.title()), &value);
            cert_manager.must_clean_up(challenge).await?;
            timeline.tell("webhook", "cleaned", &value);
        }
        self.scene.cluster.delete(self.challenges);
        self.gone(timeline).await?;
        Ok(confirmed)
    }

    async fn present(
        &self,
        timeline: &Timeline<'_>,
        cert_manager: &CertManager<'_>,
        challenge: &Challenge,
    ) -> Result<()> {
        let value = [challenge.value().to_owned()];
        timeline.presented(challenge.value());
        timeline.tell("cert-manager", format!("Present {}", challenge.title()), &value);
        cert_manager.must_present(challenge).await?;
        timeline.tell("webhook", "confirmed", &value);
        Ok(())
    }

    /// Every name server must have the value, and then the CA's resolver, which keeps what it got for a minute.
    async fn validate(&self, timeline: &Timeline<'_>, challenge: &Challenge) -> Result<()> {
        for (server, address) in self.scene.cloudflare.authorities() {
            let served = ask(address, challenge.fqdn(), false).await?;
            ensure!(served.authoritative, "{server} at {address} does not speak for {ZONE}");
            let asked = format!("asked: {} TXT", served.values.len());
            let host = format!("{} {}", server.split('.').next().unwrap_or_default(), address.ip());
            timeline.tell(&host, asked, &served.values);
            ensure!(
                served.values.iter().any(|value| value == challenge.value()),
                "confirmed, but {server} at {address} does not serve {}: {served:?}",
                challenge.value(),
            );
        }
        let resolver = self.scene.cloudflare.resolver_addr().context("no resolver")?;
        let before = self.scene.cloudflare.stats().resolver_cache_hits;
        let seen = ask(resolver, challenge.fqdn(), true).await?;
        let cached = self.scene.cloudflare.stats().resolver_cache_hits > before;
        let what = if cached { "valid, from its resolver's cache" } else { "valid" };
        timeline.tell("CA", what, &seen.values);
        ensure!(
            seen.values.iter().any(|value| value == challenge.value()),
            "confirmed, but the CA's resolver does not see {}: {seen:?}",
            challenge.value(),
        );
        Ok(())
    }

    /// Nothing may be left, neither at the API nor at any name server.
    async fn gone(&self, timeline: &Timeline<'_>) -> Result<()> {
        let left = self.scene.records();
        ensure!(left.is_empty(), "records are left at Cloudflare: {left:?}");
        let fqdn = self.challenges[0].fqdn();
        for (server, address) in self.scene.cloudflare.authorities() {
            let what = format!("{server} at {address} serves nothing at {fqdn} any more");
            until(&what, LIMIT, async || {
                ask(address, fqdn, false).await.is_ok_and(|served| served.values.is_empty())
            })
            .await?;
            let code = ask(address, fqdn, false).await?.code;
            let host = format!("{} {}", server.split('.').next().unwrap_or_default(), address.ip());
            timeline.tell(&host, format!("asked: {code}"), &[]);
        }
        Ok(())
    }

    fn summary(&self, confirmed: &[Duration], total: Duration) -> Result<()> {
        let [a, b] = confirmed else { bail!("{} confirmed, not two", confirmed.len()) };
        let stats = self.scene.cloudflare.stats();
        println!();
        println!("  First Present to confirmed          {:>5.2} s", a.as_secs_f64());
        println!("  Both confirmed                      {:>5.2} s", b.as_secs_f64());
        println!("  Clean at every name server          {:>5.2} s", total.as_secs_f64());
        println!("  Calls to Cloudflare                 {:>5}", stats.api_calls);
        for (endpoint, calls) in &stats.api_calls_by_endpoint {
            println!("    {endpoint:<34}{calls:>5}");
        }
        println!("  Records left                        {:>5}", self.scene.records().len());
        println!();
        Ok(())
    }
}

const LIMIT: Duration = Duration::from_secs(50);
