//! Sees everything, and holds the program to what it promises.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use cert_manager_webhook_cloudflare::cloudflare::Call;
use cert_manager_webhook_cloudflare::solver::error::{Cause, Error};
use tokio::time::Instant;

use crate::cloud::World;
use crate::dns::Resolver;
use crate::plan::{Order, Plan, Port, ZONES};
use crate::process::Life;
use crate::random::Random;

/// What happened in a schedule, or in many.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Requests to present.
    pub presents: u64,
    /// Those that were answered with success.
    pub confirmed: u64,
    /// Requests to clean up.
    pub clean_ups: u64,
    /// Calls that reached Cloudflare.
    pub calls: u64,
    /// Questions to name servers.
    pub questions: u64,
    /// Looks of the CA's resolvers.
    pub validations: u64,
    /// Processes that ended without a word.
    pub crashes: u64,
    /// Requests whose caller went away.
    pub abandoned: u64,
}

/// The judge.
#[derive(Debug)]
pub(crate) struct Judge(Mutex<State>);

#[derive(Debug)]
struct State {
    begun: Instant,
    /// By id.
    standing: BTreeMap<String, Standing>,
    /// By order.
    cases: Vec<Case>,
    /// The CA's.
    resolvers: Vec<Resolver>,
    random: Random,
    /// How long the host stood still.
    stalled: Duration,
    /// By order, action and code.
    texts: BTreeMap<(usize, &'static str, &'static str), BTreeSet<String>>,
    violations: Vec<String>,
    counts: Counts,
    trace: DefaultHasher,
}

/// A record that stands at Cloudflare.
#[derive(Debug)]
struct Standing {
    name: String,
    value: String,
    since: Instant,
}

/// What was asked for an order so far.
#[derive(Debug, Clone, Default)]
struct Case {
    last_is_clean_up: bool,
    clean_up_asked: Option<Instant>,
    /// Since the last request.
    is_confirmed: bool,
    /// Somebody deletes its record by hand just now, or did.
    robbed: bool,
    /// When another challenge of the name was confirmed meanwhile.
    mistaken: Option<Instant>,
}

/// A moment of a request, to be compared with a later one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    at: Instant,
    stalled: Duration,
}

impl Judge {
    pub(crate) fn new(plan: &Plan) -> Self {
        Self(Mutex::new(State {
            begun: Instant::now(),
            standing: BTreeMap::new(),
            cases: vec![Case::default(); plan.orders.len()],
            resolvers: vec![Resolver::default(); RESOLVERS],
            random: Random::new(plan.seed ^ 0xca),
            stalled: Duration::ZERO,
            texts: BTreeMap::new(),
            violations: Vec::new(),
            counts: Counts::default(),
            trace: DefaultHasher::new(),
        }))
    }

    /// A call reaches Cloudflare; returns when.
    pub(crate) fn called(&self, call: &Call) -> Duration {
        let mut state = self.lock();
        state.counts.calls += 1;
        let at = state.begun.elapsed();
        (at, call.method.as_str(), &call.path, &call.body).hash(&mut state.trace);
        at
    }

    /// A question is put to a name server.
    pub(crate) fn asked(&self) {
        let mut state = self.lock();
        state.counts.questions += 1;
        state.begun.elapsed().hash(&mut state.trace);
    }

    /// cert-manager asks.
    pub(crate) fn requested(&self, case: usize, action: &str) -> Moment {
        let mut state = self.lock();
        let now = Instant::now();
        let is_clean_up = action == "CleanUp";
        let of = &mut state.cases[case];
        of.last_is_clean_up = is_clean_up;
        of.is_confirmed = false;
        if is_clean_up {
            of.clean_up_asked = Some(now);
            state.counts.clean_ups += 1;
        } else {
            of.robbed = false;
            state.counts.presents += 1;
        }
        tracing::debug!(at = ?state.begun.elapsed(), case, action, "request");
        Moment { at: now, stalled: state.stalled }
    }

    /// Somebody deletes the order's record by hand.
    pub(crate) fn robbed(&self, case: usize) {
        self.lock().cases[case].robbed = true;
    }

    /// The host stood still.
    pub(crate) fn stalled(&self, time: Duration) {
        self.lock().stalled += time;
    }

    pub(crate) fn crashed(&self) {
        self.lock().counts.crashes += 1;
    }

    pub(crate) fn abandoned(&self) {
        self.lock().counts.abandoned += 1;
    }

    /// A request was answered.
    pub(crate) fn answered(
        &self,
        (case, order): (usize, &Order),
        action: &'static str,
        asked: Moment,
        budget: Duration,
        answer: &Result<(), Error>,
    ) {
        let mut state = self.lock();
        let stalled = state.stalled.saturating_sub(asked.stalled);
        let took = asked.at.elapsed();
        if took > budget + stalled + GRACE {
            state.violate(order, &format!("{action} took {took:?} of {budget:?}"));
        }
        let Err(error) = answer else { return };
        if matches!(error.cause(), Cause::Internal) {
            state.violate(order, &format!("{action} failed within: {error:?}"));
        }
        let code = error.cause().code();
        let texts = state.texts.entry((case, action, code)).or_default();
        texts.insert(error.to_string());
        if texts.len() > TEXTS {
            let texts = texts.clone();
            state.violate(order, &format!("ever new texts of one error: {texts:?}"));
        }
    }

