//! The log: one line an event, to standard error, as text or JSON.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One JSON object a line.
    Json,
    /// For people.
    Text,
}

/// Starts the log; once a process. `level` is a level or a filter such as `info,hyper=warn`.
pub fn start(level: &str, format: Format) -> Result<(), ParseError> {
    let filter = QUIET.iter().try_fold(EnvFilter::builder().parse(level)?, |filter, directive| {
        Ok::<_, ParseError>(filter.add_directive(directive.parse()?))
    })?;
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A second start keeps the first log: that can only be a test.
    let _ = match format {
        Format::Json => log.json().flatten_event(true).try_init(),
        Format::Text => log.with_ansi(false).try_init(),
    };
    Ok(())
}

/// kube logs whole bodies that it can't read, and each refusal of a watch, which is logged here once.
const QUIET: [&str; 2] = ["kube_client=error", "kube_runtime=error"];
