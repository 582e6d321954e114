//! The command line: every setting is a flag with an environment twin, spelled as kube-apiserver and cert-manager
//! spell theirs where they have one.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::name::Fqdn;
use crate::propagation::RecursiveServer;
use crate::solver::mark::OwnerId;

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
pub struct Serve {
    /// API group that is served; groupName in the issuer.
    #[arg(long, env = "GROUP_NAME", default_value = "cloudflare.dns01.webhook", value_parser = group_name)]
    pub group_name: String,
    /// Solver that is served; solverName in the issuer, in lower case.
    #[arg(long, env = "SOLVER_NAME", default_value = "cloudflare", value_parser = solver_name)]
    pub solver_name: String,

    /// Address to serve HTTPS on; every address of both families by default.
    #[arg(long, env = "BIND_ADDRESS", default_value = "::")]
    pub bind_address: IpAddr,
    /// Port to serve HTTPS on.
    #[arg(long, env = "SECURE_PORT", default_value_t = 8443)]
    pub secure_port: u16,
    /// PEM file with the serving certificate and its intermediates; read again when it changes.
    #[arg(long, env = "TLS_CERT_FILE", value_name = "FILE")]
    pub tls_cert_file: PathBuf,
    /// PEM file with the key of the serving certificate.
    #[arg(long, env = "TLS_PRIVATE_KEY_FILE", value_name = "FILE")]
    pub tls_private_key_file: PathBuf,
    /// Address to serve /livez, /readyz and /metrics on, without TLS and without authentication.
    #[arg(long, env = "METRICS_BIND_ADDRESS", default_value = ":9402", value_name = "ADDRESS:PORT", value_parser = listen_address)]
    pub metrics_bind_address: SocketAddr,

    /// Kubeconfig; in-cluster configuration when absent.
    #[arg(long, env = "KUBECONFIG", value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// Kubeconfig for TokenReviews and the front proxy's configuration [default: that of --kubeconfig]
    #[arg(long, env = "AUTHENTICATION_KUBECONFIG", value_name = "FILE")]
    pub authentication_kubeconfig: Option<PathBuf>,
    /// Kubeconfig for SubjectAccessReviews [default: that of --kubeconfig]
    #[arg(long, env = "AUTHORIZATION_KUBECONFIG", value_name = "FILE")]
    pub authorization_kubeconfig: Option<PathBuf>,

    /// Cloudflare's API.
    #[arg(
        long,
        env = "CLOUDFLARE_API_URL",
        default_value = "https://api.cloudflare.com/client/v4",
        value_name = "URL"
    )]
    pub cloudflare_api_url: String,
    /// PEM file with the only CAs to trust for Cloudflare's API, e.g. those of an intercepting proxy.
    #[arg(long, env = "CLOUDFLARE_CA_FILE", value_name = "FILE")]
    pub cloudflare_ca_file: Option<PathBuf>,
    /// File with the operator's own API token, for requests that allow ambient credentials.
    #[arg(long, env = "API_TOKEN_FILE", value_name = "FILE")]
    pub api_token_file: Option<PathBuf>,
    /// Name of this installation in the comments of its records; two that may edit a zone must differ
    /// [default: derived from the cluster and the group]
    #[arg(long, env = "OWNER_ID", value_parser = owner_id)]
    pub owner_id: Option<OwnerId>,

    /// Resolvers for delegations, as host:port or <https://…/dns-query> [default: the system's]
    #[arg(long, env = "DNS01_RECURSIVE_NAMESERVERS", value_delimiter = ',', value_name = "SERVER,…")]
    pub dns01_recursive_nameservers: Vec<RecursiveServer>,
    /// Never ask the system's resolvers, even if none of those given answers.
    #[arg(long, env = "DNS01_RECURSIVE_NAMESERVERS_ONLY")]
    pub dns01_recursive_nameservers_only: bool,
    /// What must have the record before Present succeeds; "off" claims the write alone.
    #[arg(long, env = "PROPAGATION_CHECK", value_enum, default_value_t = PropagationCheck::Authority)]
    pub propagation_check: PropagationCheck,
    /// How long to wait for the record to be live.
    #[arg(long, env = "PROPAGATION_TIMEOUT", default_value = "40s", value_parser = duration)]
    pub propagation_timeout: Duration,
    /// How long a record must have been live at every name server.
    #[arg(long, env = "PROPAGATION_SETTLE", default_value = "1s", value_parser = duration)]
    pub propagation_settle: Duration,
    /// How long a request may take in all; kube-apiserver gives up at 60 s.
    #[arg(long, env = "REQUEST_DEADLINE", default_value = "45s", value_parser = duration)]
    pub request_deadline: Duration,
    /// Accept name servers at loopback, link-local and private addresses.
    #[arg(long, env = "ALLOW_PRIVATE_NAMESERVERS")]
    pub allow_private_nameservers: bool,
    /// Port of the authorities, for test set-ups.
    #[arg(long, env = "DNS01_AUTHORITY_PORT", default_value_t = 53, hide = true)]
    pub dns01_authority_port: u16,

    /// How long SIGTERM waits for requests in flight.
    #[arg(long, env = "SHUTDOWN_GRACE_PERIOD", default_value = "50s", value_parser = duration)]
    pub shutdown_grace_period: Duration,
    /// How long after SIGTERM new requests are still served, so that endpoints can be withdrawn first.
    #[arg(long, env = "SHUTDOWN_DELAY_DURATION", default_value = "0s", value_parser = duration)]
    pub shutdown_delay_duration: Duration,

    /// Least severe level to log: error, warn, info, debug or trace, or a filter of tracing-subscriber.
    #[arg(long, env = "LOG_LEVEL", default_value = "info")]
    pub log_level: String,
    /// Form of the log.
    #[arg(long, env = "LOG_FORMAT", value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,
}

