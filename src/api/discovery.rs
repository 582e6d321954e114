//! Discovery: what kube-apiserver must find here, or it stops deleting namespaces.
//!
//! Every document is made once, at the start: it is answered from memory, also while the server drains.
//!
//! Sources: `pkg/endpoints/discovery/` of `k8s.io/apiserver`; who asks for what:
//! `pkg/apiserver/handler_discovery.go` and `pkg/controllers/status/remote/` of `k8s.io/kube-aggregator`.

use axum::body::{Body, Bytes};
use http::header::{CACHE_CONTROL, VARY};
use http::{HeaderMap, HeaderValue, Response};
use serde_json::{Value, json};

use super::document::{self, Document};
use super::failure::Failure;
use super::media::{Form, Format, JSON, PLAIN, Reader};
use super::status;
use super::wire::{GROUP, KIND, VERSION};

/// The documents.
#[derive(Debug)]
pub(super) struct Discovery {
    index: Bytes,
    groups: Document,
    group: Document,
    resources: Document,
    v2: Document,
    v2beta1: Document,
    version: Bytes,
}

impl Discovery {
    /// The documents of one group with one resource.
    pub(super) fn new(group: &str, solver: &str) -> Self {
        let group_version = format!("{group}/{VERSION}");
        let version = json!({ "groupVersion": group_version, "version": VERSION });
        let versions = json!({ "name": group, "versions": [version], "preferredVersion": version });
        // As there, it has no version.
        let groups = json!({ "kind": "APIGroupList", "groups": [versions] });
        let resources = json!({
            "kind": "APIResourceList",
            "apiVersion": "v1",
            "groupVersion": group_version,
            "resources": [{
                "name": solver,
                "singularName": KIND,
                "namespaced": false,
                "group": GROUP,
                "version": VERSION,
                "kind": KIND,
                "verbs": ["create"],
            }],
        });
        Self {
            index: document::raw(&index(group)),
            groups: Document::new(&groups, ""),
            group: Document::new(&with_kind("APIGroup", versions), ""),
            resources: Document::new(&resources, ""),
            v2: aggregated("v2", group, solver),
            v2beta1: aggregated("v2beta1", group, solver),
            version: document::raw(&build()),
        }
    }

    /// `/`
    pub(super) fn index(&self) -> Response<Body> {
        document::found(&self.index)
    }

    /// A path that belongs to no service.
    pub(super) fn elsewhere(&self) -> Response<Body> {
        status::elsewhere(self.index.clone())
    }

    /// `/apis`: aggregated for those who ask for it at all.
    pub(super) fn groups(&self, reader: &Reader, headers: &HeaderMap) -> Response<Body> {
        let aggregated = [("v2", &self.v2), ("v2beta1", &self.v2beta1)];
        let chosen = aggregated
            .into_iter()
            .find_map(|(version, document)| Some((reader.choose(Form::Aggregated { version })?, document)));
        match chosen {
            Some((format, document)) => public(document, format, headers),
            None => plain(&self.groups, reader),
        }
    }

    /// `/apis/GROUP`
    pub(super) fn group(&self, reader: &Reader) -> Response<Body> {
        plain(&self.group, reader)
    }

    /// `/apis/GROUP/v1alpha1`
    pub(super) fn resources(&self, reader: &Reader) -> Response<Body> {
        plain(&self.resources, reader)
    }

    /// `/version`
    pub(super) fn version(&self, reader: &Reader) -> Result<Response<Body>, Failure> {
        if reader.names(&[JSON]) {
            Ok(document::found(&self.version))
        } else {
            Err(status::not_representable(&[JSON]))
        }
    }
}

/// Whoever reads nothing that there is gets JSON: to be refused here is to be taken for broken.
fn plain(document: &Document, reader: &Reader) -> Response<Body> {
    document.respond(reader.choose(PLAIN).unwrap_or(Format::Json))
}

/// `pkg/endpoints/discovery/aggregated/handler.go`
fn public(document: &Document, format: Format, headers: &HeaderMap) -> Response<Body> {
    let mut response = document.tagged(format, headers);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("public"));
    response.headers_mut().insert(VARY, HeaderValue::from_static("Accept"));
    response
}

fn index(group: &str) -> Value {
    let group_version = format!("{group}/{VERSION}");
    json!({
        "paths": [
            "/apis",
            format!("/apis/{group}"),
            format!("/apis/{group_version}"),
            "/healthz",
            "/livez",
            "/metrics",
            "/openapi/v2",
            "/openapi/v3",
            format!("/openapi/v3/apis/{group_version}"),
            "/readyz",
            "/version",
        ],
    })
}

fn aggregated(version: &str, group: &str, solver: &str) -> Document {
    let list = json!({
        "kind": "APIGroupDiscoveryList",
        "apiVersion": format!("apidiscovery.k8s.io/{version}"),
        "metadata": {},
        "items": [{
            "metadata": { "name": group },
            "versions": [{
                "version": VERSION,
                "freshness": "Current",
                "resources": [{
                    "resource": solver,
                    // Never absent: an old client-go dereferences it.
                    "responseKind": { "group": GROUP, "version": VERSION, "kind": KIND },
                    "scope": "Cluster",
                    "singularResource": KIND,
                    "verbs": ["create"],
                }],
            }],
        }],
    });
    Document::new(&list, &format!(";g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList"))
}

/// `pkg/version/types.go` of `k8s.io/apimachinery`; the Go parts of it are empty.
fn build() -> Value {
    json!({
        "major": env!("CARGO_PKG_VERSION_MAJOR"),
        "minor": env!("CARGO_PKG_VERSION_MINOR"),
        "gitVersion": concat!("v", env!("CARGO_PKG_VERSION")),
        "gitCommit": "",
        "gitTreeState": "",
        "buildDate": "",
        "goVersion": "",
        "compiler": "rustc",
        "platform": format!("{}/{}", std::env::consts::OS, architecture()),
    })
}

/// As Go names it.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

fn with_kind(kind: &str, mut object: Value) -> Value {
    object["kind"] = kind.into();
    object["apiVersion"] = "v1".into();
    object
}
