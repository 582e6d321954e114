//! The `ConfigMap` that says whom to believe.

use cert_manager_webhook_cloudflare::access::{Access, FrontProxy, Identity, PeerCertificates};
use cert_manager_webhook_cloudflare::cluster::front_proxy::FrontProxyWatch;
use cert_manager_webhook_cloudflare::health::Health;
use cloudflare_emulator::kubernetes::{Failure, KubernetesStandIn, Resource};
use rustls::pki_types::UnixTime;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{headers, name};
use crate::cluster::{PAUSES, soon, stand_in};
use crate::edge::certs::{Authority, Kind, Leaf};
use crate::edge::world::{Cluster, identify};

const NAME: &str = "extension-apiserver-authentication";

struct Watched {
    api: KubernetesStandIn,
    front_proxy: FrontProxy,
    shutdown: CancellationToken,
}

impl Watched {
    async fn start() -> Self {
        let (api, clients) = stand_in().await;
        let shutdown = CancellationToken::new();
        let (front_proxy, watch) = FrontProxyWatch::new(clients.authentication, &Health::default(), PAUSES);
        TaskTracker::new().spawn(watch.run(shutdown.clone()));
        Self { api, front_proxy, shutdown }
    }

    /// Puts what kube-apiserver publishes, with these values in place of the usual ones, and waits until it is in use.
    async fn publish(&mut self, proxies: &Authority, clients: &Authority, changes: &[(&str, Value)]) {
        let mut data = json!({
            "client-ca-file": clients.pem(),
            "requestheader-client-ca-file": proxies.pem(),
            "requestheader-allowed-names": r#"["front-proxy-client"]"#,
            "requestheader-username-headers": r#"["X-Remote-User"]"#,
            "requestheader-group-headers": r#"["X-Remote-Group"]"#,
        });
        for (key, value) in changes {
            data[*key] = value.clone();
        }
        self.front_proxy.mark_unchanged();
        self.api.put(Resource::ConfigMaps, object(NAME, &data));
        soon(self.front_proxy.changed()).await.unwrap();
    }

    /// Who is recognized by this certificate, with headers for carol.
    async fn who(&self, leaf: &Leaf) -> String {
        let access = Access::new(self.front_proxy.clone(), Cluster::default(), Cluster::default());
        let stated = headers(&[("x-remote-user", b"carol"), ("x-remote-group", b"system:masters")]);
        let peer = PeerCertificates::new(&leaf.chain);
        let identity = identify(&access, &peer, &stated, UnixTime::now()).await;
        let master = identity.as_ref().is_ok_and(Identity::is_master);
        format!("{}{}", name(&identity), if master { ", master" } else { "" })
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

fn object(name: &str, data: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"namespace": "kube-system", "name": name}, "data": data})
}

/// What is taken away is gone with the next request.
#[tokio::test]
async fn what_is_narrowed_is_narrow_at_once() {
    let (proxies, clients) = (Authority::new("front-proxy-ca"), Authority::new("client-ca"));
    let mut watched = Watched::start().await;
    let proxy = proxies.leaf(&Kind::default());
    let alice = clients.leaf(&Kind { name: "alice", organizations: &["system:masters"], ..Kind::default() });
    let next = Authority::new("client-ca");
    let both = format!("{}{}", clients.pem(), next.pem());
    for (change, of_proxy, of_alice) in [
        (None, "carol, master", "alice, master"),
        (Some(("requestheader-group-headers", json!("[]"))), "carol", "alice, master"),
        (Some(("requestheader-group-headers", json!(r#"["X-Other"]"#))), "carol", "alice, master"),
        (Some(("requestheader-username-headers", json!("[]"))), "401", "alice, master"),
        (Some(("requestheader-username-headers", json!(r#"["X-Other"]"#))), "401", "alice, master"),
        (Some(("requestheader-allowed-names", json!(r#"["other"]"#))), "401", "alice, master"),
        (Some(("requestheader-allowed-names", json!(r#"[""]"#))), "401", "alice, master"),
        (Some(("client-ca-file", json!(both))), "carol, master", "alice, master"),
        (Some(("client-ca-file", json!(next.pem()))), "carol, master", "401"),
        (Some(("client-ca-file", json!(proxies.pem()))), "carol, master", "401"),
        (Some(("requestheader-client-ca-file", json!(next.pem()))), "401", "alice, master"),
        // Now the front proxies' authority is the clients': its leaves are users, alice's certificate is a proxy's.
        (Some(("requestheader-client-ca-file", json!(clients.pem()))), "401", "alice, master"),
    ] {
        let changes: Vec<_> = change.iter().cloned().collect();
        watched.publish(&proxies, &clients, &changes).await;
        let got = (watched.who(&proxy).await, watched.who(&alice).await);
        assert_eq!((got.0.as_str(), got.1.as_str()), (of_proxy, of_alice), "{changes:?}");
    }
}

/// The selector is a wish; who answers it with another object is not believed.
#[tokio::test]
async fn a_config_map_of_another_name_is_not_looked_at() {
    let (api, clients) = stand_in().await;
    let evil = Authority::new("front-proxy-ca");
    let map = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"namespace": "kube-system", "name": "kube-root-ca.crt"},
        "data": {
            "requestheader-client-ca-file": evil.pem(),
            "requestheader-username-headers": r#"["X-Remote-User"]"#,
        },
    });
    let list = json!({
        "apiVersion": "v1", "kind": "ConfigMapList", "metadata": {"resourceVersion": "1"}, "items": [map],
    });
    api.fail_next(Resource::ConfigMaps, Failure::Text(200, list.to_string()), 1);
    let (front_proxy, watch) = FrontProxyWatch::new(clients.authentication, &Health::default(), PAUSES);
    let shutdown = CancellationToken::new();
    let watching = TaskTracker::new().spawn(watch.run(shutdown.clone()));
    soon(api.until(|api| api.open_watches(Resource::ConfigMaps) == 1)).await;
    assert!(front_proxy.borrow().is_none());
    shutdown.cancel();
    watching.await.unwrap();
}
