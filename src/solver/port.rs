//! What the solver asks of the outside; each trait has one adapter and, in tests, one hand-written fake.

use std::future::Future;
use std::time::Duration;

use tokio::time::Instant;

use super::error::Error;
use crate::challenge::TxtValue;
use crate::deadline::Deadline;
use crate::issuer::{CredentialSource, ZonePin};
use crate::name::Fqdn;
use crate::secret::Credential;

/// A zone at Cloudflare, active and served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone {
    /// 32 lower-case hexadecimal digits.
    pub id: String,
    /// Its apex.
    pub name: Fqdn,
    /// The name servers that Cloudflare assigned to it; empty where they can't be read (a pinned id).
    pub name_servers: Vec<Fqdn>,
}

/// A TXT record as the API lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// 32 lower-case hexadecimal digits.
    pub id: String,
    /// The decoded value: strings unquoted, unescaped and joined.
    pub value: String,
    /// Its comment, empty if it has none.
    pub comment: String,
    /// How long ago it was made, both instants by Cloudflare's clock (whole seconds); zero where unknown.
    pub age: Duration,
}

/// A TXT record to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRecord {
    /// What it says.
    pub value: TxtValue,
    /// Seconds; 1 is automatic.
    pub ttl: u32,
    /// At most 100 characters, the limit of a free zone.
    pub comment: String,
}

/// How a record came to be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Created {
    /// This call made it.
    New,
    /// An identical one (same name, type and content) was there.
    Existing,
}

/// A record that stands after a write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// How it came to be there.
    pub created: Created,
    /// Its id, where the write told it.
    pub id: Option<String>,
}

/// A record to be deleted.
#[derive(Debug, Clone, Copy)]
pub struct Doomed<'a> {
    /// Its name.
    pub fqdn: &'a Fqdn,
    /// Its decoded value.
    pub value: &'a str,
    /// Its id.
    pub id: &'a str,
}

impl<'a> From<(&'a Fqdn, &'a Record)> for Doomed<'a> {
    fn from((fqdn, record): (&'a Fqdn, &'a Record)) -> Self {
        Self { fqdn, value: &record.value, id: &record.id }
    }
}

/// How a record came to be gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deleted {
    /// This call deleted it.
    Now,
    /// There was none of this id, unless a call that was not answered deleted it.
    Before,
}

/// Cloudflare's zones and TXT records. Everything it remembers is kept by credential and never crosses.
///
/// Writes and lists at one name take effect in the order in which they were asked for: a list shows what was created
/// before, and a delete takes what was created before and leaves what is created after.
pub trait Records: Send + Sync + 'static {
    /// The zone that holds `fqdn`: the pinned one, or the longest one visible to the credential.
    fn zone(
        &self,
        credential: &Credential,
        fqdn: &Fqdn,
        pin: Option<&ZonePin>,
        deadline: Deadline,
    ) -> impl Future<Output = Result<Zone, Error>> + Send;

    /// Every TXT record at exactly this name.
    fn list(
        &self,
        credential: &Credential,
        zone: &Zone,
        fqdn: &Fqdn,
        deadline: Deadline,
    ) -> impl Future<Output = Result<Vec<Record>, Error>> + Send;

    /// Makes a record. It is then there, made by this call or before; a lost reply has been settled by reading back.
    fn create(
        &self,
        credential: &Credential,
        zone: &Zone,
        fqdn: &Fqdn,
        record: NewRecord,
        deadline: Deadline,
    ) -> impl Future<Output = Result<Made, Error>> + Send;

    /// Deletes a record by its id; one that is already gone is success.
    fn delete(
        &self,
        credential: &Credential,
        zone: &Zone,
        record: Doomed<'_>,
        deadline: Deadline,
    ) -> impl Future<Output = Result<Deleted, Error>> + Send;

    /// Looks the zone up anew next time: what was written there is not served.
    fn doubt(&self, credential: &Credential, zone: &Zone);
}

/// What is to be confirmed.
#[derive(Debug, Clone)]
pub struct Watch<'a> {
    /// The zone that holds the name.
    pub zone: &'a Zone,
    /// The records' name.
    pub fqdn: &'a Fqdn,
    /// The values, each of which every name server must serve.
    pub values: &'a [TxtValue],
    /// When this process first saw all of them at every name server: counts as the first of the two rounds.
    pub seen: Option<Instant>,
}

/// What every name server served when the values were confirmed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sighting {
    /// The end of the first round in which every name server served all the values; none of them had changed its
    /// mind by the end of the last.
    pub since: Instant,
    /// The other values that some name server served in the last round.
    pub others: Vec<String>,
}

/// Whether the authority serves what was written.
pub trait Propagation: Send + Sync + 'static {
    /// Waits until every name server of the zone's delegation serves the values, in two rounds at least the settle
    /// time apart. `Ok(None)` if the check is off: then nothing is known.
    fn confirm(
        &self,
        watch: Watch<'_>,
        deadline: Deadline,
    ) -> impl Future<Output = Result<Option<Sighting>, Error>> + Send;
}

/// Whether a credential that was read a moment ago will do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// Read at most ten seconds ago.
    Shared,
    /// Read now: Cloudflare refused the one before.
    Now,
}

/// The Secrets of the request's namespace, and the operator's own token.
pub trait Credentials: Send + Sync + 'static {
    /// Reads a credential.
    fn load(
        &self,
        namespace: &str,
        source: &CredentialSource,
        freshness: Freshness,
        deadline: Deadline,
    ) -> impl Future<Output = Result<Credential, Error>> + Send;
}

/// How far cert-manager is with a Challenge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Not presented yet, and not final.
    Pending,
    /// Presented; `None` if it was so when we began to watch.
    Presented(Option<Instant>),
    /// Valid, invalid, expired or errored, or deleted: since when, and when it was presented if it ever was.
    Over {
        /// When we saw it end.
        at: Instant,
        /// `None` if it never was presented; `Some(None)` if it was so when we began to watch.
        presented: Option<Option<Instant>>,
    },
}

/// A Challenge of this cluster, as far as the solver needs it.
#[derive(Debug, Clone, PartialEq)]
pub struct LiveChallenge {
    /// Tells it from any other, before or after it.
    pub uid: String,
    /// Its namespace.
    pub namespace: String,
    /// The name to be validated.
    pub dns_name: Fqdn,
    /// Its value; Challenges whose key is none are not kept.
    pub value: TxtValue,
    /// The digest of its solver's `groupName`, `solverName` and `config`: equal if it would come to us with the same
    /// configuration.
    pub solver: [u8; 32],
    /// How far it is.
    pub stage: Stage,
}

/// The Challenges of this cluster.
pub trait Challenges: Send + Sync + 'static {
    /// Those for `dns_name`, with those that ended in the last ten minutes, as last seen; `None` while they can't be
    /// watched.
    fn known(&self, dns_name: &Fqdn) -> Option<Vec<LiveChallenge>>;

    /// Those with one of `values` that exist and are not final, read now from the API server, whatever their name:
    /// challenges of several names may share a record's name by CNAME. `None` if they can't be read.
    fn read(
        &self,
        values: &[TxtValue],
        deadline: Deadline,
    ) -> impl Future<Output = Option<Vec<LiveChallenge>>> + Send;
}
