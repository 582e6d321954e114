//! Who calls and what they may do.

use std::net::IpAddr;
use std::time::Duration;

use http::HeaderMap;
use tokio::time::Instant;

use crate::envelope::ApiError;
use crate::settings::Switches;
use crate::world::{KeyConfig, Permission, TokenConfig, TokenStatus};
use crate::zones::Zone;

/// A token and when it was added.
#[derive(Clone, Debug)]
pub(crate) struct Token {
    pub(crate) config: TokenConfig,
    pub(crate) since: Instant,
}

/// Families of routes, which refuse with different codes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Surface {
    Zones,
    Records,
    Verify,
}

/// Who calls.
#[derive(Clone, Debug)]
pub(crate) struct Actor {
    /// Whose rate limit counts.
    pub(crate) user: String,
    account: String,
    zones: Vec<String>,
    permissions: Vec<Permission>,
    /// The token, unless a global key was used.
    pub(crate) token: Option<TokenConfig>,
}

/// All credentials there are.
#[derive(Debug, Default)]
pub(crate) struct Credentials {
    pub(crate) tokens: Vec<Token>,
    pub(crate) keys: Vec<KeyConfig>,
}

impl Credentials {
    /// Finds who calls; the permissions are asked for later.
    pub(crate) fn authenticate(
        &self,
        headers: &HeaderMap,
        peer: IpAddr,
        now: Instant,
        surface: Surface,
        switches: &Switches,
    ) -> Result<Actor, ApiError> {
        if let Some(authorization) = headers.get("authorization") {
            let value = authorization.to_str().ok().and_then(bearer).ok_or_else(malformed_authorization)?;
            return self.by_token(value, peer, now, surface, switches);
        }
        let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or_default());
        match (text("x-auth-email"), text("x-auth-key")) {
            // [O: kissgyorgy/cloudflare-dyndns#40]
            (Some(_), Some(_)) if surface == Surface::Verify => {
                Err(ApiError::gateway(400, 1001, "Missing \"Authorization\" header"))
            }
            (Some(email), Some(key)) => self.by_key(email, key),
            // [G]
            _ => {
                Err(ApiError::gateway(400, 9106, "Missing X-Auth-Key, X-Auth-Email or Authorization headers"))
            }
        }
    }

    fn by_token(
        &self,
        value: &str,
        peer: IpAddr,
        now: Instant,
        surface: Surface,
        switches: &Switches,
    ) -> Result<Actor, ApiError> {
        let Some(token) = self.tokens.iter().find(|token| token.config.value == value) else {
            return Err(match surface {
                Surface::Verify => invalid_token(),
                Surface::Records if !switches.unknown_token_on_records_is_9109 => authentication_error(),
                _ => ApiError::gateway(403, 9109, "Invalid access token"),
            });
        };
        let config = &token.config;
        if now < token.since + Duration::from_millis(config.settles_ms) {
            // Fresh tokens are eventually consistent. [O]
            return Err(ApiError::gateway(403, 10001, "Unable to authenticate request"));
        }
        if !config.allowed_ips.is_empty() && !config.allowed_ips.contains(&peer) {
            // [O: jeessy2/ddns-go#1341]
            let message = format!("Cannot use the access token from location: {peer}");
            return Err(ApiError::gateway(403, 9109, message));
        }
        if config.status != TokenStatus::Active && surface != Surface::Verify {
            return Err(ApiError::gateway(403, 9109, "Invalid access token"));
        }
        let own = config.is_account_owned().then(|| format!("token:{}", crate::derived_id(value)));
        Ok(Actor {
            user: own.unwrap_or_else(|| user(config.user.as_deref(), &config.account)),
            account: config.account.clone(),
            zones: config.zones.iter().map(|zone| zone.to_ascii_lowercase()).collect(),
            permissions: config.permissions.clone(),
            token: Some(config.clone()),
        })
    }

    fn by_key(&self, email: &str, key: &str) -> Result<Actor, ApiError> {
        let known =
            self.keys.iter().find(|known| known.key == key && known.email.eq_ignore_ascii_case(email));
        if let Some(known) = known {
            return Ok(Actor {
                user: user(known.user.as_deref(), &known.account),
                account: known.account.clone(),
                zones: vec!["*".to_owned()],
                permissions: vec![Permission::ZoneRead, Permission::DnsRead, Permission::DnsEdit],
                token: None,
            });
        }
        let hex = (37..=45).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_hexdigit());
        if hex || key.starts_with("cfk_") {
            return Err(ApiError::gateway(403, 9103, "Unknown X-Auth-Key or X-Auth-Email"));
        }
        // [O: cloudflare/cloudflare-typescript#161]
        Err(ApiError::gateway(400, 6003, "Invalid request headers")
            .caused_by(6103, "Invalid format for X-Auth-Key header"))
    }
}

impl Actor {
    /// Whether the zone is one of theirs at all.
    pub(crate) fn sees(&self, zone: &Zone) -> bool {
        let accounts = self.account == "*" || zone.account == self.account;
        accounts && self.zones.iter().any(|name| name == "*" || *name == zone.name)
    }

    /// Whether zones may be listed and read. Documented: Zone:Read; seen: any DNS permission. [D/O]
    pub(crate) fn may_read_zones(&self, switches: &Switches) -> bool {
        self.has(Permission::ZoneRead) || (!switches.zones_need_zone_read && self.may_read_records())
    }

    /// Whether records may be read.
    pub(crate) fn may_read_records(&self) -> bool {
        self.has(Permission::DnsRead) || self.may_write_records()
    }

    /// Whether records may be written.
    pub(crate) fn may_write_records(&self) -> bool {
        self.has(Permission::DnsEdit)
    }

    /// Whether records may be written many at a time. [I]
    pub(crate) fn may_batch(&self) -> bool {
        self.may_write_records() && !self.token.as_ref().is_some_and(|token| token.no_batch)
    }

    /// The name that errors of 2019 to 2021 gave it.
    pub(crate) fn old_name(&self) -> String {
        let id = crate::derived_id(self.token.as_ref().map_or("key", |token| &token.value));
        format!("com.cloudflare.api.token.{id}")
    }

    fn has(&self, permission: Permission) -> bool {
        self.permissions.contains(&permission)
    }
}

impl TokenConfig {
    /// [D: fundamentals/api/get-started/token-formats]
    pub(crate) fn is_account_owned(&self) -> bool {
        self.value.starts_with("cfat_")
    }
}

/// Valid credentials without the right for this zone or product; existence is not told. [O/C]
pub(crate) fn authentication_error() -> ApiError {
    ApiError::gateway(403, 10000, "Authentication error")
}

/// The same on zone routes. [C]
pub(crate) fn unauthorized() -> ApiError {
    ApiError::gateway(403, 9109, "Unauthorized to access requested resource")
}

/// Verifying a token that does not work. [C]
pub(crate) fn invalid_token() -> ApiError {
    ApiError::gateway(401, 1000, "Invalid API Token")
}

/// A token's text after `Bearer`; `None` when it cannot be one.
fn bearer(authorization: &str) -> Option<&str> {
    let value = authorization.strip_prefix("Bearer ")?;
    let fine = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    (!value.is_empty() && value.bytes().all(fine)).then_some(value)
}

/// [O: jeessy2/ddns-go#916]
fn malformed_authorization() -> ApiError {
    ApiError::gateway(400, 6003, "Invalid request headers")
        .caused_by(6111, "Invalid format for Authorization header")
}

fn user(user: Option<&str>, account: &str) -> String {
    user.map_or_else(|| format!("user:{account}"), |user| format!("user:{user}"))
}
