//! The connection to kube-apiserver, in-cluster or by a kubeconfig.

use std::path::{Path, PathBuf};
use std::time::Duration;

use http::header::{HeaderValue, USER_AGENT};
use kube::config::{InClusterError, KubeConfigOptions, Kubeconfig, KubeconfigError};
use kube::{Client, Config};

/// The kubeconfigs of the flags.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// `--kubeconfig`; in-cluster when absent.
    pub kubeconfig: Option<PathBuf>,
    /// `--authentication-kubeconfig`; the one before when absent.
    pub authentication_kubeconfig: Option<PathBuf>,
    /// `--authorization-kubeconfig`; the one before them when absent.
    pub authorization_kubeconfig: Option<PathBuf>,
}

/// A client for each purpose; the same one where no kubeconfig tells them apart.
#[derive(Clone)]
pub struct Clients {
    /// Secrets and Challenges.
    pub api: Client,
    /// Token reviews and the front proxy's `ConfigMap`, as `DelegatingAuthenticationOptions` has it.
    pub authentication: Client,
    /// Subject access reviews.
    pub authorization: Client,
}

impl Clients {
    /// Reads the configurations. No connection is made yet: an API server that is away now may come.
    pub async fn new(settings: &Settings) -> Result<Self, ConnectError> {
        let api = match &settings.kubeconfig {
            Some(path) => from_file("--kubeconfig", path).await?,
            None => build("--kubeconfig", Config::incluster()?)?,
        };
        let other = async |flag, path: &Option<PathBuf>| match path {
            Some(path) => from_file(flag, path).await,
            None => Ok(api.clone()),
        };
        Ok(Self {
            authentication: other("--authentication-kubeconfig", &settings.authentication_kubeconfig).await?,
            authorization: other("--authorization-kubeconfig", &settings.authorization_kubeconfig).await?,
            api: api.clone(),
        })
    }
}

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// What it says can't be used.
    #[error("{flag}: no client can be made of this configuration")]
    Build {
        /// The flag that named it.
        flag: &'static str,
        /// Why.
        source: Box<kube::Error>,
    },
    /// Not in a cluster, and no file was named.
    #[error("--kubeconfig is not set, and this is no pod with a ServiceAccount")]
    InCluster(#[from] InClusterError),
    /// The file can't be read or understood.
    #[error("{flag}: {} can't be used", path.display())]
    Kubeconfig {
        /// The flag that named it.
        flag: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: KubeconfigError,
    },
}

async fn from_file(flag: &'static str, path: &Path) -> Result<Client, ConnectError> {
    let wrong = |source| ConnectError::Kubeconfig { flag, path: path.to_owned(), source };
    let file = Kubeconfig::read_from(path).map_err(wrong)?;
    let config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await.map_err(wrong)?;
    build(flag, config)
}

fn build(flag: &'static str, mut config: Config) -> Result<Client, ConnectError> {
    // kube's own policy retries up to 15 times and waits as long as a Retry-After says; a request of ours has one
    // budget of time, and the few retries that fit are made where that budget is known.
    config.default_retry = false;
    config.connect_timeout = Some(CONNECT_TIMEOUT);
    // Never reached by a watch, which the server ends after `follow::WATCH_SECONDS`; it ends a list whose answer
    // never comes. Every other call has a shorter limit of its own.
    config.read_timeout = Some(READ_TIMEOUT);
    config.reset_reader_on_write = true;
    config.headers.push((USER_AGENT, HeaderValue::from_static(AGENT)));
    Client::try_from(config).map_err(|source| ConnectError::Build { flag, source: Box::new(source) })
}

const AGENT: &str = concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION"));
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const READ_TIMEOUT: Duration = Duration::from_secs(75);
