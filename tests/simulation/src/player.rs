//! cert-manager, and the CA behind it, for one order.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use cert_manager_webhook_cloudflare::challenge::ChallengeRequest;
use cert_manager_webhook_cloudflare::deadline::Deadline;
use tokio::sync::Mutex as Turns;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::cloud::World;
use crate::cluster::{NAMESPACE, config};
use crate::plan::{Order, ZONES};
use crate::process::{Life, Process};
use crate::random::Random;

/// An instance, which may be away for a moment.
pub(crate) type Slot = Arc<Mutex<Option<Arc<Process>>>>;

/// Plays one order to its end.
pub(crate) struct Player {
    pub(crate) world: Arc<World>,
    pub(crate) random: Random,
    pub(crate) slots: Vec<Slot>,
    /// Whose turn it is among the challenges of this name.
    pub(crate) turns: Arc<Turns<()>>,
    /// Its place in the plan.
    pub(crate) case: usize,
    pub(crate) order: Order,
}

/// How a `Present` ended.
enum Presented {
    /// With success, by this process; whether the authority proves it.
    Live(Arc<Life>, bool),
    /// It was given up; this may still be under way.
    GivenUp { _running: JoinSet<Option<(Arc<Life>, bool)>> },
}

impl Player {
    pub(crate) async fn play(mut self) {
        sleep(self.order.at).await;
        for life in 1..=self.order.lives {
            if life > 1 {
                // A value comes back with a new order, if it ever does.
                sleep(self.random.millis(5_000, 60_000)).await;
            }
            let goes = !self.order.stands || life < self.order.lives;
            self.world.cluster.create(&self.order, life);
            let turns = Arc::clone(&self.turns);
            let turn = if self.world.plan.one_by_one { Some(turns.lock().await) } else { None };
            let mut presented = self.present(goes).await;
            if self.order.is_robbed && matches!(presented, Presented::Live(..)) {
                // cert-manager could not note the success, and asks again, once the record is served no more.
                self.rob();
                sleep(Duration::from_secs(10)).await;
                presented = self.present(goes).await;
            }
            if let Presented::Live(process, is_proven) = &presented {
                self.world.cluster.presented(&self.order);
                // A value comes back only while its authorization is pending: the CA was not told to look.
                if life == self.order.lives {
                    self.validate(process, *is_proven).await;
                }
            }
            if goes {
                self.world.cluster.over(&self.order);
                drop(turn);
                self.clean_up().await;
                self.world.cluster.remove(&self.order);
            }
            drop(presented);
        }
    }

    /// Until it succeeds; if it is to go, perhaps not so long.
    async fn present(&mut self, goes: bool) -> Presented {
        loop {
            let slot = Arc::clone(self.random.pick(&self.slots));
            // Requests that meet are asked of one process: two that know nothing of each other can't keep an order.
            let together = if self.random.percent(15) { 2 } else { 1 };
            let mut running = JoinSet::new();
            for _ in 0..together {
                running.spawn(self.request("Present", &slot));
            }
            if goes && self.order.is_withdrawn && self.random.percent(50) {
                sleep(self.random.millis(1, 5_000)).await;
                self.slots = vec![slot];
                return Presented::GivenUp { _running: running };
            }
            let mut live = None;
            let mut is_presented = true;
            while let Some(answer) = running.join_next().await {
                live = self.joined(answer);
                is_presented &= live.is_some();
            }
            if let Some((life, is_proven)) = live.filter(|_| is_presented) {
                return Presented::Live(life, is_proven);
            }
            if goes && self.order.is_withdrawn {
                self.slots = vec![slot];
                return Presented::GivenUp { _running: running };
            }
            sleep(self.random.millis(500, 10_000)).await;
        }
    }

    /// Until it succeeds, and perhaps once more.
    async fn clean_up(&mut self) {
        let mut again = self.random.percent(15);
        loop {
            let slot = Arc::clone(self.random.pick(&self.slots));
            let answer = self.request("CleanUp", &slot);
            if answer.await.is_some() && !std::mem::take(&mut again) {
                return;
            }
            sleep(self.random.millis(500, 10_000)).await;
        }
    }

    /// The CA looks a moment after it was told to, and again later.
    async fn validate(&mut self, process: &Life, is_proven: bool) {
        for _ in 0..2 {
            sleep(self.random.millis(500, 2_000)).await;
            if is_proven {
                self.world.judge.validate(&self.world, self.case, &self.order, process);
            }
        }
    }

    /// One request; says who answered with success.
    fn request(
        &mut self,
        action: &'static str,
        slot: &Slot,
    ) -> impl Future<Output = Option<(Arc<Life>, bool)>> + Send + use<> {
        let (world, order, case) = (Arc::clone(&self.world), self.order.clone(), self.case);
        let budget = if self.random.percent(20) { self.random.millis(10, 5_000) } else { USUAL };
        // The API server's own deadline, or a controller that ends.
        let patience = self.random.percent(10).then(|| self.random.millis(10, 10_000));
        let process = slot.lock().unwrap().clone();
        async move {
            let asked = world.judge.requested(case, action);
            let process = process?;
            let answer = process.answer(request(&order, action), Deadline::within(budget));
            let answer = match patience {
                None => answer.await?,
                Some(patience) => {
                    let Ok(answer) = tokio::time::timeout(patience, answer).await else {
                        world.judge.abandoned();
                        return None;
                    };
                    answer?
                }
            };
            let is_proven = answer.is_ok()
                && action == "Present"
                && world.judge.confirmed(&world, (case, &order), &process.life);
            world.judge.answered((case, &order), action, asked, budget, &answer);
            answer.is_ok().then(|| (Arc::clone(&process.life), is_proven))
        }
    }

    /// Somebody deletes the record by hand.
    fn rob(&self) {
        self.world.judge.robbed(self.case);
        let (name, value) = (self.order.fqdn(), self.order.value());
        for zone in ZONES {
            let records = self.world.emulator.records(zone).into_iter();
            let own = |record: &cloudflare_emulator::RecordView| {
                record.name == name && record.content.trim_matches('"') == value
            };
            for record in records.filter(own) {
                assert!(self.world.emulator.remove_record(zone, &record.id));
            }
        }
        self.world.judge.look(&self.world);
    }

    fn joined<T>(&self, answer: Result<Option<T>, tokio::task::JoinError>) -> Option<T> {
        answer.unwrap_or_else(|error| {
            self.world.judge.violate(format!("a request panicked: {error}"));
            None
        })
    }
}

fn request(order: &Order, action: &str) -> ChallengeRequest {
    ChallengeRequest {
        action: action.to_owned(),
        dns_name: order.dns_name(),
        key: order.value(),
        resource_namespace: NAMESPACE.to_owned(),
        resolved_fqdn: format!("{}.", order.fqdn()),
        config: Some(config(order)),
        ..ChallengeRequest::default()
    }
}

/// The program's share of the API server's minute.
const USUAL: Duration = Duration::from_secs(45);
