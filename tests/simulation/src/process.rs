//! A process: the program as far as it is about records, and how it ends.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cert_manager_webhook_cloudflare::challenge::ChallengeRequest;
use cert_manager_webhook_cloudflare::cloudflare::Cloudflare;
use cert_manager_webhook_cloudflare::deadline::Deadline;
use cert_manager_webhook_cloudflare::metrics::Metrics;
use cert_manager_webhook_cloudflare::propagation::{Check, LiveCheck, Network};
use cert_manager_webhook_cloudflare::solver::error::Error;
use cert_manager_webhook_cloudflare::solver::mark::{Owner, OwnerId};
use cert_manager_webhook_cloudflare::solver::{Parts, Solver};
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use crate::bugs::{Bug, Planted};
use crate::cloud::World;
use crate::dns::settings;
use crate::plan::Port;

/// A process that runs.
pub(crate) struct Process {
    solver: Wired,
    metrics: Arc<Metrics>,
    pub(crate) life: Arc<Life>,
}

type Live = LiveCheck<Wire, Wire, Wire>;
type Wired = Solver<Planted<Cloudflare<Wire>>, Planted<Live>, Wire, Planted<Arc<Wire>>>;

/// A process's way to the outside.
#[derive(Debug, Clone)]
pub(crate) struct Wire {
    pub(crate) world: Arc<World>,
    pub(crate) life: Arc<Life>,
    pub(crate) bug: Option<Bug>,
}

/// How long a process lives, and whom it can't hear.
#[derive(Debug)]
pub(crate) struct Life {
    /// How often it may still reach the outside.
    left: Mutex<Option<u64>>,
    is_dead: AtomicBool,
    /// Wakes in order, unlike a `watch`.
    died: Notify,
    quiet: Mutex<BTreeMap<IpAddr, Instant>>,
}

impl Process {
    /// A process that has just started; it ends when it has reached the outside `after` times.
    pub(crate) fn start(world: &Arc<World>, after: Option<u64>, bug: Option<Bug>) -> Arc<Self> {
        let life = Arc::new(Life {
            left: Mutex::new(after),
            is_dead: AtomicBool::new(false),
            died: Notify::new(),
            quiet: Mutex::default(),
        });
        let wire = Wire { world: Arc::clone(world), life: Arc::clone(&life), bug };
        let metrics = Arc::new(Metrics::default());
        let owner = Owner::default();
        owner.set(OwnerId::parse("simulated").unwrap());
        let network = Network { lookup: wire.clone(), exchange: wire.clone(), https: wire.clone() };
        let check = if world.plan.port == Port::Open { Check::Authority } else { Check::Auto };
        let settings = settings(check, world.plan.settle);
        let work = TaskTracker::new();
        let records = Cloudflare::over(wire.clone(), Arc::clone(&metrics), work.clone());
        let propagation = LiveCheck::over(network, &settings, Arc::clone(&metrics)).unwrap();
        let solver = Solver::new(Parts {
            records: Planted { inner: records, bug },
            propagation: Planted { inner: propagation, bug },
            credentials: wire.clone(),
            challenges: Planted { inner: Arc::new(wire), bug },
            owner,
            group: GROUP.to_owned(),
            solver: SOLVER.to_owned(),
            metrics: Arc::clone(&metrics),
        });
        let process = Arc::new(Self { solver, metrics, life });
        work.spawn(tidy(Arc::clone(&process), Arc::clone(world)));
        process
    }

    /// What the program says; `None` if it ends meanwhile.
    pub(crate) async fn answer(
        &self,
        request: ChallengeRequest,
        deadline: Deadline,
    ) -> Option<Result<(), Error>> {
        tokio::select! {
            biased;
            () = self.life.ended() => None,
            answer = self.solver.answer(request, deadline) => Some(answer),
        }
    }

    /// Records that had to be left behind.
    pub(crate) fn records_left(&self) -> u64 {
        self.metrics.records_left.get()
    }
}

impl Life {
    /// Reaches the outside, or ends here and goes no further.
    pub(crate) async fn reach(&self) {
        let is_over = {
            let mut left = self.left.lock().unwrap();
            if let Some(left) = left.as_mut() {
                *left = left.saturating_sub(1);
            }
            *left == Some(0)
        };
        if is_over {
            self.is_dead.store(true, Ordering::Relaxed);
            self.died.notify_waiters();
        }
        if self.is_dead.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
    }

    /// Does the work, unless the process ends before.
    pub(crate) async fn alive<T>(&self, work: impl Future<Output = T>) -> T {
        tokio::select! {
            biased;
            () = self.ended() => std::future::pending().await,
            done = work => done,
        }
    }

    /// Waits for its end.
    pub(crate) async fn ended(&self) {
        let died = self.died.notified();
        if !self.is_dead.load(Ordering::Relaxed) {
            died.await;
        }
    }

    /// An address was asked, and heard or not.
    pub(crate) fn heard(&self, address: IpAddr, is_heard: bool) {
        let mut quiet = self.quiet.lock().unwrap();
        if is_heard {
            quiet.remove(&address);
        } else {
            quiet.insert(address, Instant::now());
        }
    }

    /// Whether an address did not answer when it was last asked: the program does not wait for it any more where its name
    /// server is heard at another.
    pub(crate) fn is_quiet(&self, address: IpAddr) -> bool {
        self.quiet.lock().unwrap().get(&address).is_some_and(|at| at.elapsed() <= QUIET_FOR)
    }
}

/// As `app` does it, once a change is seen.
async fn tidy(process: Arc<Process>, world: Arc<World>) {
    let lag = world.plan.watch.unwrap_or_default();
    loop {
        let _ = tokio::time::timeout(Duration::from_mins(1), world.cluster.changed()).await;
        tokio::time::sleep(lag + Duration::from_secs(1)).await;
        process.solver.remove_unpresented(Duration::from_secs(30)).await;
    }
}

pub(crate) const GROUP: &str = "acme.example";
pub(crate) const SOLVER: &str = "cloudflare";
/// As `propagation::questions` has it.
const QUIET_FOR: Duration = Duration::from_mins(10);
