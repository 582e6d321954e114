//! Plays a plan from its begin to some time after its end.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cloudflare_emulator::{Emulator, RateLimit, RecordConfig, TokenConfig, World as Cloudflare, ZoneConfig};
use tokio::sync::Mutex as Turns;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::bugs::Bug;
use crate::cloud::World;
use crate::cluster::Cluster;
use crate::dns::ELSEWHERE;
use crate::judge::{Counts, Judge};
use crate::plan::{Order, Plan, ZONES};
use crate::player::{Player, Slot};
use crate::process::Process;
use crate::random::Random;

/// How a schedule ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// What was broken first.
    pub violation: Option<String>,
    /// What happened.
    pub counts: Counts,
    /// A digest of every call and question with its time.
    pub trace: u64,
}

/// Plays a schedule on paused time, with a defect or without.
#[must_use]
pub fn play(plan: &Plan, bug: Option<Bug>) -> Outcome {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().start_paused(true).build().unwrap();
    runtime.block_on(run(plan.clone(), bug))
}

async fn run(plan: Plan, bug: Option<Bug>) -> Outcome {
    let emulator = Emulator::detached(&cloudflare(&plan)).unwrap();
    let judge = Judge::new(&plan);
    let world = Arc::new(World::new(plan, emulator, Cluster::new(&TOKENS), judge));
    world.judge.look(&world);
    let stage = Stage::set(&world, bug);
    let mut turns: BTreeMap<String, Arc<Turns<()>>> = BTreeMap::new();
    let mut players = JoinSet::new();
    for (case, order) in world.plan.orders.iter().enumerate() {
        let player = Player {
            world: Arc::clone(&world),
            // Its own, whichever others there are.
            random: Random::new(world.plan.seed.wrapping_mul(31).wrapping_add(order.number as u64)),
            slots: stage.slots.clone(),
            turns: Arc::clone(turns.entry(order.dns_name()).or_default()),
            case,
            order: order.clone(),
        };
        players.spawn(player.play());
    }
    let mut events = events(&world);
    let calm = Arc::clone(&world);
    events.spawn(async move {
        sleep(TROUBLE).await;
        calm.calm();
    });
    let ended = timeout(PATIENCE, async {
        while let Some(ended) = players.join_next().await {
            if let Err(error) = ended {
                world.judge.violate(format!("a player panicked: {error}"));
            }
        }
    });
    if ended.await.is_err() {
        world.judge.violate("some have not ended".to_owned());
    }
    while events.join_next().await.is_some() {}
    world.calm();
    sleep(QUIET).await;
    stage.close(&world);
    let (violation, counts, trace) = world.judge.verdict();
    Outcome { violation, counts, trace }
}

/// The instances.
struct Stage {
    slots: Vec<Slot>,
    all: Arc<Mutex<Vec<Arc<Process>>>>,
    _keepers: JoinSet<()>,
}

impl Stage {
    fn set(world: &Arc<World>, bug: Option<Bug>) -> Self {
        let all = Arc::<Mutex<Vec<_>>>::default();
        let mut keepers = JoinSet::new();
        let mut slots = Vec::new();
        for instance in 0..world.plan.instances {
            let slot = Slot::default();
            let crashes = world.plan.crashes.iter().filter(|crash| crash.instance == instance);
            let mut crashes = crashes.copied().collect::<Vec<_>>().into_iter();
            let (world, all, kept) = (Arc::clone(world), Arc::clone(&all), Arc::clone(&slot));
            let mut crash = crashes.next();
            let first = Process::start(&world, crash.map(|crash| crash.after), bug);
            all.lock().unwrap().push(Arc::clone(&first));
            *kept.lock().unwrap() = Some(Arc::clone(&first));
            keepers.spawn(async move {
                let mut process = first;
                while let Some(last) = crash {
                    process.life.ended().await;
                    world.judge.crashed();
                    *kept.lock().unwrap() = None;
                    sleep(last.away).await;
                    crash = crashes.next();
                    process = Process::start(&world, crash.map(|crash| crash.after), bug);
                    all.lock().unwrap().push(Arc::clone(&process));
                    *kept.lock().unwrap() = Some(Arc::clone(&process));
                }
            });
            slots.push(slot);
        }
        Self { slots, all, _keepers: keepers }
    }

    /// What must stand in the end, and what must not.
    fn close(&self, world: &World) {
        world.judge.look(world);
        let plan = &world.plan;
        let standing = world.judge.standing();
        let record = |order: &Order| (order.fqdn(), order.value());
        let mut expected: Vec<_> = plan.orders.iter().filter(|order| order.stands).map(record).collect();
        expected.push((FOREIGN.0.to_owned(), FOREIGN.1.to_owned()));
        expected.sort();
        let left: u64 = self.all.lock().unwrap().iter().map(|process| process.records_left()).sum();
        let missing: Vec<_> = expected.iter().filter(|record| !standing.contains(record)).collect();
        let mut surplus = standing.clone();
        for record in &expected {
            if let Some(place) = surplus.iter().position(|other| other == record) {
                surplus.remove(place);
            }
        }
        // What a process wrote ahead before it ended, for a challenge that had just been cleaned up, the name's next Present
        // removes.
        if !plan.crashes.is_empty() {
            surplus.retain(|record| !is_ahead(world, record));
        }
        // A record whose Secret is away for good can only be named; here it was away for a while.
        let may_be_left = if plan.losses.is_empty() { 0 } else { left };
        if left > 0 && plan.losses.is_empty() {
            world.judge.violate(format!("{left} records were given up"));
        }
        if !missing.is_empty() || surplus.len() as u64 > may_be_left {
            world.judge.violate(format!("in the end {missing:?} are missing and {surplus:?} are left"));
        }
        if let Some(refused) = world.emulator.stats().answers_by_status.get("429") {
            world.judge.violate(format!("Cloudflare answered 429 {refused} times"));
        }
    }
}

