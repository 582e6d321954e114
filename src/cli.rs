//! The command line: every setting is a flag with an environment twin, spelled as kube-apiserver and cert-manager
//! spell theirs where they have one. What else a webhook of cert-manager's own library takes is taken, and ignored aloud.

use clap::{Args, Parser, Subcommand};

pub mod access;
pub mod legacy;
pub mod log;
pub mod serving;
pub mod solver;
mod value;

use access::Access;
use legacy::Legacy;
use log::Log;
use serving::Serving;
use solver::Solver;

/// cert-manager DNS-01 webhook for Cloudflare: confirms a challenge only when its record is live at the authority.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 120)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What the program can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve the aggregated API until SIGTERM or SIGINT; a second signal ends at once.
    Serve(Box<Serve>),
}

/// Settings of `serve`.
#[derive(Debug, Args)]
#[expect(missing_docs, reason = "each is documented as a whole")]
pub struct Serve {
    #[command(flatten)]
    pub solver: Solver,
    #[command(flatten)]
    pub serving: Serving,
    #[command(flatten)]
    pub access: Access,
    #[command(flatten)]
    pub log: Log,
    #[command(flatten)]
    pub legacy: Legacy,
}

#[cfg(test)]
mod tests;
