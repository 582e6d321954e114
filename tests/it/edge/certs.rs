//! Certificates of every kind, made on the spot.

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, DnValue, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, date_time_ymd,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// A certificate authority.
pub(crate) struct Authority(pub(crate) CertifiedIssuer<'static, KeyPair>);

/// What a leaf is like.
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    pub(crate) organizations: &'static [&'static str],
    pub(crate) purpose: ExtendedKeyUsagePurpose,
    pub(crate) until: i32,
}

impl Default for Kind {
    fn default() -> Self {
        Self {
            name: "front-proxy-client",
            organizations: &[],
            purpose: ExtendedKeyUsagePurpose::ClientAuth,
            until: 4000,
        }
    }
}

/// A certificate and its key.
pub(crate) struct Leaf {
    pub(crate) chain: Vec<CertificateDer<'static>>,
    pub(crate) pem: String,
    pub(crate) key: KeyPair,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        Self::with(name, |_| {})
    }

    pub(crate) fn with(name: &str, change: impl Fn(&mut CertificateParams)) -> Self {
        let mut params = params(name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        change(&mut params);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// An authority below this one; its leaves carry its certificate along.
    pub(crate) fn intermediate_with(&self, change: impl Fn(&mut CertificateParams)) -> Self {
        let mut params = params("intermediate");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        change(&mut params);
        Self(CertifiedIssuer::signed_by(params, KeyPair::generate().unwrap(), &self.0).unwrap())
    }

    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    pub(crate) fn der(&self) -> CertificateDer<'static> {
        self.0.as_ref().der().clone()
    }

    pub(crate) fn leaf(&self, kind: &Kind) -> Leaf {
        let mut params = params(kind.name);
        for (index, organization) in kind.organizations.iter().enumerate() {
            // A name keeps one value of each type; the second organization goes by its number.
            let kinds = [DnType::OrganizationName, DnType::CustomDnType(vec![2, 5, 4, 10])];
            params.distinguished_name.push(kinds[index].clone(), *organization);
        }
        params.extended_key_usages = vec![kind.purpose.clone()];
        params.not_after = date_time_ymd(kind.until, 1, 1);
        self.sign(&params)
    }

    /// A client with two common names, the second of them in an encoding that is no UTF-8 if `unreadable`.
    pub(crate) fn two_names(&self, first: &str, second: &str, unreadable: bool) -> Leaf {
        let mut params = params(first);
        let custom = DnType::CustomDnType(vec![2, 5, 4, 3]);
        let value = if unreadable {
            DnValue::BmpString(second.try_into().unwrap())
        } else {
            DnValue::Utf8String(second.to_owned())
        };
        params.distinguished_name.push(custom, value);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.sign(&params)
    }

    pub(crate) fn server(&self, name: &str) -> Leaf {
        self.server_for(name, &["localhost"])
    }

    pub(crate) fn server_for(&self, name: &str, hosts: &[&str]) -> Leaf {
        let mut params = params(name);
        let hosts: Vec<_> = hosts.iter().map(ToString::to_string).collect();
        params.subject_alt_names = CertificateParams::new(hosts).unwrap().subject_alt_names;
        self.sign(&params)
    }

    pub(crate) fn sign(&self, params: &CertificateParams) -> Leaf {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        Leaf { chain: vec![certificate.der().clone()], pem: certificate.pem(), key }
    }
}

impl Leaf {
    pub(crate) fn private_key(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::try_from(self.key.serialize_der()).unwrap()
    }
}

pub(crate) fn params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(4000, 1, 1);
    params
}
