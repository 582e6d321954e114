//! What is linked into the program: a bill of materials, and the texts of the licences.
//!
//! Made from `cargo metadata`, for one target, without what builds and tests need. Both files are byte-equal for the
//! same lock file.

mod bom;
mod graph;
mod licences;

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Parser;
use harness::command;

use self::graph::Graph;

/// Writes down what is linked into the program.
#[derive(Debug, Parser)]
struct Arguments {
    /// The target that the program is built for.
    #[arg(long)]
    target: String,
    /// The bill of materials, as `CycloneDX` JSON.
    #[arg(long, value_name = "FILE")]
    sbom: PathBuf,
    /// The texts of all licences.
    #[arg(long, value_name = "FILE")]
    licences: PathBuf,
}

fn main() -> ExitCode {
    command::ended("bill", run(&Arguments::parse()))
}

fn run(arguments: &Arguments) -> Result<()> {
    let graph = Graph::read(&arguments.target)?;
    let write =
        |path: &PathBuf, text: String| fs::write(path, text).with_context(|| path.display().to_string());
    write(&arguments.sbom, bom::text(&graph)?)?;
    write(&arguments.licences, licences::text(&graph)?)
}
