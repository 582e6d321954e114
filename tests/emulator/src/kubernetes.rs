//! A stand-in for kube-apiserver, as far as the webhook and the demo meet it.
//!
//! Plain HTTP on loopback. Secrets, `ConfigMap`s and cert-manager's Challenges are a JSON store with list, watch,
//! create, update, status and delete; `TokenReview` and `SubjectAccessReview` answer as told. Any resource can be
//! forbidden, unknown, broken or silent on demand, and every request is kept for the test to look at.
//!
//! Not here: authentication, schemas, label selectors, patches, other resources.

mod reply;
mod reviews;
mod routes;
mod store;
mod switches;
mod watch;

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch as channel;
use tokio::task::{JoinHandle, JoinSet};

pub use reviews::Verdict;
pub use store::Resource;
pub use switches::{Failure, Seen};

/// The server; it listens until it is dropped.
#[derive(Debug)]
pub struct KubernetesStandIn {
    shared: Shared,
    address: SocketAddr,
    accepting: JoinHandle<()>,
}

/// What the server and its connections share.
#[derive(Debug, Clone)]
pub(crate) struct Shared(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    state: Mutex<State>,
    /// Told after each change of the state.
    changed: channel::Sender<u64>,
}

#[derive(Debug, Default)]
pub(crate) struct State {
    store: store::Store,
    reviews: reviews::Reviews,
    switches: switches::Switches,
}

impl KubernetesStandIn {
    /// Listens on a free port of 127.0.0.1.
    pub async fn start() -> io::Result<Self> {
        Self::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await
    }

    /// Listens on `address`.
    pub async fn bind(address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let shared = Shared(Arc::new(Inner { state: Mutex::default(), changed: channel::Sender::new(0) }));
        #[expect(
            clippy::disallowed_methods,
            reason = "aborted when the stand-in is dropped; nothing waits for it"
        )]
        let accepting = tokio::spawn(accept(listener, shared.clone()));
        Ok(Self { shared, address, accepting })
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A kubeconfig that leads here.
    pub fn kubeconfig(&self) -> String {
        // JSON is YAML.
        let config = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "stand-in",
            "clusters": [{"name": "stand-in", "cluster": {"server": self.url()}}],
            "users": [{"name": "stand-in", "user": {"token": "stand-in"}}],
            "contexts": [{"name": "stand-in", "context": {"cluster": "stand-in", "user": "stand-in"}}],
        });
        format!("{config:#}\n")
    }

    /// Creates an object, or replaces the one of its name; its status, too. The stored object is returned.
    pub fn put(&self, resource: Resource, object: Value) -> Value {
        self.change(|state| state.store.put(resource, object))
    }

    /// Deletes an object, whatever finalizers it has.
    pub fn delete(&self, resource: Resource, namespace: &str, name: &str) {
        self.change(|state| state.store.remove(resource, namespace, name));
    }

    /// Creates or replaces a Secret with these values.
    pub fn put_secret(&self, namespace: &str, name: &str, data: &[(&str, &[u8])]) {
        let data: serde_json::Map<_, _> =
            data.iter().map(|(key, value)| ((*key).to_owned(), reply::base64(value).into())).collect();
        let metadata = json!({"namespace": namespace, "name": name});
        let object = json!({"metadata": metadata, "type": "Opaque", "data": data});
        self.put(Resource::Secrets, object);
    }

    /// Whose a token is: a `user` of a `TokenReview`'s status. Unknown ones are nobody's.
    pub fn know_token(&self, token: &str, user: Value) {
        self.change(|state| state.reviews.know(token, user));
    }

    /// Answers every `SubjectAccessReview` from now on, by its `spec`. Without it nothing is allowed.
    pub fn authorize(&self, verdict: impl Fn(&Value) -> Verdict + Send + 'static) {
        self.change(|state| state.reviews.authorize(verdict));
    }

    /// Fails every request for a resource until [`heal`](Self::heal). Open watches stay open.
    pub fn fail(&self, resource: Resource, failure: Failure) {
        self.change(|state| state.switches.fail(resource, failure, None));
    }

    /// Fails the next `times` requests for a resource.
    pub fn fail_next(&self, resource: Resource, failure: Failure, times: usize) {
        self.change(|state| state.switches.fail(resource, failure, Some(times)));
    }

    /// Ends what [`fail`](Self::fail) began.
    pub fn heal(&self, resource: Resource) {
        self.change(|state| state.switches.heal(resource));
    }

    /// Ends every open watch of a resource with 410, and forgets what was before: nobody can resume.
    pub fn expire_watches(&self, resource: Resource) {
        self.change(|state| state.store.expire(resource));
    }

    /// Cuts every open watch of a resource off, in the middle of the stream.
    pub fn cut_watches(&self, resource: Resource) {
        self.change(|state| state.store.cut(resource));
    }

    /// Watches of a resource that are open now.
    pub fn open_watches(&self, resource: Resource) -> usize {
        self.state().store.watchers(resource)
    }

    /// The requests for a resource so far, oldest first, the failed ones included.
    pub fn requests(&self, resource: Resource) -> Vec<Seen> {
        self.state().switches.seen(resource)
    }

    /// Waits until `condition` holds; asked again after each request and each change.
    pub async fn until(&self, condition: impl Fn(&Self) -> bool) {
        let mut changed = self.shared.0.changed.subscribe();
        while !condition(self) {
            if changed.changed().await.is_err() {
                return;
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state()
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        self.shared.change(change)
    }
}

impl Drop for KubernetesStandIn {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let result = change(&mut self.state());
        self.0.changed.send_modify(|number| *number += 1);
        result
    }

    fn changes(&self) -> channel::Receiver<u64> {
        self.0.changed.subscribe()
    }
}

async fn accept(listener: TcpListener, shared: Shared) {
    // Dropped with this future, and every connection with it.
    let mut connections = JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        let shared = shared.clone();
        connections.spawn(async move {
            let service = service_fn(move |request| {
                let shared = shared.clone();
                async move { routes::answer(shared, request).await }
            });
            // A client that goes away is no news.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
        while connections.try_join_next().is_some() {}
    }
}
