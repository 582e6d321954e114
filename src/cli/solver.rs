//! What is solved, where the records are, and when a success is true.

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args, ValueEnum};

use super::value::{boolean, duration};
use crate::name::Fqdn;
use crate::propagation::RecursiveServer;
use crate::solver::mark::OwnerId;

/// Flags of the solver.
#[derive(Debug, Args)]
pub struct Solver {
    /// API group that is served; groupName in the issuer.
    #[arg(long, env = "GROUP_NAME", default_value = "cloudflare.dns01.webhook", value_parser = group_name)]
    pub group_name: String,
    /// Solver that is served; solverName in the issuer, in lower case.
    #[arg(long, env = "SOLVER_NAME", default_value = "cloudflare", value_parser = solver_name)]
    pub solver_name: String,

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
    #[arg(long, env = "DNS01_RECURSIVE_NAMESERVERS_ONLY", num_args = 0..=1, require_equals = true,
        default_value = "false", default_missing_value = "true", value_name = "BOOL", action = ArgAction::Set,
        value_parser = boolean)]
    pub dns01_recursive_nameservers_only: bool,
    /// What must have the record before Present succeeds; "off" claims the write alone.
    #[arg(long, env = "PROPAGATION_CHECK", value_enum, default_value_t = PropagationCheck::Auto)]
    pub propagation_check: PropagationCheck,
    /// Resolvers over HTTPS of at least two operators, asked where the name servers can't be; the operators of
    /// --dns01-recursive-nameservers are left out.
    #[arg(long, env = "PROPAGATION_DOH_SERVERS", value_delimiter = ',', value_name = "URL,…",
        default_values = DOH_SERVERS, value_parser = doh_server)]
    pub propagation_doh_servers: Vec<RecursiveServer>,
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
    #[arg(long, env = "ALLOW_PRIVATE_NAMESERVERS", num_args = 0..=1, require_equals = true, default_value = "false",
        default_missing_value = "true", value_name = "BOOL", action = ArgAction::Set, value_parser = boolean)]
    pub allow_private_nameservers: bool,
    /// Port of the authorities, for test set-ups.
    #[arg(long, env = "DNS01_AUTHORITY_PORT", default_value_t = 53, hide = true)]
    pub dns01_authority_port: u16,
}

/// See `--propagation-check`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PropagationCheck {
    /// Every name server of the zone's delegation; where port 53 is blocked or intercepted, resolvers over HTTPS.
    Auto,
    /// Every name server of the zone's delegation.
    Authority,
    /// Resolvers of two operators over HTTPS.
    Doh,
    /// Nothing is asked.
    Off,
}

/// By address where their certificates hold it: a cluster whose DNS is broken for names outside can still use them. The
/// last is the reserve where two of the others are left out.
const DOH_SERVERS: [&str; 7] = [
    "https://1.1.1.1/dns-query",
    "https://[2606:4700:4700::1111]/dns-query",
    "https://8.8.8.8/dns-query",
    "https://[2001:4860:4860::8888]/dns-query",
    "https://9.9.9.9/dns-query",
    "https://[2620:fe::fe]/dns-query",
    "https://doh.opendns.com/dns-query",
];

fn doh_server(text: &str) -> Result<RecursiveServer, String> {
    match text.parse::<RecursiveServer>() {
        Ok(server) if server.is_https() => Ok(server),
        Ok(_) => Err("must be a URL of the form https://host/dns-query".to_owned()),
        Err(reason) => Err(reason.to_string()),
    }
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
