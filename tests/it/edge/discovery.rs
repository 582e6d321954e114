//! The documents that kube-apiserver must find.

use axum::body::Body;
use http::StatusCode;
use serde_json::json;

use super::world::{Answered, World, ask};

const V2: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
const V2BETA1: &str = "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList";

async fn get(world: &World, path: &str, accept: &str) -> Answered {
    world.send(ask("GET", path).header("accept", accept).body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn the_resources_are_listed_for_any_accept_header() {
    let world = World::new();
    let expected = json!({
        "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": "g.example.com/v1alpha1",
        "resources": [{
            "name": "cf", "singularName": "ChallengePayload", "namespaced": false,
            "group": "webhook.acme.cert-manager.io", "version": "v1alpha1", "kind": "ChallengePayload",
            "verbs": ["create"],
        }],
    });
    for path in
        ["/apis/g.example.com/v1alpha1", "/apis/g.example.com/v1alpha1/", "/apis/g.example.com/v1%61lpha1"]
    {
        for accept in [
            "",
            "application/json",
            "application/json, */*",
            "application/vnd.kubernetes.protobuf, */*",
            "application/vnd.kubernetes.protobuf,application/json",
            "application/cbor,application/json",
            "application/vnd.kubernetes.protobuf",
            "text/html",
            V2,
        ] {
            let answer = get(&world, path, accept).await;
            assert_eq!(answer.status, StatusCode::OK, "{path} {accept}");
            assert_eq!(answer.header("content-type"), "application/json");
            assert_eq!(answer.header("cache-control"), "no-cache, private");
            assert_eq!(answer.json(), expected);
        }
    }
}

#[tokio::test]
async fn the_groups_are_listed_plainly() {
    let world = World::new();
    let version = json!({ "groupVersion": "g.example.com/v1alpha1", "version": "v1alpha1" });
    let group = json!({ "name": "g.example.com", "versions": [version], "preferredVersion": version });
    let answer = get(&world, "/apis", "application/json").await;
    assert_eq!(answer.json(), json!({ "kind": "APIGroupList", "apiVersion": "v1", "groups": [group] }));
    assert_eq!(answer.header("vary"), "Accept");
    let answer = get(&world, "/apis/g.example.com", "").await;
    let mut expected = group;
    expected["kind"] = "APIGroup".into();
    expected["apiVersion"] = "v1".into();
    assert_eq!(answer.json(), expected);
}

#[tokio::test]
async fn aggregated_discovery_has_its_type_and_its_tag() {
    let world = World::new();
    let both = format!("{V2},{V2BETA1}");
    for (accept, media, version) in [
        (both.as_str(), V2, "v2"),
        (V2BETA1, V2BETA1, "v2beta1"),
        (&format!("{V2};profile=nopeer"), V2, "v2"),
    ] {
        let answer = get(&world, "/apis", accept).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.header("content-type"), media);
        assert_eq!(answer.header("cache-control"), "public");
        assert_eq!(answer.header("vary"), "Accept");
        assert_eq!(
            answer.json(),
            json!({
                "kind": "APIGroupDiscoveryList", "apiVersion": format!("apidiscovery.k8s.io/{version}"), "metadata": {},
                "items": [{ "metadata": { "name": "g.example.com" }, "versions": [{
                    "version": "v1alpha1", "freshness": "Current", "resources": [{
                        "resource": "cf",
                        "responseKind": {
                            "group": "webhook.acme.cert-manager.io", "version": "v1alpha1", "kind": "ChallengePayload",
                        },
                        "scope": "Cluster", "singularResource": "ChallengePayload", "verbs": ["create"],
                    }],
                }]}],
            })
        );
        let etag = answer.header("etag").to_owned();
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA512, answer.body.as_bytes());
        let hex = digest.as_ref().iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02X}"));
        assert_eq!(etag, format!("\"{hex}\""));

        let again = ask("GET", "/apis").header("accept", accept).header("if-none-match", &etag);
        let answer = world.send(again.body(Body::empty()).unwrap()).await;
        assert_eq!((answer.status, answer.body.as_str()), (StatusCode::NOT_MODIFIED, ""));
        assert_eq!(answer.header("etag"), etag);
        let stale = ask("GET", "/apis").header("accept", accept).header("if-none-match", "\"00\"");
        assert_eq!(world.send(stale.body(Body::empty()).unwrap()).await.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn the_other_paths_answer_too() {
    let world = World::new();
    let index = get(&world, "/", "").await.json();
    assert!(index["paths"].as_array().unwrap().contains(&"/apis/g.example.com/v1alpha1".into()));
    assert_eq!(
        get(&world, "/version", "").await.json()["gitVersion"],
        concat!("v", env!("CARGO_PKG_VERSION"))
    );
    assert!(get(&world, "/metrics", "").await.body.ends_with("# EOF\n"));
    for (path, body) in [("/api", "404 page not found\n"), ("/apis/other", "404 page not found\n")] {
        let answer = get(&world, path, "").await;
        assert_eq!((answer.status, answer.body.as_str()), (StatusCode::NOT_FOUND, body));
    }
}
