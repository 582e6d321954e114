//! What the program costs: calls, time, memory; all in one run, for figures of different runs do not compare.
//!
//! The real binary runs, over TLS; Cloudflare and the cluster are played by this process, on the same processors.
#![expect(clippy::print_stdout, reason = "it is made to be read")]

mod beside;
mod challenges;
mod figures;
mod load;
mod start;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use harness::Binary;
use harness::command::{self, Program};

use self::figures::Figures;

/// Measures calls, latency, memory and start of the program.
#[derive(Debug, Parser)]
struct Arguments {
    /// Write the raw figures to docs/bench.json.
    #[arg(long)]
    write: bool,
    #[command(flatten)]
    program: Program,
    /// A webhook made with cert-manager's library, to measure beside it; `tests/conformance/build` makes one.
    #[arg(long, env = "CMWC_REFERENCE", value_name = "FILE")]
    reference: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> ExitCode {
    command::ended("bench", run(&Arguments::parse()).await)
}

async fn run(arguments: &Arguments) -> Result<()> {
    let binary = arguments.program.binary()?;
    let start = start::measure(&binary).await?;
    let challenges = challenges::measure(&binary).await?;
    let load = load::measure(&binary).await?;
    let beside = match &arguments.reference {
        Some(path) => Some(beside::measure(&binary, &Binary::at(path)).await?),
        None => None,
    };
    let figures = Figures { start, challenges, load, beside };
    figures.print();
    if arguments.write {
        harness::figures::write(Path::new(FILE), &figures)?;
        println!("  raw figures: {FILE}");
    }
    Ok(())
}

const FILE: &str = "docs/bench.json";
