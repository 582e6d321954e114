//! The whole scene: Cloudflare, the cluster, the certificates, and the program in the middle.

use std::env;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use cloudflare_emulator::{Delay, Emulator, NameServerConfig, RateLimit, TokenConfig, World, ZoneConfig};
use tempfile::TempDir;
use tokio::time::Instant;

use crate::aggregator::Aggregator;
use crate::cert_manager::CertManager;
use crate::certificates::Certificates;
use crate::challenge::Challenge;
use crate::cluster::Cluster;
use crate::process::{Webhook, free_addresses};
use crate::recorded::Recorded;

/// The token of the issuer's Secret, which may do everything in `example.com`.
pub const TOKEN: &str = "v1-token-of-the-harness-0123456789abcdefghij";

/// The zone.
pub const ZONE: &str = "example.com";

/// How Cloudflare behaves.
#[derive(Debug, Clone, Default)]
pub struct Setting {
    /// What an API call takes.
    pub latency_ms: u64,
    /// From a write until every name server serves it.
    pub propagation_ms: u64,
    /// Name server addresses that are faster or slower.
    pub delays: Vec<Delay>,
    /// Zones besides [`ZONE`].
    pub zones: Vec<ZoneConfig>,
    /// Tokens besides [`TOKEN`]; [`Cluster::put_token`] puts one into the Secret of an issuer.
    pub tokens: Vec<TokenConfig>,
    /// Name servers besides the usual two.
    pub name_servers: Vec<NameServerConfig>,
    /// Calls allowed; none for no limit.
    pub rate_limit: Option<RateLimit>,
}

/// The program to run.
#[derive(Debug, Clone)]
pub struct Binary(PathBuf);

/// Everything that runs around the program.
#[derive(Debug)]
pub struct Scene {
    /// Cloudflare: API, name servers, and a resolver.
    pub cloudflare: Emulator,
    /// When Cloudflare's clock began, by which its timeline counts.
    pub started: Instant,
    /// The Kubernetes API server's stand-in.
    pub cluster: Cluster,
    /// Both ends' certificates.
    pub certificates: Certificates,
    binary: Binary,
    directory: TempDir,
}

impl Binary {
    /// The one at `path`.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// Its file.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The one beside the program that is running, as cargo leaves them.
    pub fn beside_this() -> Result<Self> {
        Ok(Self(env::current_exe()?.with_file_name(NAME)))
    }
}

impl Scene {
    /// Starts everything but the program. The token is in the Secret that the recorded requests name.
    pub async fn start(binary: Binary, setting: Setting) -> Result<Self> {
        let directory = tempfile::Builder::new().prefix("cloudflare-webhook-").tempdir()?;
        let certificates = Certificates::make(directory.path())?;
        let zone = ZoneConfig { record_quota: Some(1_000_000), ..ZoneConfig::new(ZONE) };
        let mut world = World {
            latency_ms: setting.latency_ms,
            propagation_ms: setting.propagation_ms,
            delays: setting.delays,
            rate_limit: setting.rate_limit,
            ..World::default()
        };
        world.name_servers.extend(setting.name_servers);
        let mut world = world.with_zone(zone).token(TOKEN, &[ZONE]);
        world.zones.extend(setting.zones);
        world.tokens.extend(setting.tokens);
        let started = Instant::now();
        let cloudflare = Emulator::start(world).await?;
        let cluster = Cluster::start(&certificates, directory.path()).await?;
        let [challenge, _] = Challenge::pair()?;
        cluster.put_token(&challenge, TOKEN);
        Ok(Self { cloudflare, started, cluster, certificates, binary, directory })
    }

    /// Runs the program in it, with `more` arguments (`--flag=value`), which take the place of those it has anyway; it
    /// need not be ready yet.
    pub fn spawn(&self, more: &[&str]) -> Result<Webhook> {
        let addresses = free_addresses()?;
        let mut arguments = self.arguments(addresses)?;
        let flag = |argument: &str| argument.split('=').next().unwrap_or_default().to_owned();
        arguments.retain(|own| !more.iter().any(|other| flag(other) == flag(own)));
        arguments.extend(more.iter().map(ToString::to_string));
        let log = self.directory.path().join(format!("webhook-{}.log", addresses[0].port()));
        Webhook::spawn(&self.binary.0, &arguments, &[], addresses, &log)
    }

