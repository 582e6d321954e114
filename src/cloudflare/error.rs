//! From an answer to what can be concluded from it: status first, then the codes, never a code alone
//! (<https://developers.cloudflare.com/fundamentals/api/troubleshooting/>; codes are not unique among products).

use std::fmt::{self, Write as _};

use http::StatusCode;

use super::exchange::{Answer, ExchangeError};
use super::wire::Envelope;
use crate::metrics::Outcome;
use crate::name::Fqdn;
use crate::secret::Credential;
use crate::solver::error::{Cause, Error};

/// A call that failed.
#[derive(Debug, Clone)]
pub(super) struct Failure {
    /// What can be concluded.
    pub(super) kind: Kind,
    /// For the log: status, `cf-ray`, codes, remote text.
    pub(super) detail: String,
}

/// What can be concluded from a call that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The credential is no good anywhere.
    Credential,
    /// The credential is refused from this address.
    Address,
    /// The credential may not do this here, or there is no such zone: Cloudflare does not tell which.
    Denied,
    /// There is no such zone.
    NoZone,
    /// There is no such record.
    NoRecord,
    /// There is no such thing, for a reason that names neither: of a record's own URL the record, else the zone.
    NotFound,
    /// An identical record is there.
    Identical,
    /// The zone is full.
    Quota,
    /// Too many calls.
    Limited,
    /// Cloudflare says no for another reason.
    Refused(u32),
    /// No answer, or none of this API. Unless `unsent`, a write may have been carried out.
    Unavailable {
        /// Cloudflare can't have seen the call.
        unsent: bool,
    },
    /// This API has no such endpoint, or not for this credential: nothing was carried out.
    NoRoute,
    /// The request's time was used up before the call.
    OutOfTime,
    /// A defect of this program.
    Internal,
}

impl Failure {
    pub(super) fn new(kind: Kind, detail: impl fmt::Display) -> Self {
        Self { kind, detail: detail.to_string() }
    }

    /// An answer that can't be used, though its status and envelope are those of a success.
    pub(super) fn unreadable(what: &str) -> Self {
        Self::new(Kind::Unavailable { unsent: false }, what)
    }

    /// The entry of the catalogue for a failed call to a zone's records.
    pub(super) fn at_records(self, zone: &Fqdn) -> Error {
        let cause = match self.kind {
            Kind::Credential => Cause::CredentialRefused,
            Kind::Address => Cause::AddressRefused,
            Kind::Denied => Cause::ZoneDenied(zone.clone()),
            Kind::NoZone | Kind::NotFound => Cause::NoZone(zone.clone()),
            Kind::NoRecord => Cause::RecordRefused { code: NO_RECORD },
            Kind::Identical => Cause::RecordRefused { code: IDENTICAL[1] },
            Kind::Quota => Cause::QuotaExceeded(zone.clone()),
            Kind::Limited => Cause::RateLimited,
            Kind::Refused(code) => Cause::RecordRefused { code },
            Kind::Unavailable { .. } | Kind::NoRoute => Cause::Unavailable,
            Kind::OutOfTime => Cause::OutOfTime,
            Kind::Internal => Cause::Internal,
        };
        Error::new(cause, self.detail)
    }

    /// The entry of the catalogue for a failed look-up of a zone. What says nothing about the zone or the credential
    /// is taken to pass: a "gone" from here would make a `CleanUp` give up its record.
    pub(super) fn at_zones(self) -> Error {
        let cause = match self.kind {
            Kind::Credential => Cause::CredentialRefused,
            Kind::Address => Cause::AddressRefused,
            Kind::Limited => Cause::RateLimited,
            Kind::OutOfTime => Cause::OutOfTime,
            Kind::Internal => Cause::Internal,
            _ => Cause::Unavailable,
        };
        Error::new(cause, self.detail)
    }
}

impl From<ExchangeError> for Failure {
    fn from(error: ExchangeError) -> Self {
        let kind = match error {
            ExchangeError::Unsent(_) => Kind::Unavailable { unsent: true },
            ExchangeError::Lost(_) | ExchangeError::TooLong => Kind::Unavailable { unsent: false },
            ExchangeError::Credential => Kind::Credential,
        };
        Self::new(kind, error)
    }
}

impl Kind {
    /// As the metrics count it.
    pub(super) fn outcome(self) -> Outcome {
        match self {
            Self::Identical => Outcome::Success,
            Self::Credential | Self::Address | Self::Denied => Outcome::Denied,
            Self::NoZone | Self::NoRecord | Self::NotFound => Outcome::Gone,
            Self::Quota | Self::Refused(_) => Outcome::Configuration,
            Self::Limited | Self::Unavailable { .. } | Self::NoRoute | Self::OutOfTime => Outcome::Retry,
            Self::Internal => Outcome::Internal,
        }
    }

    /// Whether the same call may fare better in a moment.
    pub(super) fn may_pass(self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::NoRoute)
    }

    /// Whether every other write to the zone with this credential would fare alike now.
    pub(super) fn is_of_all(self) -> bool {
        matches!(
            self,
            Self::Credential | Self::Address | Self::Denied | Self::NoZone | Self::NotFound | Self::Limited
        )
    }
}

