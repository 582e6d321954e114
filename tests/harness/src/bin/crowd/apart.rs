//! Ten thousand challenges over fifty zones and five tokens, twice: when all is well, and when one zone's records
//! endpoints fail, one token is revoked and one zone's name servers are silent.
//!
//! The zones that stay well have 64 places of their own. The twelve that are sick in the second run have eight places
//! each, and begin at most one challenge in four seconds in each place, in both runs: sick challenges must not take
//! places that the comparison is about, nor make the other run the quieter one. Each run has a process and a Cloudflare of its
//! own.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use cloudflare_emulator::{
    Action, Fault, FaultBody, Match, NameServerConfig, RateLimit, TokenConfig, ZoneConfig,
};
use futures::future::join_all;
use harness::figures::{Millis, as_f64, mebibytes};
use harness::work::{Patience, Took, Worker};
use harness::{Binary, Challenge, Scene, Setting};
use serde::Serialize;
use tokio::time::{Instant, sleep_until};

use crate::table::{pair, queries, reasons, row};

/// Both runs.
#[derive(Debug, Serialize)]
pub(crate) struct Apart {
    well: Run,
    sick: Run,
}

/// One of them.
#[derive(Debug, Serialize)]
struct Run {
    /// Until the last challenge of the zones that stay well was over.
    took_ms: Millis,
    /// Of the zones that stay well.
    challenges: u64,
    present: Took,
    clean_up: Took,
    failed: BTreeMap<String, u64>,
    lost: u64,
    /// Records left there.
    left: usize,
    /// Of the other twelve: challenges begun, and those that were given up.
    others: u64,
    others_lost: u64,
    others_failed: BTreeMap<String, u64>,
    others_left: usize,
    /// Of all zones.
    calls: u64,
    queries: u64,
    /// Of the process, at any time, in bytes.
    peak: u64,
    /// Of the process, divided by the challenges of all zones.
    processor_us: f64,
}

pub(crate) async fn measure(binary: &Binary) -> Result<Apart> {
    let well = run(binary, false).await.context("the run in which all is well")?;
    let sick = run(binary, true).await.context("the run with sick zones")?;
    Ok(Apart { well, sick })
}

async fn run(binary: &Binary, sick: bool) -> Result<Run> {
    let scene = Scene::start(binary.clone(), setting()).await?;
    for token in 0..TOKENS {
        let secret = Challenge::pair()?[0].clone().with_secret(&secret(token));
        scene.cluster.put_token(&secret, &value(token));
    }
    let webhook = scene.webhook(&["--propagation-settle=0s", "--log-level=error"]).await?;
    scene.cluster.is_watched().await?;
    if sick {
        fall_sick(&scene)?;
    }
    let (well, others): (Vec<_>, Vec<_>) = (0..ZONES).partition(|zone| !falls_sick(*zone));

    let before = webhook.usage()?.processor;
    let begun = Instant::now();
    let worker = Worker::new(&scene, &webhook, PATIENCE)?;
    let impatient = Worker::new(&scene, &webhook, IMPATIENCE)?;
    let over = AtomicBool::new(false);
    let healthy = async {
        let numbers = (0..EACH).flat_map(|number| well.iter().map(move |zone| (*zone, number)));
        let solved = worker.solve(PLACES, numbers.map(|(zone, number)| challenge(zone, number))).await;
        over.store(true, Ordering::Relaxed);
        solved.map(|()| begun.elapsed())
    };
    let places = others.iter().flat_map(|zone| (0..OTHERS_PLACES).map(move |place| (*zone, place)));
    let beside = join_all(places.map(|(zone, place)| paced(&impatient, &over, zone, place)));
    let (took, begun_beside) = tokio::join!(healthy, beside);
    let took_ms = took?.into();
    let others_begun = begun_beside.into_iter().sum::<Result<u64>>()?;

    let left = |zones: &[usize]| zones.iter().map(|zone| scene.cloudflare.records(&name(*zone)).len()).sum();
    let (well_left, others_left) = (left(&well), left(&others));
    let (worker, impatient) = (worker.tally(), impatient.tally());
    let (usage, stats) = (webhook.usage()?, scene.cloudflare.stats());
    let challenges = (EACH * well.len()) as u64;
    let all = as_f64(challenges + others_begun);
    Ok(Run {
        took_ms,
        challenges,
        present: Took::of(&worker.present_ms),
        clean_up: Took::of(&worker.clean_up_ms),
        failed: worker.failed,
        lost: worker.lost,
        left: well_left,
        others: others_begun,
        others_lost: impatient.lost,
        others_failed: impatient.failed,
        others_left,
        calls: stats.api_calls,
        queries: queries(&stats),
        peak: usage.peak,
        processor_us: usage.processor.saturating_sub(before).as_secs_f64() * 1e6 / all,
    })
}

