//! `OpenAPI` v2 and v3: what kube-apiserver merges into its own, and `kubectl explain` reads.
//!
//! Sources: `pkg/handler` and `pkg/handler3` of `k8s.io/kube-openapi` for the answers;
//! `pkg/controllers/openapi` and `openapiv3` of `k8s.io/kube-aggregator` for who asks.

use axum::body::Body;
use http::header::{CACHE_CONTROL, VARY};
use http::{HeaderMap, HeaderValue, Response};
use serde_json::{Map, Value, json};

use super::document::Document;
use super::failure::Failure;
use super::media::{Format, JSON, Reader, YAML};
use super::query::Query;
use super::status;
use super::wire::{GROUP, KIND, VERSION};

/// The documents.
#[derive(Debug)]
pub(super) struct OpenApi {
    v2: Document,
    /// Where the documents of v3 are. kube-apiserver sends whoever asks for one of these keys to us: the only one here
    /// is our own.
    v3_index: Document,
    v3: Document,
}

impl OpenApi {
    /// The documents of one group with one resource.
    pub(super) fn new(group: &str, solver: &str) -> Self {
        let v3 = Document::new(&v3(group, solver), "");
        let url = format!("/openapi/v3/apis/{group}/{VERSION}?hash={}", v3.hash());
        let index = json!({ "paths": { format!("apis/{group}/{VERSION}"): { "serverRelativeURL": url } } });
        Self { v2: Document::new(&v2(group, solver), ""), v3_index: Document::new(&index, ""), v3 }
    }

    /// `/openapi/v2`
    pub(super) fn v2(&self, reader: &Reader, headers: &HeaderMap) -> Result<Response<Body>, Failure> {
        negotiated(&self.v2, reader, headers)
    }

    /// `/openapi/v3`
    pub(super) fn v3_index(&self, headers: &HeaderMap) -> Response<Body> {
        self.v3_index.tagged(Format::Json, headers)
    }

    /// `/openapi/v3/apis/GROUP/v1alpha1`, for ever if it is asked for by its hash. Whoever asks by an old hash gets the
    /// document, too: the original redirects, which kube-apiserver takes for a broken backend.
    pub(super) fn v3(
        &self,
        reader: &Reader,
        query: &Query,
        headers: &HeaderMap,
    ) -> Result<Response<Body>, Failure> {
        let mut response = negotiated(&self.v3, reader, headers)?;
        if query.get("hash") == Some(self.v3.hash()) {
            response.headers_mut().insert(CACHE_CONTROL, FOR_EVER);
        }
        Ok(response)
    }
}

/// JSON is what every caller asks for; the original has it in protobuf, too.
fn negotiated(document: &Document, reader: &Reader, headers: &HeaderMap) -> Result<Response<Body>, Failure> {
    if !reader.reads_json() {
        return Err(status::no_such_document());
    }
    let mut response = document.tagged(Format::Json, headers);
    response.headers_mut().insert(VARY, HeaderValue::from_static("Accept"));
    Ok(response)
}

fn v2(group: &str, solver: &str) -> Value {
    let payload = Dialect::V2.reference();
    let body = json!({ "name": "body", "in": "body", "required": true, "schema": payload });
    let common = |operation: Value| {
        let mut operation = operation;
        operation["consumes"] = MEDIA_TYPES.into();
        operation["produces"] = MEDIA_TYPES.into();
        operation["schemes"] = json!(["https"]);
        operation
    };
    let resources = json!({ "200": { "description": "OK", "schema": { "type": "object" } } });
    let mut create = common(create(group));
    create["parameters"] = json!([body]);
    create["responses"] = json!({ "201": { "description": "Created", "schema": payload } });
    let parameters = PARAMETERS.map(
        |(name, text)| json!({ "name": name, "in": "query", "type": "string", "uniqueItems": true, "description": text }),
    );
    json!({
        "swagger": "2.0",
        "info": info(),
        "paths": {
            format!("/apis/{group}/{VERSION}/"): { "get": common(list(group, &resources)) },
            format!("/apis/{group}/{VERSION}/{solver}"): { "post": create, "parameters": parameters },
        },
        "definitions": schemas(Dialect::V2),
    })
}

