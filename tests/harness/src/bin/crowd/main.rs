//! What many challenges at once cost, without Kubernetes in the way: whether sick zones and tokens hold up the others,
//! how the cost grows with the number of names, and whether an account's calls suffice for all who share it.
//!
//! The real binary runs, over TLS; Cloudflare and the cluster are played by this process, on the same processors. A
//! challenge that is never solved, or a record that is left where nothing is sick, is a failure; a time never is.
#![expect(clippy::print_stdout, reason = "it is made to be read")]

mod apart;
mod growth;
mod share;
mod table;

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, ValueEnum};
use harness::command::{self, Program};
use harness::{Binary, figures};
use serde::Serialize;
use serde_json::{Map, Value};

/// Measures the program with a crowd of challenges.
#[derive(Debug, Parser)]
struct Arguments {
    /// What to measure; may be repeated.
    #[arg(long, value_enum, value_name = "PART", default_values = ["apart", "growth"])]
    part: Vec<Part>,
    /// Two instances and a foreign client share an account's calls, for five minutes; the same as --part share.
    #[arg(long, conflicts_with = "part")]
    share: bool,
    /// Write the raw figures to docs/crowd.json; those of parts that were not measured stay as they are.
    #[arg(long)]
    write: bool,
    #[command(flatten)]
    program: Program,
}

/// A measurement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Ten thousand challenges, some zones of which are sick.
    Apart,
    /// One name to a thousand in one zone.
    Growth,
    /// One account, two instances, and a foreign client.
    Share,
}

#[tokio::main]
async fn main() -> ExitCode {
    command::ended("crowd", run(&Arguments::parse()).await)
}

async fn run(arguments: &Arguments) -> Result<()> {
    let binary = arguments.program.binary()?;
    let parts = if arguments.share { &[Part::Share][..] } else { &arguments.part };
    for part in parts {
        let (name, figures, verdict) = part.measure(&binary).await?;
        if arguments.write {
            write(name, figures)?;
        }
        verdict?;
    }
    if arguments.write {
        println!("  raw figures: {FILE}\n");
    }
    Ok(())
}

impl Part {
    /// Measures and prints; gives the raw figures and whether anything is lost.
    async fn measure(self, binary: &Binary) -> Result<(&'static str, Value, Result<()>)> {
        Ok(match self {
            Self::Apart => {
                let figures = apart::measure(binary).await?;
                figures.print();
                raw("apart", &figures, figures.verdict())?
            }
            Self::Growth => {
                let figures = growth::measure(binary).await?;
                figures.print();
                raw("growth", &figures, figures.verdict())?
            }
            Self::Share => {
                let figures = share::measure(binary).await?;
                figures.print();
                raw("share", &figures, figures.verdict())?
            }
        })
    }
}

fn raw(
    name: &'static str,
    figures: &impl Serialize,
    verdict: Result<()>,
) -> Result<(&'static str, Value, Result<()>)> {
    Ok((name, serde_json::to_value(figures)?, verdict))
}

/// Puts the figures of a part beside those of the others.
fn write(part: &str, figures: Value) -> Result<()> {
    let before = fs::read(FILE).ok().and_then(|text| serde_json::from_slice::<Map<_, _>>(&text).ok());
    let mut all = before.unwrap_or_default();
    all.insert(part.to_owned(), figures);
    figures::write(Path::new(FILE), &all)
}

const FILE: &str = "docs/crowd.json";
