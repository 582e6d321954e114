//! The root: builds everything from the settings, serves until it is told to stop, and drains.
//!
//! Everything is bound and loaded before anything is served. Background tasks run until the end; one that ends sooner
//! ends the process, for an API server without its front proxy's current configuration is worse than none.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use axum::Router;
use prometheus_client::registry::Registry;
use tokio::runtime::Handle;
use tokio::task::spawn_blocking;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, error, info, warn};

use crate::access::Access;
use crate::api::{self, Answer};
use crate::challenge::ChallengeRequest;
use crate::cli::Serve;
use crate::cli::log::LogFormat;
use crate::cloudflare::Cloudflare;
use crate::cluster::challenges::ClusterChallenges;
use crate::cluster::client::{self, Clients};
use crate::cluster::follow::Pauses;
use crate::cluster::front_proxy::FrontProxyWatch;
use crate::cluster::review::{SubjectAccess, TokenReviews};
use crate::cluster::secret::ClusterCredentials;
use crate::deadline::Deadline;
use crate::health::Health;
use crate::metrics::Metrics;
use crate::propagation::LiveCheck;
use crate::server::tls::ServingCertificates;
use crate::server::{self, Drain, Limits, Server};
use crate::shutdown::Signals;
use crate::solver::Solver;
use crate::solver::error::Error;
use crate::{admin, telemetry};

mod background;
mod solver;

use background::Background;

type WiredSolver = Solver<Cloudflare, LiveCheck, ClusterCredentials, ClusterChallenges>;

impl Answer for WiredSolver {
    async fn answer(&self, request: ChallengeRequest, deadline: Deadline) -> Result<(), Error> {
        Self::answer(self, request, deadline).await
    }
}

/// Serves until a signal.
pub async fn serve(settings: Serve) -> anyhow::Result<ExitCode> {
    let format = match settings.log.log_format {
        LogFormat::Json => telemetry::Format::Json,
        LogFormat::Text => telemetry::Format::Text,
    };
    telemetry::start(settings.log.filter(), format).context("--log-level is no level and no filter")?;
    for flag in &settings.legacy.ignored {
        warn!("--{flag} means nothing here, and is ignored");
    }
    server::forbid_dumps();
    server::raise_descriptor_limit();
    let mut signals = Signals::listen().context("signals can't be listened to")?;
    debug!("starting");
    let settings = Arc::new(settings);
    // On a thread of its own: a file system that hangs must not keep signals from being heard.
    let (building, runtime) = (Arc::clone(&settings), Handle::current());
    let app = tokio::select! {
        app = spawn_blocking(move || runtime.block_on(App::build(&building))) => app??,
        () = signals.next() => {
            info!("told to stop before anything was served");
            return Ok(ExitCode::SUCCESS);
        }
    };
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
        // The first number of the cryptographic library takes it a while, and may do so meanwhile.
        spawn_blocking(|| aws_lc_rs::rand::fill(&mut [0]));

        let clients = Clients::new(&client::Settings {
            kubeconfig: settings.access.kubeconfig.clone(),
            authentication_kubeconfig: settings.access.authentication_kubeconfig.clone(),
            authorization_kubeconfig: settings.access.authorization_kubeconfig.clone(),
        })
        .await?;
        let (front_proxy, watch) =
            FrontProxyWatch::new(clients.authentication.clone(), &health, Pauses::default());
        let watch = watch.with(settings.access.given())?;
        background.start("front proxy", watch.run(stop.clone()));

        let work = TaskTracker::new();
        let solver = solver::solver(
            &settings.solver,
            &clients,
            &front_proxy,
            &health,
            Arc::clone(&metrics),
            &work,
            &mut background,
        )?;
        let shared_for = settings.access.shared_for();
        let access = Access::new(
            front_proxy,
            SubjectAccess::new(clients.authorization.clone(), shared_for),
            TokenReviews::new(clients.authentication.clone(), shared_for),
        )
        .always_allowing(settings.access.always_allowed());

        let serving = &settings.serving;
        let (cert_file, key_file) = serving.certificate_files();
        let certificates = ServingCertificates::load(cert_file, key_file, serving.tls_sni_cert_key.clone())?;
        let tls = certificates.server_config(&serving.protocol())?;
        let follow = certificates.follow(CERTIFICATE_INTERVAL, metrics.serving.clone());
        background.start("serving certificates", follow);

        let address = SocketAddr::from((serving.bind_address, serving.secure_port));
        Ok(Self {
            server: bind("--bind-address and --secure-port", address, Some(tls))?,
            admin: bind("--metrics-bind-address", serving.metrics_bind_address, None)?,
            router: router(settings, access, solver, &work, &health, (&registry, metrics)),
            admin_router: admin::router(&health, registry),
            health,
            work,
            background,
        })
    }

    async fn run(self, settings: &Serve, signals: &mut Signals) -> anyhow::Result<ExitCode> {
        let serving = &settings.serving;
        let drain = Drain { delay: serving.shutdown_delay_duration, grace: serving.shutdown_grace_period };
        let stop = CancellationToken::new();
        info!(
            version = env!("CARGO_PKG_VERSION"),
            address = %self.server.local_addr()?,
            group = settings.solver.group_name,
            solver = settings.solver.solver_name,
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
            ended = background.ended() => bail!("{ended}"),
            () = signals.next() => info!("draining; a second signal ends at once"),
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
            in_time = drained => info!(in_time, "drained"),
            () = signals.next() => {
                error!("a second signal: requests in flight are cut off");
                return Ok(ExitCode::from(CUT_OFF));
            }
        }
        background.stop.cancel();
        Ok(ExitCode::SUCCESS)
    }
}

fn router(
    settings: &Serve,
    access: Access<SubjectAccess, TokenReviews>,
    solver: Arc<WiredSolver>,
    work: &TaskTracker,
    health: &Health,
    (registry, metrics): (&Arc<Registry>, Arc<Metrics>),
) -> Router {
    api::router(api::Parts {
        group: settings.solver.group_name.clone(),
        solver_name: settings.solver.solver_name.clone(),
        request_deadline: settings.solver.request_deadline,
        access,
        solver,
        tracker: work.clone(),
        health: health.clone(),
        registry: Arc::clone(registry),
        metrics,
    })
}

fn bind(flag: &str, address: SocketAddr, tls: Option<Arc<rustls::ServerConfig>>) -> anyhow::Result<Server> {
    Server::bind(address, tls, Limits::default())
        .with_context(|| format!("{flag}: {address} can't be listened on"))
}

/// Kubelet updates a volume's files about once a minute.
const CERTIFICATE_INTERVAL: Duration = Duration::from_secs(10);
/// `internal/cmd/util/signal.go` of cert-manager.
const CUT_OFF: u8 = 130;