    /// A `Present` succeeded: it has to be true at this moment. Returns whether the authority proves it.
    pub(crate) fn confirmed(&self, world: &World, (case, order): (usize, &Order), life: &Life) -> bool {
        let (name, value) = (order.fqdn(), order.value());
        let seen = world.emulator.visible(&name, "TXT");
        let lacks = seen.iter().filter(|seen| !life.is_quiet(seen.address));
        let lacks: Vec<_> = lacks.filter(|seen| !seen.answers.contains(&value)).collect();
        let mut state = self.lock();
        state.counts.confirmed += 1;
        if state.cases[case].last_is_clean_up {
            // Nobody waits for it any more.
            return false;
        }
        state.cases[case].is_confirmed = true;
        for (of, other) in state.cases.iter_mut().zip(&world.plan.orders) {
            if of.robbed && other.fqdn() == name {
                of.mistaken = Some(Instant::now());
            }
        }
        if lacks.is_empty() {
            return matches!(world.plan.port, Port::Open | Port::OpenOrDetour);
        }
        let telling = world.operators.telling(&name, &value);
        if world.plan.port == Port::Open || telling < 2 {
            state
                .violate(order, &format!("confirmed, but {lacks:?} lack it and {telling} operators tell it"));
        }
        false
    }

    /// The CA looks, from several places.
    pub(crate) fn validate(&self, world: &World, case: usize, order: &Order, life: &Life) {
        let (name, value) = (order.fqdn(), order.value());
        let all = world.emulator.authorities().into_iter().map(|(_, address)| address.ip());
        let seen: Vec<IpAddr> = all.filter(|address| !life.is_quiet(*address)).collect();
        let mut state = self.lock();
        let of = &state.cases[case];
        if of.robbed || of.last_is_clean_up || seen.is_empty() {
            return;
        }
        // What was deleted by hand and written ahead at once is taken for live while the first is still served.
        if of.mistaken.is_some_and(|at| at.elapsed() < MISTAKEN) {
            return;
        }
        // Who can't watch Challenges knows nothing of a value that another process confirmed and deleted a moment ago.
        let is_alone = world.plan.instances == 1 && world.plan.crashes.is_empty();
        if world.plan.watch.is_none() && !is_alone {
            return;
        }
        for place in 0..RESOLVERS {
            let state = &mut *state;
            state.counts.validations += 1;
            let address = *state.random.pick(&seen);
            let held = state.resolvers[place].cached(&name, Instant::now()).is_some();
            let (values, _) = state.resolvers[place].ask(&world.emulator, address, &name);
            if !values.contains(&value) {
                let whence = if held { "holds" } else { "gets" };
                state.violate(order, &format!("confirmed, but the CA {whence} {values:?}"));
            }
        }
    }

    /// Compares what stands with what stood.
    pub(crate) fn look(&self, world: &World) {
        let records = ZONES.iter().flat_map(|zone| world.emulator.records(zone));
        let now: BTreeMap<_, _> = records
            .filter(|record| record.kind == "TXT")
            .map(|record| (record.id, (record.name, record.content.trim_matches('"').to_owned())))
            .collect();
        let mut state = self.lock();
        let state = &mut *state;
        let gone: Vec<_> = state.standing.keys().filter(|id| !now.contains_key(*id)).cloned().collect();
        for id in gone {
            let Some(record) = state.standing.remove(&id) else { continue };
            let mut orders = world.plan.orders.iter().enumerate();
            let order =
                orders.find(|(_, order)| order.value() == record.value && order.fqdn() == record.name);
            let Some((case, order)) = order else {
                let Standing { name, value, .. } = record;
                state.violations.push(format!("{value} at {name} was nobody's to delete"));
                continue;
            };
            let of = &state.cases[case];
            let is_asked = of.last_is_clean_up || of.clean_up_asked.is_some_and(|at| at >= record.since);
            // What was written ahead by a late view of an earlier challenge may go until this one is confirmed.
            let may_be_late = !of.is_confirmed && world.cluster.had_ended(order.number);
            if !is_asked && !of.robbed && !may_be_late && world.cluster.needs(order.number) {
                state.violate(order, "its record was not to be deleted");
            }
        }
        for (id, (name, value)) in now {
            let since = Instant::now();
            state.standing.entry(id).or_insert(Standing { name, value, since });
        }
    }

    /// Name and value of everything that stands, sorted.
    pub(crate) fn standing(&self) -> Vec<(String, String)> {
        let state = self.lock();
        let mut all: Vec<_> =
            state.standing.values().map(|record| (record.name.clone(), record.value.clone())).collect();
        all.sort();
        all
    }

    pub(crate) fn violate(&self, what: String) {
        self.lock().violations.push(what);
    }

    /// What was broken first, what happened, and a digest of every call with its time.
    pub(crate) fn verdict(&self) -> (Option<String>, Counts, u64) {
        let state = self.lock();
        (state.violations.first().cloned(), state.counts, state.trace.finish())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }
}

impl State {
    fn violate(&mut self, order: &Order, what: &str) {
        let at = self.begun.elapsed();
        self.violations.push(format!("at {at:?}, order {} ({}): {what}", order.number, order.fqdn()));
    }
}

impl Counts {
    /// Adds those of another schedule.
    pub fn add(&mut self, other: &Self) {
        self.presents += other.presents;
        self.confirmed += other.confirmed;
        self.clean_ups += other.clean_ups;
        self.calls += other.calls;
        self.questions += other.questions;
        self.validations += other.validations;
        self.crashes += other.crashes;
        self.abandoned += other.abandoned;
    }
}

/// How long a resolver may hold what it got when a record was served no more, and the one in its place not yet.
const MISTAKEN: Duration = Duration::from_secs(75);
/// From where the CA looks.
const RESOLVERS: usize = 3;
/// One for each reason that some codes tell: port 53 may be blocked, intercepted, or the delegation unknown.
const TEXTS: usize = 3;
/// Timers have a resolution of a millisecond, and one may follow another.
const GRACE: Duration = Duration::from_millis(10);
