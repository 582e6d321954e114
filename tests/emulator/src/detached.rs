//! The emulator without sockets: calls go straight to the state, through the same faults and the same latency, on
//! tokio's clock. For tests that play thousands of schedules on paused time.

use std::net::{IpAddr, Ipv4Addr};

use http::{HeaderMap, Method, Response};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::api;
use crate::emulator::{Emulator, Ready};
use crate::http_server::Reply;
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

impl Emulator {
    /// Listens nowhere; [`call`](Self::call) reaches the API. It needs no runtime and costs some microseconds.
    pub fn detached(world: &World) -> Result<Self, WorldError> {
        let state = State::new(world)?;
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
            Reply::Answer(answer) => Heard::Answer(answer.into_response()),
            Reply::Cut(mut answer) => {
                answer.body.truncate(answer.body.len() / 2);
                Heard::Cut(answer.into_response())
            }
            Reply::Reset => Heard::Reset,
        }
    }
}
