//! Which of the zones that are listed under a name is the one, if any.

use crate::cloudflare::error::Failure;
use crate::cloudflare::wire::{ZoneObject, is_id};
use crate::name::Fqdn;
use crate::solver::error::Cause;
use crate::solver::port::Zone;

/// What the API has under a zone's name, for one credential.
#[derive(Debug, Clone)]
pub(super) enum Sight {
    Here(Zone),
    Nowhere,
    /// Not to be listed by this credential, for the log why. From 2019 to 2021 a token for some zones was answered so
    /// for every other name (certbot#8733), and one with DNS:Edit alone may be today: no reason to stop.
    Hidden(String),
    /// There, and of no use.
    Unfit(Cause),
}

/// A name may be there several times: in other accounts, pending beside active, and as an internal zone, which no
/// resolver outside ever sees (<https://developers.cloudflare.com/dns/zone-setups/reference/domain-status/>).
pub(super) fn choose(name: &Fqdn, listed: &[ZoneObject]) -> Result<Sight, Failure> {
    let named: Vec<_> = listed
        .iter()
        .filter(|zone| Fqdn::parse(&zone.name).is_ok_and(|found| found == *name))
        .filter(|zone| kind(zone) != "internal")
        .collect();
    let active = |zone: &&&ZoneObject| status(zone) == "active";
    let mut served =
        named.iter().filter(active).filter(|zone| !matches!(kind(zone), "partial" | "secondary"));
    if let Some(zone) = served.next() {
        if served.any(|other| other.id != zone.id) {
            return Ok(Sight::Unfit(Cause::ManyZones(name.clone())));
        }
        if !is_id(&zone.id) {
            return Err(Failure::unreadable("a zone's id is none"));
        }
        return Ok(Sight::Here(Zone {
            id: zone.id.clone(),
            name: name.clone(),
            name_servers: name_servers(zone),
        }));
    }
    let unfit = |cause| Ok(Sight::Unfit(cause));
    let zone = name.clone();
    match (named.iter().find(active), named.first()) {
        (Some(unserved), _) => unfit(Cause::ZoneNotServed { zone, kind: kind(unserved) }),
        (None, Some(idle)) => unfit(Cause::ZoneNotActive { zone, status: status(idle) }),
        (None, None) => Ok(Sight::Nowhere),
    }
}

/// Those assigned, and the zone's own names for them if it has any: a delegation may name either.
fn name_servers(zone: &ZoneObject) -> Vec<Fqdn> {
    let lists = [&zone.name_servers, &zone.vanity_name_servers];
    lists.into_iter().flatten().flatten().filter_map(|name| Fqdn::parse(name).ok()).collect()
}

/// In words of ours: what is remote never becomes part of a public text. A field that is missing is taken for the
/// usual value; the authority is asked afterwards anyway.
fn status(zone: &ZoneObject) -> &'static str {
    match zone.status.as_deref() {
        None | Some("active") => "active",
        Some("initializing") => "initializing",
        Some("pending") => "pending",
        Some("moved") => "moved",
        Some("deleted") => "deleted",
        Some("deactivated") => "deactivated",
        Some(_) => "in an unknown state",
    }
}

fn kind(zone: &ZoneObject) -> &'static str {
    match zone.kind.as_deref() {
        Some("partial") => "partial",
        Some("secondary") => "secondary",
        Some("internal") => "internal",
        _ => "full",
    }
}
