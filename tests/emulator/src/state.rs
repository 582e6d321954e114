//! The one state from which everything is answered.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::auth::{Credentials, Token};
use crate::clock::Clock;
use crate::envelope::ApiError;
use crate::faults::Faults;
use crate::limits::Limits;
use crate::names::{derived_id, in_zone, normal};
use crate::propagation::{ServedData, Server, moments};
use crate::records::{Change, Context, Op, RecordView};
use crate::resolver::Caches;
use crate::settings::Settings;
use crate::timeline::{Event, Stats, Timeline};
use crate::validation::Body;
use crate::world::{RecordConfig, TokenConfig, World, WorldError};
use crate::zones::Zone;

/// Everything there is.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) clock: Clock,
    pub(crate) settings: Settings,
    pub(crate) servers: Vec<Server>,
    pub(crate) zones: Vec<Zone>,
    pub(crate) credentials: Credentials,
    pub(crate) hosts: BTreeMap<String, Vec<IpAddr>>,
    pub(crate) limits: Limits,
    pub(crate) faults: Faults,
    pub(crate) stats: Stats,
    pub(crate) timeline: Timeline,
    pub(crate) caches: Caches,
    random: Random,
}

/// The state, shared by all listeners. The lock is held for one answer and never across an await.
#[derive(Clone, Debug)]
pub(crate) struct Shared(Arc<Mutex<State>>);

