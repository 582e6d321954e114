//! The two certificate authorities of an aggregated API server, made anew for each run: the one that kube-apiserver
//! trusts for the program's certificate (`caBundle` of the `APIService`), and the front proxy's, which the program
//! trusts for kube-apiserver's.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};

/// The host name by which kube-apiserver reaches the program.
pub(crate) const SERVICE: &str = "webhook.cert-manager.svc";

/// The common name of kube-apiserver's client certificate (`requestheader-allowed-names`).
pub(crate) const FRONT_PROXY: &str = "front-proxy-client";

/// Certificates, keys and the CAs behind them, as PEM files.
#[derive(Debug)]
pub struct Certificates {
    /// CA of the serving certificate.
    pub serving_ca: PathBuf,
    /// The program's certificate.
    pub serving_cert: PathBuf,
    /// Its key.
    pub serving_key: PathBuf,
    /// CA of the front proxy's certificate.
    pub front_proxy_ca: PathBuf,
    /// kube-apiserver's client certificate.
    pub front_proxy_cert: PathBuf,
    /// Its key.
    pub front_proxy_key: PathBuf,
    authority: Issuer<'static, KeyPair>,
}

impl Certificates {
    /// Makes all of them in `directory`.
    pub fn make(directory: &Path) -> Result<Self> {
        let serving_ca = directory.join("serving-ca.crt");
        let files = Self {
            authority: authority("serving-ca", &serving_ca)?,
            serving_ca,
            serving_cert: directory.join("serving.crt"),
            serving_key: directory.join("serving.key"),
            front_proxy_ca: directory.join("front-proxy-ca.crt"),
            front_proxy_cert: directory.join("front-proxy.crt"),
            front_proxy_key: directory.join("front-proxy.key"),
        };
        files.renew()?;
        let front_proxy = authority("front-proxy-ca", &files.front_proxy_ca)?;
        let leaf = Leaf { name: FRONT_PROXY, usage: ExtendedKeyUsagePurpose::ClientAuth };
        leaf.sign(&front_proxy, &files.front_proxy_cert, &files.front_proxy_key)?;
        Ok(files)
    }

    /// Gives the program another certificate of the same authority, in the files that it knows.
    pub fn renew(&self) -> Result<()> {
        let leaf = Leaf { name: SERVICE, usage: ExtendedKeyUsagePurpose::ServerAuth };
        leaf.sign(&self.authority, &self.serving_cert, &self.serving_key)
    }
}

fn authority(name: &str, file: &Path) -> Result<Issuer<'static, KeyPair>> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
    write(file, &params.self_signed(&key)?.pem())?;
    Ok(Issuer::new(params, key))
}

struct Leaf<'a> {
    name: &'a str,
    usage: ExtendedKeyUsagePurpose,
}

impl Leaf<'_> {
    fn sign(self, issuer: &Issuer<'_, KeyPair>, cert: &Path, key: &Path) -> Result<()> {
        let pair = KeyPair::generate()?;
        let mut params = CertificateParams::new([self.name.to_owned()])?;
        params.distinguished_name.push(DnType::CommonName, self.name);
        params.extended_key_usages = vec![self.usage];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        write(cert, &params.signed_by(&pair, issuer)?.pem())?;
        write(key, &pair.serialize_pem())
    }
}

fn write(file: &Path, text: &str) -> Result<()> {
    fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
}
