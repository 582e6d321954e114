//! What happened, for people and for tests: events since the start, and counts.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

/// Older events are dropped beyond this.
const EVENTS_MAX: usize = 50_000;

/// Something that happened. No credential is ever in it.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Event {
    /// An API call was answered.
    Api {
        /// Milliseconds since the start at which it arrived.
        ms: u64,
        /// How long it took.
        took_ms: u64,
        /// Method.
        method: String,
        /// Path and query.
        path: String,
        /// Status; 0 when the connection was reset instead.
        status: u16,
    },
    /// A record was written in the API's state.
    Written {
        /// Milliseconds since the start.
        ms: u64,
        /// Name of the record.
        name: String,
        /// Type of the record.
        r#type: String,
        /// Content as stored.
        content: String,
        /// Record id.
        id: String,
    },
    /// A record was deleted in the API's state.
    Deleted {
        /// Milliseconds since the start.
        ms: u64,
        /// Name of the record.
        name: String,
        /// Type of the record.
        r#type: String,
        /// Content as stored.
        content: String,
        /// Record id.
        id: String,
    },
    /// A name server address serves a record from now on.
    Visible {
        /// Milliseconds since the start.
        ms: u64,
        /// Name of the name server.
        server: String,
        /// Its address.
        address: IpAddr,
        /// Name of the record.
        name: String,
        /// Type of the record.
        r#type: String,
        /// Content as stored.
        content: String,
    },
    /// A name server address serves a record no more.
    Gone {
        /// Milliseconds since the start.
        ms: u64,
        /// Name of the name server.
        server: String,
        /// Its address.
        address: IpAddr,
        /// Name of the record.
        name: String,
        /// Type of the record.
        r#type: String,
        /// Content as stored.
        content: String,
    },
    /// A DNS query was answered.
    Dns {
        /// Milliseconds since the start.
        ms: u64,
        /// Name of the name server, or `resolver`.
        server: String,
        /// Address asked; none for the resolver.
        address: Option<IpAddr>,
        /// `udp` or `tcp`.
        transport: String,
        /// Name asked for, as spelled in the query.
        name: String,
        /// Type asked for.
        r#type: String,
        /// Response code; `SILENT` when no answer was sent.
        rcode: String,
        /// Number of answers.
        answers: usize,
    },
}

/// Counts since the start or the last reset.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Stats {
    /// All API calls.
    pub api_calls: u64,
    /// By endpoint, as `POST /zones/:id/dns_records`.
    pub api_calls_by_endpoint: BTreeMap<String, u64>,
    /// By status; `reset` for a connection that was cut before an answer.
    pub answers_by_status: BTreeMap<String, u64>,
    /// By name server address, and `resolver`.
    pub dns_queries_by_server: BTreeMap<String, u64>,
    /// Queries that the resolver answered from its cache.
    pub resolver_cache_hits: u64,
    /// By user: calls left in the window.
    pub rate_limit_left: BTreeMap<String, u32>,
    /// By user: the fewest calls that were left at any time.
    #[serde(default)]
    pub rate_limit_lowest: BTreeMap<String, u32>,
}

/// Events, some of them still to come.
#[derive(Debug, Default)]
pub(crate) struct Timeline {
    past: Vec<(Instant, Event)>,
    coming: Vec<(Instant, Event)>,
}

impl Timeline {
    pub(crate) fn add(&mut self, at: Instant, event: Event) {
        if self.past.len() >= EVENTS_MAX {
            self.past.drain(..EVENTS_MAX / 2);
        }
        self.past.push((at, event));
    }

    pub(crate) fn add_coming(&mut self, at: Instant, event: Event) {
        self.coming.push((at, event));
    }

    /// What is to come on `addresses` comes now.
    pub(crate) fn arrive(&mut self, now: Instant, now_ms: u64, addresses: &[IpAddr]) {
        for (at, event) in &mut self.coming {
            if let Event::Visible { ms, address, .. } | Event::Gone { ms, address, .. } = event
                && addresses.contains(address)
                && *at > now
            {
                *at = now;
                *ms = now_ms;
            }
        }
    }

    /// Everything up to now, in order of time.
    pub(crate) fn until(&mut self, now: Instant) -> Vec<Event> {
        self.settle(now);
        self.past.sort_by_key(|(at, _)| *at);
        self.past.iter().map(|(_, event)| event.clone()).collect()
    }

    /// Moves what has come to pass.
    pub(crate) fn settle(&mut self, now: Instant) {
        let (come, coming) = self.coming.drain(..).partition(|(at, _)| *at <= now);
        self.coming = coming;
        let come: Vec<_> = come;
        for (at, event) in come {
            self.add(at, event);
        }
    }

    pub(crate) fn clear(&mut self) {
        self.past.clear();
    }
}
