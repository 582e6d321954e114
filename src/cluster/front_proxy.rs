//! The front-proxy configuration, kept up to date from the `ConfigMap` that kube-apiserver publishes, and from the files
//! that flags give in its place ([`given`]).
//!
//! Sources: `pkg/server/options/authentication.go`, `pkg/server/dynamiccertificates/configmap_cafile_content.go` of
//! `k8s.io/apiserver`. Unlike there, a `ConfigMap` that is late or may not be read yet ends no process: until it comes,
//! nobody is believed and the server is not ready.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::runtime::watcher::{self, Event};
use kube::{Api, Client};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::follow::{Follower, Lost, Pauses, follow};
use crate::access::{Asked, FrontProxy, FrontProxyConfig};
use crate::health::{Health, Token};

pub mod given;

use given::{Files, Given, GivenError};

/// Watches the `ConfigMap`, and looks at the files.
pub struct FrontProxyWatch {
    client: Client,
    pauses: Pauses,
    state: Published,
    files: Option<Files>,
    looks_up: bool,
}

impl FrontProxyWatch {
    /// Reads with `client`; `health` is not ready until a front proxy can be recognized.
    pub fn new(client: Client, health: &Health, pauses: Pauses) -> (FrontProxy, Self) {
        let (sender, receiver) = watch::channel(None);
        let ready = health.expect(CHECK, MISSING);
        let state = Published { sender, ready, asked: Asked::ALL, listed: false, said: None };
        (receiver, Self { client, pauses, state, files: None, looks_up: true })
    }

    /// Takes what the flags give in place of the `ConfigMap`'s; files that can't be used are an error now, and keep what
    /// they said before later.
    pub fn with(mut self, given: Given) -> Result<Self, GivenError> {
        self.looks_up = !given.skip_lookup;
        self.state.asked = given.asked();
        let mut config = FrontProxyConfig::default();
        let files = Files::load(given, &mut config)?;
        if files.are_some() {
            self.state.sender.send_replace(Some(Arc::new(config)));
            self.files = Some(files);
        }
        // Without a look at the ConfigMap, what the flags give is all there will be.
        if !self.looks_up || !self.state.asked.front_proxy {
            self.state.ready.ready();
        }
        Ok(self)
    }

    /// Watches until `shutdown`.
    pub async fn run(mut self, shutdown: CancellationToken) {
        // A list with this selector is what a Role with `resourceNames` allows; without it the list is forbidden.
        let config = watcher::Config::default().fields(&format!("metadata.name={NAME}"));
        let api = Api::<ConfigMap>::namespaced(self.client, NAMESPACE);
        let sender = self.state.sender.clone();
        let looking_up = async {
            if self.looks_up {
                follow(api, config, self.pauses, &mut self.state).await;
            }
        };
        let looking_at_files = async {
            if let Some(files) = self.files {
                files.follow(&sender).await;
            }
        };
        let watching = async { tokio::join!(looking_up, looking_at_files) };
        shutdown.run_until_cancelled(watching).await;
        shutdown.cancelled().await;
    }
}

struct Published {
    sender: watch::Sender<Option<Arc<FrontProxyConfig>>>,
    ready: Token,
    asked: Asked,
    /// Whether the list under way has named it.
    listed: bool,
    /// What the log said last; a state is told once.
    said: Option<String>,
}

impl Follower<ConfigMap> for Published {
    fn event(&mut self, event: Event<ConfigMap>) -> bool {
        match event {
            // The selector is a wish; what comes is looked at all the same.
            Event::InitApply(map) | Event::Apply(map) | Event::Delete(map)
                if map.metadata.name.as_deref() != Some(NAME) => {}
            Event::Init => self.listed = false,
            Event::InitApply(map) | Event::Apply(map) => {
                self.listed = true;
                self.update(&map);
            }
            Event::InitDone if self.listed => {}
            Event::InitDone | Event::Delete(_) => self.say("it does not exist"),
        }
        true
    }

    fn lost(&mut self, why: &Lost) {
        if *why != Lost::Expired {
            self.say(&why.to_string());
        }
    }
}

impl Published {
    /// Takes over what is not worse than before.
    fn update(&mut self, map: &ConfigMap) {
        let none = BTreeMap::new();
        let uid = map.metadata.uid.as_deref().unwrap_or_default();
        let data = map.data.as_ref().unwrap_or(&none);
        let (mut result, mut complete) = (Ok(()), false);
        self.sender.send_modify(|current| {
            let mut config = current.as_deref().cloned().unwrap_or_default();
            result = config.update(uid, data, self.asked);
            complete = config.is_complete();
            *current = Some(Arc::new(config));
        });
        if complete {
            self.ready.ready();
        }
        match result {
            Ok(()) if !complete => self.say("it has no requestheader-username-headers"),
            Ok(()) => {
                self.said = None;
                info!("front-proxy configuration read");
            }
            Err(errors) => {
                let errors: Vec<_> = errors.iter().map(ToString::to_string).collect();
                self.say(&errors.join("; "));
            }
        }
    }

    fn say(&mut self, what: &str) {
        if self.said.as_deref() != Some(what) {
            warn!(
                reason = what,
                kept = self.sender.borrow().is_some(),
                "ConfigMap {NAMESPACE}/{NAME} can't be used as it is"
            );
            self.said = Some(what.to_owned());
        }
    }
}

const NAMESPACE: &str = "kube-system";
const NAME: &str = "extension-apiserver-authentication";
const CHECK: &str = "front-proxy";
const MISSING: &str = "ConfigMap kube-system/extension-apiserver-authentication has not been read yet, or has no \
     requestheader-client-ca-file or no requestheader-username-headers: check that it exists and that the webhook's \
     ServiceAccount is bound to the Role extension-apiserver-authentication-reader in kube-system";
