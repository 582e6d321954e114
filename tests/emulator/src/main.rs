//! The emulator as a program: reads a world file, listens, says where, answers until it is stopped.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use cloudflare_emulator::{Emulator, World};
use tokio::signal::unix::{SignalKind, signal};

/// Cloudflare's v4 DNS API, its authoritative DNS and a caching resolver, from one state.
#[derive(Debug, Parser)]
#[command(name = "emulator")]
struct Arguments {
    /// What exists at the start (JSON).
    #[arg(long, value_name = "FILE")]
    world: PathBuf,
    /// Written, as JSON, once everything listens: where to find it.
    #[arg(long, value_name = "FILE")]
    ready_file: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(&Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let mut text = error.to_string();
            let mut source = error.source();
            while let Some(cause) = source {
                text = format!("{text}: {cause}");
                source = cause.source();
            }
            let _ = writeln!(std::io::stderr(), "emulator: {text}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: &Arguments) -> Result<(), Box<dyn std::error::Error>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let emulator = Emulator::start(World::read(&arguments.world)?).await?;
    let ready = serde_json::to_string(emulator.ready())?;
    writeln!(std::io::stdout(), "{ready}")?;
    if let Some(path) = &arguments.ready_file {
        write_whole(path, &ready)?;
    }
    tokio::select! {
        result = tokio::signal::ctrl_c() => result?,
        _ = terminate.recv() => {}
    }
    Ok(())
}

/// Appears under its name only when it is complete.
fn write_whole(path: &Path, text: &str) -> std::io::Result<()> {
    let mut partial = path.as_os_str().to_owned();
    partial.push(".partial");
    std::fs::write(&partial, text)?;
    std::fs::rename(&partial, path)
}
