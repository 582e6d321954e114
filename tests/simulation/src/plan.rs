//! What happens in a schedule, all of it drawn from the seed; and less of it, for a schedule that fails.

use std::time::Duration;

use crate::random::Random;

/// A schedule.
#[derive(Debug, Clone)]
pub struct Plan {
    /// What it was drawn from; also the begin of every sequence that is drawn while it plays.
    pub seed: u64,
    /// What is asked for.
    pub(crate) orders: Vec<Order>,
    /// Instances of the program.
    pub(crate) instances: usize,
    /// So many calls to Cloudflare in a hundred come to grief.
    pub(crate) bad_calls: u64,
    /// So many questions to name servers in a hundred come to grief.
    pub(crate) bad_questions: u64,
    pub(crate) crashes: Vec<Crash>,
    /// The host stands still: when, and how long.
    pub(crate) stalls: Vec<(Duration, Duration)>,
    /// A token is replaced in Secret and account, not at the same moment.
    pub(crate) rotations: Vec<Rotation>,
    /// A Secret is away: whose, when, and how long.
    pub(crate) losses: Vec<(usize, Duration, Duration)>,
    /// A zone's parent names somebody else: which zone, when, and how long.
    pub(crate) moves: Vec<(usize, Duration, Duration)>,
    /// Port 53 leads nowhere, or elsewhere.
    pub(crate) port: Port,
    /// Whether Challenges can be watched, and how late one sees them. No later than a challenge comes and goes.
    pub(crate) watch: Option<Duration>,
    /// Whether cert-manager handles two challenges of a name one after the other, as it does within a cluster.
    pub(crate) one_by_one: bool,
    /// From a write until it is served, in milliseconds.
    pub(crate) propagation: u64,
    pub(crate) settle: Duration,
    /// Calls in five minutes.
    pub(crate) limit: Option<u32>,
    /// Room for what must stand, and for little else.
    pub(crate) tight_quota: bool,
    /// A delete is answered by a body without a result.
    pub(crate) bare_delete: bool,
}

/// What is asked for one value.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is drawn by itself")]
pub(crate) struct Order {
    pub(crate) number: usize,
    pub(crate) zone: &'static str,
    pub(crate) host: &'static str,
    /// Whose Secret it is written with.
    pub(crate) user: usize,
    /// When it is ordered.
    pub(crate) at: Duration,
    /// Whether it is still waited for in the end.
    pub(crate) stands: bool,
    /// How often it is presented and cleaned up.
    pub(crate) lives: u32,
    /// Somebody made its record by hand before.
    pub(crate) is_there: bool,
    /// Somebody deletes its record by hand.
    pub(crate) is_robbed: bool,
    /// It is withdrawn while it is presented.
    pub(crate) is_withdrawn: bool,
}

/// A process ends without a word and is started again.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Crash {
    pub(crate) instance: usize,
    /// When it has reached the outside this often; as often again for the next of the same instance.
    pub(crate) after: u64,
    /// How long it is away.
    pub(crate) away: Duration,
}

/// A user's token is replaced.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rotation {
    pub(crate) user: usize,
    /// When the Secret says so.
    pub(crate) secret: Duration,
    /// When Cloudflare takes the old one no more.
    pub(crate) revoked: Duration,
}

/// Where questions to authorities lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Port {
    /// To them; nobody else is asked.
    Open,
    /// To them; there is a detour.
    OpenOrDetour,
    /// Nowhere; the detour is all there is.
    Blocked,
    /// To somebody who answers in their place, with what he was told before.
    Intercepted,
}

impl Plan {
    /// The schedule of this seed.
    #[must_use]
    pub fn draw(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let orders: Vec<_> = (0..=random.below(9)).map(|number| Order::draw(number, &mut random)).collect();
        let instances = if random.percent(40) { 2 } else { 1 };
        let count = |random: &mut Random, percent: u64, most: u64| {
            if random.percent(percent) { 1 + random.below(most) } else { 0 }
        };
        let crashes = (0..count(&mut random, 35, 3)).map(|_| Crash::draw(instances, &mut random)).collect();
        let stalls = (0..count(&mut random, 10, 2))
            .map(|_| (random.millis(0, 60_000), random.millis(500, 40_000)))
            .collect();
        let rotations = (0..count(&mut random, 15, 1)).map(|_| Rotation::draw(&mut random)).collect();
        let away = |random: &mut Random, index: u64| {
            let index = usize::try_from(random.below(index)).unwrap();
            (index, random.millis(0, 60_000), random.millis(1_000, 60_000))
        };
        let losses = (0..count(&mut random, 10, 1)).map(|_| away(&mut random, 2)).collect();
        let moves = (0..count(&mut random, 10, 1)).map(|_| away(&mut random, 2)).collect();
        let mut plan = Self {
            seed,
            orders,
            instances,
            bad_calls: *random.pick(&[0, 0, 5, 20, 50]),
            bad_questions: *random.pick(&[0, 0, 2, 10]),
            crashes,
            stalls,
            rotations,
            losses,
            moves,
            port: *random.pick(&[
                Port::Open,
                Port::Open,
                Port::Open,
                Port::OpenOrDetour,
                Port::OpenOrDetour,
                Port::OpenOrDetour,
                Port::Blocked,
                Port::Intercepted,
            ]),
            watch: (!random.percent(15)).then(|| random.millis(0, 1_000)),
            one_by_one: !random.percent(20),
            propagation: *random.pick(&[0, 1_500, 1_500, 6_000]),
            settle: Duration::from_millis(*random.pick(&[0, 500, 1_000])),
            limit: match random.below(4) {
                0 => Some(1_200),
                1 => Some(120),
                _ => None,
            },
            tight_quota: random.percent(15),
            bare_delete: random.percent(10),
        };
        // No CA gives the same value twice to a name that has got another one meanwhile.
        let names: Vec<_> = plan.orders.iter().map(Order::fqdn).collect();
        for order in plan.orders.iter_mut().filter(|order| order.lives > 1) {
            let name = order.fqdn();
            if names.iter().filter(|other| **other == name).count() > 1 {
                order.lives = 1;
            }
        }
        // A record that is given up with its Secret takes up room for good, and one that was written ahead until its turn.
        plan.tight_quota &= plan.losses.is_empty() && !plan.one_by_one;
        if plan.port != Port::Open {
            // Resolvers go on to tell what somebody has deleted by hand, and there is nobody else to ask.
            plan.orders.iter_mut().for_each(|order| order.is_robbed = false);
        }
        plan
    }

