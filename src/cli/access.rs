//! Who is believed and who is asked: `pkg/server/options/authentication.go` and `authorization.go` of
//! `k8s.io/apiserver`. No flag switches authentication or authorization off.

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args};

use super::value::{boolean, duration};
use crate::access::{AllowedPath, AlwaysAllowed, Headers};
use crate::cluster::front_proxy::given::Given;
use crate::cluster::review::SharedFor;

/// Flags of authentication and authorization.
#[derive(Debug, Args)]
#[command(next_help_heading = "Authentication and authorization")]
pub struct Access {
    /// Kubeconfig; in-cluster configuration when absent.
    #[arg(long, env = "KUBECONFIG", value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// Kubeconfig for TokenReviews and the front proxy's configuration [default: that of --kubeconfig]
    #[arg(long, env = "AUTHENTICATION_KUBECONFIG", value_name = "FILE")]
    pub authentication_kubeconfig: Option<PathBuf>,
    /// Kubeconfig for SubjectAccessReviews [default: that of --kubeconfig]
    #[arg(long, env = "AUTHORIZATION_KUBECONFIG", value_name = "FILE")]
    pub authorization_kubeconfig: Option<PathBuf>,

    /// PEM file with the CAs of clients' own certificates, in place of the cluster's; read again when it changes.
    #[arg(long, env = "CLIENT_CA_FILE", value_name = "FILE")]
    pub client_ca_file: Option<PathBuf>,
    /// PEM file with the CAs of the front proxy's certificate, in place of all that the cluster says of its front proxy:
    /// the --requestheader flags count then. Read again when it changes.
    #[arg(long, env = "REQUESTHEADER_CLIENT_CA_FILE", value_name = "FILE")]
    pub requestheader_client_ca_file: Option<PathBuf>,
    /// Common names of the front proxy's certificate [default: any]
    #[arg(long, env = "REQUESTHEADER_ALLOWED_NAMES", value_delimiter = ',', value_name = "NAME,…", value_parser = filled)]
    pub requestheader_allowed_names: Vec<String>,
    /// Headers with the user's name.
    #[arg(long, env = "REQUESTHEADER_USERNAME_HEADERS", value_delimiter = ',', value_name = "HEADER,…",
        default_value = "x-remote-user", value_parser = filled)]
    pub requestheader_username_headers: Vec<String>,
    /// Headers with the user's uid.
    #[arg(long, env = "REQUESTHEADER_UID_HEADERS", value_delimiter = ',', value_name = "HEADER,…", value_parser = filled)]
    pub requestheader_uid_headers: Vec<String>,
    /// Headers with the user's groups.
    #[arg(long, env = "REQUESTHEADER_GROUP_HEADERS", value_delimiter = ',', value_name = "HEADER,…",
        default_value = "x-remote-group", value_parser = filled)]
    pub requestheader_group_headers: Vec<String>,
    /// Beginnings of headers with other attributes of the user.
    #[arg(long, env = "REQUESTHEADER_EXTRA_HEADERS_PREFIX", value_delimiter = ',', value_name = "PREFIX,…",
        default_value = "x-remote-extra-", value_parser = filled)]
    pub requestheader_extra_headers_prefix: Vec<String>,
    /// Never ask the cluster for its front proxy and its clients' CA; an --owner-id is needed then, for none can be derived.
    #[arg(long, env = "AUTHENTICATION_SKIP_LOOKUP", num_args = 0..=1, require_equals = true, default_value = "false",
        default_missing_value = "true", value_name = "BOOL", action = ArgAction::Set, value_parser = boolean,
        requires_if("true", "owner_id"))]
    pub authentication_skip_lookup: bool,
    /// Taken for compatibility: a lookup that fails is never fatal here, the server is not ready until it succeeds.
    #[arg(long, env = "AUTHENTICATION_TOLERATE_LOOKUP_FAILURE", num_args = 0..=1, require_equals = true,
        default_value = "true", default_missing_value = "true", value_name = "BOOL", action = ArgAction::Set,
        value_parser = boolean)]
    pub authentication_tolerate_lookup_failure: bool,
    /// How long answers of TokenReviews are shared.
    #[arg(long, env = "AUTHENTICATION_TOKEN_WEBHOOK_CACHE_TTL", default_value = "10s", value_parser = duration)]
    pub authentication_token_webhook_cache_ttl: Duration,

    /// How long SubjectAccessReviews that allow are shared.
    #[arg(long, env = "AUTHORIZATION_WEBHOOK_CACHE_AUTHORIZED_TTL", default_value = "10s", value_parser = duration)]
    pub authorization_webhook_cache_authorized_ttl: Duration,
    /// How long SubjectAccessReviews that do not allow are shared.
    #[arg(long, env = "AUTHORIZATION_WEBHOOK_CACHE_UNAUTHORIZED_TTL", default_value = "10s", value_parser = duration)]
    pub authorization_webhook_cache_unauthorized_ttl: Duration,
    /// Paths that everybody may see: /healthz, /livez, /readyz, /version, /metrics, or with /* what is below one of them.
    #[arg(long, env = "AUTHORIZATION_ALWAYS_ALLOW_PATHS", value_delimiter = ',', value_name = "PATH,…",
        default_value = "/healthz,/readyz,/livez", value_parser = open_path)]
    pub authorization_always_allow_paths: Vec<Option<AllowedPath>>,
}

impl Access {
    /// What the flags give in place of the cluster's configuration.
    pub fn given(&self) -> Given {
        let headers = || {
            let lists = [
                &self.requestheader_username_headers,
                &self.requestheader_uid_headers,
                &self.requestheader_group_headers,
                &self.requestheader_extra_headers_prefix,
            ];
            Headers::new(self.requestheader_allowed_names.clone(), lists.map(Clone::clone))
        };
        Given {
            client_ca_file: self.client_ca_file.clone(),
            front_proxy: self.requestheader_client_ca_file.clone().map(|file| (file, headers())),
            skip_lookup: self.authentication_skip_lookup,
        }
    }

    /// For how long reviews are shared.
    pub fn shared_for(&self) -> SharedFor {
        SharedFor {
            tokens: self.authentication_token_webhook_cache_ttl,
            allowed: self.authorization_webhook_cache_authorized_ttl,
            forbidden: self.authorization_webhook_cache_unauthorized_ttl,
        }
    }

    /// What everybody may see.
    pub fn always_allowed(&self) -> AlwaysAllowed {
        AlwaysAllowed::new(self.authorization_always_allow_paths.iter().flatten().cloned().collect())
    }
}

fn filled(text: &str) -> Result<String, String> {
    if text.trim().is_empty() { Err("must not be empty".to_owned()) } else { Ok(text.to_owned()) }
}

/// An empty value is the empty list.
fn open_path(text: &str) -> Result<Option<AllowedPath>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    let refused = "must be one of /healthz, /livez, /readyz, /version and /metrics, or below one of them";
    AllowedPath::parse(text).map(Some).ok_or_else(|| refused.to_owned())
}
