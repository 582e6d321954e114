//! Steady certificates for minutes, while faults are on and everything rotates: what the program holds must not grow.
//!
//! A third of the time warms up; then, and in the end, the load pauses, and memory, file descriptors and tasks of both
//! moments are compared. Between them their slope is taken.
#![expect(clippy::print_stdout, reason = "it is made to be read")]

mod chaos;
mod load;
mod meter;
mod report;

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Parser;
use harness::command::{self, Program};
use harness::{Binary, Scene, figures};
use tokio::time::Instant;

use self::chaos::Chaos;
use self::load::Load;
use self::meter::Meter;
use self::report::Report;

/// Issues certificates for minutes, while faults are on and everything rotates.
#[derive(Debug, Parser)]
struct Arguments {
    /// How long, in minutes
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..))]
    minutes: u64,
    /// Write the raw figures to docs/soak.json
    #[arg(long)]
    write: bool,
    #[command(flatten)]
    program: Program,
}

#[tokio::main]
async fn main() -> ExitCode {
    command::ended("soak", run(&Arguments::parse()).await)
}

async fn run(arguments: &Arguments) -> Result<()> {
    let report = soak(arguments.program.binary()?, Duration::from_mins(arguments.minutes)).await?;
    report.print();
    if arguments.write {
        figures::write(Path::new(FILE), &report)?;
        println!("  raw figures: {FILE}\n");
    }
    report.verdict()
}

async fn soak(binary: Binary, length: Duration) -> Result<Report> {
    let scene = Scene::start(binary, chaos::setting()).await?;
    chaos::put_tokens(&scene)?;
    let webhook = scene.webhook(&["--log-level=error"]).await?;
    scene.cluster.is_watched().await?;
    let load = Load::new(&scene, &webhook)?;
    let mut chaos = Chaos::new(&scene, &webhook)?;
    let meter = Meter::new(&webhook);

    chaos.while_running(load.until(Instant::now() + length / 3)).await.context("while warming up")?;
    let before = meter.at_rest().await?;
    let rest = chaos.while_running(load.until(Instant::now() + length * 2 / 3));
    let samples = meter.while_running(rest).await?;
    let after = meter.at_rest().await?;
    Ok(Report::new(length, [before, after], &samples, &load.tally(), chaos.events(), &scene))
}

const FILE: &str = "docs/soak.json";
