//! The front-proxy configuration: late, partial, broken, rotated, deleted.

use cert_manager_webhook_cloudflare::access::{FrontProxy, PeerCertificates, request_header};
use cert_manager_webhook_cloudflare::cluster::front_proxy::FrontProxyWatch;
use cert_manager_webhook_cloudflare::health::Health;
use cloudflare_emulator::kubernetes::{Failure, KubernetesStandIn, Resource};
use http::HeaderMap;
use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use rustls::pki_types::UnixTime;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{PAUSES, soon, stand_in, value};

#[tokio::test]
async fn a_late_config_map_makes_ready_and_names_the_cluster() {
    let mut world = World::start(|_| {}).await;
    soon(world.api.until(|api| api.open_watches(Resource::ConfigMaps) == 1)).await;
    assert_eq!(world.missing().len(), 1);
    assert!(world.front_proxy.borrow().is_none());

    let stored = world.put(&Authority::new().pem);
    let config = value(&mut world.front_proxy, Option::is_some).await.unwrap();
    assert_eq!(stored["metadata"]["uid"], config.uid());
    assert!(world.health.is_ready());

    let list = &world.api.requests(Resource::ConfigMaps)[0];
    assert_eq!(list.path, "/api/v1/namespaces/kube-system/configmaps");
    assert_eq!(list.value("fieldSelector"), "metadata.name=extension-apiserver-authentication");
}

#[tokio::test]
async fn a_new_authority_is_believed_and_the_old_one_no_more() {
    let (old, new) = (Authority::new(), Authority::new());
    let mut world = World::start(|_| {}).await;
    world.put(&old.pem);
    value(&mut world.front_proxy, Option::is_some).await;
    assert!(believes(&world.front_proxy, &old) && !believes(&world.front_proxy, &new));
    world.front_proxy.mark_unchanged();
    world.put(&new.pem);
    soon(world.front_proxy.changed()).await.unwrap();
    assert!(believes(&world.front_proxy, &new) && !believes(&world.front_proxy, &old));
}

#[tokio::test]
async fn partial_content_is_used_and_not_ready_for_one_stable_reason() {
    let mut world = World::start(|_| {}).await;
    let before = world.missing();
    world.put_data(&json!({"client-ca-file": Authority::new().pem}));
    let config = value(&mut world.front_proxy, Option::is_some).await.unwrap();
    assert!(config.client_ca().is_some() && config.proxy_ca().is_none());
    assert!(!world.health.is_ready());
    assert_eq!(world.missing(), before);
    world.put(&Authority::new().pem);
    value(&mut world.front_proxy, |config| config.as_ref().is_some_and(|config| config.proxy_ca().is_some()))
        .await;
    assert!(world.health.is_ready());
}

#[tokio::test]
async fn what_is_worse_than_before_is_not_taken_over() {
    let authority = Authority::new();
    let mut world = World::start(|_| {}).await;
    world.put(&authority.pem);
    value(&mut world.front_proxy, Option::is_some).await;
    let worse = [
        json!({}),
        json!({"client-ca-file": Authority::new().pem}),
        json!({"requestheader-client-ca-file": "no certificate"}),
        json!({"requestheader-client-ca-file": Authority::new().pem, "requestheader-allowed-names": "x"}),
    ];
    for data in worse {
        world.put_data(&data);
        world.settle().await;
        assert!(believes(&world.front_proxy, &authority), "{data}");
    }
    world.api.delete(Resource::ConfigMaps, "kube-system", NAME);
    world.settle().await;
    assert!(believes(&world.front_proxy, &authority), "deleted");
    assert!(world.health.is_ready());

    let next = Authority::new();
    world.put(&next.pem);
    world.settle().await;
    assert!(believes(&world.front_proxy, &next));
}

