//! An API call from arrival to answer: faults, latency, the state's answer, the edge's headers.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::auth::Surface;
use crate::envelope::Answer;
use crate::faults::Action;
use crate::http_server::Reply;
use crate::limits::Limits;
use crate::router::{Call, endpoint};
use crate::state::{Shared, State};
use crate::timeline::Event;

/// Handles one call. Half of the latency passes before the effect, half after it.
pub(crate) async fn handle(shared: Shared, mut call: Call) -> Reply {
    let arrived = call.now;
    let target =
        if call.query.is_empty() { call.path.clone() } else { format!("{}?{}", call.path, call.query) };
    let (fault, latency) = {
        let mut state = shared.lock();
        state.stats.api_calls += 1;
        *state.stats.api_calls_by_endpoint.entry(endpoint(&call.method, &call.path)).or_default() += 1;
        let fault = state.faults.for_call(call.method.as_str(), &target);
        (fault, Duration::from_millis(state.settings.latency_ms))
    };
    if let Some(Action::Slow { ms }) = fault {
        sleep(Duration::from_millis(ms)).await;
    }
    pause(latency / 2).await;
    call.now = Instant::now();
    let reply = take_effect(&shared, &call, fault.as_ref());
    if let Some(Action::SlowAfter { ms }) = fault {
        sleep(Duration::from_millis(ms)).await;
    }
    pause(latency.saturating_sub(latency / 2)).await;
    shared.lock().note(&call, target, arrived, &reply);
    reply
}

/// A 5xx does not consume the write unless the fault says so. [I]
fn take_effect(shared: &Shared, call: &Call, fault: Option<&Action>) -> Reply {
    let mut state = shared.lock();
    let instead = fault.and_then(Action::answer);
    let applies = match fault {
        Some(Action::ResetBefore) => return Reply::Reset,
        Some(Action::Status { apply, .. }) => *apply,
        _ => instead.is_none(),
    };
    let ordinary = applies.then(|| state.call(call));
    if matches!(fault, Some(Action::ResetAfter)) {
        return Reply::Reset;
    }
    let mut answer = match (instead, ordinary) {
        (Some(mut instead), _) => {
            if instead.content_type == "application/json" {
                instead.headers.extend(state.budget_beside(fault, call));
            }
            instead
        }
        (None, Some(ordinary)) => ordinary,
        (None, None) => return Reply::Reset, // cannot be: without a stand-in it applies
    };
    state.add_edge_headers(&mut answer);
    if matches!(fault, Some(Action::Cut)) { Reply::Cut(answer) } else { Reply::Answer(answer) }
}

impl State {
    /// What a stand-in for an answer says of the budget: the truth, but that nothing is left when that is the fault.
    fn budget_beside(&self, fault: Option<&Action>, call: &Call) -> [(&'static str, String); 2] {
        let limit = self.settings.rate_limit.as_ref();
        if let Some(Action::RateLimited { retry_after, .. }) = fault {
            return Limits::spent(limit, retry_after.map(Duration::from_secs));
        }
        let switches = &self.settings.switches;
        let actor =
            self.credentials.authenticate(&call.headers, call.peer, call.now, Surface::Records, switches);
        self.limits.headers(limit, actor.ok().map(|actor| actor.user).as_deref(), call.now)
    }

    /// Headers seen on api.cloudflare.com. [O: cloudflare/cloudflare-typescript#161]
    fn add_edge_headers(&mut self, answer: &mut Answer) {
        let ray = format!("{:016x}-AMS", self.random());
        answer.headers.extend([
            ("cf-ray", ray),
            ("server", "cloudflare".to_owned()),
            ("cf-cache-status", "DYNAMIC".to_owned()),
            ("cache-control", "no-store, no-cache, must-revalidate, post-check=0, pre-check=0".to_owned()),
            ("expires", "Sun, 25 Jan 1981 05:00:00 GMT".to_owned()),
            ("pragma", "no-cache".to_owned()),
            ("vary", "Accept-Encoding".to_owned()),
            ("strict-transport-security", "max-age=31536000".to_owned()),
            ("x-content-type-options", "nosniff".to_owned()),
            ("x-frame-options", "SAMEORIGIN".to_owned()),
        ]);
    }

    fn note(&mut self, call: &Call, path: String, arrived: Instant, reply: &Reply) {
        let status = match reply {
            Reply::Answer(answer) | Reply::Cut(answer) => answer.status,
            Reply::Reset => 0,
        };
        let key = if status == 0 { "reset".to_owned() } else { status.to_string() };
        *self.stats.answers_by_status.entry(key).or_default() += 1;
        let ms = self.clock.ms(arrived);
        let took_ms = self.clock.ms(Instant::now()).saturating_sub(ms);
        let method = call.method.to_string();
        self.timeline.add(arrived, Event::Api { ms, took_ms, method, path, status });
    }
}

async fn pause(time: Duration) {
    if !time.is_zero() {
        sleep(time).await;
    }
}
