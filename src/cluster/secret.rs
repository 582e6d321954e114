//! Credentials: a Secret of the request's namespace, or the operator's own token.
//!
//! A Secret is read by its name with GET, never listed or watched: the webhook then needs the right to the named
//! Secrets alone, and holds nothing that no request asked for.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::ByteString;
use kube::core::Request;
use kube::{Client, Resource};
use serde::{Deserialize, Deserializer};
use zeroize::Zeroizing;

use super::call::{CallError, call};
use super::token_file::TokenFile;
use crate::deadline::Deadline;
use crate::expiring::Expiring;
use crate::flight::Flights;
use crate::issuer::{CredentialSource, SecretKeyRef};
use crate::secret::{Credential, Secret, SecretError};
use crate::solver::error::{Cause, Error};
use crate::solver::port::{Credentials, Freshness};

/// The Secrets of a cluster and the operator's own token.
#[derive(Debug)]
pub struct ClusterCredentials {
    reader: SecretReader,
    token_file: Option<TokenFile>,
}

impl ClusterCredentials {
    /// Reads Secrets with `client`; `token_file` is `--api-token-file`.
    pub fn new(client: Client, token_file: Option<PathBuf>) -> Self {
        Self {
            reader: SecretReader {
                client,
                recent: Arc::new(Expiring::new(CAPACITY)),
                flights: Flights::new(),
            },
            token_file: token_file.map(TokenFile::new),
        }
    }
}

impl Credentials for ClusterCredentials {
    async fn load(
        &self,
        namespace: &str,
        source: &CredentialSource,
        freshness: Freshness,
        deadline: Deadline,
    ) -> Result<Credential, Error> {
        match source {
            CredentialSource::Ambient => match &self.token_file {
                Some(file) => file.load(freshness, SHARED_FOR, deadline).await.map(Credential::Token),
                None => Err(Cause::AmbientUnavailable.into()),
            },
            CredentialSource::Token(reference) => {
                let token = self.reader.key(namespace, reference, freshness, deadline).await?;
                Ok(Credential::Token(token))
            }
            CredentialSource::Key { email, key } => {
                let key = self.reader.key(namespace, key, freshness, deadline).await?;
                let email = email.clone();
                Ok(Credential::Key { email, key })
            }
        }
    }
}

/// Reads Secrets; those who ask for the same one at once share one call.
struct SecretReader {
    client: Client,
    recent: Arc<Expiring<SecretName, Arc<SecretData>>>,
    flights: Flights<SecretName, Result<Arc<SecretData>, CallError>>,
}

/// Namespace and name.
type SecretName = (String, String);

impl SecretReader {
    async fn key(
        &self,
        namespace: &str,
        reference: &SecretKeyRef,
        freshness: Freshness,
        deadline: Deadline,
    ) -> Result<Secret, Error> {
        let name = (namespace.to_owned(), reference.name.clone());
        let secret = match self.remembered(&name, freshness) {
            Some(secret) => secret,
            None => self.read(name, deadline).await?,
        };
        let malformed = |reason| Cause::SecretMalformed {
            namespace: namespace.to_owned(),
            reference: reference.clone(),
            reason,
        };
        match secret.values.get(&reference.key) {
            Some(Value(Some(bytes))) => Secret::parse(bytes).map_err(|reason| malformed(reason).into()),
            Some(Value(None)) => Err(malformed(SecretError::TooLong).into()),
            None => Err(Cause::KeyMissing {
                namespace: namespace.to_owned(),
                reference: reference.clone(),
                keys: secret.values.keys().take(MAX_KEYS).map(|key| printable(key)).collect(),
            }
            .into()),
        }
    }

    fn remembered(&self, name: &SecretName, freshness: Freshness) -> Option<Arc<SecretData>> {
        // What is over goes whenever somebody asks, not only when the map is full: it is wiped by that.
        self.recent.retain(|_, _| true);
        (freshness == Freshness::Shared).then(|| self.recent.get(name)).flatten()
    }

    async fn read(&self, name: SecretName, deadline: Deadline) -> Result<Arc<SecretData>, Error> {
        let (client, recent, key) = (self.client.clone(), self.recent.clone(), name.clone());
        let flight = self.flights.join(name.clone(), async move {
            let secret = Arc::new(get(&client, &key).await?);
            recent.insert(key, secret.clone(), SHARED_FOR);
            Ok(secret)
        });
        let (namespace, name) = name;
        match deadline.run(flight).await {
            Ok(Ok(secret)) => Ok(secret),
            Ok(Err(error)) if error.is_not_found() => {
                Err(Error::new(Cause::SecretMissing { namespace, name }, error))
            }
            Ok(Err(error)) if error.is_forbidden() => {
                Err(Error::new(Cause::SecretForbidden { namespace, name }, error))
            }
            Ok(Err(error)) => Err(Error::new(Cause::SecretUnavailable { namespace, name }, error)),
            Err(elapsed) => Err(Error::new(Cause::SecretUnavailable { namespace, name }, elapsed)),
        }
    }
}

async fn get(client: &Client, (namespace, name): &SecretName) -> Result<SecretData, CallError> {
    // Both were checked to be names when they were parsed: neither can leave its place in the path.
    let path = k8s_openapi::api::core::v1::Secret::url_path(&(), Some(namespace));
    let request = Request::new(path)
        .get(name, &kube::api::GetParams::default())
        .map_err(|error| CallError::Transport(error.to_string()))?;
    call(client, request, READ_TIMEOUT).await
}

/// What is needed of a Secret. Nothing of it can be printed; it is wiped when it is dropped.
#[derive(Deserialize)]
struct SecretData {
    #[serde(default, rename = "data", deserialize_with = "null_is_empty")]
    values: BTreeMap<String, Value>,
}

/// A value, unless it is longer than any token: such ones are not kept.
struct Value(Option<Zeroizing<Vec<u8>>>);

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = Zeroizing::new(ByteString::deserialize(deserializer)?.0);
        Ok(Self((bytes.len() <= MAX_VALUE).then_some(bytes)))
    }
}

fn null_is_empty<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, Value>, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

impl std::fmt::Debug for SecretReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretReader")
    }
}

/// A key as an error may show it: somebody may have put a token there instead of under it.
fn printable(key: &str) -> String {
    let plain = |c: &char| c.is_ascii_alphanumeric() || "-._".contains(*c);
    let shown: String = key.chars().take_while(plain).take(MAX_SHOWN).collect();
    if shown.len() == key.len() { shown } else { format!("{shown}…") }
}

/// How long a Secret is shared between requests.
const SHARED_FOR: Duration = Duration::from_secs(10);
/// A GET that takes longer has failed.
const READ_TIMEOUT: Duration = Duration::from_secs(10);
/// Secrets that are shared at a time.
const CAPACITY: usize = 256;
const MAX_KEYS: usize = 10;
/// No token is as long, and keys hardly ever are.
const MAX_SHOWN: usize = 32;
/// A token of the greatest length that is accepted, with much white space around it.
const MAX_VALUE: usize = 4096;