fn is_ahead(world: &World, (name, value): &(String, String)) -> bool {
    let records = ZONES.iter().flat_map(|zone| world.emulator.records(zone));
    let mut own = records.filter(|record| record.name == *name && record.content.trim_matches('"') == value);
    own.any(|record| record.comment.as_ref().is_some_and(|comment| comment.contains(" with ")))
}

/// What else happens, each at its time.
fn events(world: &Arc<World>) -> JoinSet<()> {
    let mut events = JoinSet::new();
    for (at, time) in world.plan.stalls.clone() {
        let world = Arc::clone(world);
        events.spawn(async move {
            sleep(at).await;
            world.judge.stalled(time);
            tokio::time::advance(time).await;
        });
    }
    for rotation in world.plan.rotations.clone() {
        let (renewed, revoked) = (Arc::clone(world), Arc::clone(world));
        let new = NEW_TOKENS[rotation.user];
        events.spawn(async move {
            sleep(rotation.secret).await;
            renewed.emulator.add_token(TokenConfig { zones: zones(), ..TokenConfig::new(new) });
            // Unless it is away just now.
            if renewed.cluster.secret(rotation.user).is_some() {
                renewed.cluster.set_secret(rotation.user, Some(new));
            }
        });
        events.spawn(async move {
            sleep(rotation.revoked).await;
            revoked.emulator.remove_token(TOKENS[rotation.user]);
        });
    }
    for (user, at, time) in world.plan.losses.clone() {
        let world = Arc::clone(world);
        events.spawn(async move {
            sleep(at).await;
            world.cluster.set_secret(user, None);
            sleep(time).await;
            let is_rotated = world.plan.rotations.iter().any(|rotation| rotation.user == user);
            let token = if is_rotated { NEW_TOKENS[user] } else { TOKENS[user] };
            if is_rotated {
                world.emulator.add_token(TokenConfig { zones: zones(), ..TokenConfig::new(token) });
            }
            world.cluster.set_secret(user, Some(token));
        });
    }
    for (zone, at, time) in world.plan.moves.clone() {
        let world = Arc::clone(world);
        events.spawn(async move {
            sleep(at).await;
            let home = world.emulator.delegation(ZONES[zone]);
            world.emulator.set_delegation(ZONES[zone], &[ELSEWHERE]);
            sleep(time).await;
            let home: Vec<_> = home.iter().map(String::as_str).collect();
            world.emulator.set_delegation(ZONES[zone], &home);
        });
    }
    events
}

fn cloudflare(plan: &Plan) -> Cloudflare {
    let needed = plan.orders.iter().filter(|order| order.stands || order.is_there).count();
    let quota = plan.tight_quota.then_some(needed + 3);
    let mut world = Cloudflare {
        latency_ms: 60,
        propagation_ms: plan.propagation,
        propagation_jitter_ms: 500,
        seed: plan.seed,
        rate_limit: plan.limit.map(|requests| RateLimit { requests, ..RateLimit::default() }),
        ..Cloudflare::default()
    };
    world.switches.bare_delete = plan.bare_delete;
    for zone in ZONES {
        world = world.with_zone(ZoneConfig { record_quota: quota, ..ZoneConfig::new(zone) });
    }
    for token in TOKENS {
        world = world.token(token, &ZONES);
    }
    world.records.extend(plan.orders.iter().filter(|order| order.is_there).map(by_hand));
    let (name, value) = FOREIGN;
    world.record(ZONES[0], "TXT", name, value)
}

fn by_hand(order: &Order) -> RecordConfig {
    RecordConfig {
        zone: order.zone.to_owned(),
        kind: "TXT".to_owned(),
        name: order.fqdn(),
        content: format!("\"{}\"", order.value()),
        ttl: 60,
        comment: None,
        priority: None,
        hidden: false,
    }
}

fn zones() -> Vec<String> {
    ZONES.iter().map(|zone| (*zone).to_owned()).collect()
}

const TOKENS: [&str; 2] =
    ["token-of-the-first-user-0123456789-0123456789", "token-of-the-second-user-0123456789-012345678"];
const NEW_TOKENS: [&str; 2] =
    ["renewed-of-the-first-user-0123456789-01234567", "renewed-of-the-second-user-0123456789-0123456"];
/// Somebody else's record.
const FOREIGN: (&str, &str) = ("_acme-challenge.one.example", "made-by-somebody-else");
/// How long calls come to grief.
const TROUBLE: Duration = Duration::from_mins(2);
/// Until the last order must have ended.
const PATIENCE: Duration = Duration::from_hours(2);
/// What nobody waits for any more ends, too.
const QUIET: Duration = Duration::from_mins(3);
