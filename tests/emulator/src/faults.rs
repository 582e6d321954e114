//! Faults on demand: answers that Cloudflare's edge, a broken network or a broken resolver would give.

use std::net::IpAddr;

use regex::Regex;
use serde::{Deserialize, Serialize};

use crate::envelope::{Answer, ApiError};
use crate::limits::too_many;
use crate::state::Random;

/// A fault: what it is for, how often, what happens.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// Which calls or queries.
    #[serde(default)]
    pub r#match: Match,
    /// How many of them; absent for all.
    #[serde(default)]
    pub times: Option<u32>,
    /// How many pass unharmed first.
    #[serde(default)]
    pub skip: u32,
    /// Of the others each one (1, or absent), each second one (2), and so on, the first of them included.
    #[serde(default)]
    pub every: Option<u32>,
    /// Of a hundred of them so many, drawn from the sequence that the world's `seed` begins; absent for all.
    #[serde(default)]
    pub percent: Option<u8>,
    /// What happens.
    pub action: Action,
}

/// Which calls (`method`, `path_regex`) or queries (the others). Absent fields match everything.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Match {
    /// Method of an API call.
    #[serde(default)]
    pub method: Option<String>,
    /// Pattern found in an API call's path (and query).
    #[serde(default)]
    pub path_regex: Option<String>,
    /// Name server by name or address, or `resolver` or `ca-resolver`.
    #[serde(default)]
    pub server: Option<String>,
    /// Pattern found in the name of a query, in lower case without the last dot.
    #[serde(default)]
    pub name_regex: Option<String>,
    /// Type of a query.
    #[serde(default, rename = "type")]
    pub kind: Option<String>,
    /// `udp` or `tcp`.
    #[serde(default)]
    pub transport: Option<String>,
}

/// What happens instead of the ordinary answer. The first nine are for the API, the others for DNS.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Action {
    /// An answer with this status.
    Status {
        /// 200 and an HTML page is possible, too.
        status: u16,
        /// What comes with it.
        #[serde(default)]
        body: FaultBody,
        /// Whether the call takes effect all the same.
        #[serde(default)]
        apply: bool,
    },
    /// 429.
    RateLimited {
        /// `Retry-After`, in seconds; absent for no header.
        #[serde(default)]
        retry_after: Option<u64>,
        /// 10100 or 971.
        #[serde(default)]
        code: Option<u32>,
    },
    /// A failure envelope of the DNS service.
    Error {
        /// Status.
        status: u16,
        /// Code.
        code: u32,
        /// Message.
        message: String,
    },
    /// The connection is reset, nothing was applied.
    ResetBefore,
    /// The connection is reset, the write was applied.
    ResetAfter,
    /// The ordinary answer, cut in the middle of its body.
    Cut,
    /// The ordinary answer, this much later.
    Slow {
        /// Milliseconds.
        ms: u64,
    },
    /// The call takes effect, its answer comes this much later.
    SlowAfter {
        /// Milliseconds.
        ms: u64,
    },
    /// A redirect.
    Redirect {
        /// 301, 302, 307 or 308.
        status: u16,
        /// `Location`.
        location: String,
    },
    /// No DNS answer.
    Silent,
    /// SERVFAIL.
    ServFail,
    /// REFUSED.
    Refused,
    /// The ordinary DNS answer, this much later.
    DnsSlow {
        /// Milliseconds.
        ms: u64,
    },
    /// An interceptor's answer: AA=0, RA=1, and this instead of the truth.
    Intercept {
        /// TXT values; empty for NXDOMAIN.
        #[serde(default)]
        txt: Vec<String>,
    },
    /// TC set and no answers, over UDP.
    Truncate,
}

/// What comes with a status.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultBody {
    /// A failure envelope.
    #[default]
    Json,
    /// A full page, as the edge sends it.
    Html,
    /// Nothing.
    Empty,
    /// Plain text.
    Text(String),
}

/// The faults that are on.
#[derive(Debug)]
pub(crate) struct Faults {
    active: Vec<Active>,
    random: Random,
}

#[derive(Debug)]
struct Active {
    fault: Fault,
    /// How many matched after those that were skipped.
    met: u32,
    path: Option<Regex>,
    name: Option<Regex>,
}

/// A query that a fault may be for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked<'a> {
    /// Name of the name server, or `resolver`.
    pub(crate) server: &'a str,
    pub(crate) address: Option<IpAddr>,
    pub(crate) transport: &'a str,
    pub(crate) name: &'a str,
    pub(crate) kind: &'a str,
}

impl Fault {
    /// A fault for every API call.
    pub fn new(action: Action) -> Self {
        Self { r#match: Match::default(), times: None, skip: 0, every: None, percent: None, action }
    }

    /// For this method, and paths in which this pattern is found.
    #[must_use]
    pub fn on(mut self, method: &str, path_regex: &str) -> Self {
        self.r#match.method = Some(method.to_owned());
        self.r#match.path_regex = Some(path_regex.to_owned());
        self
    }

    /// For queries to this name server (name or address), or to `resolver`.
    #[must_use]
    pub fn server(mut self, server: &str) -> Self {
        self.r#match.server = Some(server.to_owned());
        self
    }

    /// This many times.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = Some(times);
        self
    }

