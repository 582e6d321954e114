//! Certificates that no library makes: what is signed is changed first, and signed again by its authority.

use rcgen::{CertificateParams, DnType, KeyPair, PKCS_ECDSA_P256_SHA256, SigningKey};
use rustls::pki_types::CertificateDer;

use crate::edge::certs::{Authority, Kind, Leaf, params};

impl Authority {
    /// A certificate for clients, with something about it changed.
    pub(super) fn leaf_with(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) -> Leaf {
        let mut params = params(name);
        params.extended_key_usages = vec![Kind::default().purpose];
        change(&mut params);
        self.sign(&params)
    }

    /// The same, for a key that is given.
    pub(super) fn leaf_for(&self, name: &str, key: &KeyPair) -> CertificateDer<'static> {
        let mut params = params(name);
        params.extended_key_usages = vec![Kind::default().purpose];
        params.signed_by(key, &self.0).unwrap().der().clone()
    }

    /// The same bytes but for these, which must be there and as many, signed anew.
    pub(super) fn forge(&self, leaf: &Leaf, from: &[u8], to: &[u8]) -> CertificateDer<'static> {
        assert_eq!(self.0.key().algorithm(), &PKCS_ECDSA_P256_SHA256);
        let (signed, rest) = content(&leaf.chain[0]).split_at(whole(content(&leaf.chain[0])));
        let algorithm = &rest[..whole(rest)];
        let at = signed.windows(from.len()).rposition(|window| window == from).unwrap();
        let signed = [&signed[..at], to, &signed[at + from.len()..]].concat();
        let signature = [&[0], self.0.key().sign(&signed).unwrap().as_slice()].concat();
        let parts = [&signed, algorithm, &element(0x03, &signature)].concat();
        CertificateDer::from(element(0x30, &parts))
    }
}

/// A text of the given type in a name: UTF-8, as it is first written, becomes another.
pub(super) fn text(tag: u8, text: &[u8]) -> Vec<u8> {
    element(tag, text)
}

/// An element of DER (ITU-T X.690 §8.1).
pub(super) fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let length = &length[length.iter().position(|byte| *byte != 0).unwrap_or(length.len() - 1)..];
    let mut element = vec![tag];
    if content.len() >= 0x80 {
        element.push(0x80 | u8::try_from(length.len()).unwrap());
    }
    [element.as_slice(), length, content].concat()
}

/// The bytes of an element's head, and of its content.
fn lengths(der: &[u8]) -> (usize, usize) {
    let first = usize::from(der[1]);
    if first < 0x80 {
        return (2, first);
    }
    let length = &der[2..2 + (first & 0x7f)];
    (2 + length.len(), length.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)))
}

fn content(der: &[u8]) -> &[u8] {
    let (head, content) = lengths(der);
    &der[head..head + content]
}

fn whole(der: &[u8]) -> usize {
    let (head, content) = lengths(der);
    head + content
}

/// The object identifier of Kubernetes for a user's uid.
pub(super) fn uid() -> DnType {
    DnType::CustomDnType(vec![1, 3, 6, 1, 4, 1, 57683, 2])
}
