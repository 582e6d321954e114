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

use super::accept::{Aggregated, Form, forms};
use super::document::Document;
use super::status;
use super::wire::{GROUP, KIND, VERSION};

/// The documents.
#[derive(Debug)]
pub(super) struct Discovery {
    index: Bytes,
    groups: Bytes,
    group: Bytes,
    resources: Bytes,
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
        let paths = [
            "/apis",
            "/apis/",
            &format!("/apis/{group}"),
            &format!("/apis/{group_version}"),
            "/healthz",
            "/livez",
            "/metrics",
            "/openapi/v2",
            "/openapi/v3",
            &format!("/openapi/v3/apis/{group_version}"),
            "/readyz",
            "/version",
        ];
        Self {
            index: bytes(&json!({ "paths": paths })),
            groups: bytes(&json!({ "kind": "APIGroupList", "apiVersion": "v1", "groups": [versions] })),
            group: bytes(&with_kind("APIGroup", versions)),
            resources: bytes(&json!({
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
            })),
            v2: aggregated("v2", group, solver),
            v2beta1: aggregated("v2beta1", group, solver),
            version: bytes(&build()),
        }
    }

    /// `/`
    pub(super) fn index(&self) -> Response<Body> {
        status::json(self.index.clone())
    }

    /// `/apis`: aggregated for those who ask for it. Whoever can't read JSON gets it all the same; to be refused here
    /// is to be taken for broken.
    pub(super) fn groups(&self, headers: &HeaderMap) -> Response<Body> {
        let mut response = match forms(headers).first() {
            Some(Form::Aggregated(Aggregated::V2)) => public(&self.v2, headers),
            Some(Form::Aggregated(Aggregated::V2Beta1)) => public(&self.v2beta1, headers),
            Some(Form::Plain) | None => status::json(self.groups.clone()),
        };
        response.headers_mut().insert(VARY, HeaderValue::from_static("Accept"));
        response
    }

    /// `/apis/GROUP`
    pub(super) fn group(&self) -> Response<Body> {
        status::json(self.group.clone())
    }

    /// `/apis/GROUP/v1alpha1`
    pub(super) fn resources(&self) -> Response<Body> {
        status::json(self.resources.clone())
    }

    /// `/version`
    pub(super) fn version(&self) -> Response<Body> {
        status::json(self.version.clone())
    }
}

/// `pkg/endpoints/discovery/aggregated/handler.go`
fn public(document: &Document, headers: &HeaderMap) -> Response<Body> {
    let mut response = document.respond(headers);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("public"));
    response
}

fn aggregated(version: &str, group: &str, solver: &str) -> Document {
    let media = format!("application/json;g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList");
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
    Document::new(&list, &media)
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
        "platform": format!("{}/{}", std::env::consts::OS, std::env::consts::ARCH),
    })
}

fn with_kind(kind: &str, mut object: Value) -> Value {
    object["kind"] = kind.into();
    object["apiVersion"] = "v1".into();
    object
}

fn bytes(document: &Value) -> Bytes {
    document.to_string().into()
}