impl Shared {
    pub(crate) fn new(state: State) -> Self {
        Self(Arc::new(Mutex::new(state)))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    pub(crate) fn new(world: &World, clock: Clock) -> Result<Self, WorldError> {
        let mut servers = Vec::new();
        for server in &world.name_servers {
            for address in &server.addresses {
                if servers.iter().any(|other: &Server| other.address == *address) {
                    return Err(WorldError::Invalid(format!("name server address {address} is there twice")));
                }
                servers.push(Server { name: server.name.to_ascii_lowercase(), address: *address });
            }
        }
        let hosts =
            world.hosts.iter().map(|(name, addresses)| (name.to_ascii_lowercase(), addresses.clone()));
        let mut state = Self {
            settings: world.settings(),
            servers,
            zones: Vec::new(),
            credentials: Credentials { tokens: Vec::new(), keys: world.keys.clone() },
            hosts: hosts.collect(),
            limits: Limits::default(),
            faults: Faults::new(world.seed),
            stats: Stats::default(),
            timeline: Timeline::default(),
            caches: Caches::default(),
            random: Random::new(world.seed),
            clock,
        };
        state.add_zones(world)?;
        for token in &world.tokens {
            state.add_token(token.clone());
        }
        for record in &world.records {
            state.add_record(record)?;
        }
        for fault in &world.faults {
            state.faults.add(fault.clone()).map_err(|error| WorldError::Invalid(error.to_string()))?;
        }
        Ok(state)
    }

    /// Adds a token, or puts it in the place of one with the same value.
    pub(crate) fn add_token(&mut self, config: TokenConfig) {
        self.remove_token(&config.value);
        self.credentials.tokens.push(Token { config, since: Instant::now() });
    }

    pub(crate) fn remove_token(&mut self, value: &str) {
        self.credentials.tokens.retain(|token| token.config.value != value);
    }

    /// A zone by name or id.
    pub(crate) fn zone(&self, name: &str) -> Option<usize> {
        self.zones.iter().position(|zone| zone.id == name || zone.name.eq_ignore_ascii_case(name))
    }

    /// Writes to a zone: the API's state changes at once, DNS follows.
    pub(crate) fn write(&mut self, zone: usize, ops: Vec<Op>, now: Instant) -> Result<Vec<Change>, ApiError> {
        let Self { zones, settings, clock, random, .. } = self;
        let mut new_id = || random.id();
        let mut context =
            Context { now, now_text: clock.rfc3339(now), switches: &settings.switches, new_id: &mut new_id };
        let changes = zones[zone].apply(ops, &mut context)?;
        for change in &changes {
            self.publish(zone, change, now);
        }
        self.timeline.settle(now);
        let late = Duration::from_millis(self.settings.pop_delay_ms) + FORGET_EVERY;
        if let Some(before) = now.checked_sub(late) {
            self.zones[zone].published.forget(before, now);
        }
        Ok(changes)
    }

    /// A record that is there from the start, or appears everywhere at once.
    pub(crate) fn add_record(&mut self, config: &RecordConfig) -> Result<String, WorldError> {
        let invalid = |why: String| WorldError::Invalid(format!("record {:?}: {why}", config.name));
        let zone = self.zone(&config.zone).ok_or_else(|| invalid(format!("no zone {:?}", config.zone)))?;
        let now = Instant::now();
        if config.hidden {
            let name =
                in_zone(&config.name, &self.zones[zone].name).ok_or_else(|| invalid("no name".to_owned()))?;
            let id = self.random.id();
            let data = ServedData {
                kind: config.kind.clone(),
                content: config.content.clone(),
                ttl: config.ttl,
                priority: config.priority,
            };
            let visible = vec![now; self.servers.len()];
            self.zones[zone].published.publish(&name, &id, Some(data), visible);
            return Ok(id);
        }
        let body = Body {
            kind: Some(config.kind.clone()),
            name: Some(config.name.clone()),
            content: Some(config.content.clone()),
            ttl: Some(config.ttl.into()),
            comment: config.comment.clone().into(),
            priority: config.priority,
            ..Body::default()
        };
        let Self { zones, settings, clock, random, .. } = self;
        let mut new_id = || random.id();
        let mut context =
            Context { now, now_text: clock.rfc3339(now), switches: &settings.switches, new_id: &mut new_id };
        let changes = zones[zone]
            .apply(vec![Op::Post(body)], &mut context)
            .map_err(|error| invalid(format!("{error:?}")))?;
        let record =
            changes.into_iter().find_map(Change::record).ok_or_else(|| invalid("lost".to_owned()))?;
        let visible = vec![now; self.servers.len()];
        self.zones[zone].published.publish(&record.name, &record.id, Some(record.served()), visible);
        Ok(record.id)
    }

    /// Lets everything that is under way arrive now: everywhere, or on one server (by name or address).
    pub(crate) fn arrive(&mut self, server: Option<&str>, now: Instant) {
        let is_meant = |candidate: &Server| {
            server.is_none_or(|wanted| wanted == candidate.name || wanted == candidate.address.to_string())
        };
        let meant: Vec<usize> =
            (0..self.servers.len()).filter(|index| is_meant(&self.servers[*index])).collect();
        let addresses: Vec<IpAddr> = meant.iter().map(|index| self.servers[*index].address).collect();
        for zone in &mut self.zones {
            zone.published.arrive(now, &meant);
        }
        self.timeline.arrive(now, self.clock.ms(now), &addresses);
    }

    /// A number below `2^64`, for ids in headers.
    pub(crate) fn random(&mut self) -> u64 {
        self.random.number()
    }

    fn add_zones(&mut self, world: &World) -> Result<(), WorldError> {
        let default_servers: Vec<String> =
            world.name_servers.iter().take(2).map(|server| server.name.to_ascii_lowercase()).collect();
        for config in &world.zones {
            if normal(&config.name).as_deref() != Some(&config.name.to_ascii_lowercase()) {
                return Err(WorldError::Invalid(format!("{:?} is no zone name", config.name)));
            }
            let usual = derived_id(&format!("zone:{}", config.name.to_ascii_lowercase()));
            let taken = self.zones.iter().any(|zone| zone.id == usual);
            let twin = derived_id(&format!("zone:{}:{}:{}", config.name, config.account, self.zones.len()));
            let id = config.id.clone().unwrap_or(if taken { twin } else { usual });
            self.zones.push(Zone::new(config, id, &default_servers, self.clock.begin()));
        }
        Ok(())
    }

    /// Tells DNS of a change, each server from a moment of its own. [D: not atomic across records or `PoPs`]
    fn publish(&mut self, zone: usize, change: &Change, now: Instant) {
        let Some(record) = change.after.as_ref().or(change.before.as_ref()) else {
            return;
        };
        let Self { settings, servers, random, .. } = &mut *self;
        let visible = moments(settings, servers, &record.name, now, |most| random.below(most));
        let moved = match (&change.before, &change.after) {
            (Some(before), Some(after)) => before.name != after.name,
            _ => false,
        };
        let published = &mut self.zones[zone].published;
        if let (Some(before), true) = (&change.before, moved || change.after.is_none()) {
            published.publish(&before.name, &before.id, None, visible.clone());
        }
        if let Some(after) = &change.after {
            published.publish(&after.name, &after.id, Some(after.served()), visible.clone());
        }
        self.record_events(change, now, &visible);
    }

    fn record_events(&mut self, change: &Change, now: Instant, visible: &[Instant]) {
        let ms = self.clock.ms(now);
        let (before, after) = (change.before.as_ref(), change.after.as_ref());
        if let Some(record) = after {
            let (name, kind, content) = shown(record);
            self.timeline.add(now, Event::Written { ms, name, r#type: kind, content, id: record.id.clone() });
        } else if let Some(record) = before {
            let (name, kind, content) = shown(record);
            self.timeline.add(now, Event::Deleted { ms, name, r#type: kind, content, id: record.id.clone() });
        }
        if before.map(shown) == after.map(shown) {
            return;
        }
        for (place, at) in self.servers.iter().zip(visible) {
            let (ms, address) = (self.clock.ms(*at), place.address);
            if let Some((name, kind, content)) = before.map(shown) {
                let event =
                    Event::Gone { ms, server: place.name.clone(), address, name, r#type: kind, content };
                self.timeline.add_coming(*at, event);
            }
            if let Some((name, kind, content)) = after.map(shown) {
                let event =
                    Event::Visible { ms, server: place.name.clone(), address, name, r#type: kind, content };
                self.timeline.add_coming(*at, event);
            }
        }
    }
}

/// What the timeline shows of a record: name, type, content.
fn shown(record: &RecordView) -> (String, String, String) {
    (record.name.clone(), record.kind.clone(), record.content.clone())
}

/// A reproducible sequence: `SplitMix64` (<https://prng.di.unimi.it/splitmix64.c>).
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The sequence of this seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From 0 to `most`.
    pub(crate) fn below(&mut self, most: u64) -> u64 {
        if most == 0 { 0 } else { self.number() % (most + 1) }
    }

    fn id(&mut self) -> String {
        format!("{:016x}{:016x}", self.number(), self.number())
    }
}

/// How often states that nobody sees any more are looked for.
pub(crate) const FORGET_EVERY: Duration = Duration::from_secs(1);
