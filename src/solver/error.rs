//! The error catalogue: each failure that a user of an issuer can meet, with its code, what failed and how to fix it.
//!
//! The public text is byte-identical for the same cause. cert-manager writes it into `Challenge.status.reason`;
//! a text that changed would be an update of the Challenge, and an update is retried at once, without back-off
//! (`pkg/controller/acmechallenges/sync.go`). So ids, times, counts and addresses go to the log, never into it.

use std::fmt;

use crate::challenge::ChallengeError;
use crate::deadline::Elapsed;
use crate::issuer::{IssuerError, SecretKeyRef};
use crate::name::Fqdn;
use crate::secret::SecretError;

/// A failure: its cause, for everybody, and what else is known, for the log.
#[derive(Debug, Clone)]
pub struct Error {
    cause: Cause,
    detail: Option<String>,
}

impl Error {
    /// A failure with something for the log: a `cf-ray`, an address, a remote text. Never a secret.
    pub fn new(cause: Cause, detail: impl fmt::Display) -> Self {
        Self { cause, detail: Some(detail.to_string()) }
    }

    /// The entry of the catalogue.
    pub fn cause(&self) -> &Cause {
        &self.cause
    }

    /// What the log says beyond the public text.
    pub fn detail(&self) -> Option<&str> {
        self.detail.as_deref()
    }
}

impl From<Cause> for Error {
    fn from(cause: Cause) -> Self {
        Self { cause, detail: None }
    }
}

impl From<Elapsed> for Error {
    fn from(_: Elapsed) -> Self {
        Cause::OutOfTime.into()
    }
}

/// The public text.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let code = self.cause.code();
        write!(
            f,
            "{code}: {}. {} (docs/errors.md#{})",
            self.cause,
            self.cause.fix(),
            code.to_ascii_lowercase()
        )
    }
}

impl std::error::Error for Error {}

/// What can be done about a failure, decided where it arises.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// It may pass by itself.
    Retry,
    /// Somebody has to change the issuer, the Secret, the zone or the delegation.
    Configuration,
    /// A token or a right is missing.
    Denied,
    /// What the request needs no longer exists.
    Gone,
    /// A defect of this program.
    Internal,
}

/// An entry of the catalogue. The variants' texts say what failed; [`Cause::fix`] says what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(
    missing_docs,
    reason = "the text of each variant is its documentation, and docs/errors.md is made from it"
)]
pub enum Cause {
    #[error("the challenge can't be presented: {0}")]
    Challenge(ChallengeError),
    #[error("the issuer's webhook config is refused: {0}")]
    Issuer(IssuerError),
    #[error("the issuer's webhook config has no credential for {0}")]
    NoSource(Fqdn),
    #[error("request.action is neither Present nor CleanUp")]
    Action,

    #[error("Secret {name} is not found in namespace {namespace}")]
    SecretMissing { namespace: String, name: String },
    #[error("Secret {name} in namespace {namespace} may not be read by this webhook")]
    SecretForbidden { namespace: String, name: String },
    #[error("Secret {} in namespace {namespace} has no key {}; {}", reference.name, reference.key, list_keys(keys))]
    KeyMissing { namespace: String, reference: SecretKeyRef, keys: Vec<String> },
    #[error("the value of key {} in Secret {} of namespace {namespace} is no token: {reason}", reference.key, reference.name)]
    SecretMalformed { namespace: String, reference: SecretKeyRef, reason: SecretError },
    #[error("the Kubernetes API server did not answer when Secret {name} of namespace {namespace} was read")]
    SecretUnavailable { namespace: String, name: String },
    #[error("the operator's own token can't be used: no --api-token-file is set, or it can't be read")]
    AmbientUnavailable,

