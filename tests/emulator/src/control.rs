//! The control interface: plain HTTP and JSON, for tests that run the emulator as a program.

use http::Method;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::envelope::Answer;
use crate::faults::Fault;
use crate::http_server::Reply;
use crate::query::Query;
use crate::records::Op;
use crate::router::Call;
use crate::state::{Shared, State};
use crate::timeline::{Event, Stats};
use crate::world::{RecordConfig, TokenConfig, ZoneStatus};

/// Handles one request.
pub(crate) fn handle(shared: &Shared, call: &Call) -> Reply {
    let answer = shared.lock().control(call);
    Reply::Answer(answer.unwrap_or_else(|(status, why)| Answer::json(status, &json!({"error": why}))))
}

/// `PATCH /zones`: what of a zone can change.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ZonePatch {
    pub(crate) name: String,
    pub(crate) status: Option<ZoneStatus>,
    pub(crate) name_servers: Option<Vec<String>>,
    pub(crate) delegated_to: Option<Vec<String>>,
}

type Failure = (u16, String);

impl State {
    fn control(&mut self, call: &Call) -> Result<Answer, Failure> {
        let query = Query::parse(&call.query);
        let now = Instant::now();
        match (&call.method, call.path.as_str()) {
            (&Method::GET, "/stats") => return Ok(Answer::json(200, &self.stats(now))),
            (&Method::POST, "/stats/reset") => self.reset_stats(),
            (&Method::GET, "/records") => {
                let zone =
                    query.get("zone").and_then(|zone| self.zone(zone)).ok_or_else(|| missing("zone"))?;
                let records: Vec<_> = self.zones[zone].records.values().map(|record| &record.view).collect();
                return Ok(Answer::json(200, &records));
            }
            (&Method::POST, "/records") => {
                let record: RecordConfig = body(call)?;
                let id = self.add_record(&record).map_err(|error| (400, error.to_string()))?;
                return Ok(Answer::json(200, &json!({"id": id})));
            }
            (&Method::DELETE, "/records") => {
                let id = query.get("id").ok_or_else(|| missing("id"))?;
                let zone = self.zones.iter().position(|zone| zone.record(id).is_ok());
                let zone = zone.ok_or_else(|| missing("record"))?;
                self.write(zone, vec![Op::Delete(id.to_owned())], now)
                    .map_err(|error| (400, format!("{error:?}")))?;
            }
            (&Method::GET, "/timeline") => return Ok(Answer::json(200, &self.events(now))),
            (&Method::GET, "/settings") => {}
            (&Method::PATCH, "/settings") => {
                let patch: Value = body(call)?;
                self.settings = self.settings.merged(&patch).map_err(|error| (400, error.to_string()))?;
            }
            (&Method::GET, "/faults") => return Ok(Answer::json(200, &self.faults.list())),
            (&Method::POST, "/faults") => {
                for fault in body::<OneOrMany<Fault>>(call)?.into_vec() {
                    self.faults.add(fault).map_err(|error| (400, error.to_string()))?;
                }
                return Ok(Answer::json(200, &self.faults.list()));
            }
            (&Method::DELETE, "/faults") => self.faults.clear(),
            (&Method::GET, "/visible") => {
                let name = query.get("name").ok_or_else(|| missing("name"))?;
                let kind = query.get("type").unwrap_or("TXT").parse().map_err(|_| missing("type"))?;
                return Ok(Answer::json(200, &self.visible(name, kind, now)));
            }
            (&Method::POST, "/publish") => self.arrive(query.get("server"), now),
            (&Method::POST, "/resolver/flush") => self.caches.clear(),
            (&Method::PATCH, "/zones") => {
                let patch: ZonePatch = body(call)?;
                self.change_zone(patch).ok_or_else(|| missing("zone"))?;
            }
            (&Method::PUT, "/tokens") => {
                for token in body::<OneOrMany<TokenConfig>>(call)?.into_vec() {
                    self.add_token(token);
                }
            }
            (&Method::DELETE, "/tokens") => {
                self.remove_token(query.get("value").ok_or_else(|| missing("value"))?);
            }
            _ => return Err((404, format!("no {} {}", call.method, call.path))),
        }
        Ok(Answer::json(200, &self.settings))
    }

    pub(crate) fn stats(&self, now: Instant) -> Stats {
        let rate_limit_left = self.limits.left(self.settings.rate_limit.as_ref(), now);
        Stats { rate_limit_left, rate_limit_lowest: self.limits.lowest(), ..self.stats.clone() }
    }

    /// Counts and events start anew, and so do the rate limits' windows.
    pub(crate) fn reset_stats(&mut self) {
        self.stats = Stats::default();
        self.timeline.clear();
        self.limits.clear();
    }

    pub(crate) fn events(&mut self, now: Instant) -> Vec<Event> {
        self.timeline.until(now)
    }

    pub(crate) fn change_zone(&mut self, patch: ZonePatch) -> Option<()> {
        let index = self.zone(&patch.name)?;
        let zone = &mut self.zones[index];
        zone.status = patch.status.unwrap_or(zone.status);
        zone.name_servers = patch.name_servers.unwrap_or(std::mem::take(&mut zone.name_servers));
        zone.delegated_to = patch.delegated_to.unwrap_or(std::mem::take(&mut zone.delegated_to));
        Some(())
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany<T> {
    Many(Vec<T>),
    One(T),
}

impl<T> OneOrMany<T> {
    fn into_vec(self) -> Vec<T> {
        match self {
            Self::Many(many) => many,
            Self::One(one) => vec![one],
        }
    }
}

fn body<T: serde::de::DeserializeOwned>(call: &Call) -> Result<T, Failure> {
    serde_json::from_slice(&call.body).map_err(|error| (400, error.to_string()))
}

fn missing(what: &str) -> Failure {
    (400, format!("{what} is missing or unknown"))
}
