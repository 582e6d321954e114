//! An identity, and the one that a client certificate states.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

use aws_lc_rs::digest;
use rustls::pki_types::UnixTime;
use x509_parser::asn1_rs::Tag;
use x509_parser::prelude::{AttributeTypeAndValue, FromDer, X509Certificate};

use super::chain::{Anchors, PeerCertificates};
use super::error::CredentialError;

/// A user, as the API server's reviews spell it (`user.Info` of `pkg/authentication/user/user.go`).
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Identity {
    /// User name.
    pub name: String,
    /// Empty where it is not known.
    pub uid: String,
    /// Groups, in the order in which they were stated.
    pub groups: Vec<String>,
    /// Further attributes; the keys are lower-case.
    pub extra: BTreeMap<String, Vec<String>>,
}

/// Who sends a request, and who says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The user.
    pub identity: Identity,
    /// Whether the front proxy states the identity, so that the request comes from kube-apiserver, which has
    /// authenticated and authorized it already; otherwise whoever reaches the port sent it.
    pub passed_on: bool,
}

impl Caller {
    /// Somebody who asks here without the front proxy.
    pub(super) fn here(identity: Identity) -> Self {
        Self { identity: identity.authenticated(), passed_on: false }
    }

    /// Somebody whom the front proxy states.
    pub(super) fn passed_on(identity: Identity) -> Self {
        Self { identity: identity.authenticated(), passed_on: true }
    }
}

impl Identity {
    /// Who sends a request without credentials (`pkg/authentication/request/anonymous/anonymous.go`).
    pub fn anonymous() -> Self {
        Self { name: ANONYMOUS.to_owned(), groups: vec![UNAUTHENTICATED.to_owned()], ..Self::default() }
    }

    /// Whether nobody was recognized, here or by the front proxy (`isAnonymousUser` of
    /// `pkg/endpoints/filters/authentication.go`).
    pub fn is_anonymous(&self) -> bool {
        self.name == ANONYMOUS || self.groups.iter().any(|group| group == UNAUTHENTICATED)
    }

    /// Whether authorization does not apply.
    pub fn is_master(&self) -> bool {
        self.groups.iter().any(|group| group == "system:masters")
    }

    /// The same with the group of all who were recognized
    /// (`pkg/authentication/group/authenticated_group_adder.go`).
    #[must_use]
    fn authenticated(mut self) -> Self {
        if !self.is_anonymous() && !self.groups.iter().any(|group| group == AUTHENTICATED) {
            self.groups.push(AUTHENTICATED.to_owned());
        }
        self
    }
}

/// The user of a client certificate: its common name, its organizations as groups.
///
/// Source: `CommonNameUserConversion` of `pkg/authentication/request/x509/x509.go`.
pub(super) fn of_client_certificate(
    authorities: Option<&Arc<Anchors>>,
    peer: &PeerCertificates,
    now: UnixTime,
) -> Result<Option<Identity>, CredentialError> {
    let (Some(leaf), Some(authorities)) = (peer.leaf(), authorities) else {
        return Ok(None);
    };
    authorities.verify(peer, now)?;
    let subject = Subject::read(leaf)?;
    if subject.name.is_empty() {
        return Ok(None);
    }
    let mut credential = String::from("X509SHA256=");
    for byte in digest::digest(&digest::SHA256, leaf).as_ref() {
        // Writing to a String does not fail.
        let _ = write!(credential, "{byte:02x}");
    }
    Ok(Some(Identity {
        name: subject.name,
        uid: subject.uid,
        groups: subject.groups,
        extra: BTreeMap::from([(CREDENTIAL_ID.to_owned(), vec![credential])]),
    }))
}

/// What the subject of a certificate says of a user.
pub(super) struct Subject {
    /// The common name, the last one if there are several, as Go's `pkix.Name` has it; empty if there is none.
    pub(super) name: String,
    groups: Vec<String>,
    uid: String,
}

impl Subject {
    /// Reads the subject. A part that is no text makes the whole unreadable, rather than another user's.
    pub(super) fn read(leaf: &[u8]) -> Result<Self, CredentialError> {
        let (rest, certificate) = X509Certificate::from_der(leaf).map_err(|_| CredentialError::Subject)?;
        if !rest.is_empty() {
            return Err(CredentialError::Subject);
        }
        let mut subject = Self { name: String::new(), groups: Vec::new(), uid: String::new() };
        for attribute in certificate.subject().iter_attributes() {
            let text = || text(attribute).ok_or(CredentialError::Subject);
            match attribute.attr_type().to_id_string().as_str() {
                COMMON_NAME => subject.name = text()?,
                ORGANIZATION => subject.groups.push(text()?),
                UID => {
                    // More than one, or an empty one, is an error there, too.
                    let uid = text()?;
                    if uid.is_empty() || !subject.uid.is_empty() {
                        return Err(CredentialError::Subject);
                    }
                    subject.uid = uid;
                }
                _ => {}
            }
        }
        Ok(subject)
    }
}

/// A text, if it is of the type that it claims to be; of the types that Go reads (`parseASN1String` of `crypto/x509`),
/// those that are UTF-8 as they stand.
fn text(attribute: &AttributeTypeAndValue<'_>) -> Option<String> {
    let belongs: fn(u8) -> bool = match attribute.attr_value().tag() {
        Tag::Utf8String => |_| true,
        Tag::Ia5String => |byte| byte.is_ascii(),
        Tag::NumericString => |byte| byte.is_ascii_digit() || byte == b' ',
        Tag::PrintableString => |byte| byte.is_ascii_alphanumeric() || b" &'()*+,-./:=?".contains(&byte),
        _ => return None,
    };
    let bytes = attribute.as_slice();
    if !bytes.iter().all(|byte| belongs(*byte)) {
        return None;
    }
    std::str::from_utf8(bytes).ok().map(str::to_owned)
}

const ANONYMOUS: &str = "system:anonymous";
const AUTHENTICATED: &str = "system:authenticated";
const UNAUTHENTICATED: &str = "system:unauthenticated";
const CREDENTIAL_ID: &str = "authentication.kubernetes.io/credential-id";
const COMMON_NAME: &str = "2.5.4.3";
const ORGANIZATION: &str = "2.5.4.10";
/// `pkg/apis/asn1/oid.go` of `k8s.io/apimachinery`.
const UID: &str = "1.3.6.1.4.1.57683.2";