fn v3(group: &str, solver: &str) -> Value {
    let content = |schema: &Value| -> Value {
        MEDIA_TYPES.map(|media| (media.to_owned(), json!({ "schema": schema }))).into_iter().collect()
    };
    let payload = content(&Dialect::V3.reference());
    let resources =
        json!({ "200": { "description": "OK", "content": content(&json!({ "type": "object" })) } });
    let mut create = create(group);
    create["requestBody"] = json!({ "content": payload, "required": true });
    create["responses"] = json!({ "201": { "description": "Created", "content": payload } });
    let parameters = PARAMETERS.map(|(name, text)| {
        json!({
            "name": name, "in": "query", "description": text,
            "schema": { "type": "string", "uniqueItems": true },
        })
    });
    json!({
        "openapi": "3.0.0",
        "info": info(),
        "paths": {
            format!("/apis/{group}/{VERSION}/"): { "get": list(group, &resources) },
            format!("/apis/{group}/{VERSION}/{solver}"): { "post": create, "parameters": parameters },
        },
        "components": { "schemas": schemas(Dialect::V3) },
    })
}

fn info() -> Value {
    json!({ "title": env!("CARGO_PKG_NAME"), "version": env!("CARGO_PKG_VERSION") })
}

fn list(group: &str, responses: &Value) -> Value {
    json!({
        "tags": [tag(group)],
        "description": "get available resources",
        "operationId": format!("get{}V1alpha1APIResources", camel(group)),
        "responses": responses,
    })
}

fn create(group: &str) -> Value {
    json!({
        "tags": [tag(group)],
        "description": "create a ChallengePayload: present or clean up the record of a challenge",
        "operationId": format!("create{}V1alpha1{KIND}", camel(group)),
        "x-kubernetes-action": "post",
        "x-kubernetes-group-version-kind": { "group": GROUP, "version": VERSION, "kind": KIND },
    })
}

/// `example.com` is `exampleCom_v1alpha1`.
fn tag(group: &str) -> String {
    let camel = camel(group);
    let first = camel.chars().next().unwrap_or_default().to_ascii_lowercase();
    format!("{first}{}_{VERSION}", camel.get(1..).unwrap_or_default())
}

/// `example.com` is `ExampleCom`.
fn camel(group: &str) -> String {
    let words = group.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.map(|word| word[..1].to_ascii_uppercase() + &word[1..]).collect()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dialect {
    V2,
    V3,
}

impl Dialect {
    /// To the payload.
    fn reference(self) -> Value {
        json!({ "$ref": format!("{}{PAYLOAD}", self.prefix()) })
    }

    fn prefix(self) -> &'static str {
        match self {
            Self::V2 => "#/definitions/",
            Self::V3 => "#/components/schemas/",
        }
    }
}

fn schemas(dialect: Dialect) -> Value {
    // A test reads them, too.
    let schemas: Map<String, Value> =
        serde_json::from_str(include_str!("openapi/schemas.json")).unwrap_or_default();
    schemas.into_iter().map(|(name, schema)| (name, localize(schema, dialect))).collect()
}

/// Completes the references. Beside one, v3 allows nothing: a description is put around it.
fn localize(schema: Value, dialect: Dialect) -> Value {
    let Value::Object(mut schema) = schema else {
        return schema;
    };
    if let Some(Value::String(name)) = schema.remove("$ref") {
        let target = Value::from(format!("{}{name}", dialect.prefix()));
        match dialect {
            Dialect::V2 => schema.insert("$ref".to_owned(), target),
            Dialect::V3 => schema.insert("allOf".to_owned(), json!([{ "$ref": target }])),
        };
    }
    schema.into_iter().map(|(key, value)| (key, localize(value, dialect))).collect()
}

const MEDIA_TYPES: [&str; 2] = [JSON, YAML];
const PAYLOAD: &str = "io.cert-manager.acme.webhook.v1alpha1.ChallengePayload";
const PARAMETERS: [(&str, &str); 3] = [
    (
        "fieldManager",
        "fieldManager is a name associated with the actor or entity that is making these changes. It is not kept.",
    ),
    (
        "fieldValidation",
        "fieldValidation instructs the server on how to handle unknown or duplicate fields: Ignore, Warn (the default) \
         with a warning header for each, or Strict, which fails the request.",
    ),
    (
        "pretty",
        "If 'true', then the output is pretty printed. Defaults to 'false' unless the user-agent indicates a browser or \
         command-line HTTP tool (curl and wget).",
    ),
];
/// A hash names its content.
const FOR_EVER: HeaderValue = HeaderValue::from_static("public, immutable, max-age=31536000");
