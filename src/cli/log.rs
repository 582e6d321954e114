//! What is logged, and how.

use clap::{Args, ValueEnum};

/// Flags of the log.
#[derive(Debug, Args)]
#[command(next_help_heading = "Log")]
pub struct Log {
    /// Least severe level to log: error, warn, info, debug or trace, or TARGET=LEVEL with commas between [default: info]
    #[arg(long, env = "LOG_LEVEL")]
    pub log_level: Option<String>,
    /// Kubernetes' number for the level, where --log-level is not given: 4 is debug, 8 is trace.
    #[arg(short = 'v', long = "v", env = "VERBOSITY", default_value_t = 0, value_name = "NUMBER")]
    pub verbosity: u8,
    /// Form of the log; --logging-format is the same.
    #[arg(long, alias = "logging-format", env = "LOG_FORMAT", value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,
}

/// See `--log-format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For people.
    Text,
}

impl Log {
    /// The level, or the filter. Kubernetes' "debug level" is 4, and 8 shows what is sent
    /// (<https://github.com/kubernetes/community/blob/master/contributors/devel/sig-instrumentation/logging.md>).
    pub fn filter(&self) -> &str {
        match (&self.log_level, self.verbosity) {
            (Some(level), _) => level,
            (None, 0..=3) => "info",
            (None, 4..=7) => "debug",
            (None, 8..) => "trace",
        }
    }
}
