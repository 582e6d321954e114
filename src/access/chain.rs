//! The chain of a client certificate, judged against authorities that may change between two requests.
//!
//! Where webpki and Go's `crypto/x509` differ, the stricter of the two holds: webpki knows nothing of an authority but
//! its name and key, so what Go also asks of it (validity, purpose, length of the path) is asked here.

use std::sync::{Arc, Mutex, PoisonError};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, TrustAnchor, UnixTime};
use webpki::{EndEntityCert, KeyUsage, VerifiedPath};
use x509_parser::extensions::ParsedExtension;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::error::CredentialError;

/// What a client showed in the handshake: the leaf, whose key it has, and whatever it sent along. Not yet trusted.
#[derive(Debug, Clone, Default)]
pub struct PeerCertificates(Arc<Shown>);

#[derive(Debug, Default)]
struct Shown {
    chain: Vec<CertificateDer<'static>>,
    latest: Mutex<Option<Verified>>,
}

/// That the chain leads to these authorities, in one second.
#[derive(Debug)]
struct Verified {
    authorities: Arc<Anchors>,
    second: u64,
}

impl PeerCertificates {
    /// The certificates of a connection whose handshake has proved possession of the leaf's key.
    pub fn new(certificates: &[CertificateDer<'_>]) -> Self {
        let chain = certificates.iter().map(|der| der.clone().into_owned()).collect();
        Self(Arc::new(Shown { chain, latest: Mutex::default() }))
    }

    /// The client's own certificate; `None` if it showed none.
    pub fn leaf(&self) -> Option<&CertificateDer<'static>> {
        self.0.chain.first()
    }

    fn are_verified(&self, authorities: &Arc<Anchors>, now: UnixTime) -> bool {
        let latest = self.0.latest.lock().unwrap_or_else(PoisonError::into_inner);
        latest.as_ref().is_some_and(|latest| {
            latest.second == now.as_secs() && Arc::ptr_eq(&latest.authorities, authorities)
        })
    }

    fn remember(&self, authorities: &Arc<Anchors>, now: UnixTime) {
        let verified = Verified { authorities: Arc::clone(authorities), second: now.as_secs() };
        *self.0.latest.lock().unwrap_or_else(PoisonError::into_inner) = Some(verified);
    }
}

/// Certificate authorities; at least one certificate, though perhaps none that can still sign for a client.
#[derive(Debug)]
pub struct Anchors {
    trust: Vec<TrustAnchor<'static>>,
    /// In the order of `trust`.
    terms: Vec<Terms>,
}

/// What an authority's own certificate says about its use.
#[derive(Debug)]
struct Terms {
    /// Seconds since 1970, both inclusive.
    validity: (i64, i64),
    path_len: Option<usize>,
}

impl Anchors {
    /// Reads a bundle; `None` if a certificate can't be read or there is none, as in `ParseCertsPEM` of client-go.
    pub fn parse(pem: &str) -> Option<Self> {
        let certificates =
            CertificateDer::pem_slice_iter(pem.as_bytes()).collect::<Result<Vec<_>, _>>().ok()?;
        if certificates.is_empty() {
            return None;
        }
        let mut anchors = Self { trust: Vec::new(), terms: Vec::new() };
        for certificate in &certificates {
            let trust = webpki::anchor_from_trusted_cert(certificate).ok()?.to_owned();
            let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
            // One that may not sign for clients is no reason to refuse the others.
            if let Some(terms) = Terms::of(&parsed) {
                anchors.trust.push(trust);
                anchors.terms.push(terms);
            }
        }
        Some(anchors)
    }

    /// Whether a client's leaf is signed for client authentication by one of these, directly or by way of what it
    /// sent along, all valid at `now`.
    ///
    /// It is judged for every request, for certificates run out and authorities change. Both are the same within one
    /// second, in which validity is counted, so the requests of a connection share a favourable verdict for that long:
    /// the signature is most of what a request costs.
    pub fn verify(self: &Arc<Self>, peer: &PeerCertificates, now: UnixTime) -> Result<(), CredentialError> {
        if peer.are_verified(self, now) {
            return Ok(());
        }
        self.judge(peer, now)?;
        peer.remember(self, now);
        Ok(())
    }

