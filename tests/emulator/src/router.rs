//! The v4 endpoints: which path is what, who may call it, what it answers.

use std::net::IpAddr;

use http::{HeaderMap, Method};
use serde::de::DeserializeOwned;
use serde_json::json;
use tokio::time::Instant;

use crate::auth::{self, Actor, Surface};
use crate::batch::{BatchBody, BatchResult};
use crate::envelope::{Answer, ApiError};
use crate::names::is_id;
use crate::query::{Query, page};
use crate::records::{Change, Op, RecordView};
use crate::state::State;
use crate::world::TokenStatus;
use crate::zones;

/// An API call, read in full.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) headers: HeaderMap,
    pub(crate) peer: IpAddr,
    pub(crate) body: Vec<u8>,
    pub(crate) now: Instant,
}

#[derive(Clone, Debug)]
enum Route {
    Zones,
    Zone(String),
    Records(String),
    Record(String, String),
    Batch(String),
    Usage(String),
    UserVerify,
    AccountVerify(String),
}

/// Where the API lives below its host. [D]
pub(crate) const BASE: &str = "/client/v4";

impl State {
    /// Answers a call, with all that it does.
    pub(crate) fn call(&mut self, call: &Call) -> Answer {
        let limit = self.settings.rate_limit.clone();
        let mut user = None;
        let mut answer = self
            .limits
            .address(limit.as_ref(), call.peer, call.now)
            .and_then(|()| self.answer(call, &mut user))
            .unwrap_or_else(ApiError::answer);
        answer.headers.extend(self.limits.headers(limit.as_ref(), user.as_deref(), call.now));
        answer
    }

    fn answer(&mut self, call: &Call, user: &mut Option<String>) -> Result<Answer, ApiError> {
        let route = Route::parse(&call.path, self.settings.switches.unroutable_is_404)?;
        if !route.allows(&call.method) {
            return Err(ApiError::gateway(405, 10405, "Method not allowed for this authentication scheme")); // [I]
        }
        let switches = &self.settings.switches;
        let actor =
            self.credentials.authenticate(&call.headers, call.peer, call.now, route.surface(), switches)?;
        *user = Some(actor.user.clone());
        self.limits.user(self.settings.rate_limit.as_ref(), &actor.user, call.now)?;
        let query = Query::parse(&call.query);
        match route {
            Route::Zones => zones::list(&self.zones, &self.clock, &actor, &query, switches),
            Route::Zone(id) => zones::get(&self.zones, &self.clock, &actor, &id, switches),
            Route::UserVerify => self.verify(&actor, None),
            Route::AccountVerify(account) => self.verify(&actor, Some(&account)),
            Route::Usage(zone) => {
                let zone = &self.zones[self.readable(&actor, &zone)?];
                Ok(Answer::result(json!({"record_quota": zone.quota, "record_usage": zone.records.len()})))
            }
            Route::Batch(zone) => {
                let zone = self.writable(&actor, &zone)?;
                if !actor.may_batch() {
                    return Err(auth::authentication_error());
                }
                let body: BatchBody = json_body(call)?;
                let (ops, shape) = body.into_ops(self.zones[zone].plan, &self.settings.switches)?;
                Ok(Answer::result(BatchResult::new(self.write(zone, ops, call.now)?, shape)))
            }
            Route::Records(zone) if call.method == Method::GET => {
                let zone = self.readable(&actor, &zone)?;
                Ok(self.list(zone, &query, call.now))
            }
            Route::Records(zone) => {
                let zone = self.writable(&actor, &zone)?;
                let ops = vec![Op::Post(json_body(call)?)];
                Ok(Answer::result(self.write(zone, ops, call.now)?.into_iter().find_map(Change::record)))
            }
            Route::Record(zone, id) if call.method == Method::GET => {
                let zone = self.readable(&actor, &zone)?;
                Ok(Answer::result(&self.zones[zone].record(&id)?.1.view))
            }
            Route::Record(zone, id) => {
                let zone = self.writable(&actor, &zone)?;
                self.write_record(zone, id, call)
            }
        }
    }

    fn write_record(&mut self, zone: usize, id: String, call: &Call) -> Result<Answer, ApiError> {
        if call.method == Method::DELETE {
            self.write(zone, vec![Op::Delete(id.clone())], call.now)?;
            let result = json!({"id": id});
            // The documented answer holds the result alone. [D]
            let bare = self.settings.switches.bare_delete;
            return Ok(if bare {
                Answer::json(200, &json!({"result": result}))
            } else {
                Answer::result(result)
            });
        }
        let body = json_body(call)?;
        let op = if call.method == Method::PUT { Op::Put(id, body) } else { Op::Patch(id, body) };
        Ok(Answer::result(self.write(zone, vec![op], call.now)?.into_iter().find_map(Change::record)))
    }

    /// `GET …/dns_records`. [D]
    fn list(&self, zone: usize, query: &Query, now: Instant) -> Answer {
        let switches = &self.settings.switches;
        let lag = std::time::Duration::from_millis(switches.list_lag_ms);
        let records = self.zones[zone].records.values().filter(|record| record.created + lag <= now);
        let mut found: Vec<&RecordView> =
            records.map(|record| &record.view).filter(|record| query.selects(record, switches)).collect();
        query.sort(&mut found);
        let per_page = query.number("per_page").unwrap_or(RECORD_PAGE).clamp(1, RECORD_PAGE_MAX);
        let (found, info) = page(&found, query, per_page);
        Answer::page(found, info)
    }

    fn readable(&self, actor: &Actor, id: &str) -> Result<usize, ApiError> {
        self.zone_for(actor, id).filter(|_| actor.may_read_records()).ok_or_else(auth::authentication_error)
    }