    #[error("Cloudflare refuses the credential")]
    CredentialRefused,
    #[error("Cloudflare refuses the credential because of the address of this cluster")]
    AddressRefused,
    #[error("the credential may not edit DNS records of zone {0}")]
    ZoneDenied(Fqdn),
    #[error("no zone for {0} is visible to the credential")]
    NoZone(Fqdn),
    #[error("the credential may not list zones to find the one that holds {0}")]
    ZonesHidden(Fqdn),
    #[error("several zones named {0} are visible to the credential")]
    ManyZones(Fqdn),
    #[error("zone {zone} is {status} at Cloudflare, not active")]
    ZoneNotActive { zone: Fqdn, status: &'static str },
    #[error("zone {zone} is of type {kind}: Cloudflare does not serve records added there")]
    ZoneNotServed { zone: Fqdn, kind: &'static str },
    #[error("the zone id pinned for {fqdn} is that of another zone")]
    WrongPin { fqdn: Fqdn },
    #[error("Cloudflare's rate limit is reached")]
    RateLimited,
    #[error("Cloudflare's API did not answer, or not as an API")]
    Unavailable,
    #[error("the record quota of zone {0} is used up")]
    QuotaExceeded(Fqdn),
    #[error("Cloudflare refuses the record (code {code})")]
    RecordRefused { code: u32 },

    #[error("the record at {0} is not live at every name server yet")]
    NotLive(Fqdn),
    #[error("zone {0} is not delegated to Cloudflare's name servers")]
    NotDelegated(Fqdn),
    #[error("no name server of zone {0} could be reached")]
    Unreachable(Fqdn),
    #[error("every name server of zone {0} refuses to answer for it")]
    RefusedEverywhere(Fqdn),
    #[error("{0} is a CNAME, which hides the record")]
    CnameInTheWay(Fqdn),
    #[error("{0} is delegated away from its zone, which hides the record")]
    DelegationInTheWay(Fqdn),
    #[error("a name server of zone {0} has a private, loopback or link-local address")]
    PrivateNameServer(Fqdn),
    #[error("the delegation of zone {0} could not be looked up")]
    DelegationUnknown(Fqdn),
    #[error(
        "something between the webhook and the name servers of zone {0} answers on port 53 in their place"
    )]
    Intercepted(Fqdn),
    #[error("no resolver over HTTPS could be reached for zone {zone}, and {why}")]
    HttpsUnreachable { zone: Fqdn, why: &'static str },
    #[error(
        "resolvers of fewer than two operators have the record at {fqdn} yet; they are asked because {why}"
    )]
    Unconfirmed { fqdn: Fqdn, why: &'static str },
    #[error("the system has no CA certificates by which resolvers over HTTPS could be trusted")]
    NoRoots,
    #[error("resolvers may still hold an earlier answer for {0} without this value")]
    HeldBack(Fqdn),

    #[error("the time of the request is used up")]
    OutOfTime,
    #[error("the webhook is not ready")]
    NotReady,
    #[error("the webhook failed to do its work")]
    Internal,
}