    /// Runs a webhook made with cert-manager's own library in its place: same certificates, same cluster, and the
    /// group and solver of the recorded requests.
    pub fn spawn_reference(&self, reference: &Binary) -> Result<Webhook> {
        let addresses = free_addresses()?;
        let [https, _] = addresses;
        let [present, _] = Recorded::first()?;
        let (group, solver) = present.resource().context("a recorded path without a resource")?;
        let kubeconfig = self.cluster.kubeconfig().display();
        let arguments = [
            format!("--bind-address={}", https.ip()),
            format!("--secure-port={}", https.port()),
            format!("--tls-cert-file={}", self.certificates.serving_cert.display()),
            format!("--tls-private-key-file={}", self.certificates.serving_key.display()),
            format!("--kubeconfig={kubeconfig}"),
            format!("--authentication-kubeconfig={kubeconfig}"),
            format!("--authorization-kubeconfig={kubeconfig}"),
        ];
        let log = self.directory.path().join(format!("reference-{}.log", https.port()));
        let environment = [("GROUP_NAME", group), ("SOLVER_NAME", solver)];
        Webhook::spawn(&reference.0, &arguments, &environment, addresses, &log)
    }

    /// Waits until that one is ready, and says how long that took since its start. It has no admin port.
    pub async fn reference_ready(&self, reference: &mut Webhook) -> Result<Duration> {
        let aggregator = self.aggregator(reference)?;
        reference.ready_by(async || aggregator.get("/readyz").await.is_ok_and(|status| status == 200)).await
    }

    /// Runs the program in it and waits until it is ready.
    pub async fn webhook(&self, more: &[&str]) -> Result<Webhook> {
        let mut webhook = self.spawn(more)?;
        webhook.ready().await?;
        Ok(webhook)
    }

    /// kube-apiserver in front of the program.
    pub fn aggregator(&self, webhook: &Webhook) -> Result<Aggregator> {
        Aggregator::new(&self.certificates, webhook.address)
    }

    /// cert-manager in front of that.
    pub fn cert_manager(&self, webhook: &Webhook) -> Result<CertManager<'_>> {
        Ok(CertManager::new(&self.cluster, self.aggregator(webhook)?))
    }

    /// The values of the TXT records at Cloudflare's API, sorted.
    pub fn records(&self) -> Vec<String> {
        let records = self.cloudflare.records(ZONE).into_iter();
        let values = records.filter(|record| record.kind == "TXT").map(|record| record.content);
        let mut values: Vec<_> = values.map(|content| content.trim_matches('"').to_owned()).collect();
        values.sort();
        values
    }

    /// Where the files of this run are; gone with the scene.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    fn arguments(&self, [https, admin]: [SocketAddr; 2]) -> Result<Vec<String>> {
        let resolver = self.cloudflare.resolver_addr().context("the emulator runs no resolver")?;
        Ok(vec![
            "serve".to_owned(),
            format!("--bind-address={}", https.ip()),
            format!("--secure-port={}", https.port()),
            format!("--metrics-bind-address={admin}"),
            format!("--tls-cert-file={}", self.certificates.serving_cert.display()),
            format!("--tls-private-key-file={}", self.certificates.serving_key.display()),
            format!("--kubeconfig={}", self.cluster.kubeconfig().display()),
            format!("--cloudflare-api-url={}", self.cloudflare.api_url()),
            format!("--dns01-recursive-nameservers={resolver}"),
            "--dns01-recursive-nameservers-only".to_owned(),
            format!("--dns01-authority-port={}", self.cloudflare.authority_port()),
            "--allow-private-nameservers".to_owned(),
            "--owner-id=harness".to_owned(),
        ])
    }
}

const NAME: &str = "cert-manager-webhook-cloudflare";
