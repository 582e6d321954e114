//! The log: one line an event, to standard error, as text or JSON.

use tracing_subscriber::filter::{LevelFilter, ParseError, Targets};
use tracing_subscriber::fmt::layer;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One JSON object a line.
    Json,
    /// For people.
    Text,
}

/// Starts the log; once a process. `level` is a level, or levels by target such as `info,hyper=warn`.
pub fn start(level: &str, format: Format) -> Result<(), ParseError> {
    let filter = level.parse::<Targets>()?.with_targets(QUIET);
    let log = tracing_subscriber::registry().with(filter);
    let line = layer().with_writer(std::io::stderr);
    // A second start keeps the first log: that can only be a test.
    let _ = match format {
        Format::Json => log.with(line.json().flatten_event(true)).try_init(),
        Format::Text => log.with(line.with_ansi(false)).try_init(),
    };
    Ok(())
}

/// kube logs whole bodies that it can't read, and each refusal of a watch, which is logged here once.
const QUIET: [(&str, LevelFilter); 2] =
    [("kube_client", LevelFilter::ERROR), ("kube_runtime", LevelFilter::ERROR)];