impl Cause {
    /// The code: stable for ever, never given to another cause.
    pub fn code(&self) -> &'static str {
        self.row().0
    }

    /// What can be done about it.
    pub fn class(&self) -> Class {
        self.row().1
    }

    /// How to fix it, a whole sentence.
    pub fn fix(&self) -> &'static str {
        self.row().2
    }

    #[rustfmt::skip]
    fn row(&self) -> (&'static str, Class, &'static str) {
        use Class::{Configuration, Denied, Gone, Internal, Retry};
        match self {
            Self::Challenge(_) => ("CFW-101", Configuration, "Challenges are made by cert-manager; one made by hand must have its form."),
            Self::Issuer(_) => ("CFW-102", Configuration, "Correct the solver's config in the Issuer or ClusterIssuer."),
            Self::NoSource(_) => ("CFW-103", Configuration, "Add apiTokenSecretRef to the solver's config, or a zone for this name."),
            Self::Action => ("CFW-104", Configuration, "Use a supported version of cert-manager."),

            Self::SecretMissing { .. } => ("CFW-201", Gone, "Create the Secret there; a ClusterIssuer's Secrets live in cert-manager's cluster resource namespace."),
            Self::SecretForbidden { .. } => ("CFW-202", Denied, "Allow the webhook's ServiceAccount to get this Secret; the chart does so for those in rbac.secrets.names."),
            Self::KeyMissing { .. } => ("CFW-203", Gone, "Correct the key in the issuer, or add it to the Secret."),
            Self::SecretMalformed { .. } => ("CFW-204", Configuration, "Store the token alone, as Cloudflare showed it."),
            Self::SecretUnavailable { .. } => ("CFW-205", Retry, "It is tried again."),
            Self::AmbientUnavailable => ("CFW-206", Configuration, "Set apiTokenSecretRef in the issuer, or --api-token-file for the webhook."),

            Self::CredentialRefused => ("CFW-301", Denied, "Check that the token is complete, active and not expired; an API token goes to apiTokenSecretRef, a Global API Key to apiKeySecretRef."),
            Self::AddressRefused => ("CFW-302", Denied, "Add the cluster's public address to the token's client IP filter, or remove the filter."),
            Self::ZoneDenied(_) => ("CFW-303", Denied, "Give the token Zone / DNS / Edit on this zone."),
            Self::NoZone(_) => ("CFW-304", Gone, "Give the token Zone / Zone / Read and Zone / DNS / Edit on the zone, or pin its id in config.zones."),
            Self::ManyZones(_) => ("CFW-305", Configuration, "Pin the id of the right one in config.zones."),
            Self::ZoneNotActive { .. } => ("CFW-306", Configuration, "Delegate the domain to the name servers that Cloudflare assigned to this zone."),
            Self::ZoneNotServed { .. } => ("CFW-307", Configuration, "Use a zone of type full, or delegate _acme-challenge to one by a CNAME."),
            Self::WrongPin { .. } => ("CFW-308", Configuration, "Correct the id of this zone in config.zones."),
            Self::RateLimited => ("CFW-309", Retry, "It is tried again; use an account or user of its own for the token if other tools use up the limit."),
            Self::Unavailable => ("CFW-310", Retry, "It is tried again; if it stays, check the way from the webhook to api.cloudflare.com on port 443, or the proxy."),
            Self::QuotaExceeded(_) => ("CFW-311", Configuration, "Delete records that are no longer needed, or use a larger plan."),
            Self::RecordRefused { .. } => ("CFW-312", Configuration, "See Cloudflare's documentation of the code."),
            Self::ZonesHidden(_) => ("CFW-313", Denied, "Give the token Zone / Zone / Read too, or pin the zone's id in config.zones."),

            Self::NotLive(_) => ("CFW-401", Retry, "It is tried again, the record stays; if it stays so, see the log for the name servers that lack it."),
            Self::NotDelegated(_) => ("CFW-402", Configuration, "Set the name servers that Cloudflare assigned to the zone at the registrar, or set --dns01-recursive-nameservers if the cluster's resolver serves a zone of its own by this name."),
            Self::Unreachable(_) => ("CFW-403", Retry, "Allow the webhook to reach port 53 over UDP and TCP, or set --propagation-check=auto or doh, or off to keep cert-manager's own check."),
            Self::RefusedEverywhere(_) => ("CFW-404", Configuration, "Check that the zone still exists in the account whose name servers the domain is delegated to."),
            Self::CnameInTheWay(_) => ("CFW-405", Configuration, "Remove the CNAME, or set cnameStrategy: Follow in the issuer so that its target is used."),
            Self::DelegationInTheWay(_) => ("CFW-406", Configuration, "Remove the NS records at or above this name, or use a zone for the delegated part."),
            Self::PrivateNameServer(_) => ("CFW-407", Configuration, "Set --dns01-recursive-nameservers to public resolvers, or --allow-private-nameservers if this is meant."),
            Self::DelegationUnknown(_) => ("CFW-408", Retry, "Check that the webhook can reach its resolvers; see --dns01-recursive-nameservers."),
            Self::HeldBack(_) => ("CFW-409", Retry, "It is tried again, the record stays; allow the webhook to watch Challenges, as the chart does with rbac.challenges, to avoid this wait."),

            Self::Intercepted(_) => ("CFW-410", Configuration, "Let the webhook reach port 53 of the Internet over UDP and TCP without a redirect, or set --propagation-check=auto or doh."),
            Self::HttpsUnreachable { .. } => ("CFW-411", Retry, "Allow the webhook to reach port 53 over UDP and TCP, or the resolvers of --propagation-doh-servers on port 443; or set --propagation-check=off and keep cert-manager's own check."),
            Self::Unconfirmed { .. } => ("CFW-412", Retry, "It is tried again, the record stays; allow the webhook to reach port 53 over UDP and TCP, which is quicker and surer."),
            Self::NoRoots => ("CFW-413", Configuration, "Put the system's CA certificates into the image, or allow the webhook to reach port 53 over UDP and TCP and set --propagation-check=authority."),

            Self::OutOfTime => ("CFW-501", Retry, "It is tried again."),
            Self::NotReady => ("CFW-502", Retry, "It is tried again."),
            Self::Internal => ("CFW-503", Internal, "Please report it with the webhook's log."),
        }
    }
}

