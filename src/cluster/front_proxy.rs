//! The front-proxy configuration, kept up to date from the `ConfigMap` that kube-apiserver publishes.
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
use crate::access::{FrontProxy, FrontProxyConfig};
use crate::health::{Health, Token};

/// Watches the `ConfigMap`.
pub struct FrontProxyWatch {
    client: Client,
    pauses: Pauses,
    state: Published,
}

impl FrontProxyWatch {
    /// Reads with `client`; `health` is not ready until a front proxy can be recognized.
    pub fn new(client: Client, health: &Health, pauses: Pauses) -> (FrontProxy, Self) {
        let (sender, receiver) = watch::channel(None);
        let watch = Self {
            client,
            pauses,
            state: Published { sender, ready: health.expect(CHECK, MISSING), listed: false, said: None },
        };
        (receiver, watch)
    }

    /// Watches until `shutdown`.
    pub async fn run(mut self, shutdown: CancellationToken) {
        // A list with this selector is what a Role with `resourceNames` allows; without it the list is forbidden.
        let config = watcher::Config::default().fields(&format!("metadata.name={NAME}"));
        let api = Api::<ConfigMap>::namespaced(self.client, NAMESPACE);
        let watching = follow(api, config, self.pauses, &mut self.state);
        shutdown.run_until_cancelled(watching).await;
    }
}

struct Published {
    sender: watch::Sender<Option<Arc<FrontProxyConfig>>>,
    ready: Token,
    /// Whether the list under way has named it.
    listed: bool,
    /// What the log said last; a state is told once.
    said: Option<String>,
}

impl Follower<ConfigMap> for Published {
    fn event(&mut self, event: Event<ConfigMap>) -> bool {
        match event {
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
    /// Takes a new content over, unless it is worse than the one before.
    fn update(&mut self, map: &ConfigMap) {
        let none = BTreeMap::new();
        let uid = map.metadata.uid.as_deref().unwrap_or_default();
        let config = match FrontProxyConfig::parse(uid, map.data.as_ref().unwrap_or(&none)) {
            Ok(config) => config,
            Err(error) => return self.say(&error.to_string()),
        };
        let complete = config.proxy_ca().is_some();
        let had_one = self.sender.borrow().as_ref().is_some_and(|config| config.proxy_ca().is_some());
        if had_one && !complete {
            return self.say(NO_CA);
        }
        self.sender.send_replace(Some(Arc::new(config)));
        if complete {
            self.ready.ready();
            self.said = None;
            info!("front-proxy configuration read");
        } else {
            self.say(NO_CA);
        }
    }

    fn say(&mut self, what: &str) {
        if self.said.as_deref() != Some(what) {
            warn!(
                reason = what,
                kept = self.sender.borrow().is_some(),
                "ConfigMap {NAMESPACE}/{NAME} can't be used"
            );
            self.said = Some(what.to_owned());
        }
    }
}

const NAMESPACE: &str = "kube-system";
const NAME: &str = "extension-apiserver-authentication";
const CHECK: &str = "front-proxy";
const MISSING: &str = "ConfigMap kube-system/extension-apiserver-authentication has not been read yet, or has no \
     requestheader-client-ca-file: check that it exists and that the webhook's ServiceAccount is bound to the Role \
     extension-apiserver-authentication-reader in kube-system";
const NO_CA: &str = "it has no requestheader-client-ca-file";