/// See `--propagation-check`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PropagationCheck {
    /// Every name server of the zone's delegation.
    Authority,
    /// Nothing is asked.
    Off,
}

/// See `--log-format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For people.
    Text,
}

/// A DNS-1123 subdomain: it becomes a path segment and part of the APIService's name.
fn group_name(text: &str) -> Result<String, String> {
    match Fqdn::parse(text) {
        Ok(name) if name.as_str() == text && !text.contains('_') => Ok(text.to_owned()),
        Ok(_) => Err("must be lower-case letters, digits, hyphens and dots".to_owned()),
        Err(reason) => Err(reason.to_string()),
    }
}

/// client-go lower-cases it in the URL (`rest/request.go`), so anything else could never be asked for.
fn solver_name(text: &str) -> Result<String, String> {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-.".contains(&b);
    let ends = text.starts_with(['-', '.']) || text.ends_with(['-', '.']);
    if (1..=63).contains(&text.len()) && text.bytes().all(allowed) && !ends {
        Ok(text.to_owned())
    } else {
        Err("must be lower-case letters, digits, hyphens and dots: cert-manager asks for it in lower case"
            .to_owned())
    }
}

fn owner_id(text: &str) -> Result<OwnerId, String> {
    OwnerId::parse(text).ok_or_else(|| "must be 1 to 32 lower-case letters, digits and hyphens".to_owned())
}

/// `:9402` means every address, as in Go.
fn listen_address(text: &str) -> Result<SocketAddr, String> {
    let full = text.strip_prefix(':').map(|port| format!("[::]:{port}"));
    SocketAddr::from_str(full.as_deref().unwrap_or(text))
        .map_err(|_| "must be ADDRESS:PORT or :PORT".to_owned())
}

/// Go's spelling, as far as it is of use in a flag: `1m30s`, `500ms`, `0`.
fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || "must be a duration such as 500ms, 40s or 1m30s".to_owned();
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let mut total = Duration::ZERO;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
        let number: u64 = rest[..digits].parse().map_err(|_| wrong())?;
        let unit_end = rest[digits..].find(|c: char| c.is_ascii_digit()).map_or(rest.len(), |at| digits + at);
        let millis = match &rest[digits..unit_end] {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            _ => return Err(wrong()),
        };
        let part = number.checked_mul(millis).map(Duration::from_millis).ok_or_else(wrong)?;
        total = total.checked_add(part).ok_or_else(wrong)?;
        rest = &rest[unit_end..];
    }
    if text.is_empty() { Err(wrong()) } else { Ok(total) }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_flags_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn durations_are_spelled_as_in_go() {
        assert_eq!(duration("1m30s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("0"), Ok(Duration::ZERO));
        for text in ["", "40", "s", "4d", "1s2", "99999999999999999999s", "-1s", "1.5s"] {
            assert!(duration(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn an_error_names_its_flag() {
        let required = ["x", "serve", "--tls-cert-file=a", "--tls-private-key-file=b"];
        for (flag, value) in [
            ("--group-name", "Group"),
            ("--solver-name", "CloudFlare"),
            ("--owner-id", "a b"),
            ("--metrics-bind-address", "9402"),
            ("--propagation-timeout", "40"),
            ("--propagation-check", "maybe"),
            ("--bind-address", "localhost"),
            ("--dns01-recursive-nameservers", "ftp://one.one.one.one"),
        ] {
            let arg = format!("{flag}={value}");
            let error = Cli::try_parse_from(required.into_iter().chain([&*arg])).unwrap_err().to_string();
            assert!(error.contains(flag), "{error}");
        }
    }
}