    fn judge(&self, peer: &PeerCertificates, now: UnixTime) -> Result<(), CredentialError> {
        let Some((leaf, intermediates)) = peer.0.chain.split_first() else {
            return Err(CredentialError::Chain(webpki::Error::UnknownIssuer));
        };
        if intermediates.len() > MAX_INTERMEDIATES {
            return Err(CredentialError::Chain(webpki::Error::MaximumPathDepthExceeded));
        }
        let keeps_terms = |path: &VerifiedPath<'_>| {
            if !path.intermediate_certificates().all(|certificate| signs_for_clients(&certificate.der())) {
                return Err(webpki::Error::UnknownIssuer);
            }
            let length = path.intermediate_certificates().count();
            let mut same = self.trust.iter().zip(&self.terms).filter(|(trust, _)| *trust == path.anchor());
            // A renewed authority has the same name and key: any of its certificates will do.
            if same.any(|(_, terms)| terms.allow(length, now)) {
                Ok(())
            } else {
                Err(webpki::Error::UnknownIssuer)
            }
        };
        EndEntityCert::try_from(leaf)
            .and_then(|leaf| {
                leaf.verify_for_usage(
                    webpki::ALL_VERIFICATION_ALGS,
                    &self.trust,
                    intermediates,
                    now,
                    KeyUsage::client_auth(),
                    None,
                    Some(&keeps_terms),
                )
                .map(|_| ())
            })
            .map_err(CredentialError::Chain)
    }
}

/// Whether an intermediate may: webpki has judged its validity, and leaves the use of its key alone.
fn signs_for_clients(certificate: &[u8]) -> bool {
    X509Certificate::from_der(certificate).is_ok_and(|(_, parsed)| Terms::of(&parsed).is_some())
}

impl Terms {
    /// The terms of an authority that may sign for clients (`isValid` and `CheckSignatureFrom` of `crypto/x509`).
    fn of(certificate: &X509Certificate<'_>) -> Option<Self> {
        let mut path_len = None;
        // Version 1 has no extensions to say it.
        let mut signs = certificate.version().0 == 0;
        for extension in certificate.extensions() {
            match extension.parsed_extension() {
                ParsedExtension::BasicConstraints(constraints) => {
                    signs = constraints.ca;
                    path_len = constraints.path_len_constraint;
                }
                ParsedExtension::KeyUsage(usage) if !usage.key_cert_sign() => return None,
                ParsedExtension::ExtendedKeyUsage(usage) if !(usage.any || usage.client_auth) => return None,
                ParsedExtension::ParseError { .. } => return None,
                ParsedExtension::UnsupportedExtension { .. } if extension.critical => return None,
                _ => {}
            }
        }
        signs.then(|| Self {
            validity: (
                certificate.validity().not_before.timestamp(),
                certificate.validity().not_after.timestamp(),
            ),
            path_len: path_len.and_then(|length| usize::try_from(length).ok()),
        })
    }

    fn allow(&self, intermediates: usize, now: UnixTime) -> bool {
        let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        let (from, until) = self.validity;
        (from..=until).contains(&now) && self.path_len.is_none_or(|limit| intermediates <= limit)
    }
}

/// More than any chain needs. Among certificates of one name there are more ways than can be tried for each request of
/// whoever sends them: webpki gives up after 200,000.
const MAX_INTERMEDIATES: usize = 5;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rcgen::{
        BasicConstraints, CertificateParams, CertifiedIssuer, CustomExtension, ExtendedKeyUsagePurpose, IsCa,
        KeyPair,
    };

    use super::*;

    /// An authority, and a client of it.
    fn authority(change: impl Fn(&mut CertificateParams)) -> (String, PeerCertificates) {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        change(&mut params);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let mut params = CertificateParams::default();
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let client = params.signed_by(&KeyPair::generate().unwrap(), &authority).unwrap();
        (authority.pem(), PeerCertificates::new(&[client.der().clone()]))
    }

    fn at(seconds: u64) -> UnixTime {
        UnixTime::since_unix_epoch(Duration::from_secs(seconds))
    }

    #[test]
    fn a_verdict_is_for_one_second_and_these_authorities() {
        let (pem, peer) = authority(|_| {});
        let anchors = || Arc::new(Anchors::parse(&pem).unwrap());
        let (ours, others) = (anchors(), anchors());
        assert!(!peer.are_verified(&ours, at(1_000_000_000)));
        ours.verify(&peer, at(1_000_000_000)).unwrap();
        assert!(peer.are_verified(&ours, at(1_000_000_000)));
        assert!(!peer.are_verified(&ours, at(1_000_000_001)));
        assert!(!peer.are_verified(&others, at(1_000_000_000)));
    }

    #[test]
    fn what_does_not_say_that_it_may_sign_signs_for_nobody() {
        let unreadable_usage = CustomExtension::from_oid_content(&[2, 5, 29, 15], vec![0xff]);
        for (pem, peer) in [
            authority(|params| params.is_ca = IsCa::NoCa),
            authority(|params| params.custom_extensions.push(unreadable_usage.clone())),
        ] {
            Arc::new(Anchors::parse(&pem).unwrap()).verify(&peer, at(1_000_000_000)).unwrap_err();
        }
    }
}
