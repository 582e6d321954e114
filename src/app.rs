//! The root: builds everything from the settings, serves until it is told to stop, and drains.
//!
//! Everything is bound and loaded before anything is served. Background tasks run until the end; one that ends sooner
//! ends the process, for an API server without its front proxy's current configuration is worse than none.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use axum::Router;
use prometheus_client::registry::Registry;
use rustls_platform_verifier::BuilderVerifierExt;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::access::{Access, FrontProxy, FrontProxyConfig};
use crate::api::{self, Answer};
use crate::challenge::ChallengeRequest;
use crate::cli::{LogFormat, PropagationCheck, Serve};
use crate::cloudflare::{self, Cloudflare};
use crate::cluster::challenges::ClusterChallenges;
use crate::cluster::client::{self, Clients};
use crate::cluster::follow::Pauses;
use crate::cluster::front_proxy::FrontProxyWatch;
use crate::cluster::review::{SharedFor, SubjectAccess, TokenReviews};
use crate::cluster::secret::ClusterCredentials;
use crate::deadline::Deadline;
use crate::health::Health;
use crate::metrics::Metrics;
use crate::propagation::{self, Check, LiveCheck, RecursiveServer};
use crate::server::tls::ServingCertificate;
use crate::server::{self, Drain, Limits, Server};
use crate::shutdown::Signals;
use crate::solver::error::Error;
use crate::solver::mark::{Owner, OwnerId};
use crate::solver::{Parts, Solver};
use crate::{admin, telemetry};

type WiredSolver = Solver<Cloudflare, LiveCheck, ClusterCredentials, ClusterChallenges>;

impl Answer for WiredSolver {
    async fn answer(&self, request: ChallengeRequest, deadline: Deadline) -> Result<(), Error> {
        Self::answer(self, request, deadline).await
    }
}

/// Serves until a signal.
pub async fn serve(settings: Serve) -> anyhow::Result<()> {
    let format = match settings.log_format {
        LogFormat::Json => telemetry::Format::Json,
        LogFormat::Text => telemetry::Format::Text,
    };
    telemetry::start(&settings.log_level, format).context("--log-level is no level and no filter")?;
    server::raise_descriptor_limit();
    let mut signals = Signals::listen().context("signals can't be listened to")?;
    let app = App::build(&settings).await?;
    app.run(&settings, &mut signals).await
}

/// Everything, bound and loaded.
struct App {
    server: Server,
    admin: Server,
    router: Router,
    admin_router: Router,
    health: Health,
    work: TaskTracker,
    background: Background,
}

impl App {
    async fn build(settings: &Serve) -> anyhow::Result<Self> {
        let (health, stop) = (Health::default(), CancellationToken::new());
        let (metrics, registry) = Metrics::new();
        let registry = Arc::new(registry);
        let mut background = Background::new(stop.clone());

        let clients = Clients::new(&client::Settings {
            kubeconfig: settings.kubeconfig.clone(),
            authentication_kubeconfig: settings.authentication_kubeconfig.clone(),
            authorization_kubeconfig: settings.authorization_kubeconfig.clone(),
        })
        .await?;
        let (front_proxy, front_proxy_watch) =
            FrontProxyWatch::new(clients.authentication.clone(), &health, Pauses::default());
        background.start("front proxy", front_proxy_watch.run(stop.clone()));

        let solver = solver(settings, &clients, &front_proxy, &health, metrics, &mut background)?;
        let access = Access::new(
            front_proxy,
            SubjectAccess::new(clients.authorization.clone(), SharedFor::default()),
            TokenReviews::new(clients.authentication.clone(), SharedFor::default()),
        );
        let certificate =
            ServingCertificate::load(settings.tls_cert_file.clone(), settings.tls_private_key_file.clone())?;
        let tls = certificate.server_config()?;
        background.start("serving certificate", certificate.follow(CERTIFICATE_INTERVAL));

        let work = TaskTracker::new();
        let address = SocketAddr::from((settings.bind_address, settings.secure_port));
        Ok(Self {
            server: bind("--bind-address and --secure-port", address, Some(tls))?,
            admin: bind("--metrics-bind-address", settings.metrics_bind_address, None)?,
            router: router(settings, access, solver, &work, &health, &registry),
            admin_router: admin::router(&health, registry),
            health,
            work,
            background,
        })
    }

    async fn run(self, settings: &Serve, signals: &mut Signals) -> anyhow::Result<()> {
        let drain = Drain { delay: settings.shutdown_delay_duration, grace: settings.shutdown_grace_period };
        let stop = CancellationToken::new();
        tracing::info!(
            version = env!("CARGO_PKG_VERSION"),
            address = %self.server.local_addr()?,
            group = settings.group_name,
            solver = settings.solver_name,
            "serving"
        );
        let mut background = self.background;
        let ready = self.health.expect("server", "the server is not listening yet");
        // The admin port tells of the drain until the drain is over.
        let no_drain = Drain { delay: Duration::ZERO, grace: Duration::ZERO };
        background.start("admin port", async move {
            self.admin.serve(self.admin_router, CancellationToken::new(), no_drain, None).await;
        });
        let mut serving = std::pin::pin!(self.server.serve(self.router, stop.clone(), drain, Some(ready)));
        tokio::select! {
            _ = &mut serving => bail!("the listener has ended"),
            name = background.ended() => bail!("background task {name} has ended"),
            () = signals.next() => tracing::info!("draining; a second signal ends at once"),
        }
        stop.cancel();
        self.work.close();
        // Work goes on when its connection was cut, but not for longer than the grace period in all.
        let end = Instant::now() + drain.delay + drain.grace;
        let drained = async {
            let in_time = serving.await;
            tokio::time::timeout_at(end, self.work.wait()).await.is_ok() && in_time
        };
        tokio::select! {
            in_time = drained => tracing::info!(in_time, "drained"),
            () = signals.next() => bail!("a second signal: requests in flight are cut off"),
        }
        background.stop.cancel();
        Ok(())
    }
}

