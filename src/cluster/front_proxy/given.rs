//! What flags give in place of the `ConfigMap`: the authority of clients' certificates, and that of the front proxy with
//! its headers. The files are read again and again.
//!
//! Sources: `ApplyTo` of `pkg/server/options/authentication.go`,
//! `pkg/server/dynamiccertificates/dynamic_cafile_content.go` of `k8s.io/apiserver`.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time;
use tracing::{error, info};

use crate::access::{Anchors, Asked, FrontProxyConfig, Headers};

/// The flags.
#[derive(Debug, Default)]
pub struct Given {
    /// `--client-ca-file`.
    pub client_ca_file: Option<PathBuf>,
    /// `--requestheader-client-ca-file`, and the other `--requestheader-…` flags, which mean nothing without it.
    pub front_proxy: Option<(PathBuf, Headers)>,
    /// `--authentication-skip-lookup`.
    pub skip_lookup: bool,
}

/// A file that can't be used.
#[derive(Debug, thiserror::Error)]
pub enum GivenError {
    /// It is missing or may not be read.
    #[error("{flag} {path:?} can't be read")]
    Read {
        /// The flag that names it.
        flag: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It holds something else.
    #[error("{flag} {path:?} is not a bundle of certificates, in PEM")]
    Content {
        /// The flag that names it.
        flag: &'static str,
        /// The file.
        path: PathBuf,
    },
}

impl Given {
    pub(super) fn asked(&self) -> Asked {
        Asked { client_ca: self.client_ca_file.is_none(), front_proxy: self.front_proxy.is_none() }
    }
}

/// The files, and what they said last.
#[derive(Debug)]
pub(super) struct Files(Vec<File>);

#[derive(Debug)]
struct File {
    flag: &'static str,
    path: PathBuf,
    /// What was looked at last, used or not; empty while it can't be read.
    text: Option<String>,
    put: fn(&mut FrontProxyConfig, Arc<Anchors>),
}

impl Files {
    /// Reads all of them into `config`.
    pub(super) fn load(given: Given, config: &mut FrontProxyConfig) -> Result<Self, GivenError> {
        let mut files = Vec::new();
        if let Some(path) = given.client_ca_file {
            let put = |config: &mut FrontProxyConfig, anchors| config.client_ca = Some(anchors);
            files.push(File { flag: CLIENT_CA, path, text: None, put });
        }
        if let Some((path, headers)) = given.front_proxy {
            config.headers = Arc::new(headers);
            let put = |config: &mut FrontProxyConfig, anchors| config.proxy_ca = Some(anchors);
            files.push(File { flag: FRONT_PROXY_CA, path, text: None, put });
        }
        for file in &mut files {
            if let Some(anchors) = file.look()? {
                (file.put)(config, anchors);
            }
        }
        Ok(Self(files))
    }

    pub(super) fn are_some(&self) -> bool {
        !self.0.is_empty()
    }

    /// Looks at them again and again, for ever.
    pub(super) async fn follow(mut self, published: &watch::Sender<Option<Arc<FrontProxyConfig>>>) {
        loop {
            time::sleep(INTERVAL).await;
            for file in &mut self.0 {
                match file.look() {
                    Ok(None) => {}
                    Ok(Some(anchors)) => {
                        published.send_modify(|current| {
                            let mut config = current.as_deref().cloned().unwrap_or_default();
                            (file.put)(&mut config, anchors);
                            *current = Some(Arc::new(config));
                        });
                        info!(flag = file.flag, "an authority of clients has been reloaded");
                    }
                    Err(error) => error!(%error, "the authority of before stays in use"),
                }
            }
        }
    }
}

impl File {
    /// What is new in it. The same fault is an error once.
    fn look(&mut self) -> Result<Option<Arc<Anchors>>, GivenError> {
        let (flag, path) = (self.flag, self.path.clone());
        let read = std::fs::read_to_string(&path);
        let text = read.as_deref().unwrap_or_default();
        if self.text.as_deref() == Some(text) {
            return Ok(None);
        }
        self.text = Some(text.to_owned());
        let text = read.map_err(|source| GivenError::Read { flag, path: path.clone(), source })?;
        let anchors = Anchors::parse(&text).ok_or(GivenError::Content { flag, path })?;
        Ok(Some(Arc::new(anchors)))
    }
}

const CLIENT_CA: &str = "--client-ca-file";
const FRONT_PROXY_CA: &str = "--requestheader-client-ca-file";
/// Go watches them, and looks once a minute in any case.
const INTERVAL: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use std::fs;

    use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};

    use super::*;

    fn authority() -> String {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().pem()
    }

    #[tokio::test(start_paused = true)]
    async fn a_changed_file_is_taken_over_and_a_broken_one_is_not() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), authority()).unwrap();
        let given = Given { client_ca_file: Some(file.path().to_owned()), ..Given::default() };
        let mut config = FrontProxyConfig::default();
        let files = Files::load(given, &mut config).unwrap();
        let (published, mut seen) = watch::channel(Some(Arc::new(config)));
        let current = |seen: &watch::Receiver<Option<Arc<FrontProxyConfig>>>| {
            Arc::clone(seen.borrow().as_ref().unwrap().client_ca.as_ref().unwrap())
        };
        let looking = async {
            for (text, changes) in [(authority(), true), ("broken".to_owned(), false), (authority(), true)] {
                let before = current(&seen);
                fs::write(file.path(), text).unwrap();
                time::sleep(INTERVAL + Duration::from_secs(1)).await;
                assert_eq!(!Arc::ptr_eq(&before, &current(&seen)), changes);
                assert_eq!(seen.has_changed().unwrap(), changes);
                seen.mark_unchanged();
            }
        };
        tokio::select! {
            () = files.follow(&published) => {}
            () = looking => {}
        }
    }

    #[test]
    fn a_fault_is_told_once() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ca.crt");
        let mut file = File { flag: CLIENT_CA, path: path.clone(), text: None, put: |_, _| {} };
        assert!(matches!(file.look(), Err(GivenError::Read { .. })));
        assert!(matches!(file.look(), Ok(None)));
        fs::write(&path, "broken").unwrap();
        assert!(matches!(file.look(), Err(GivenError::Content { .. })));
        assert!(matches!(file.look(), Ok(None)));
        fs::write(&path, authority()).unwrap();
        assert!(matches!(file.look(), Ok(Some(_))));
        assert!(matches!(file.look(), Ok(None)));
        fs::remove_file(&path).unwrap();
        assert!(matches!(file.look(), Err(GivenError::Read { .. })));
    }
}
