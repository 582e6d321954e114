//! What an answer means, and what the answers of a round mean together. Pure.

use std::collections::BTreeSet;
use std::fmt;
use std::net::SocketAddr;

use super::delegation::Delegation;
use super::exchange::{Answer, Rcode};
use crate::challenge::TxtValue;
use crate::name::Fqdn;

/// What one server said about the name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It serves every value, and these others.
    Has(Vec<String>),
    /// It serves the zone, but not (all of) the values.
    Lacks,
    /// It serves a CNAME to this target at the name.
    Cname(String),
    /// It delegates the name away, at this owner.
    Referral(Fqdn),
    /// It does not serve the zone.
    Refused,
    /// It failed.
    Failed(Rcode),
    /// A lame server, or somebody in between: it knows from hearsay at best.
    NotAuthoritative,
    /// It offers recursion: a resolver in between, whatever it claims.
    Resolver,
    /// Nothing was heard of it, which is not "no".
    Silent(String),
}

impl Outcome {
    /// Judges an answer about `fqdn` in `zone`.
    pub(super) fn of(answer: &Answer, zone: &Fqdn, fqdn: &Fqdn, values: &[TxtValue]) -> Self {
        // Cloudflare's servers offer no recursion: who does is in between, even if it claims authority.
        if answer.recursion_available {
            return Self::Resolver;
        }
        match answer.rcode {
            Rcode::Refused => return Self::Refused,
            Rcode::Other(_) => return Self::Failed(answer.rcode),
            Rcode::NoError | Rcode::NxDomain => {}
        }
        if !answer.authoritative {
            // https://www.rfc-editor.org/rfc/rfc1034#section-4.3.2, 3 b; one that leads up or sideways is no referral.
            return match &answer.referral {
                Some(cut) if cut != zone && cut.is_within(zone) && fqdn.is_within(cut) => {
                    Self::Referral(cut.clone())
                }
                _ => Self::NotAuthoritative,
            };
        }
        let wanted = |value: &&String| values.iter().any(|v| v.as_str() == value.as_str());
        let has = |value: &TxtValue| answer.values.iter().any(|v| v == value.as_str());
        if values.iter().all(has) {
            let others = answer.values.iter().filter(|value| !wanted(value));
            return Self::Has(others.cloned().collect());
        }
        match &answer.cname {
            Some(target) => Self::Cname(target.clone()),
            None => Self::Lacks,
        }
    }

    fn is_silent(&self) -> bool {
        matches!(self, Self::Silent(_))
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Has(_) => f.write_str("has it"),
            Self::Lacks => f.write_str("lacks it"),
            Self::Cname(target) => write!(f, "has a CNAME to {target}"),
            Self::Referral(cut) => write!(f, "delegates {cut} away"),
            Self::Refused => f.write_str("refuses"),
            Self::Failed(rcode) => write!(f, "fails with {rcode}"),
            Self::NotAuthoritative => f.write_str("does not answer as an authority"),
            Self::Resolver => f.write_str("answers as a resolver"),
            Self::Silent(why) => write!(f, "is not heard ({why})"),
        }
    }
}

/// What each address of a delegation said when all were asked at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Round<'a> {
    /// Who was asked.
    pub(super) delegation: &'a Delegation,
    /// One for each address.
    pub(super) looks: Vec<Look>,
    /// Whether each was given its time; else those that are missing are called silent without proof.
    pub(super) whole: bool,
}

/// What one address said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Look {
    /// The index of its name server in the delegation.
    pub(super) server: usize,
    /// Where it was asked.
    pub(super) address: SocketAddr,
    /// What it said.
    pub(super) outcome: Outcome,
}

/// What a round says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict<'a> {
    /// Each name server was heard, and all that were heard serve the values.
    Live,
    /// Nobody said no, but not each name server was heard; perhaps none.
    Unheard,
    /// All that were heard say that the name is a CNAME; the target that the first of them named.
    Cname(&'a str),
    /// All that were heard delegate the name away.
    Delegated,
    /// All that were heard refuse.
    Refused,
    /// Some were heard, and none of them is an authority of the zone.
    Foreign,
    /// Some have the values and some have not, or none has.
    Lacking,
}

impl Round<'_> {
    /// The verdict of this round alone.
    pub(super) fn verdict(&self) -> Verdict<'_> {
        let heard = || self.heard().map(|look| &look.outcome);
        if heard().all(|outcome| matches!(outcome, Outcome::Has(_))) {
            let names: BTreeSet<_> = self.heard().map(|look| look.server).collect();
            return if self.whole && names.len() == self.delegation.servers.len() {
                Verdict::Live
            } else {
                Verdict::Unheard
            };
        }
        let target = heard().find_map(|outcome| match outcome {
            Outcome::Cname(target) => Some(target),
            _ => None,
        });
        if let Some(target) = target
            && heard().all(|outcome| matches!(outcome, Outcome::Cname(_)))
        {
            return Verdict::Cname(target);
        }
        if heard().all(|outcome| matches!(outcome, Outcome::Referral(_))) {
            return Verdict::Delegated;
        }
        if heard().all(|outcome| *outcome == Outcome::Refused) {
            return Verdict::Refused;
        }
        let foreign = |outcome: &Outcome| {
            matches!(outcome, Outcome::Refused | Outcome::NotAuthoritative | Outcome::Resolver)
        };
        if heard().all(foreign) {
            return Verdict::Foreign;
        }
        Verdict::Lacking
    }

    /// Whether any address was heard.
    pub(super) fn is_heard(&self) -> bool {
        self.heard().next().is_some()
    }

    /// Whether any address serves the values.
    pub(super) fn is_anywhere(&self) -> bool {
        let mut looks = self.looks.iter();
        looks.any(|look| matches!(look.outcome, Outcome::Has(_)))
    }

    /// The other values that were served, each once.
    pub(super) fn others(&self) -> Vec<String> {
        let others = self.looks.iter().filter_map(|look| match &look.outcome {
            Outcome::Has(others) => Some(others),
            _ => None,
        });
        let others: BTreeSet<_> = others.flatten().cloned().collect();
        others.into_iter().collect()
    }

    /// Whether a resolver answered in the place of an authority.
    pub(super) fn has_resolver(&self) -> bool {
        self.looks.iter().any(|look| look.outcome == Outcome::Resolver)
    }

    /// An address that was heard.
    pub(super) fn heard_at(&self) -> Option<SocketAddr> {
        self.heard().next().map(|look| look.address)
    }

    /// Where the CNAME was seen.
    pub(super) fn cname_at(&self) -> Option<SocketAddr> {
        let mut looks = self.looks.iter();
        looks.find(|look| matches!(look.outcome, Outcome::Cname(_))).map(|look| look.address)
    }

    fn heard(&self) -> impl Iterator<Item = &Look> {
        self.looks.iter().filter(|look| !look.outcome.is_silent())
    }
}

/// For the log: who stands in the way, and how.
impl fmt::Display for Round<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut first = true;
        for look in &self.looks {
            if matches!(look.outcome, Outcome::Has(_)) {
                continue;
            }
            if !std::mem::take(&mut first) {
                f.write_str("; ")?;
            }
            if let Some(server) = self.delegation.servers.get(look.server) {
                write!(f, "{} ", server.name)?;
            }
            write!(f, "{} {}", look.address, look.outcome)?;
        }
        if first {
            f.write_str("every name server has it")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
