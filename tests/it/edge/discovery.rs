//! The documents that kube-apiserver must find.

use axum::body::Body;
use http::StatusCode;
use serde_json::{Value, json};

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
    assert_eq!(answer.json(), json!({ "kind": "APIGroupList", "groups": [group] }));
    let answer = get(&world, "/apis/g.example.com", "").await;
    let mut expected = group;
    expected["kind"] = "APIGroup".into();
    expected["apiVersion"] = "v1".into();
    assert_eq!(answer.json(), expected);
}

#[tokio::test]
async fn the_documents_are_there_for_people_and_as_yaml() {
    let world = World::new();
    for path in ["/apis", "/apis/g.example.com", "/apis/g.example.com/v1alpha1"] {
        let json = get(&world, path, "").await.json();
        let yaml = get(&world, path, "application/json;q=0.4, application/yaml;q=0.5").await;
        assert_eq!(yaml.header("content-type"), "application/yaml");
        assert_eq!(serde_saphyr::from_str::<Value>(&yaml.body).unwrap(), json);
        let request = ask("GET", path).header("user-agent", "curl/8").body(Body::empty()).unwrap();
        let pretty = world.send(request).await;
        assert!(pretty.body.starts_with("{\n  \""), "{}", pretty.body);
        assert_eq!((pretty.header("content-type"), pretty.json()), ("application/json", json));
    }
    let yaml = get(&world, "/apis", &V2.replace("json", "yaml")).await;
    assert_eq!(yaml.header("content-type"), V2.replace("json", "yaml"));
    assert_eq!(yaml.header("etag"), get(&world, "/apis", V2).await.header("etag"));
    let listed: Value = serde_saphyr::from_str(&yaml.body).unwrap();
    assert_eq!(listed["kind"], "APIGroupDiscoveryList");
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
    assert_eq!(get(&world, "/index.html", "").await.json(), index);
    assert!(index["paths"].as_array().unwrap().contains(&"/apis/g.example.com/v1alpha1".into()));
    assert_eq!(
        get(&world, "/version", "").await.json()["gitVersion"],
        concat!("v", env!("CARGO_PKG_VERSION"))
    );
    for (accept, media) in [
        ("", "text/plain; version=0.0.4; charset=utf-8; escaping=underscores"),
        (
            "application/openmetrics-text;version=1.0.0",
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
        ),
    ] {
        let answer = get(&world, "/metrics", accept).await;
        assert_eq!((answer.status, answer.header("content-type")), (StatusCode::OK, media));
        assert_eq!(answer.body.ends_with("# EOF\n"), !accept.is_empty());
    }
    let refused = get(&world, "/version", "application/yaml").await;
    assert_eq!(
        (refused.status, refused.header("content-type")),
        (StatusCode::NOT_ACCEPTABLE, "application/yaml")
    );
    for path in ["/version", "/apis", "/apis/g.example.com", "/apis/g.example.com/v1alpha1"] {
        let head = ask("HEAD", path).body(Body::empty()).unwrap();
        assert_eq!(world.send(head).await.status, StatusCode::METHOD_NOT_ALLOWED, "{path}");
    }
    for path in ["/api", "/apis/other", "//apis", "/healthz/", "/readyz/other"] {
        let answer = get(&world, path, "text/html").await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
        assert_eq!((answer.header("content-type"), answer.json()), ("application/json", index.clone()));
    }
}