    /// Each first of so many.
    #[must_use]
    pub fn every(mut self, every: u32) -> Self {
        self.every = Some(every);
        self
    }

    /// So many of a hundred, by chance.
    #[must_use]
    pub fn percent(mut self, percent: u8) -> Self {
        self.percent = Some(percent);
        self
    }
}

impl Faults {
    /// None is on; chance is drawn from the sequence that begins with `seed`.
    pub(crate) fn new(seed: u64) -> Self {
        Self { active: Vec::new(), random: Random::new(seed) }
    }

    /// Turns a fault on; an error for a pattern that is none.
    pub(crate) fn add(&mut self, fault: Fault) -> Result<(), regex::Error> {
        let compile = |text: &Option<String>| text.as_deref().map(Regex::new).transpose();
        let (path, name) = (compile(&fault.r#match.path_regex)?, compile(&fault.r#match.name_regex)?);
        self.active.push(Active { fault, met: 0, path, name });
        Ok(())
    }

    pub(crate) fn clear(&mut self) {
        self.active.clear();
    }

    pub(crate) fn list(&self) -> Vec<Fault> {
        self.active.iter().map(|active| active.fault.clone()).collect()
    }

    /// The fault for an API call, if there is one.
    pub(crate) fn for_call(&mut self, method: &str, path: &str) -> Option<Action> {
        self.take(|active| {
            let wanted = &active.fault.r#match;
            !active.fault.action.is_dns()
                && wanted.method.as_ref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(method))
                && active.path.as_ref().is_none_or(|pattern| pattern.is_match(path))
        })
    }

    /// The fault for a query, if there is one.
    pub(crate) fn for_query(&mut self, asked: Asked<'_>) -> Option<Action> {
        self.take(|active| {
            let wanted = &active.fault.r#match;
            let server = |wanted: &String| {
                wanted == asked.server || asked.address.is_some_and(|address| address.to_string() == *wanted)
            };
            active.fault.action.is_dns()
                && (!matches!(active.fault.action, Action::Truncate) || asked.transport == "udp")
                && wanted.server.as_ref().is_none_or(server)
                && wanted.transport.as_ref().is_none_or(|wanted| wanted == asked.transport)
                && wanted.kind.as_ref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(asked.kind))
                && active.name.as_ref().is_none_or(|pattern| pattern.is_match(asked.name))
        })
    }

    fn take(&mut self, applies: impl Fn(&Active) -> bool) -> Option<Action> {
        let Self { active, random } = self;
        let place = active.iter_mut().position(|active| applies(active) && active.hits(random))?;
        let fault = &mut active.get_mut(place)?.fault;
        let action = fault.action.clone();
        if let Some(times) = &mut fault.times {
            *times = times.saturating_sub(1);
            if *times == 0 {
                active.remove(place);
            }
        }
        Some(action)
    }
}

impl Active {
    /// Whether this one of those it is for is hit.
    fn hits(&mut self, random: &mut Random) -> bool {
        if self.fault.skip > 0 {
            self.fault.skip -= 1;
            return false;
        }
        let turn = self.fault.every.is_none_or(|every| self.met.is_multiple_of(every.max(1)));
        self.met = self.met.wrapping_add(1);
        turn && self.fault.percent.is_none_or(|percent| random.below(99) < u64::from(percent))
    }
}

impl Action {
    fn is_dns(&self) -> bool {
        match self {
            Self::Silent
            | Self::ServFail
            | Self::Refused
            | Self::DnsSlow { .. }
            | Self::Intercept { .. }
            | Self::Truncate => true,
            Self::Status { .. }
            | Self::RateLimited { .. }
            | Self::Error { .. }
            | Self::ResetBefore
            | Self::ResetAfter
            | Self::Cut
            | Self::Slow { .. }
            | Self::SlowAfter { .. }
            | Self::Redirect { .. } => false,
        }
    }

    /// The answer that takes the place of the ordinary one.
    pub(crate) fn answer(&self) -> Option<Answer> {
        match self {
            Self::Status { status, body, .. } => Some(body.answer(*status)),
            Self::RateLimited { retry_after, code } => {
                let error = too_many(code.unwrap_or(971));
                let after = retry_after.map(std::time::Duration::from_secs);
                Some(after.map_or(error.clone(), |after| error.retry_after(after)).answer())
            }
            Self::Error { status, code, message } => Some(ApiError::dns(*status, *code, message).answer()),
            Self::Redirect { status, location } => {
                let mut answer = Answer::text(*status, "");
                answer.headers.push(("location", location.clone()));
                Some(answer)
            }
            _ => None,
        }
    }
}

impl FaultBody {
    fn answer(&self, status: u16) -> Answer {
        match self {
            Self::Json => ApiError::gateway(status, 10500, "Internal server error").answer(),
            Self::Html => Answer::html(status),
            Self::Empty => Answer::text(status, ""),
            Self::Text(text) => Answer::text(status, text),
        }
    }
}
