//! The emulator without sockets: calls go straight to the state, through the same faults and the same latency, on
//! tokio's clock. For tests that play thousands of schedules on paused time.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use hickory_proto::rr::{RData, RecordType};
use http::{HeaderMap, HeaderValue, Method, Response};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::api;
use crate::authority::plain;
use crate::clock::Clock;
use crate::emulator::{Emulator, Ready};
use crate::http_server::Reply;
use crate::names::{from_wire, to_wire};
use crate::propagation::Vantage;
use crate::router::{BASE, Call};
use crate::state::{Shared, State};
use crate::world::{World, WorldError};

/// What a client hears of a call.
#[derive(Debug)]
pub enum Heard {
    /// The whole answer.
    Answer(Response<Vec<u8>>),
    /// An answer whose body breaks off in the middle.
    Cut(Response<Vec<u8>>),
    /// The connection is reset; whether the call took effect it does not say.
    Reset,
}

/// What a name server address says now of the TXT records at a name.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The AA flag.
    pub authoritative: bool,
    /// The response code.
    pub rcode: u16,
    /// The values at exactly the name, each with its strings joined.
    pub values: Vec<String>,
    /// How long the answer may be kept, in seconds: the records' time to live, or the SOA's minimum.
    pub ttl: u32,
    /// Where a CNAME at exactly the name leads.
    pub cname: Option<String>,
    /// The owner of the NS records in the authority section.
    pub referral: Option<String>,
}

impl Emulator {
    /// Listens nowhere; [`call`](Self::call) reaches the API. It needs no runtime and costs some microseconds.
    pub fn detached(world: &World) -> Result<Self, WorldError> {
        let state = State::new(world, Clock::simulated())?;
        let ready = Ready {
            api: format!("http://detached.invalid{BASE}"),
            control: "http://detached.invalid".to_owned(),
            resolver: None,
            ca_resolver: None,
            authority_port: 0,
            zones: state.zones.iter().map(|zone| (zone.name.clone(), zone.id.clone())).collect(),
        };
        let shared = Shared::new(state);
        Ok(Self { shared, ready, resolver: None, ca_resolver: None, _tasks: JoinSet::new() })
    }

    /// A call as the API's sockets would take it: `target` is path and query below the base URL, as `/zones?page=1`.
    ///
    /// It works beside the sockets, too. A call that is dropped before its effect has none; one that is dropped after
    /// it has been carried out, as when a client goes away.
    pub async fn call(&self, method: &Method, target: &str, headers: HeaderMap, body: Vec<u8>) -> Heard {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let call = Call {
            method: method.clone(),
            path: format!("{BASE}{path}"),
            query: query.to_owned(),
            headers,
            peer: IpAddr::V4(Ipv4Addr::LOCALHOST),
            body,
            now: Instant::now(),
        };
        match api::handle(self.shared.clone(), call).await {
            Reply::Answer(answer) => {
                let mut response = answer.into_response();
                let date = self.shared.lock().clock.http_date(Instant::now());
                if let Ok(date) = HeaderValue::from_str(&date) {
                    response.headers_mut().insert(http::header::DATE, date);
                }
                Heard::Answer(response)
            }
            Reply::Cut(mut answer) => {
                answer.body.truncate(answer.body.len() / 2);
                Heard::Cut(answer.into_response())
            }
            Reply::Reset => Heard::Reset,
        }
    }

    /// Asks one name server address for the TXT records at a name; `None` if no name server has this address.
    pub fn ask(&self, address: IpAddr, name: &str) -> Option<Asked> {
        let wire = to_wire(name)?;
        let state = self.shared.lock();
        let server = state.servers.iter().position(|server| server.address == address)?;
        let from = Vantage { servers: &[server], extra: Duration::ZERO, now: Instant::now() };
        let reply = state.authority(server, &wire, RecordType::TXT, from);
        let own = || reply.answers.iter().filter(|record| record.name == wire);
        let soa = reply.authorities.iter().find_map(|record| match &record.data {
            RData::SOA(soa) => Some(soa.minimum),
            _ => None,
        });
        Some(Asked {
            authoritative: reply.authoritative,
            rcode: reply.rcode.into(),
            values: own()
                .filter(|record| record.record_type() == RecordType::TXT)
                .map(|record| plain(&record.data))
                .collect(),
            ttl: own().map(|record| record.ttl).min().or(soa).unwrap_or_default(),
            cname: own()
                .find(|record| record.record_type() == RecordType::CNAME)
                .map(|record| plain(&record.data)),
            referral: reply
                .authorities
                .iter()
                .find(|record| record.record_type() == RecordType::NS)
                .map(|record| from_wire(&record.name)),
        })
    }

    /// The name servers that a zone's parent names; none if there is no such zone.
    pub fn delegation(&self, zone: &str) -> Vec<String> {
        let state = self.shared.lock();
        state.zone(zone).map(|zone| state.zones[zone].delegated_to.clone()).unwrap_or_default()
    }
}
