//! Flags that a webhook of cert-manager's library has, and that mean nothing here: they are taken, so that a manifest
//! need not change, and said to be ignored.
//!
//! The list is that of the library's `--help` (v1.21), and klog's flags from before Kubernetes 1.26.

use clap::{Arg, ArgAction, ArgMatches, Args, Command, Error, FromArgMatches};

/// Those that were given.
#[derive(Debug, Default)]
pub struct Legacy {
    /// Their names.
    pub ignored: Vec<&'static str>,
}

impl Args for Legacy {
    fn augment_args(command: Command) -> Command {
        let switches = SWITCHES
            .iter()
            .map(|name| arg(name).num_args(0..=1).require_equals(true).default_missing_value("true"));
        let values = VALUES.iter().map(|name| arg(name).num_args(1).allow_hyphen_values(true));
        command.args(switches.chain(values))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Legacy {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let names = SWITCHES.iter().chain(VALUES).copied();
        Ok(Self { ignored: names.filter(|name| matches.contains_id(name)).collect() })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

fn arg(name: &'static str) -> Arg {
    Arg::new(name).long(name).hide(true).action(ArgAction::Append)
}

/// `--flag` or `--flag=false`. klog's names have underscores; Kubernetes takes either.
const SWITCHES: &[&str] = &[
    "add-dir-header",
    "add_dir_header",
    "alsologtostderr",
    "audit-log-batch-throttle-enable",
    "audit-log-compress",
    "audit-log-truncate-enabled",
    "audit-webhook-batch-throttle-enable",
    "audit-webhook-truncate-enabled",
    "contention-profiling",
    "enable-priority-and-fairness",
    "logtostderr",
    "one-output",
    "one_output",
    "permit-address-sharing",
    "permit-port-sharing",
    "profiling",
    "skip-headers",
    "skip-log-headers",
    "skip_headers",
    "skip_log_headers",
];

/// `--flag=value` or `--flag value`.
const VALUES: &[&str] = &[
    "audit-log-batch-buffer-size",
    "audit-log-batch-max-size",
    "audit-log-batch-max-wait",
    "audit-log-batch-throttle-burst",
    "audit-log-batch-throttle-qps",
    "audit-log-format",
    "audit-log-maxage",
    "audit-log-maxbackup",
    "audit-log-maxsize",
    "audit-log-mode",
    "audit-log-path",
    "audit-log-truncate-max-batch-size",
    "audit-log-truncate-max-event-size",
    "audit-log-version",
    "audit-policy-file",
    "audit-webhook-batch-buffer-size",
    "audit-webhook-batch-max-size",
    "audit-webhook-batch-max-wait",
    "audit-webhook-batch-throttle-burst",
    "audit-webhook-batch-throttle-qps",
    "audit-webhook-config-file",
    "audit-webhook-initial-backoff",
    "audit-webhook-mode",
    "audit-webhook-truncate-max-batch-size",
    "audit-webhook-truncate-max-event-size",
    "audit-webhook-version",
    "debug-socket-path",
    "egress-selector-config-file",
    "http2-max-streams-per-connection",
    "log-backtrace-at",
    "log-dir",
    "log-file",
    "log-file-max-size",
    "log-flush-frequency",
    "log_backtrace_at",
    "log_dir",
    "log_file",
    "log_file_max_size",
    "stderrthreshold",
    "tls-curve-preferences",
    "tracing-config-file",
    "vmodule",
];