#[tokio::test]
async fn it_comes_when_the_right_to_read_it_comes() {
    let mut world = World::start(|api| api.fail(Resource::ConfigMaps, Failure::Forbidden)).await;
    world.put(&Authority::new().pem);
    soon(world.api.until(|api| lists(api) >= 3)).await;
    assert_eq!(world.missing().len(), 1);
    world.api.heal(Resource::ConfigMaps);
    value(&mut world.front_proxy, Option::is_some).await;
    assert!(world.health.is_ready());
}

#[tokio::test]
async fn a_watch_that_breaks_is_taken_up_again() {
    let mut world = World::start(|_| {}).await;
    world.put(&Authority::new().pem);
    value(&mut world.front_proxy, Option::is_some).await;
    for round in 1..=2 {
        soon(world.api.until(|api| api.open_watches(Resource::ConfigMaps) == 1)).await;
        world.front_proxy.mark_unchanged();
        if round == 1 {
            world.api.cut_watches(Resource::ConfigMaps);
        } else {
            world.api.expire_watches(Resource::ConfigMaps);
        }
        world.put(&Authority::new().pem);
        soon(world.front_proxy.changed()).await.unwrap();
    }
}

struct World {
    api: KubernetesStandIn,
    front_proxy: FrontProxy,
    health: Health,
    shutdown: CancellationToken,
}

impl World {
    async fn start(before: impl FnOnce(&KubernetesStandIn)) -> Self {
        let (api, clients) = stand_in().await;
        before(&api);
        let (health, shutdown) = (Health::default(), CancellationToken::new());
        let (front_proxy, watch) = FrontProxyWatch::new(clients.authentication, &health, PAUSES);
        TaskTracker::new().spawn(watch.run(shutdown.clone()));
        Self { api, front_proxy, health, shutdown }
    }

    fn put(&self, authority: &str) -> Value {
        self.put_data(&json!({
            "requestheader-client-ca-file": authority,
            "requestheader-allowed-names": "[\"front-proxy-client\"]",
            "requestheader-username-headers": "[\"X-Remote-User\"]",
        }))
    }

    fn put_data(&self, data: &Value) -> Value {
        let metadata = json!({"namespace": "kube-system", "name": NAME});
        self.api.put(Resource::ConfigMaps, json!({"metadata": metadata, "data": data}))
    }

    /// Waits until all that was put has been dealt with: a watch opens only after the list before it has been.
    async fn settle(&self) {
        soon(self.api.until(|api| api.open_watches(Resource::ConfigMaps) == 1)).await;
        let before = lists(&self.api);
        self.api.expire_watches(Resource::ConfigMaps);
        let again =
            |api: &KubernetesStandIn| lists(api) > before && api.open_watches(Resource::ConfigMaps) == 1;
        soon(self.api.until(again)).await;
    }

    fn missing(&self) -> Vec<String> {
        let checks = self.health.checks().into_iter();
        checks.filter_map(|(_, missing)| missing).collect()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

/// A certificate authority, and a front proxy's certificate from it.
struct Authority {
    pem: String,
    proxy: PeerCertificates,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let issuer = Issuer::new(params, key);
        let mut leaf = CertificateParams::default();
        leaf.distinguished_name.push(DnType::CommonName, "front-proxy-client");
        leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let leaf = leaf.signed_by(&KeyPair::generate().unwrap(), &issuer).unwrap();
        Self { pem: certificate.pem(), proxy: PeerCertificates::new(&[leaf.der().clone()]) }
    }
}

fn believes(front_proxy: &FrontProxy, authority: &Authority) -> bool {
    let config = front_proxy.borrow().clone().unwrap();
    let headers = HeaderMap::from_iter([("x-remote-user".parse().unwrap(), "jane".parse().unwrap())]);
    request_header::identity(&config, &authority.proxy, &headers, UnixTime::now())
        .is_ok_and(|identity| identity.is_some_and(|identity| identity.name == "jane"))
}

fn lists(api: &KubernetesStandIn) -> usize {
    let requests = api.requests(Resource::ConfigMaps);
    requests.iter().filter(|request| !request.flag("watch")).count()
}

const NAME: &str = "extension-apiserver-authentication";