    /// How many challenges there are.
    #[must_use]
    pub fn size(&self) -> usize {
        self.orders.len()
    }

    /// Every schedule that has one thing less.
    pub(crate) fn smaller(&self) -> Vec<Self> {
        let mut all = Vec::new();
        let mut without = |change: &dyn Fn(&mut Self) -> bool| {
            let mut plan = self.clone();
            if change(&mut plan) {
                all.push(plan);
            }
        };
        for n in 0..self.orders.len() {
            without(&|plan| plan.orders.len() > 1 && Some(plan.orders.remove(n)).is_some());
        }
        for n in 0..self.crashes.len() {
            without(&|plan| Some(plan.crashes.remove(n)).is_some());
        }
        without(&|plan| !std::mem::take(&mut plan.stalls).is_empty());
        without(&|plan| !std::mem::take(&mut plan.rotations).is_empty());
        without(&|plan| !std::mem::take(&mut plan.losses).is_empty());
        without(&|plan| !std::mem::take(&mut plan.moves).is_empty());
        without(&|plan| std::mem::take(&mut plan.bad_calls) > 0);
        without(&|plan| std::mem::take(&mut plan.bad_questions) > 0);
        without(&|plan| std::mem::replace(&mut plan.instances, 1) > 1);
        without(&|plan| std::mem::replace(&mut plan.port, Port::Open) != Port::Open);
        without(&|plan| plan.limit.take().is_some());
        without(&|plan| std::mem::take(&mut plan.tight_quota));
        without(&|plan| std::mem::take(&mut plan.bare_delete));
        without(&|plan| plan.watch.replace(Duration::ZERO) != Some(Duration::ZERO));
        without(&|plan| !std::mem::replace(&mut plan.one_by_one, true));
        without(&|plan| std::mem::take(&mut plan.propagation) > 0);
        for n in 0..self.orders.len() {
            without(&|plan| std::mem::replace(&mut plan.orders[n].lives, 1) > 1);
            without(&|plan| std::mem::take(&mut plan.orders[n].is_there));
            without(&|plan| std::mem::take(&mut plan.orders[n].is_robbed));
            without(&|plan| std::mem::take(&mut plan.orders[n].is_withdrawn));
            without(&|plan| !std::mem::take(&mut plan.orders[n].at).is_zero());
        }
        all
    }
}

impl Order {
    fn draw(number: u64, random: &mut Random) -> Self {
        Self {
            number: usize::try_from(number).unwrap(),
            zone: *random.pick(&ZONES),
            host: *random.pick(&["", "", "a.", "b.", "c."]),
            user: usize::try_from(random.below(2)).unwrap(),
            at: random.millis(0, 20_000),
            stands: random.percent(40),
            lives: if random.percent(15) { 2 } else { 1 },
            is_there: random.percent(10),
            is_robbed: random.percent(10),
            is_withdrawn: random.percent(15),
        }
    }

    pub(crate) fn dns_name(&self) -> String {
        format!("{}{}", self.host, self.zone)
    }

    pub(crate) fn fqdn(&self) -> String {
        format!("_acme-challenge.{}", self.dns_name())
    }

    /// Of a digest's form.
    pub(crate) fn value(&self) -> String {
        format!("{:043}", self.number)
    }
}

impl Crash {
    fn draw(instances: usize, random: &mut Random) -> Self {
        Self {
            instance: usize::try_from(random.below(instances as u64)).unwrap(),
            after: 1 + random.below(120),
            away: random.millis(0, 5_000),
        }
    }
}

impl Rotation {
    fn draw(random: &mut Random) -> Self {
        let secret = random.millis(10_000, 60_000);
        // As a rule the new one is in place before the old one goes.
        let revoked = if random.percent(70) {
            secret + random.millis(0, 30_000)
        } else {
            secret.saturating_sub(random.millis(0, 10_000))
        };
        Self { user: usize::try_from(random.below(2)).unwrap(), secret, revoked }
    }
}

pub(crate) const ZONES: [&str; 2] = ["one.example", "two.example"];
