//! What each name server address serves at a moment.
//!
//! A write takes effect in the API at once. In DNS it becomes a [`Version`] that holds, for every name
//! server address, the moment from which that address serves it. Batches are atomic in the database
//! and not in DNS: every record draws its own moments. [D: dns/manage-dns-records/how-to/batch-record-changes]

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::names::tree_key;
use crate::settings::Settings;
use crate::state::FORGET_EVERY;

/// An exception to the propagation time. Absent fields match everything.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Delay {
    /// Name of a name server.
    #[serde(default)]
    pub server: Option<String>,
    /// Address of a name server: a point of presence.
    #[serde(default)]
    pub address: Option<IpAddr>,
    /// Name of a record.
    #[serde(default)]
    pub name: Option<String>,
    /// Takes the place of `propagation_ms`.
    pub ms: u64,
}

/// What one name server address answers now.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Visible {
    /// Name of the name server.
    pub server: String,
    /// Its address.
    pub address: IpAddr,
    /// Response code, as `NOERROR` or `NXDOMAIN`.
    pub rcode: String,
    /// Answers; TXT strings joined and without quotes.
    pub answers: Vec<String>,
}

/// A name server address.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    pub(crate) name: String,
    pub(crate) address: IpAddr,
}

/// What DNS needs of a record.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct ServedData {
    pub(crate) kind: String,
    pub(crate) content: String,
    pub(crate) ttl: u32,
    pub(crate) priority: Option<u16>,
}

/// One state of a record; `None` when it is gone.
#[derive(Debug)]
struct Version {
    data: Option<Arc<ServedData>>,
    visible: Vec<Instant>,
}

/// A record's states at one name, oldest first.
#[derive(Debug)]
struct Served {
    id: String,
    versions: Vec<Version>,
}

/// From where one looks: a version is in force when it arrived at all of `servers` (usually one).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Vantage<'a> {
    pub(crate) servers: &'a [usize],
    pub(crate) extra: Duration,
    pub(crate) now: Instant,
}

/// All that DNS knows of a zone's records.
#[derive(Debug, Default)]
pub(crate) struct Published {
    names: BTreeMap<String, Vec<Served>>,
    changes: Vec<Vec<Instant>>,
    settled_changes: u32,
    forgot: Option<Instant>,
}

impl Vantage<'_> {
    fn sees(&self, visible: &[Instant]) -> bool {
        self.servers.iter().all(|server| visible.get(*server).is_some_and(|at| *at + self.extra <= self.now))
    }
}

impl Published {
    /// Adds a state of record `id` at `name`, with the moment from which each server serves it.
    pub(crate) fn publish(&mut self, name: &str, id: &str, data: Option<ServedData>, visible: Vec<Instant>) {
        self.changes.push(visible.clone());
        let version = Version { data: data.map(Arc::new), visible };
        let records = self.names.entry(tree_key(name)).or_default();
        match records.iter_mut().find(|served| served.id == id) {
            Some(served) => served.versions.push(version),
            None => records.push(Served { id: id.to_owned(), versions: vec![version] }),
        }
    }

    /// The records at exactly this name; `None` when there is no record at it.
    pub(crate) fn at(&self, name: &str, from: Vantage<'_>) -> Option<Vec<Arc<ServedData>>> {
        let records: Vec<_> =
            self.names.get(&tree_key(name))?.iter().filter_map(|served| served.seen(from)).collect();
        (!records.is_empty()).then_some(records)
    }

    /// Whether a record exists below this name, so that the name exists without one of its own (RFC 4592 §2.2.2).
    pub(crate) fn any_below(&self, name: &str, from: Vantage<'_>) -> bool {
        let prefix = tree_key(name) + ".";
        self.names
            .range(prefix.clone()..)
            .take_while(|(key, _)| key.starts_with(&prefix))
            .any(|(_, records)| records.iter().any(|served| served.seen(from).is_some()))
    }

    /// Changes that arrived, for the SOA's serial.
    pub(crate) fn changes(&self, from: Vantage<'_>) -> u32 {
        let arrived = self.changes.iter().filter(|visible| from.sees(visible)).count();
        self.settled_changes.saturating_add(u32::try_from(arrived).unwrap_or(u32::MAX))
    }

    /// Lets everything that is still under way arrive now, at these servers.
    pub(crate) fn arrive(&mut self, now: Instant, servers: &[usize]) {
        let versions = self.names.values_mut().flatten().flat_map(|served| &mut served.versions);
        for visible in versions.map(|version| &mut version.visible).chain(&mut self.changes) {
            for server in servers {
                if let Some(at) = visible.get_mut(*server) {
                    *at = (*at).min(now);
                }
            }
        }
    }

    /// Forgets what no vantage can see any more, now and then: states replaced everywhere before `before`.
    pub(crate) fn forget(&mut self, before: Instant, now: Instant) {
        if self.forgot.is_some_and(|at| now < at + FORGET_EVERY) {
            return;
        }
        self.forgot = Some(now);
        let settled = |visible: &Vec<Instant>| visible.iter().all(|at| *at < before);
        for records in self.names.values_mut() {
            for served in &mut *records {
                let last = served.versions.iter().rposition(|version| settled(&version.visible)).unwrap_or(0);
                served.versions.drain(..last);
            }
            records.retain(|served| match served.versions.as_slice() {
                [only] => only.data.is_some() || !settled(&only.visible),
                _ => true,
            });
        }
        self.names.retain(|_, records| !records.is_empty());
        let pending = self.changes.len();
        self.changes.retain(|visible| !settled(visible));
        let gone = u32::try_from(pending - self.changes.len()).unwrap_or(u32::MAX);
        self.settled_changes = self.settled_changes.saturating_add(gone);
    }
}

impl Served {
    fn seen(&self, from: Vantage<'_>) -> Option<Arc<ServedData>> {
        let latest = self.versions.iter().rev().find(|version| from.sees(&version.visible))?;
        latest.data.clone()
    }
}

/// The moments from which each server serves a change of `name` made at `at`; `draw(n)` gives 0 to n.
pub(crate) fn moments(
    settings: &Settings,
    servers: &[Server],
    name: &str,
    at: Instant,
    mut draw: impl FnMut(u64) -> u64,
) -> Vec<Instant> {
    let moment = |server: &Server| {
        let rule = settings.delays.iter().rev().find(|delay| delay.matches(server, name));
        let ms = rule.map_or(settings.propagation_ms, |delay| delay.ms);
        at + Duration::from_millis(ms + draw(settings.propagation_jitter_ms))
    };
    servers.iter().map(moment).collect()
}

impl Delay {
    fn matches(&self, server: &Server, name: &str) -> bool {
        self.server.as_ref().is_none_or(|wanted| *wanted == server.name)
            && self.address.is_none_or(|wanted| wanted == server.address)
            && self.name.as_ref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(name))
    }
}