    fn writable(&self, actor: &Actor, id: &str) -> Result<usize, ApiError> {
        self.zone_for(actor, id).filter(|_| actor.may_write_records()).ok_or_else(auth::authentication_error)
    }

    /// A zone that does not exist is refused as one that may not be seen. [G]
    fn zone_for(&self, actor: &Actor, id: &str) -> Option<usize> {
        self.zones.iter().position(|zone| zone.id == id && zone.in_api() && actor.sees(zone))
    }

    /// `GET /user/tokens/verify` and its twin for account-owned tokens.
    fn verify(&self, actor: &Actor, account: Option<&str>) -> Result<Answer, ApiError> {
        let token = actor.token.as_ref().ok_or_else(auth::invalid_token)?;
        let fits = match account {
            Some(account) => token.is_account_owned() && zones::account_id(&token.account) == account,
            None => !token.is_account_owned(), // [I]
        };
        let dead = token.status != TokenStatus::Active;
        if !fits || (dead && self.settings.switches.dead_token_verify_is_401) {
            return Err(auth::invalid_token());
        }
        let result =
            json!({"id": crate::derived_id(&format!("token:{}", token.value)), "status": token.status});
        if dead {
            return Ok(Answer::result(result)); // U
        }
        // [O: libdns/cloudflare#12]
        Ok(Answer::result_with_message(result, 10000, "This API Token is valid and active"))
    }
}

impl Route {
    fn parse(path: &str, unroutable_is_404: bool) -> Result<Self, ApiError> {
        let no_route = || ApiError::gateway(404, 7000, "No route for that URI");
        let rest = path.strip_prefix(BASE).and_then(|rest| rest.strip_prefix('/')).ok_or_else(no_route)?;
        let parts: Vec<&str> = rest.split('/').collect();
        let ids: &[&str] = match parts.as_slice() {
            ["zones", zone]
            | ["zones", zone, "dns_records"]
            | ["zones", zone, "dns_records", "batch" | "usage"] => &[*zone],
            ["zones", zone, "dns_records", record] => &[*zone, *record],
            _ => &[],
        };
        if !ids.iter().all(|id| is_id(id)) {
            // [O: cloudflare/cloudflare-go#118; the status today is U]
            let status = if unroutable_is_404 { 404 } else { 400 };
            let message = format!("Could not route to {path}, perhaps your object identifier is invalid?");
            return Err(ApiError::gateway(status, 7003, message));
        }
        let own = |text: &str| text.to_owned();
        Ok(match parts.as_slice() {
            ["zones"] => Self::Zones,
            ["zones", zone] => Self::Zone(own(zone)),
            ["zones", zone, "dns_records"] => Self::Records(own(zone)),
            ["zones", zone, "dns_records", "batch"] => Self::Batch(own(zone)),
            ["zones", zone, "dns_records", "usage"] => Self::Usage(own(zone)),
            ["zones", zone, "dns_records", record] => Self::Record(own(zone), own(record)),
            ["user", "tokens", "verify"] => Self::UserVerify,
            ["accounts", account, "tokens", "verify"] => Self::AccountVerify(own(account)),
            _ => return Err(no_route()),
        })
    }

    fn allows(&self, method: &Method) -> bool {
        match self {
            Self::Zones | Self::Zone(_) | Self::Usage(_) | Self::UserVerify | Self::AccountVerify(_) => {
                method == Method::GET
            }
            Self::Records(_) => method == Method::GET || method == Method::POST,
            Self::Batch(_) => method == Method::POST,
            Self::Record(..) => [Method::GET, Method::PUT, Method::PATCH, Method::DELETE]
                .iter()
                .any(|allowed| allowed == method),
        }
    }

    fn surface(&self) -> Surface {
        match self {
            Self::Zones | Self::Zone(_) => Surface::Zones,
            Self::UserVerify | Self::AccountVerify(_) => Surface::Verify,
            Self::Records(_) | Self::Record(..) | Self::Batch(_) | Self::Usage(_) => Surface::Records,
        }
    }
}

/// An endpoint as statistics name it, ids left out.
pub(crate) fn endpoint(method: &Method, path: &str) -> String {
    let rest = path.strip_prefix(BASE).unwrap_or(path);
    let mut previous = "";
    let parts = rest.split('/').map(|part| {
        let id = is_id(part) || (matches!(previous, "zones" | "accounts") && !part.is_empty());
        previous = part;
        if id { ":id" } else { part }
    });
    format!("{method} {}", parts.collect::<Vec<_>>().join("/"))
}

fn json_body<T: DeserializeOwned>(call: &Call) -> Result<T, ApiError> {
    // [status and success alone are asserted; code and text U]
    serde_json::from_slice(&call.body).map_err(|_| ApiError::dns(400, 9207, "Request body is invalid."))
}

/// Default and maximum of `per_page`. [D]
const RECORD_PAGE: usize = 100;
const RECORD_PAGE_MAX: usize = 5_000_000;

#[cfg(test)]
mod tests {
    use http::Method;

    use super::endpoint;

    #[test]
    fn endpoints_have_no_ids() {
        let id = crate::derived_id("x");
        let path = format!("/client/v4/zones/{id}/dns_records/{id}");
        assert_eq!(endpoint(&Method::DELETE, &path), "DELETE /zones/:id/dns_records/:id");
        assert_eq!(endpoint(&Method::GET, "/client/v4/zones"), "GET /zones");
        assert_eq!(endpoint(&Method::GET, "/client/v4/user/tokens/verify"), "GET /user/tokens/verify");
    }
}
