//! The Kubernetes API server's stand-in, furnished as a cluster is where the program has been installed.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use cloudflare_emulator::kubernetes::{KubernetesStandIn, Resource, Verdict};
use serde_json::{Value, json};

use crate::certificates::{Certificates, FRONT_PROXY};
use crate::challenge::Challenge;
use crate::wait::until;

/// A running cluster.
#[derive(Debug)]
pub struct Cluster {
    server: KubernetesStandIn,
    kubeconfig: PathBuf,
}

impl Cluster {
    /// Starts it: the front proxy's CA is published, cert-manager may have challenges solved, everybody
    /// may look around, nothing else is there.
    pub(crate) async fn start(certificates: &Certificates, directory: &Path) -> Result<Self> {
        let server = KubernetesStandIn::start().await?;
        let front_proxy = fs::read_to_string(&certificates.front_proxy_ca)?;
        server.put(Resource::ConfigMaps, authentication(&front_proxy));
        server.authorize(|spec| {
            let solves = spec["user"] == CERT_MANAGER && spec["resourceAttributes"]["verb"] == "create";
            // ClusterRole system:discovery.
            let discovers = spec["nonResourceAttributes"]["verb"] == "get";
            if solves || discovers { Verdict::Allowed } else { Verdict::NoOpinion(String::new()) }
        });
        let kubeconfig = directory.join("kubeconfig");
        fs::write(&kubeconfig, server.kubeconfig())?;
        Ok(Self { server, kubeconfig })
    }

    /// The stand-in itself, to misbehave.
    pub fn server(&self) -> &KubernetesStandIn {
        &self.server
    }

    /// A kubeconfig that leads to it.
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// Puts the token where the challenge's issuer has it.
    pub fn put_token(&self, challenge: &Challenge, token: &str) {
        let (name, key) = challenge.secret();
        self.server.put_secret(challenge.namespace(), name, &[(key, token.as_bytes())]);
    }

    /// An order has been made: its Challenges exist, and wait for cert-manager's scheduler.
    pub fn create(&self, challenges: &[Challenge]) {
        for challenge in challenges {
            self.put(challenge, &json!({}));
        }
    }

    /// The order is done: its Challenges are deleted.
    pub fn delete(&self, challenges: &[Challenge]) {
        for challenge in challenges {
            self.server.delete(Resource::Challenges, challenge.namespace(), &challenge.name);
        }
    }

    /// Waits until the program watches the Challenges: then it knows those that were there before.
    pub async fn is_watched(&self) -> Result<()> {
        let watching = async || self.server.open_watches(Resource::Challenges) > 0;
        until("the program watches the Challenges", WATCH_LIMIT, watching).await
    }

    /// Creates the Challenge, or replaces it.
    pub(crate) fn put(&self, challenge: &Challenge, status: &Value) {
        self.server.put(Resource::Challenges, challenge.object(status));
    }
}

/// What kube-apiserver publishes for aggregated API servers
/// (<https://kubernetes.io/docs/tasks/extend-kubernetes/configure-aggregation-layer/>).
fn authentication(front_proxy_ca: &str) -> Value {
    json!({
        "metadata": {"namespace": "kube-system", "name": "extension-apiserver-authentication"},
        "data": {
            "requestheader-client-ca-file": front_proxy_ca,
            "requestheader-allowed-names": json!([FRONT_PROXY]).to_string(),
            "requestheader-username-headers": r#"["X-Remote-User"]"#,
            "requestheader-uid-headers": r#"["X-Remote-Uid"]"#,
            "requestheader-group-headers": r#"["X-Remote-Group"]"#,
            "requestheader-extra-headers-prefix": r#"["X-Remote-Extra-"]"#,
        },
    })
}

/// Who sends the recorded requests.
const CERT_MANAGER: &str = "system:serviceaccount:cert-manager:cert-manager";

const WATCH_LIMIT: Duration = Duration::from_secs(20);