fn solver(
    settings: &Serve,
    clients: &Clients,
    front_proxy: &FrontProxy,
    health: &Health,
    metrics: Arc<Metrics>,
    background: &mut Background,
) -> anyhow::Result<Arc<WiredSolver>> {
    let cloudflare = cloudflare::Settings {
        api_url: settings.cloudflare_api_url.clone(),
        ca_file: settings.cloudflare_ca_file.clone(),
    };
    let (challenges, challenge_watch) =
        ClusterChallenges::new(clients.api.clone(), health, Pauses::default());
    let changed = challenges.changed();
    background.start("challenges", challenge_watch.run(background.stop.clone()));
    let solver = Arc::new(Solver::new(Parts {
        records: Cloudflare::new(&cloudflare, Arc::clone(&metrics))?,
        propagation: propagation(settings)?,
        credentials: ClusterCredentials::new(clients.api.clone(), settings.api_token_file.clone()),
        challenges,
        owner: owner(settings, front_proxy, background),
        group: settings.group_name.clone(),
        solver: settings.solver_name.clone(),
        metrics,
    }));
    background.start("tidying", tidy(Arc::clone(&solver), changed));
    Ok(solver)
}

fn propagation(settings: &Serve) -> anyhow::Result<LiveCheck> {
    let check = match settings.propagation_check {
        PropagationCheck::Authority => Check::Authority,
        PropagationCheck::Off => Check::Off,
    };
    LiveCheck::new(propagation::Settings {
        check,
        timeout: settings.propagation_timeout,
        settle: settings.propagation_settle,
        authority_port: settings.dns01_authority_port,
        allow_private_name_servers: settings.allow_private_nameservers,
        recursive_servers: settings.dns01_recursive_nameservers.clone(),
        recursive_servers_only: settings.dns01_recursive_nameservers_only,
        tls: https_roots(&settings.dns01_recursive_nameservers)?,
    })
    .context("--dns01-recursive-nameservers")
}

/// The system's roots where a resolver is asked over HTTPS; they take a megabyte, so none otherwise.
fn https_roots(servers: &[RecursiveServer]) -> anyhow::Result<rustls::ClientConfig> {
    let config = rustls::ClientConfig::builder();
    let is_https = |server: &RecursiveServer| server.is_https();
    if !servers.iter().any(is_https) {
        return Ok(config.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth());
    }
    let config = config.with_platform_verifier().context("the system's CA certificates can't be loaded")?;
    Ok(config.with_no_client_auth())
}

/// The operator's id, or one that follows from the `ConfigMap` that every cluster has once.
fn owner(settings: &Serve, front_proxy: &FrontProxy, background: &mut Background) -> Owner {
    let owner = Owner::default();
    if let Some(id) = &settings.owner_id {
        owner.set(id.clone());
        return owner;
    }
    let (known, group, mut front_proxy) = (owner.clone(), settings.group_name.clone(), front_proxy.clone());
    background.start("owner id", async move {
        let read =
            |config: &Option<Arc<FrontProxyConfig>>| config.as_ref().is_some_and(|c| !c.uid.is_empty());
        if let Ok(config) = front_proxy.wait_for(read).await
            && let Some(config) = config.as_ref()
        {
            known.set(OwnerId::derive(&config.uid, &group));
        }
        std::future::pending::<()>().await;
    });
    owner
}

fn router(
    settings: &Serve,
    access: Access<SubjectAccess, TokenReviews>,
    solver: Arc<WiredSolver>,
    work: &TaskTracker,
    health: &Health,
    registry: &Arc<Registry>,
) -> Router {
    api::router(api::Parts {
        group: settings.group_name.clone(),
        solver_name: settings.solver_name.clone(),
        request_deadline: settings.request_deadline,
        access,
        solver,
        tracker: work.clone(),
        health: health.clone(),
        registry: Arc::clone(registry),
    })
}

fn bind(flag: &str, address: SocketAddr, tls: Option<Arc<rustls::ServerConfig>>) -> anyhow::Result<Server> {
    Server::bind(address, tls, Limits::default())
        .with_context(|| format!("{flag}: {address} can't be listened on"))
}

/// Removes what was written ahead for Challenges that went away. Changes come in bursts: one look serves a burst.
async fn tidy(solver: Arc<WiredSolver>, mut changed: watch::Receiver<u64>) {
    while changed.changed().await.is_ok() {
        tokio::time::sleep(TIDY_PAUSE).await;
        changed.mark_unchanged();
        solver.remove_unpresented(TIDY_BUDGET).await;
    }
}

/// Tasks that live as long as the process.
struct Background {
    stop: CancellationToken,
    tasks: JoinSet<&'static str>,
}

impl Background {
    fn new(stop: CancellationToken) -> Self {
        Self { stop, tasks: JoinSet::new() }
    }

    fn start(&mut self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(async move {
            task.await;
            name
        });
    }

    /// Waits for a task to end, which none should.
    async fn ended(&mut self) -> &'static str {
        match self.tasks.join_next().await {
            Some(Ok(name)) => name,
            Some(Err(_)) => "(panicked)",
            None => std::future::pending().await,
        }
    }
}

/// Kubelet updates a volume's files about once a minute.
const CERTIFICATE_INTERVAL: Duration = Duration::from_secs(10);
const TIDY_PAUSE: Duration = Duration::from_secs(1);
/// Of one value.
const TIDY_BUDGET: Duration = Duration::from_secs(30);
