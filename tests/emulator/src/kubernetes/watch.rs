//! A watch: what happened since a version, then what happens, a line of JSON each.

use std::time::Duration;

use bytes::Bytes;
use http::{Response, header};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::Shared;
use super::reply::{Reply, status};
use super::store::{Resource, selected};

/// What a client asked to watch.
pub(super) struct Watch {
    pub(super) resource: Resource,
    /// Empty for all.
    pub(super) namespace: String,
    pub(super) selector: String,
    pub(super) since: u64,
    pub(super) bookmarks: bool,
    pub(super) limit: Duration,
}

pub(super) fn open(shared: Shared, watch: Watch) -> Response<Reply> {
    let (sender, receiver) = mpsc::channel(16);
    let open = Open::new(shared, watch.resource);
    #[expect(clippy::disallowed_methods, reason = "ends when the client goes away; nothing waits for it")]
    tokio::spawn(async move {
        let limit = watch.limit;
        // The server ends a watch in good order when its time is up.
        let _ = timeout(limit, run(&open, watch, &sender)).await;
    });
    let mut response = Response::new(Reply::Stream(receiver));
    let kind = header::HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

async fn run(open: &Open, watch: Watch, sender: &mpsc::Sender<Option<Bytes>>) {
    let resource = watch.resource;
    let mut changes = open.shared.changes();
    let cuts = open.shared.state().store.cuts(resource);
    let mut version = watch.since;
    let mut marked = !watch.bookmarks;
    loop {
        changes.mark_unchanged();
        let (happened, cut, now) = {
            let state = open.shared.state();
            let happened = state.store.since(resource, version);
            (happened, state.store.cuts(resource) != cuts, state.store.version())
        };
        let Some(happened) = happened else {
            let gone = status(410, "Expired", "too old resource version");
            let _ = sender.send(Some(line("ERROR", &gone))).await;
            return;
        };
        for change in happened {
            version = change.version;
            let namespace = change.object["metadata"]["namespace"].as_str().unwrap_or_default();
            let wanted = watch.namespace.is_empty() || watch.namespace == namespace;
            if wanted && selected(&change.object, &watch.selector) {
                let line = line(change.kind, &change.object);
                if sender.send(Some(line)).await.is_err() {
                    return;
                }
            }
        }
        if cut {
            let _ = sender.send(None).await;
            return;
        }
        if !marked {
            marked = true;
            let (api_version, kind) = resource.types();
            let metadata = json!({"resourceVersion": now.to_string()});
            let object = json!({"apiVersion": api_version, "kind": kind, "metadata": metadata});
            let _ = sender.send(Some(line("BOOKMARK", &object))).await;
        }
        tokio::select! {
            told = changes.changed() => if told.is_err() { return },
            () = sender.closed() => return,
        }
    }
}

fn line(kind: &str, object: &Value) -> Bytes {
    // "type" comes first, as from Go.
    format!("{{\"type\":\"{kind}\",\"object\":{object}}}\n").into()
}

/// Counts an open watch.
struct Open {
    shared: Shared,
    resource: Resource,
}

impl Open {
    fn new(shared: Shared, resource: Resource) -> Self {
        shared.change(|state| state.store.watcher_came(resource));
        Self { shared, resource }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.shared.change(|state| state.store.watcher_left(self.resource));
    }
}