/// One place of a zone that falls sick; says how many challenges it began before the others were over.
async fn paced(worker: &Worker<'_>, over: &AtomicBool, zone: usize, place: usize) -> Result<u64> {
    let mut begun = 0;
    for number in (place..EACH).step_by(OTHERS_PLACES) {
        if over.load(Ordering::Relaxed) {
            break;
        }
        let next = Instant::now() + OTHERS_PACE;
        let challenge = challenge(zone, number)?;
        worker.solve(1, std::iter::once(Ok(challenge))).await?;
        begun += 1;
        sleep_until(next).await;
    }
    Ok(begun)
}

/// One zone's records endpoints fail, one token is revoked, one zone's name servers are silent.
fn fall_sick(scene: &Scene) -> Result<()> {
    let id = scene.cloudflare.zone_id(&name(FAILING)).context("no zone")?;
    let path_regex = Some(format!("/zones/{id}/dns_records"));
    let action = Action::Status { status: 502, body: FaultBody::Html, apply: false };
    let failing = Fault { r#match: Match { path_regex, ..Match::default() }, ..Fault::new(action) };
    ensure!(scene.cloudflare.add_fault(failing), "no pattern");
    ensure!(scene.cloudflare.add_fault(Fault::new(Action::Silent).server(SILENT_SERVER)), "no pattern");
    scene.cloudflare.remove_token(&value(REVOKED));
    Ok(())
}

fn falls_sick(zone: usize) -> bool {
    zone == FAILING || zone == SILENT || zone / ZONES_OF_TOKEN == REVOKED
}

fn setting() -> Setting {
    let zone = |zone: usize| ZoneConfig {
        name_servers: (zone == SILENT).then(|| vec![SILENT_SERVER.to_owned()]),
        ..ZoneConfig::new(&name(zone))
    };
    let token = |token: usize| TokenConfig {
        // So that each has a budget of its own.
        user: Some(format!("user-{token}")),
        zones: (0..ZONES).filter(|zone| zone / ZONES_OF_TOKEN == token).map(name).collect(),
        ..TokenConfig::new(&value(token))
    };
    let addresses = vec![[127, 0, 0, 5].into(), [127, 0, 0, 6].into()];
    Setting {
        latency_ms: LATENCY_MS,
        propagation_ms: PROPAGATION_MS,
        zones: (0..ZONES).map(zone).collect(),
        tokens: (0..TOKENS).map(token).collect(),
        name_servers: vec![NameServerConfig { name: SILENT_SERVER.to_owned(), addresses }],
        rate_limit: Some(RateLimit { requests: 1_000_000, ..RateLimit::default() }),
        ..Setting::default()
    }
}

/// Each for a name that is new to the process.
fn challenge(zone: usize, number: usize) -> Result<Challenge> {
    let challenge = Challenge::below(&format!("n{number}"), &name(zone))?;
    Ok(challenge.with_secret(&secret(zone / ZONES_OF_TOKEN)))
}

fn name(zone: usize) -> String {
    format!("zone{zone:02}.example")
}

fn secret(token: usize) -> String {
    format!("cloudflare-{token}")
}

fn value(token: usize) -> String {
    format!("token-{token}-of-the-crowd-0123456789abcdefghij")
}

impl Apart {
    pub(crate) fn print(&self) {
        let Self { well, sick } = self;
        println!(
            "\n  {ZONES} zones, {TOKENS} tokens, {PLACES} challenges at a time in {} zones; {LATENCY_MS} ms a call, served after \
             {PROPAGATION_MS} ms, nothing to settle;\n  each user may make a million calls in 300 s. Beside them {} zones with \
             {OTHERS_PLACES} places each, a challenge in {} s in each.\n",
            ZONES - OTHERS,
            OTHERS,
            OTHERS_PACE.as_secs(),
        );
        let of = |what: &str, figure: &dyn Fn(&Run) -> String, aim: &str| {
            pair(what, &figure(well), &figure(sick), aim);
        };
        pair("", "all well", "some sick", "aim");
        of("challenges of the healthy zones", &|run| run.challenges.to_string(), "");
        of("  solved", &|run| (run.challenges - run.lost).to_string(), "all");
        of("  requests that failed", &|run| run.failed.values().sum::<u64>().to_string(), "");
        of("  records left", &|run| run.left.to_string(), "0");
        of("  time", &|run| run.took_ms.seconds(), "");
        for (name, took) in
            [("Present", (|run| &run.present) as fn(&Run) -> &Took), ("CleanUp", |run| &run.clean_up)]
        {
            of(&format!("  {name}: p50"), &|run| format!("{:.0} ms", took(run).p50.0), "");
            of(&format!("  {name}: p99"), &|run| format!("{:.0} ms", took(run).p99.0), "within 10 %");
            of(&format!("  {name}: max"), &|run| format!("{:.0} ms", took(run).max.0), "");
        }
        of("challenges of the other zones", &|run| run.others.to_string(), "");
        of("  solved", &|run| (run.others - run.others_lost).to_string(), "");
        of("  requests that failed", &|run| run.others_failed.values().sum::<u64>().to_string(), "");
        of("  records left", &|run| run.others_left.to_string(), "");
        of("Cloudflare calls", &|run| run.calls.to_string(), "");
        of("DNS queries", &|run| run.queries.to_string(), "");
        of("resident at the highest", &|run| mebibytes(run.peak), "<= 40 MiB");
        of("processor time a challenge", &|run| format!("{:.0} us", run.processor_us), "");
        let change = |took: fn(&Run) -> &Took| (took(sick).p99.0 / took(well).p99.0 - 1.0) * 100.0;
        println!();
        row(
            "p99 of Present, the second against the first",
            &format!("{:+.1} %", change(|run| &run.present)),
            "<= 10 %",
        );
        row(
            "p99 of CleanUp, the second against the first",
            &format!("{:+.1} %", change(|run| &run.clean_up)),
            "",
        );
        for (run, failed) in [("all well", &well.failed), ("some sick", &sick.failed)] {
            if !failed.is_empty() {
                println!("  {run}, healthy zones: answers that were failures");
                reasons(failed);
            }
        }
        if !sick.others_failed.is_empty() {
            println!("  some sick, sick zones: answers that were failures");
            reasons(&sick.others_failed);
        }
        println!();
    }

    /// Nothing may be lost or left where nothing is sick.
    pub(crate) fn verdict(&self) -> Result<()> {
        let Self { well, sick } = self;
        let lost = well.lost + well.others_lost + sick.lost;
        let left = well.left + well.others_left + sick.left;
        ensure!(lost == 0, "{lost} challenges were given up in zones in which all was well");
        ensure!(left == 0, "{left} records are left in zones in which all was well");
        Ok(())
    }
}

const ZONES: usize = 50;
const TOKENS: usize = 5;
const ZONES_OF_TOKEN: usize = ZONES / TOKENS;
/// Challenges of each zone.
const EACH: usize = 200;
const FAILING: usize = 0;
const SILENT: usize = 10;
const SILENT_SERVER: &str = "eve.ns.cloudflare.com";
/// A token whose zones are neither of those.
const REVOKED: usize = 4;
/// Zones that fall sick.
const OTHERS: usize = 2 + ZONES_OF_TOKEN;

const PLACES: usize = 64;
const OTHERS_PLACES: usize = 8;
const OTHERS_PACE: Duration = Duration::from_secs(4);
const PATIENCE: Patience = Patience { tries: 5, pause: Duration::from_secs(5) };
const IMPATIENCE: Patience = Patience { tries: 1, pause: Duration::ZERO };

const LATENCY_MS: u64 = 60;
const PROPAGATION_MS: u64 = 500;
