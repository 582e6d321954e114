//! Attacks at full size on the real program, while a client that means well goes on: it must not fail once, and the
//! program's memory must stay below the bound.
#![expect(clippy::print_stdout, reason = "it is made to be read")]

mod attacks;
mod client;
mod meter;

use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Parser;
use harness::attack::Target;
use harness::command::{self, Program};
use harness::{Scene, Setting, Webhook};
use rustix::process::{Resource, getrlimit};

use self::attacks::{Attack, TOKEN};
use self::client::{Client, Served};
use self::meter::Meter;

/// Attacks the program: it has to serve others meanwhile, and to stay small.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(flatten)]
    program: Program,
}

#[tokio::main]
async fn main() -> ExitCode {
    command::ended("hostile", run(&Arguments::parse()).await)
}

async fn run(arguments: &Arguments) -> Result<()> {
    let descriptors = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    if descriptors < DESCRIPTORS {
        bail!("{DESCRIPTORS} file descriptors are needed, {descriptors} are allowed: see ulimit -n");
    }
    let scene = Scene::start(arguments.program.binary()?, Setting::default()).await?;
    let user = serde_json::json!({"username": "system:serviceaccount:cert-manager:cert-manager"});
    scene.cluster.server().know_token(TOKEN, user);
    let webhook = scene.webhook(&["--log-level=error"]).await?;
    let client = Client::new(&scene, &webhook)?;
    let target = Target::new(webhook.address)?;

    println!("\n  {:<52}{:>9}{:>9}{:>12}{:>12}", "", "served", "failed", "worst", "resident");
    let mut all = play(None, &client, &target, &webhook).await?;
    let before = all.resident;
    for attack in Attack::ALL {
        all.add(&play(Some(attack), &client, &target, &webhook).await?);
    }
    let after = play(None, &client, &target, &webhook).await?;
    all.add(&after);
    let [before, peak, after, bound] = [before, all.resident, after.resident, BOUND].map(|bytes| bytes >> 20);
    println!(
        "\n  resident before {before} MiB, peak {peak} MiB, after {after} MiB; the bound is {bound} MiB\n"
    );
    if all.failed > 0 {
        bail!("{} requests of the client that means well have failed:\n{}", all.failed, all.why.join("\n"));
    }
    if all.resident > BOUND {
        bail!("{} MiB were resident", all.resident >> 20);
    }
    Ok(())
}

/// Plays an attack, or peace, and prints how the client fared.
async fn play(
    attack: Option<Attack>,
    client: &Client<'_>,
    target: &Target,
    webhook: &Webhook,
) -> Result<Served> {
    let meter = Meter::start(webhook.id());
    let (what, served) = match attack {
        Some(attack) => {
            let (served, done) = client.serves_while(attack.play(target)).await;
            let done = done.with_context(|| attack.name().to_owned())?;
            (format!("{}: {done}", attack.name()), served)
        }
        None => ("peace".to_owned(), client.serves_while(meter::moment()).await.0),
    };
    let served = Served { resident: meter.peak().await?, ..served };
    println!(
        "  {what:<52}{:>9}{:>9}{:>9} ms{:>8} MiB",
        served.count,
        served.failed,
        served.worst.as_millis(),
        served.resident >> 20
    );
    Ok(served)
}

/// For as many connections as the largest attack has, and some more.
const DESCRIPTORS: u64 = 11_000;
/// Of the program's resident memory: 1,024 connections, whatever they do, and twenty bodies of three mebibytes.
const BOUND: u64 = 128 << 20;
