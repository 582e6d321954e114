//! The list of all zones of a credential: one call where a walk would take one for each new name.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::choice::{Sight, choose};
use super::{PER_PAGE, list};
use crate::cloudflare::api::Api;
use crate::cloudflare::error::{Failure, Kind};
use crate::cloudflare::exchange::Exchange;
use crate::cloudflare::wire::ZoneObject;
use crate::deadline::Deadline;
use crate::name::Fqdn;
use crate::secret::Credential;

/// What a credential's list of zones says.
#[derive(Debug, Clone)]
pub(super) struct Listing {
    /// `None` where there are too many, or they may not be listed: each name is asked for then.
    zones: Option<Arc<HashMap<Fqdn, Sight>>>,
    read: Instant,
}

impl Listing {
    /// The first of the names that is a zone; `None` if the list does not tell.
    pub(super) fn pick(&self, names: &[Fqdn]) -> Option<Sight> {
        let zones = self.zones.as_ref()?;
        let mut listed = names.iter().filter_map(|name| zones.get(name));
        let found = listed.find(|sight| !matches!(sight, Sight::Nowhere));
        Some(found.cloned().unwrap_or(Sight::Nowhere))
    }

    /// How long ago it was read.
    pub(super) fn age(&self) -> Duration {
        self.read.elapsed()
    }
}

/// Reads it.
pub(super) async fn read<X: Exchange>(
    api: &Api<X>,
    credential: &Credential,
    deadline: Deadline,
) -> Result<Listing, Failure> {
    let read = Instant::now();
    let mut all: HashMap<Fqdn, Vec<ZoneObject>> = HashMap::new();
    for page in 1..=MAX_PAGES {
        let query = format!("per_page={PER_PAGE}&page={page}");
        let reply = match list(api, credential, &query, deadline).await {
            Ok(reply) => reply,
            // From 2019 to 2021 a token for some zones was answered so (certbot#8733); a name may be asked for.
            Err(failure) if matches!(failure.kind, Kind::Denied | Kind::Refused(_)) => break,
            Err(failure) => return Err(failure),
        };
        let is_full = u64::try_from(reply.result.len()).is_ok_and(|count| count >= PER_PAGE);
        let is_last = reply.total_pages.map_or(!is_full, |total| total <= page);
        for zone in reply.result {
            if let Ok(name) = Fqdn::parse(&zone.name) {
                all.entry(name).or_default().push(zone);
            }
        }
        if is_last {
            let chosen = all.into_iter().map(|(name, listed)| Ok((name.clone(), choose(&name, &listed)?)));
            let zones = chosen.collect::<Result<_, Failure>>()?;
            return Ok(Listing { zones: Some(Arc::new(zones)), read });
        }
        if reply.total_pages.is_some_and(|total| total > MAX_PAGES) {
            break;
        }
    }
    Ok(Listing { zones: None, read })
}

/// Two hundred zones. With more, names are asked for, for most of the list would be of no use.
pub(super) const MAX_PAGES: u64 = 4;
