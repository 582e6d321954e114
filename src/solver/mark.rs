//! Our mark in a record's comment: who wrote it, for what, and beside what.
//!
//! `cert-manager-webhook-cloudflare v1 OWNER HASH[ with HASH]`, at most 100 characters, the limit of a free zone
//! (<https://developers.cloudflare.com/dns/manage-dns-records/reference/record-attributes/>). Comments are never
//! served. The first hash ties the mark to its record, so that one copied by hand to another record is none.

use std::fmt::Write;
use std::sync::{Arc, OnceLock};

use aws_lc_rs::digest::{self, SHA256};

use crate::challenge::TxtValue;
use crate::name::Fqdn;

/// Names this installation in the marks of its records: 1 to 32 lower-case letters, digits and hyphens.
///
/// Two installations that may edit the same zone must differ: each removes the records of its own that belong to no
/// Challenge of its cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnerId(Arc<str>);

impl OwnerId {
    /// Checks an id given by the operator.
    pub fn parse(text: &str) -> Option<Self> {
        let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        ((1..=32).contains(&text.len()) && text.bytes().all(allowed)).then(|| Self(text.into()))
    }

    /// The id of an installation whose operator gave none: it follows from something unique to the cluster and from
    /// the API group, of which a cluster has but one.
    pub fn derive(cluster_uid: &str, group: &str) -> Self {
        Self(hash([cluster_uid, group]).into())
    }
}

/// An [`OwnerId`] that may become known only after the cluster has been reached; set once.
#[derive(Debug, Clone, Default)]
pub struct Owner(Arc<OnceLock<OwnerId>>);

impl Owner {
    /// The id, once known.
    pub fn get(&self) -> Option<&OwnerId> {
        self.0.get()
    }

    /// Makes it known; the first one stays.
    pub fn set(&self, id: OwnerId) {
        let _ = self.0.set(id);
    }
}

/// A mark of this program, of whatever installation.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    owner: String,
    /// The fingerprint of the value in whose `Present` this one was written ahead.
    with: Option<String>,
}

impl Mark {
    /// The comment of a record; `with` is the value presented when this one is written ahead.
    pub(crate) fn comment(owner: &OwnerId, fqdn: &Fqdn, value: &TxtValue, with: Option<&TxtValue>) -> String {
        let mut comment = format!("{PREFIX} {} {}", owner.0, tie(&owner.0, fqdn, value.as_str()));
        if let Some(with) = with {
            // Writing to a String can't fail.
            let _ = write!(comment, " with {}", fingerprint(with));
        }
        comment
    }

    /// Reads the comment of the record at `fqdn` that says `value`; `None` if it is not ours.
    pub(crate) fn read(comment: &str, fqdn: &Fqdn, value: &str) -> Option<Self> {
        let mut words = comment.strip_prefix(PREFIX)?.split(' ').skip(1);
        let (owner, tied) = (words.next()?, words.next()?);
        let with = match (words.next(), words.next()) {
            (None, None) => None,
            (Some("with"), Some(with)) => Some(with.to_owned()),
            _ => return None,
        };
        (tied == tie(owner, fqdn, value) && words.next().is_none())
            .then(|| Self { owner: owner.to_owned(), with })
    }

    /// Whether this installation wrote it.
    pub(crate) fn is_of(&self, owner: &OwnerId) -> bool {
        *self.owner == *owner.0
    }

    /// Whether the record was written ahead in the `Present` of `value`.
    pub(crate) fn is_with(&self, value: &TxtValue) -> bool {
        self.with.as_deref() == Some(&*fingerprint(value))
    }
}

fn tie(owner: &str, fqdn: &Fqdn, value: &str) -> String {
    hash([owner, fqdn.as_str(), value])
}

fn fingerprint(value: &TxtValue) -> String {
    hash([value.as_str()])
}

/// 48 bits of SHA-256 over the parts: enough to tell the few records of a name apart.
fn hash<const N: usize>(parts: [&str; N]) -> String {
    let digest = digest::digest(&SHA256, parts.join("\n").as_bytes());
    digest.as_ref()[..6].iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The program and the version of the format.
const PREFIX: &str = "cert-manager-webhook-cloudflare v1";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_reads_back_and_fits() {
        let owner = OwnerId::parse(&"o".repeat(32)).unwrap();
        let (fqdn, a, b) = (Fqdn::parse("_acme-challenge.example.com").unwrap(), value("a"), value("b"));
        let comment = Mark::comment(&owner, &fqdn, &a, Some(&b));
        assert!(comment.len() <= 100, "{} characters", comment.len());
        let mark = Mark::read(&comment, &fqdn, "a").unwrap();
        assert!(mark.is_of(&owner) && mark.is_with(&b) && !mark.is_with(&a));
        let alone = Mark::comment(&owner, &fqdn, &a, None);
        assert!(!Mark::read(&alone, &fqdn, "a").unwrap().is_with(&b));
    }

    #[test]
    fn a_mark_of_another_record_or_form_is_none() {
        let owner = OwnerId::derive("uid", "group");
        let fqdn = Fqdn::parse("_acme-challenge.example.com").unwrap();
        let comment = Mark::comment(&owner, &fqdn, &value("a"), None);
        assert_eq!(Mark::read(&comment, &fqdn, "b"), None);
        assert_eq!(Mark::read(&comment, &Fqdn::parse("example.com").unwrap(), "a"), None);
        assert_eq!(Mark::read(&format!("{comment} more"), &fqdn, "a"), None);
        assert_eq!(Mark::read("made by hand", &fqdn, "a"), None);
    }

    #[test]
    fn owner_ids_are_plain() {
        assert!(OwnerId::parse("cluster-7").is_some());
        for text in ["", "a b", "Cluster", &"a".repeat(33)] {
            assert!(OwnerId::parse(text).is_none(), "{text:?}");
        }
    }

    fn value(text: &str) -> TxtValue {
        TxtValue::parse(text).unwrap()
    }
}