/// Judges an answer; `envelope` is `None` if its body is none of this API.
pub(super) fn judge(status: StatusCode, envelope: Option<&Envelope>) -> Result<(), Kind> {
    if status == StatusCode::TOO_MANY_REQUESTS {
        return Err(Kind::Limited);
    }
    match envelope {
        // A page of a proxy, a firewall or the edge: whatever its status, it says nothing of the credential.
        Some(envelope) if status.is_success() || status.is_client_error() => {
            let done = status.is_success() && envelope.success.unwrap_or(!envelope.result.is_null());
            if done { Ok(()) } else { Err(refusal(status, envelope)) }
        }
        _ => Err(Kind::Unavailable { unsent: false }),
    }
}

/// For a status of the 200s or 400s in an envelope that does not say success.
fn refusal(status: StatusCode, envelope: &Envelope) -> Kind {
    let auth = matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN);
    let code = root(envelope);
    match status {
        _ if envelope.has(&IDENTICAL) => Kind::Identical,
        _ if envelope.has(&[NO_RECORD]) => Kind::NoRecord,
        _ if envelope.has(&[81045]) => Kind::Quota,
        _ if envelope.has(&[10100, 971]) => Kind::Limited,
        _ if envelope.has(&[7003]) => Kind::NoZone,
        // "No route for that URI", alone: this is not the API's base, and says nothing of zones.
        _ if envelope.has(&[7000]) => Kind::NoRoute,
        _ if envelope.has(&[6003, 6103, 6111, 9103, 9106]) => Kind::Credential,
        _ if envelope.has(&[9109]) => token_refusal(status, envelope),
        _ if envelope.has(&[1000, 1001]) && (auth || mentions(envelope, "authorization")) => Kind::Credential,
        // Freenom's domains may not be edited by API, whatever the credential.
        _ if envelope.has(&[1038]) => Kind::Refused(1038),
        _ if envelope.has(&[10000, 10001, 10405]) => Kind::Denied,
        StatusCode::UNAUTHORIZED => Kind::Credential,
        StatusCode::FORBIDDEN => Kind::Denied,
        StatusCode::NOT_FOUND => Kind::NotFound,
        StatusCode::REQUEST_TIMEOUT | StatusCode::CONFLICT => Kind::Unavailable { unsent: false },
        _ if mentions(envelope, "com.cloudflare.api.account.zone.list") => Kind::Denied,
        _ => code.map_or(Kind::Unavailable { unsent: false }, Kind::Refused),
    }
}

/// 9109 is three things, told apart by their text alone.
fn token_refusal(status: StatusCode, envelope: &Envelope) -> Kind {
    if mentions(envelope, "from location") {
        Kind::Address
    } else if status == StatusCode::UNAUTHORIZED || mentions(envelope, "invalid access token") {
        Kind::Credential
    } else {
        Kind::Denied
    }
}

fn mentions(envelope: &Envelope, text: &str) -> bool {
    envelope.errors.iter().any(|error| error.message.to_ascii_lowercase().contains(text))
}

/// The code that says most: that of the chain's end where 1004 ("DNS Validation Error") wraps it.
fn root(envelope: &Envelope) -> Option<u32> {
    let mut codes = envelope.errors.iter().map(|error| error.code);
    match codes.next() {
        Some(1004) => codes.next().or(Some(1004)),
        first => first,
    }
}

/// What the log says of an answer: status, `cf-ray`, codes and at most 200 characters of the remote text, from which
/// the credential is taken out: what answers may be a proxy or a debugging tool that repeats headers.
pub(super) fn describe(answer: &Answer, envelope: Option<&Envelope>, credential: &Credential) -> String {
    let mut text = format!("status {}", answer.status.as_u16());
    for name in ["cf-ray", "retry-after"] {
        if let Some(value) = answer.header(name) {
            let _ = write!(text, ", {name} {}", clean(value, credential));
        }
    }
    let remote = match envelope {
        Some(envelope) => {
            let codes: Vec<_> = envelope.errors.iter().map(|error| error.code).collect();
            let _ = write!(text, ", codes {codes:?}");
            let messages: Vec<_> = envelope.errors.iter().map(|error| &*error.message).collect();
            messages.join("; ").into()
        }
        None => String::from_utf8_lossy(&answer.body),
    };
    let _ = write!(text, ": {}", clean(&remote, credential));
    text
}

fn clean(text: &str, credential: &Credential) -> String {
    let (Credential::Token(secret) | Credential::Key { key: secret, .. }) = credential;
    text.replace(secret.expose(), "[redacted]")
        .chars()
        .take(MAX_REMOTE)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

/// Characters of a remote text that go to the log.
const MAX_REMOTE: usize = 200;
/// "Record already exists." until 2023, "An identical record already exists." since.
const IDENTICAL: [u32; 2] = [81057, 81058];
/// "Record does not exist."
const NO_RECORD: u32 = 81044;

#[cfg(test)]
mod tests;