fn list_keys(keys: &[String]) -> String {
    if keys.is_empty() { "it has no keys".to_owned() } else { format!("it has {}", keys.join(", ")) }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;
    use std::path::Path;
    use std::{env, fs};

    use super::*;
    use crate::name::NameError;

    /// `docs/errors.md` is made from here: `UPDATE_DOCS=1 cargo test` writes it.
    #[test]
    fn the_document_is_the_catalogue() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/errors.md");
        let document = document();
        if env::var_os("UPDATE_DOCS").is_some() {
            fs::write(&path, &document).unwrap();
        }
        assert_eq!(fs::read_to_string(path).unwrap(), document, "run with UPDATE_DOCS=1");
    }

    #[test]
    fn each_entry_has_its_code_and_its_example() {
        let source = include_str!("error.rs");
        let rows = source
            .lines()
            .filter_map(|line| line.split("=> (\"CFW-").nth(1))
            .filter_map(|rest| rest.get(..3));
        let mut codes: Vec<_> = rows.map(|digits| format!("CFW-{digits}")).collect();
        let mut shown: Vec<_> = examples().iter().map(|cause| cause.code().to_owned()).collect();
        codes.sort();
        shown.sort();
        shown.dedup();
        assert_eq!(codes, shown);
    }

    #[test]
    fn the_log_text_is_not_public() {
        let error = Error::new(Cause::Unavailable, "cf-ray 12345");
        assert_eq!(error.to_string(), Error::from(Cause::Unavailable).to_string());
        assert_eq!(error.detail(), Some("cf-ray 12345"));
    }

    fn document() -> String {
        let mut text = String::from(INTRODUCTION);
        for cause in examples() {
            let class = match cause.class() {
                Class::Retry => "may pass by itself",
                Class::Configuration => "somebody has to change something",
                Class::Denied => "a right is missing",
                Class::Gone => "something that is needed does not exist",
                Class::Internal => "a defect",
            };
            write!(text, "\n## {}\n\n**{cause}** ({class})\n\n{}\n", cause.code(), cause.fix()).unwrap();
        }
        text
    }

    const INTRODUCTION: &str = "# Errors\n\nEach failure that a Challenge, an Event or the log can show, with what it \
        means and what to do. The text of a cause\nis always the same; addresses, ids and remote texts stand in the \
        log beside it. This file is made from the code.\n";

    #[rustfmt::skip]
    fn examples() -> Vec<Cause> {
        let fqdn = || Fqdn::parse("_acme-challenge.example.com").unwrap();
        let zone = || Fqdn::parse("example.com").unwrap();
        let (namespace, name) = (|| "cert-manager".to_owned(), || "cloudflare".to_owned());
        let reference = || SecretKeyRef { name: name(), key: "token".into() };
        vec![
            Cause::Challenge(ChallengeError::Name(NameError::NotAscii)),
            Cause::Issuer(IssuerError::NoCredential),
            Cause::NoSource(fqdn()),
            Cause::Action,
            Cause::SecretMissing { namespace: namespace(), name: name() },
            Cause::SecretForbidden { namespace: namespace(), name: name() },
            Cause::KeyMissing { namespace: namespace(), reference: reference(), keys: vec!["api-token".into()] },
            Cause::SecretMalformed { namespace: namespace(), reference: reference(), reason: SecretError::Character },
            Cause::SecretUnavailable { namespace: namespace(), name: name() },
            Cause::AmbientUnavailable,
            Cause::CredentialRefused,
            Cause::AddressRefused,
            Cause::ZoneDenied(zone()),
            Cause::NoZone(fqdn()),
            Cause::ManyZones(zone()),
            Cause::ZoneNotActive { zone: zone(), status: "pending" },
            Cause::ZoneNotServed { zone: zone(), kind: "partial" },
            Cause::WrongPin { fqdn: fqdn() },
            Cause::RateLimited,
            Cause::Unavailable,
            Cause::QuotaExceeded(zone()),
            Cause::RecordRefused { code: 9000 },
            Cause::ZonesHidden(fqdn()),
            Cause::NotLive(fqdn()),
            Cause::NotDelegated(zone()),
            Cause::Unreachable(zone()),
            Cause::RefusedEverywhere(zone()),
            Cause::CnameInTheWay(fqdn()),
            Cause::DelegationInTheWay(fqdn()),
            Cause::PrivateNameServer(zone()),
            Cause::DelegationUnknown(zone()),
            Cause::HeldBack(fqdn()),
            Cause::Intercepted(zone()),
            Cause::HttpsUnreachable { zone: zone(), why: "port 53 is blocked" },
            Cause::Unconfirmed { fqdn: fqdn(), why: "port 53 is blocked" },
            Cause::NoRoots,
            Cause::OutOfTime,
            Cause::NotReady,
            Cause::Internal,
        ]
    }
}
