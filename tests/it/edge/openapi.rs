//! The `OpenAPI` documents that kube-apiserver merges into its own.

use std::collections::BTreeSet;

use aws_lc_rs::digest::{SHA512, digest};
use axum::body::Body;
use http::StatusCode;
use serde_json::{Value, json};

use super::world::{Answered, World, ask};

const GROUP_VERSION: &str = "/openapi/v3/apis/g.example.com/v1alpha1";

async fn get(world: &World, path: &str, headers: &[(&str, &str)]) -> Answered {
    let mut request = ask("GET", path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    world.send(request.body(Body::empty()).unwrap()).await
}

fn hash(body: &str) -> String {
    digest(&SHA512, body.as_bytes())
        .as_ref()
        .iter()
        .fold(String::new(), |hex, byte| format!("{hex}{byte:02X}"))
}

#[tokio::test]
async fn the_documents_have_their_tags() {
    let world = World::new();
    for path in ["/openapi/v2", "/openapi/v3", GROUP_VERSION] {
        let answer = get(&world, path, &[]).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}");
        assert_eq!(answer.header("content-type"), "application/json");
        assert_eq!(answer.header("cache-control"), "no-cache, private");
        assert_eq!(answer.header("vary"), if path == "/openapi/v3" { "" } else { "Accept" });
        let tag = format!("\"{}\"", hash(&answer.body));
        assert_eq!(answer.header("etag"), tag);
        for known in [&tag, &format!("W/{tag}"), &format!("\"x\", {tag}"), "*"] {
            let answer = get(&world, path, &[("if-none-match", known)]).await;
            assert_eq!(
                (answer.status, answer.body.as_str()),
                (StatusCode::NOT_MODIFIED, ""),
                "{path} {known}"
            );
            assert_eq!(answer.header("etag"), tag);
        }
        let stale = get(&world, path, &[("if-none-match", "\"x\"")]).await;
        assert_eq!(stale.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn json_is_what_there_is() {
    let world = World::new();
    for path in ["/openapi/v2", GROUP_VERSION] {
        for (accept, code) in [
            ("application/json", 200),
            ("application/json, */*", 200),
            ("application/com.github.proto-openapi.spec.v2@v1.0+protobuf, application/json;q=0.5", 200),
            ("application/com.github.proto-openapi.spec.v3.v1.0+protobuf", 406),
            ("application/yaml", 406),
            ("text/html", 406),
        ] {
            let answer = get(&world, path, &[("accept", accept)]).await;
            assert_eq!(answer.status.as_u16(), code, "{path} {accept}");
            assert_eq!(answer.header("vary"), "Accept");
            assert_eq!(answer.body.is_empty(), code == 406);
        }
    }
    assert_eq!(get(&world, "/openapi/v3", &[("accept", "text/html")]).await.status, StatusCode::OK);
}

/// kube-apiserver merges the keys of all backends: a key that is not ours would draw the requests for another's document
/// to us.
#[tokio::test]
async fn the_index_of_v3_has_our_key_alone() {
    let world = World::new();
    let document = get(&world, GROUP_VERSION, &[]).await;
    let url = format!("{GROUP_VERSION}?hash={}", hash(&document.body));
    let index = get(&world, "/openapi/v3", &[]).await.json();
    assert_eq!(index, json!({ "paths": { "apis/g.example.com/v1alpha1": { "serverRelativeURL": url } } }));

    let by_hash = get(&world, &url, &[]).await;
    assert_eq!((by_hash.status, &by_hash.body), (StatusCode::OK, &document.body));
    assert_eq!(by_hash.header("cache-control"), "public, immutable, max-age=31536000");
    let by_old_hash = get(&world, &format!("{GROUP_VERSION}?hash=00"), &[]).await;
    assert_eq!((by_old_hash.status, &by_old_hash.body), (StatusCode::OK, &document.body));
    assert_eq!(by_old_hash.header("cache-control"), "no-cache, private");
}

/// What `kubectl explain` and the merging of kube-apiserver look for.
#[tokio::test]
async fn the_documents_describe_the_resource() {
    let world = World::new();
    let gvk =
        json!({ "group": "webhook.acme.cert-manager.io", "version": "v1alpha1", "kind": "ChallengePayload" });
    for (path, schemas, prefix) in [
        ("/openapi/v2", "/definitions", "#/definitions/"),
        (GROUP_VERSION, "/components/schemas", "#/components/schemas/"),
    ] {
        let document = get(&world, path, &[]).await.json();
        let paths: BTreeSet<_> = document["paths"].as_object().unwrap().keys().collect();
        let prefixed = "/apis/g.example.com/v1alpha1/";
        assert!(paths.iter().all(|path| path.starts_with(prefixed)), "{paths:?}");
        let create = &document["paths"]["/apis/g.example.com/v1alpha1/cf"]["post"];
        assert_eq!(create["x-kubernetes-action"], "post");
        assert_eq!(create["x-kubernetes-group-version-kind"], gvk);
        assert_eq!(create["operationId"], "createGExampleComV1alpha1ChallengePayload");

        let schemas = document.pointer(schemas).unwrap().as_object().unwrap();
        let of_kind = |schema: &&Value| schema["x-kubernetes-group-version-kind"] == json!([gvk]);
        let payload = schemas.values().find(of_kind).expect("a schema of the kind");
        assert!(payload["properties"]["request"].is_object());
        let mut targets = BTreeSet::new();
        references(&document, &mut targets);
        let known = schemas.keys().map(|name| format!("{prefix}{name}")).collect();
        assert_eq!(targets, known, "each schema is referred to, and nothing else");
        for (name, schema) in schemas {
            assert!(schema["description"].is_string(), "{name}");
            for (field, schema) in schema["properties"].as_object().unwrap() {
                assert!(schema["description"].is_string(), "{name}.{field}");
            }
        }
    }
}

/// The fields of the schema are those of the wire.
#[tokio::test]
async fn the_schema_has_the_fields_of_an_answer() {
    let world = World::new();
    let document = get(&world, "/openapi/v2", &[]).await.json();
    let answer = world.post(super::world::payload("fail")).await.json();
    let has = |name: &str, value: &Value| {
        let schema = &document["definitions"][format!("io.cert-manager.acme.webhook.v1alpha1.{name}")];
        for field in value.as_object().unwrap().keys() {
            assert!(schema["properties"][field].is_object(), "{name}.{field}");
        }
    };
    has("ChallengePayload", &answer);
    has("ChallengeRequest", &answer["request"]);
    has("ChallengeResponse", &answer["response"]);
}

fn references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            found.extend(fields.get("$ref").map(|target| target.as_str().unwrap().to_owned()));
            fields.values().for_each(|value| references(value, found));
        }
        Value::Array(items) => items.iter().for_each(|value| references(value, found)),
        _ => {}
    }
}
