//! The live Challenges of the cluster: watched for those that share a name, read when one must be sure.

mod index;
mod resource;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use kube::api::ListParams;
use kube::runtime::watcher::{self, Event};
use kube::{Api, Client};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use self::index::{Index, Seen, TooMany};
use self::resource::{ChallengeObject, Observed};
use super::call::chain;
use super::follow::{Follower, Lost, Pauses, follow};
use crate::challenge::TxtValue;
use crate::deadline::Deadline;
use crate::health::{Health, Token};
use crate::name::Fqdn;
use crate::solver::port::{Challenges, LiveChallenge, Stage};

/// The Challenges, as the solver asks for them.
#[derive(Clone)]
pub struct ClusterChallenges {
    api: Api<ChallengeObject>,
    index: Arc<Mutex<Index>>,
    changes: watch::Receiver<u64>,
}

/// Keeps what [`ClusterChallenges`] knows up to date.
pub struct ChallengeWatch {
    api: Api<ChallengeObject>,
    pauses: Pauses,
    state: Watched,
}

impl ClusterChallenges {
    /// The Challenges that `client` may read, in all namespaces; nothing is known until the watch runs. `health` is not
    /// ready until they have been listed once, or can't be: a Present that came before would wait without need.
    pub fn new(client: Client, health: &Health, pauses: Pauses) -> (Self, ChallengeWatch) {
        let index = Arc::<Mutex<Index>>::default();
        let (sender, changes) = watch::channel(0);
        let tried = health.expect(CHECK, "the Challenges have not been listed yet");
        let api = Api::all(client);
        let watch = ChallengeWatch {
            api: api.clone(),
            pauses,
            state: Watched { index: index.clone(), changes: sender, condition: Condition::Begun, tried },
        };
        (Self { api, index, changes }, watch)
    }

    /// A number that grows whenever a Challenge changed, or whether they are known.
    pub fn changed(&self) -> watch::Receiver<u64> {
        self.changes.clone()
    }
}

impl Challenges for ClusterChallenges {
    fn known(&self, dns_name: &Fqdn) -> Option<Vec<LiveChallenge>> {
        lock(&self.index).known(dns_name)
    }

    /// All Challenges of the cluster are listed: `spec.key` can't be selected by the API server.
    async fn read(&self, values: &[TxtValue], deadline: Deadline) -> Option<Vec<LiveChallenge>> {
        match deadline.run(self.list(values)).await {
            Ok(Ok(challenges)) => challenges,
            Ok(Err(error)) => {
                warn!(error = chain(&error), "the Challenges could not be read");
                None
            }
            Err(elapsed) => {
                warn!(error = %elapsed, "the Challenges could not be read");
                None
            }
        }
    }
}

impl ClusterChallenges {
    async fn list(&self, values: &[TxtValue]) -> Result<Option<Vec<LiveChallenge>>, kube::Error> {
        // Without a resourceVersion the answer is as new as the request
        // (https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-versions).
        let mut params = ListParams::default().limit(PAGE);
        let mut found = Vec::new();
        for _ in 0..MAX_PAGES {
            let page = self.api.list(&params).await?;
            let observed = page.items.iter().filter_map(observe);
            found.extend(observed.filter(|challenge| values.contains(&challenge.value)));
            params.continue_token = page.metadata.continue_.filter(|token| !token.is_empty());
            if params.continue_token.is_none() {
                let index = lock(&self.index);
                let live = found.into_iter().map(|challenge| index.enrich(challenge));
                return Ok(Some(
                    live.filter(|challenge| !matches!(challenge.stage, Stage::Over { .. })).collect(),
                ));
            }
        }
        Ok(None)
    }
}

impl ChallengeWatch {
    /// Watches until `shutdown`. Without the right to, or without cert-manager, it tries again now and then.
    pub async fn run(mut self, shutdown: CancellationToken) {
        let watching =
            follow(self.api, watcher::Config::default().page_size(PAGE), self.pauses, &mut self.state);
        shutdown.run_until_cancelled(watching).await;
    }
}

struct Watched {
    index: Arc<Mutex<Index>>,
    changes: watch::Sender<u64>,
    condition: Condition,
    tried: Token,
}

/// What the log said last.
#[derive(PartialEq, Eq)]
enum Condition {
    Begun,
    Watching,
    Lost(Lost),
    TooMany,
}

impl Follower<ChallengeObject> for Watched {
    fn event(&mut self, event: Event<ChallengeObject>) -> bool {
        let listed = matches!(event, Event::InitDone);
        let changed = {
            let mut index = lock(&self.index);
            match event {
                Event::Init => {
                    index.begin();
                    Ok(())
                }
                Event::InitDone => {
                    index.end();
                    Ok(())
                }
                Event::InitApply(object) => {
                    observe(&object).map_or(Ok(()), |challenge| index.put(Seen::Listed, challenge))
                }
                Event::Apply(object) => {
                    observe(&object).map_or(Ok(()), |challenge| index.put(Seen::Happened, challenge))
                }
                Event::Delete(object) => observe(&object).map_or(Ok(()), |challenge| index.remove(challenge)),
            }
        };
        if listed && self.now(Condition::Watching) {
            info!("Challenges are watched");
        }
        if changed == Err(TooMany) && self.now(Condition::TooMany) {
            warn!(
                "there are too many Challenges to watch them: names that share a record's name wait longer"
            );
        }
        self.changes.send_modify(|number| *number += 1);
        changed.is_ok()
    }

    fn lost(&mut self, why: &Lost) {
        lock(&self.index).lose();
        // An expired watch is listed again at once, and nobody needs to know.
        if *why != Lost::Expired && self.now(Condition::Lost(why.clone())) {
            warn!(reason = %why, "Challenges can't be watched: names that share a record's name wait longer; the chart allows it by rbac.challenges");
        }
        self.changes.send_modify(|number| *number += 1);
    }
}

impl Watched {
    /// Whether this is news.
    fn now(&mut self, condition: Condition) -> bool {
        self.tried.ready();
        let news = self.condition != condition;
        self.condition = condition;
        news
    }
}

fn observe(object: &ChallengeObject) -> Option<Observed> {
    object.observe(SystemTime::now())
}

fn lock(index: &Mutex<Index>) -> MutexGuard<'_, Index> {
    // Nothing under this lock can panic half-way; a poisoned index is whole.
    index.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The name of the check.
const CHECK: &str = "challenges";
/// Challenges in one answer, as client-go asks for them.
const PAGE: u32 = 500;
/// Twice what the watch keeps.
const MAX_PAGES: u32 = 40;
