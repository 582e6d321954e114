//! Where and how HTTPS is served, and how that ends: `pkg/server/options/serving.go` of `k8s.io/apiserver`.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args, ValueEnum};
use rustls::CipherSuite;

use super::value::{boolean, duration, listen_address};
use crate::server::tls::{self, NamedFiles};

/// Flags of the listeners.
#[derive(Debug, Args)]
#[command(next_help_heading = "Serving")]
pub struct Serving {
    /// Address to serve HTTPS on; every address of both families by default.
    #[arg(long, env = "BIND_ADDRESS", default_value = "::")]
    pub bind_address: IpAddr,
    /// Port to serve HTTPS on.
    #[arg(long, env = "SECURE_PORT", default_value_t = 8443)]
    pub secure_port: u16,
    /// PEM file with the serving certificate and its intermediates; read again when it changes.
    #[arg(
        long,
        env = "TLS_CERT_FILE",
        value_name = "FILE",
        required_unless_present = "cert_dir",
        requires = "tls_private_key_file"
    )]
    pub tls_cert_file: Option<PathBuf>,
    /// PEM file with the key of the serving certificate.
    #[arg(
        long,
        env = "TLS_PRIVATE_KEY_FILE",
        value_name = "FILE",
        required_unless_present = "cert_dir",
        requires = "tls_cert_file"
    )]
    pub tls_private_key_file: Option<PathBuf>,
    /// Directory with apiserver.crt and apiserver.key, in place of the two flags above; none are made here.
    #[arg(long, env = "CERT_DIR", value_name = "DIRECTORY")]
    pub cert_dir: Option<PathBuf>,
    /// Certificate and key for clients that ask for one of the names, or for one of the certificate's own; may be given
    /// several times.
    #[arg(long, env = "TLS_SNI_CERT_KEY", value_name = "CERT,KEY[:NAME,…]", value_parser = named_files)]
    pub tls_sni_cert_key: Vec<NamedFiles>,
    /// The oldest TLS to speak.
    #[arg(long, env = "TLS_MIN_VERSION", value_enum, default_value_t = TlsVersion::Tls12)]
    pub tls_min_version: TlsVersion,
    /// Cipher suites of TLS 1.2, by their names in Go [default: all that are spoken]
    #[arg(long, env = "TLS_CIPHER_SUITES", value_delimiter = ',', value_name = "SUITE,…", value_parser = cipher_suite)]
    pub tls_cipher_suites: Vec<CipherSuite>,
    /// Serve HTTP/1.1 alone.
    #[arg(long, env = "DISABLE_HTTP2_SERVING", num_args = 0..=1, require_equals = true, default_value = "false",
        default_missing_value = "true", value_name = "BOOL", action = ArgAction::Set, value_parser = boolean)]
    pub disable_http2_serving: bool,
    /// Address to serve /livez, /readyz and /metrics on, without TLS and without authentication.
    #[arg(long, env = "METRICS_BIND_ADDRESS", default_value = ":9402", value_name = "ADDRESS:PORT", value_parser = listen_address)]
    pub metrics_bind_address: SocketAddr,
    /// How long SIGTERM waits for requests in flight.
    #[arg(long, env = "SHUTDOWN_GRACE_PERIOD", default_value = "50s", value_parser = duration)]
    pub shutdown_grace_period: Duration,
    /// How long after SIGTERM new requests are still served, so that endpoints can be withdrawn first.
    #[arg(long, env = "SHUTDOWN_DELAY_DURATION", default_value = "0s", value_parser = duration)]
    pub shutdown_delay_duration: Duration,
}

/// See `--tls-min-version`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TlsVersion {
    /// TLS 1.2.
    #[value(name = "VersionTLS12")]
    Tls12,
    /// TLS 1.3.
    #[value(name = "VersionTLS13")]
    Tls13,
}

impl Serving {
    /// The serving certificate and its key.
    pub fn certificate_files(&self) -> (PathBuf, PathBuf) {
        let given = |file: &Option<PathBuf>, name| {
            file.clone().unwrap_or_else(|| self.cert_dir.clone().unwrap_or_default().join(name))
        };
        (given(&self.tls_cert_file, "apiserver.crt"), given(&self.tls_private_key_file, "apiserver.key"))
    }

    /// What is spoken.
    pub fn protocol(&self) -> tls::Protocol {
        tls::Protocol {
            tls13_only: self.tls_min_version == TlsVersion::Tls13,
            cipher_suites: self.tls_cipher_suites.clone(),
            http1_only: self.disable_http2_serving,
        }
    }
}

/// `cert,key` or `cert,key:name,name` (`cli/flag/namedcertkey_flag.go` of `k8s.io/component-base`).
fn named_files(text: &str) -> Result<NamedFiles, String> {
    let (files, names) = text.split_once(':').map_or((text, None), |(files, names)| (files, Some(names)));
    let [cert_file, key_file] = files.split(',').map(str::trim).collect::<Vec<_>>()[..] else {
        return Err("must be the paths of a certificate and a key with a comma between them".to_owned());
    };
    let names = names.map(|names| names.split(',').map(|name| name.trim().to_ascii_lowercase()).collect());
    let names: Vec<String> = names.unwrap_or_default();
    if names.iter().any(String::is_empty) {
        return Err("must not have an empty name".to_owned());
    }
    Ok(NamedFiles { cert_file: cert_file.into(), key_file: key_file.into(), names })
}

fn cipher_suite(name: &str) -> Result<CipherSuite, String> {
    tls::cipher_suite(name)
        .ok_or_else(|| "is not spoken here: see the documentation of --tls-cipher-suites".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn named_certificates_are_spelled_as_in_the_original() {
        let read = |text| named_files(text).map(|files| (files.cert_file, files.key_file, files.names));
        assert_eq!(read("a.crt,a.key"), Ok(("a.crt".into(), "a.key".into(), vec![])));
        let names = vec!["*.foo.com".to_owned(), "foo.com".to_owned()];
        assert_eq!(read("a.crt, a.key:*.foo.com, Foo.com"), Ok(("a.crt".into(), "a.key".into(), names)));
        for wrong in ["", "a.crt", "a.crt,a.key,b", "a.crt,a.key:", "a.crt,a.key:a,,b"] {
            assert!(named_files(wrong).is_err(), "{wrong:?}");
        }
    }
}
