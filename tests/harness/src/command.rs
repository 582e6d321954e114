//! What the binaries of this crate have in common: which program to run, and how a run ends.
#![expect(clippy::print_stderr, reason = "it is made to be read")]

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use crate::scene::Binary;

/// Which program to run.
#[derive(Debug, Args)]
pub struct Program {
    /// The program to run [default: the one beside this one]
    #[arg(long, env = "CMWC_BIN", value_name = "FILE")]
    program: Option<PathBuf>,
}

impl Program {
    /// The one that was named, or the one beside this one.
    pub fn binary(&self) -> Result<Binary> {
        self.program.as_ref().map_or_else(Binary::beside_this, |path| Ok(Binary::at(path)))
    }
}

/// Says on standard error why the binary `name` failed, if it did.
pub fn ended(name: &str, result: Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\n{name}: {error:#}");
            ExitCode::FAILURE
        }
    }
}
