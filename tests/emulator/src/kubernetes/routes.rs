//! Paths and verbs.

use std::time::Duration;

use http::{Method, Request, Response};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde_json::{Value, json};

use super::Shared;
use super::reply::{CutOff, Reply, json, missing, status, text};
use super::store::{Resource, key, selected};
use super::switches::{Failure, Seen};
use super::watch::{self, Watch};

/// A path, taken apart.
struct Target {
    resource: Resource,
    /// Empty for all.
    namespace: String,
    /// Empty for the collection.
    name: String,
    subresource: String,
}

pub(super) async fn answer(shared: Shared, request: Request<Incoming>) -> Result<Response<Reply>, CutOff> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| CutOff)?.to_bytes();
    let path = parts.uri.path();
    let query = parts.uri.query().unwrap_or_default();
    let seen = Seen {
        method: parts.method.to_string(),
        path: path.to_owned(),
        query: form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
        body: serde_json::from_slice(&body).unwrap_or_default(),
    };
    let Some(target) = target(path) else {
        return Ok(text(404, "text/plain", "404 page not found\n".to_owned()));
    };
    match shared.change(|state| state.switches.enter(target.resource, seen.clone())) {
        None => Ok(serve(&shared, &parts.method, target, seen)),
        Some(failure) => fail(failure, &target).await,
    }
}

async fn fail(failure: Failure, target: &Target) -> Result<Response<Reply>, CutOff> {
    let plural = target.resource.plural();
    Ok(match failure {
        Failure::Cut => return Err(CutOff),
        Failure::Forbidden => {
            let message = format!("{plural} is forbidden: User \"stand-in\" cannot do that");
            json(403, &status(403, "Forbidden", &message))
        }
        Failure::Hang => std::future::pending().await,
        Failure::Status(code) => json(code, &status(code, "", "failed on demand")),
        Failure::Text(code, body) => text(code, "text/html", body),
        Failure::Unknown => text(404, "text/plain", "404 page not found\n".to_owned()),
    })
}

fn serve(shared: &Shared, method: &Method, target: Target, seen: Seen) -> Response<Reply> {
    let Target { resource, namespace, name, subresource } = target;
    match resource {
        Resource::TokenReviews => return json(201, &shared.state().reviews.token(seen.body)),
        Resource::SubjectAccessReviews => return json(201, &shared.state().reviews.access(seen.body)),
        Resource::Challenges | Resource::ConfigMaps | Resource::Secrets => {}
    }
    match (method.as_str(), name.is_empty()) {
        // As a server without streaming lists, whose clients then list and watch apart.
        ("GET", true) if seen.flag("sendInitialEvents") => {
            json(422, &status(422, "Invalid", "sendInitialEvents is forbidden for watch"))
        }
        ("GET", true) if seen.flag("watch") => {
            let watch = Watch {
                resource,
                namespace,
                selector: seen.value("fieldSelector").to_owned(),
                since: seen.value("resourceVersion").parse().unwrap_or_default(),
                bookmarks: seen.flag("allowWatchBookmarks"),
                limit: Duration::from_secs(seen.value("timeoutSeconds").parse().unwrap_or(300)),
            };
            watch::open(shared.clone(), watch)
        }
        ("GET", true) => list(shared, resource, &namespace, &seen),
        ("GET", false) => match shared.state().store.get(resource, &namespace, &name) {
            Some(object) => json(200, object),
            None => missing(resource, &name),
        },
        ("POST", true) => shared.change(|state| {
            let mut object = seen.body;
            object["metadata"]["namespace"] = namespace.as_str().into();
            // A status is not a client's to create.
            object.as_object_mut().map(|fields| fields.remove("status"));
            let (_, name) = key(&object);
            if state.store.get(resource, &namespace, &name).is_some() {
                let message = format!("{} \"{name}\" already exists", resource.plural());
                return json(409, &status(409, "AlreadyExists", &message));
            }
            json(201, &state.store.put(resource, object))
        }),
        ("PUT", false) => shared.change(|state| {
            let Some(before) = state.store.get(resource, &namespace, &name) else {
                return missing(resource, &name);
            };
            let version = &seen.body["metadata"]["resourceVersion"];
            if !version.is_null() && *version != before["metadata"]["resourceVersion"] {
                let message = "the object has been modified; please apply your changes to the latest version";
                return json(409, &status(409, "Conflict", message));
            }
            let object = updated(before, seen.body, &subresource);
            json(200, &state.store.put(resource, object))
        }),
        ("DELETE", false) => match shared.change(|state| state.store.delete(resource, &namespace, &name)) {
            Some(object) => json(200, &object),
            None => missing(resource, &name),
        },
        _ => json(405, &status(405, "MethodNotAllowed", "not served by this stand-in")),
    }
}

/// The status belongs to its subresource, all else to the object itself; only Challenges have the two apart.
fn updated(before: &Value, mut object: Value, subresource: &str) -> Value {
    if subresource == "status" {
        let mut result = before.clone();
        result["status"] = object["status"].take();
        return result;
    }
    if let Some(status) = before.get("status") {
        object["status"] = status.clone();
    }
    object
}

fn list(shared: &Shared, resource: Resource, namespace: &str, seen: &Seen) -> Response<Reply> {
    let state = shared.state();
    let wanted = |object: &&Value| {
        (namespace.is_empty() || object["metadata"]["namespace"] == namespace)
            && selected(object, seen.value("fieldSelector"))
    };
    let all: Vec<&Value> = state.store.list(resource).filter(wanted).collect();
    // A continue token is where the next page begins; pages of a list that changes in between are not consistent here.
    let from = seen.value("continue").parse().unwrap_or(0).min(all.len());
    let limit = seen.value("limit").parse().unwrap_or(usize::MAX).max(1);
    let to = all.len().min(from.saturating_add(limit));
    let mut metadata = json!({"resourceVersion": state.store.version().to_string()});
    if to < all.len() {
        metadata["continue"] = to.to_string().into();
    }
    let (api_version, kind) = resource.types();
    json(
        200,
        &json!({
            "apiVersion": api_version, "kind": format!("{kind}List"), "metadata": metadata, "items": &all[from..to],
        }),
    )
}

fn target(path: &str) -> Option<Target> {
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    let (group, rest) = match parts.as_slice() {
        ["api", "v1", rest @ ..] => ("", rest),
        ["apis", group, "v1", rest @ ..] => (*group, rest),
        _ => return None,
    };
    let (namespace, rest) = match rest {
        ["namespaces", namespace, rest @ ..] if !rest.is_empty() => (*namespace, rest),
        rest => ("", rest),
    };
    let resource = match (group, *rest.first()?) {
        ("", "secrets") => Resource::Secrets,
        ("", "configmaps") => Resource::ConfigMaps,
        ("acme.cert-manager.io", "challenges") => Resource::Challenges,
        ("authentication.k8s.io", "tokenreviews") => Resource::TokenReviews,
        ("authorization.k8s.io", "subjectaccessreviews") => Resource::SubjectAccessReviews,
        _ => return None,
    };
    let part = |index: usize| rest.get(index).copied().unwrap_or_default().to_owned();
    Some(Target { resource, namespace: namespace.to_owned(), name: part(1), subresource: part(2) })
}

impl Seen {
    /// A parameter's value; empty if it is not there.
    pub fn value(&self, parameter: &str) -> &str {
        let found = self.query.iter().find(|(name, _)| name == parameter);
        found.map_or("", |(_, value)| value)
    }

    /// Whether a parameter is true.
    pub fn flag(&self, parameter: &str) -> bool {
        self.value(parameter) == "true"
    }
}
