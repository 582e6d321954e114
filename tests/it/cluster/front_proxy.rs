//! The front-proxy configuration: late, partial, broken, rotated, deleted.

use cert_manager_webhook_cloudflare::access::{FrontProxy, Headers, PeerCertificates, request_header};
use cert_manager_webhook_cloudflare::cluster::front_proxy::FrontProxyWatch;
use cert_manager_webhook_cloudflare::cluster::front_proxy::given::Given;
use cert_manager_webhook_cloudflare::health::Health;
use cloudflare_emulator::kubernetes::{Failure, KubernetesStandIn, Resource};
use http::HeaderMap;
use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use rustls::pki_types::UnixTime;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{PAUSES, clients, soon, stand_in, value};

#[tokio::test]
async fn a_late_config_map_makes_ready_and_names_the_cluster() {
    let mut world = World::start(|_| {}).await;
    soon(world.api.until(|api| api.open_watches(Resource::ConfigMaps) == 1)).await;
    assert_eq!(world.missing().len(), 1);
    assert!(world.front_proxy.borrow().is_none());

    let stored = world.put(&Authority::new().pem);
    let config = value(&mut world.front_proxy, Option::is_some).await.unwrap();
    assert_eq!(stored["metadata"]["uid"], config.uid);
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
    assert!(config.client_ca.is_some() && config.proxy_ca.is_none());
    assert!(!world.health.is_ready());
    assert_eq!(world.missing(), before);
    world.put(&Authority::new().pem);
    value(&mut world.front_proxy, |config| config.as_ref().is_some_and(|config| config.proxy_ca.is_some()))
        .await;
    assert!(world.health.is_ready());
}

/// Each authority by itself and the lists together, as the original's three controllers have it.
#[tokio::test]
async fn what_is_worse_than_before_is_not_taken_over_and_the_rest_is() {
    let (first, second, clients) = (Authority::new(), Authority::new(), Authority::new());
    let mut world = World::start(|_| {}).await;
    world.put(&first.pem);
    value(&mut world.front_proxy, Option::is_some).await;

    // Without the authority the lists are new; without the lists there is nobody to read.
    let names =
        |names: &str| json!({"requestheader-allowed-names": names, "requestheader-username-headers": USERS});
    for (data, believed) in [
        (names("[\"somebody else\"]"), false),
        (names(NAMES), true),
        (json!({}), false),
        (names(NAMES), true),
    ] {
        world.put_data(&data);
        world.settle().await;
        assert_eq!(believes(&world.front_proxy, &first), believed, "{data}");
    }
    // A broken list keeps all lists, and a broken authority itself alone.
    let both = |ca: &str, names: &str| {
        json!({
            "client-ca-file": clients.pem,
            "requestheader-client-ca-file": ca,
            "requestheader-allowed-names": names,
            "requestheader-username-headers": "[\"X-Another-User\"]",
        })
    };
    for (data, believed) in [(both("no certificate", "x"), &first), (both(&second.pem, "{}"), &second)] {
        world.put_data(&data);
        world.settle().await;
        assert!(believes(&world.front_proxy, believed), "{data}");
        assert!(world.front_proxy.borrow().as_ref().unwrap().client_ca.is_some(), "{data}");
    }
    world.api.delete(Resource::ConfigMaps, "kube-system", NAME);
    world.settle().await;
    assert!(believes(&world.front_proxy, &second), "deleted");
    assert!(world.health.is_ready());

    world.put(&first.pem);
    world.settle().await;
    assert!(believes(&world.front_proxy, &first) && !believes(&world.front_proxy, &second));
}

#[tokio::test]
async fn what_flags_give_is_not_asked_of_the_config_map() {
    let (given, other) = (Authority::new(), Authority::new());
    let file = tempfile::NamedTempFile::new().unwrap();
    let flags = |skip_lookup| Given {
        client_ca_file: Some(file.path().to_owned()),
        front_proxy: Some((file.path().to_owned(), Headers::new(vec![], headers("X-Remote-User")))),
        skip_lookup,
    };
    std::fs::write(file.path(), "no certificate").unwrap();
    let (_api, clients) = stand_in().await;
    let watch = || FrontProxyWatch::new(clients.authentication.clone(), &Health::default(), PAUSES).1;
    let refused = watch().with(flags(true)).map(|_| ()).unwrap_err().to_string();
    assert!(refused.starts_with("--client-ca-file"), "{refused}");

    std::fs::write(file.path(), &given.pem).unwrap();
    let world = World::start_with(|_| {}, flags(false)).await;
    assert!(world.health.is_ready() && believes(&world.front_proxy, &given));
    world.put(&other.pem);
    world.settle().await;
    assert!(believes(&world.front_proxy, &given) && !believes(&world.front_proxy, &other));
    assert!(!world.front_proxy.borrow().as_ref().unwrap().uid.is_empty(), "it tells of the cluster");
}

#[tokio::test]
async fn nothing_is_looked_up_where_the_flags_say_so() {
    let only = Given { skip_lookup: true, ..Given::default() };
    let world = World::start_with(|_| {}, only).await;
    assert!(world.health.is_ready());
    // Another one looks it up meanwhile, and is alone with that.
    let (_, other) = FrontProxyWatch::new(clients(&world.api).await.authentication, &world.health, PAUSES);
    TaskTracker::new().spawn(other.run(world.shutdown.clone()));
    soon(world.api.until(|api| api.open_watches(Resource::ConfigMaps) == 1)).await;
    assert_eq!(lists(&world.api), 1);
    assert!(world.front_proxy.borrow().is_none());
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
        Self::start_with(before, Given::default()).await
    }

    async fn start_with(before: impl FnOnce(&KubernetesStandIn), given: Given) -> Self {
        let (api, clients) = stand_in().await;
        before(&api);
        let (health, shutdown) = (Health::default(), CancellationToken::new());
        let (front_proxy, watch) = FrontProxyWatch::new(clients.authentication, &health, PAUSES);
        let watch = watch.with(given).unwrap();
        TaskTracker::new().spawn(watch.run(shutdown.clone()));
        Self { api, front_proxy, health, shutdown }
    }

    fn put(&self, authority: &str) -> Value {
        self.put_data(&json!({
            "requestheader-client-ca-file": authority,
            "requestheader-allowed-names": NAMES,
            "requestheader-username-headers": USERS,
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

fn headers(user: &str) -> [Vec<String>; 4] {
    [vec![user.to_owned()], vec![], vec![], vec![]]
}

fn lists(api: &KubernetesStandIn) -> usize {
    let requests = api.requests(Resource::ConfigMaps);
    requests.iter().filter(|request| !request.flag("watch")).count()
}

const NAMES: &str = "[\"front-proxy-client\"]";
const USERS: &str = "[\"X-Remote-User\"]";
const NAME: &str = "extension-apiserver-authentication";
