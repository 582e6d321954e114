//! Rate limits: 1,200 calls in five minutes for a user, then everything is refused for five minutes; and
//! calls a second from one address. [D: fundamentals/api/reference/limits]

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use tokio::time::Instant;

use crate::envelope::ApiError;
use crate::settings::RateLimit;

/// How many calls were made, by whom.
#[derive(Debug, Default)]
pub(crate) struct Limits {
    users: BTreeMap<String, Window>,
    addresses: BTreeMap<IpAddr, Window>,
    lowest: BTreeMap<String, u32>,
}

#[derive(Clone, Copy, Debug)]
struct Window {
    start: Instant,
    calls: u32,
    blocked_until: Option<Instant>,
}

impl Limits {
    /// Counts a call from an address.
    pub(crate) fn address(
        &mut self,
        limit: Option<&RateLimit>,
        peer: IpAddr,
        now: Instant,
    ) -> Result<(), ApiError> {
        let Some(allowed) = limit.and_then(|limit| limit.per_ip_per_second) else {
            return Ok(());
        };
        let second = Duration::from_secs(1);
        let window = self.addresses.entry(peer).or_insert(Window::new(now));
        window.roll(now, second);
        window.calls += 1;
        if window.calls > allowed {
            return Err(too_many(971).retry_after(second));
        }
        Ok(())
    }

    /// Counts a call of a user.
    pub(crate) fn user(
        &mut self,
        limit: Option<&RateLimit>,
        user: &str,
        now: Instant,
    ) -> Result<(), ApiError> {
        let Some(limit) = limit else { return Ok(()) };
        let length = Duration::from_secs(limit.window_seconds);
        let window = self.users.entry(user.to_owned()).or_insert(Window::new(now));
        if let Some(until) = window.blocked_until {
            if now < until {
                return Err(limit.exceeded(until - now));
            }
            *window = Window::new(now);
        }
        window.roll(now, length);
        window.calls += 1;
        let left = limit.requests.saturating_sub(window.calls);
        self.lowest.entry(user.to_owned()).and_modify(|lowest| *lowest = left.min(*lowest)).or_insert(left);
        if window.calls > limit.requests {
            window.blocked_until = Some(now + length);
            return Err(limit.exceeded(length));
        }
        Ok(())
    }

    /// `Ratelimit` and `Ratelimit-Policy`, on every answer. [D: changelog 2025-09-03; the policy's name is U]
    pub(crate) fn headers(
        &self,
        limit: Option<&RateLimit>,
        user: Option<&str>,
        now: Instant,
    ) -> [(&'static str, String); 2] {
        let fallback = RateLimit::default();
        let shown = limit.unwrap_or(&fallback);
        let length = Duration::from_secs(shown.window_seconds);
        let window = user.and_then(|user| self.users.get(user)).filter(|_| limit.is_some());
        let (left, rest) = window.map_or((shown.requests, length), |window| window.left(shown, now));
        shown.headers(left, rest)
    }

    /// The same when nothing is left for this long, or for a whole window.
    pub(crate) fn spent(limit: Option<&RateLimit>, rest: Option<Duration>) -> [(&'static str, String); 2] {
        let fallback = RateLimit::default();
        let shown = limit.unwrap_or(&fallback);
        shown.headers(0, rest.unwrap_or(Duration::from_secs(shown.window_seconds)))
    }

    /// Calls left, by user.
    pub(crate) fn left(&self, limit: Option<&RateLimit>, now: Instant) -> BTreeMap<String, u32> {
        let Some(limit) = limit else {
            return BTreeMap::new();
        };
        self.users.iter().map(|(user, window)| (user.clone(), window.left(limit, now).0)).collect()
    }

    /// The fewest calls that were left at any time, by user.
    pub(crate) fn lowest(&self) -> BTreeMap<String, u32> {
        self.lowest.clone()
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

impl Window {
    fn new(start: Instant) -> Self {
        Self { start, calls: 0, blocked_until: None }
    }

    fn roll(&mut self, now: Instant, length: Duration) {
        if now >= self.start + length {
            *self = Self::new(now);
        }
    }

    fn left(&self, limit: &RateLimit, now: Instant) -> (u32, Duration) {
        let length = Duration::from_secs(limit.window_seconds);
        match self.blocked_until {
            Some(until) if now < until => (0, until - now),
            Some(_) => (limit.requests, length),
            None if now >= self.start + length => (limit.requests, length),
            None => (limit.requests.saturating_sub(self.calls), self.start + length - now),
        }
    }
}

impl RateLimit {
    fn headers(&self, left: u32, rest: Duration) -> [(&'static str, String); 2] {
        [
            ("ratelimit", format!("\"default\";r={left};t={}", rest.as_secs().max(1))),
            ("ratelimit-policy", format!("\"default\";q={};w={}", self.requests, self.window_seconds)),
        ]
    }

    fn exceeded(&self, rest: Duration) -> ApiError {
        if self.code == 971 {
            return too_many(971).retry_after(rest);
        }
        // [O: cloudflare/terraform-provider-cloudflare#1834]
        let message = format!(
            "More than {} requests per {} seconds reached. Please wait and consider throttling your request speed",
            self.requests, self.window_seconds
        );
        ApiError::gateway(429, self.code, message).retry_after(rest)
    }
}

/// [I: the length of a body seen in cloudflare/certbot-dns-cloudflare#6]
pub(crate) fn too_many(code: u32) -> ApiError {
    ApiError::gateway(429, code, "Please wait and consider throttling your request speed")
}
