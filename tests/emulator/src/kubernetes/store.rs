//! The objects, and what happened to them.

use std::collections::{BTreeMap, HashMap, VecDeque};

use serde_json::{Value, json};

/// What is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names are those of the resources")]
pub enum Resource {
    Challenges,
    ConfigMaps,
    Secrets,
    SubjectAccessReviews,
    TokenReviews,
}

/// Something that happened to an object.
#[derive(Debug, Clone)]
pub(super) struct Change {
    pub(super) version: u64,
    /// ADDED, MODIFIED or DELETED.
    pub(super) kind: &'static str,
    pub(super) object: Value,
}

/// A kind's objects, by namespace and name, and its history.
#[derive(Debug, Default)]
struct Kind {
    objects: BTreeMap<(String, String), Value>,
    history: VecDeque<Change>,
    /// Up to here the history has been forgotten.
    forgotten: u64,
    /// Grows when open watches are to be cut off.
    cut: u64,
    watchers: usize,
}

impl Kind {
    /// Who is further behind than this has to list anew, as after etcd's compaction.
    fn remember(&mut self, change: Change) {
        if self.history.len() >= HISTORY_MAX
            && let Some(oldest) = self.history.pop_front()
        {
            self.forgotten = oldest.version;
        }
        self.history.push_back(change);
    }
}

#[derive(Debug, Default)]
pub(super) struct Store {
    version: u64,
    uids: u64,
    kinds: HashMap<Resource, Kind>,
}

impl Resource {
    /// `apiVersion` and `kind`.
    pub(super) fn types(self) -> (&'static str, &'static str) {
        match self {
            Self::Challenges => ("acme.cert-manager.io/v1", "Challenge"),
            Self::ConfigMaps => ("v1", "ConfigMap"),
            Self::Secrets => ("v1", "Secret"),
            Self::SubjectAccessReviews => ("authorization.k8s.io/v1", "SubjectAccessReview"),
            Self::TokenReviews => ("authentication.k8s.io/v1", "TokenReview"),
        }
    }

    /// As it stands in a path.
    pub(super) fn plural(self) -> &'static str {
        match self {
            Self::Challenges => "challenges",
            Self::ConfigMaps => "configmaps",
            Self::Secrets => "secrets",
            Self::SubjectAccessReviews => "subjectaccessreviews",
            Self::TokenReviews => "tokenreviews",
        }
    }
}

impl Store {
    pub(super) fn version(&self) -> u64 {
        self.version
    }

    pub(super) fn get(&self, resource: Resource, namespace: &str, name: &str) -> Option<&Value> {
        let key = (namespace.to_owned(), name.to_owned());
        self.kinds.get(&resource)?.objects.get(&key)
    }

    /// All of a kind, in the order of their keys.
    pub(super) fn list(&self, resource: Resource) -> impl Iterator<Item = &Value> {
        self.kinds.get(&resource).into_iter().flat_map(|kind| kind.objects.values())
    }

    /// Creates or replaces. What the server keeps (uid, times, version) is not the client's to set; one that is being
    /// deleted goes with its last finalizer.
    pub(super) fn put(&mut self, resource: Resource, mut object: Value) -> Value {
        self.version += 1;
        let (api_version, kind_name) = resource.types();
        object["apiVersion"] = api_version.into();
        object["kind"] = kind_name.into();
        let key = key(&object);
        let kind = self.kinds.entry(resource).or_default();
        let before = kind.objects.get(&key);
        if let Some(before) = before {
            for field in ["uid", "creationTimestamp", "deletionTimestamp"] {
                if let Some(value) = before["metadata"].get(field) {
                    object["metadata"][field] = value.clone();
                }
            }
        } else {
            self.uids += 1;
            object["metadata"]["uid"] = format!("00000000-0000-4000-8000-{:012}", self.uids).into();
            object["metadata"]["creationTimestamp"] = NOW.into();
        }
        object["metadata"]["resourceVersion"] = self.version.to_string().into();
        let deleting = object["metadata"].get("deletionTimestamp").is_some();
        let event = match before {
            Some(_) if deleting && !has_finalizers(&object) => "DELETED",
            Some(_) => "MODIFIED",
            None => "ADDED",
        };
        if event == "DELETED" {
            kind.objects.remove(&key);
        } else {
            kind.objects.insert(key, object.clone());
        }
        kind.remember(Change { version: self.version, kind: event, object: object.clone() });
        object
    }

    /// Deletes as a client does: with finalizers it is only marked.
    pub(super) fn delete(&mut self, resource: Resource, namespace: &str, name: &str) -> Option<Value> {
        let mut object = self.get(resource, namespace, name)?.clone();
        if !has_finalizers(&object) {
            return self.remove(resource, namespace, name);
        }
        let key = key(&object);
        object["metadata"]["deletionTimestamp"] = NOW.into();
        self.kinds.entry(resource).or_default().objects.insert(key, object.clone());
        Some(self.put(resource, object))
    }

    /// Deletes, finalizers or not.
    pub(super) fn remove(&mut self, resource: Resource, namespace: &str, name: &str) -> Option<Value> {
        let kind = self.kinds.entry(resource).or_default();
        let mut object = kind.objects.remove(&(namespace.to_owned(), name.to_owned()))?;
        self.version += 1;
        object["metadata"]["resourceVersion"] = self.version.to_string().into();
        kind.remember(Change { version: self.version, kind: "DELETED", object: object.clone() });
        Some(object)
    }

    /// What happened after a version; `None` if that has been forgotten.
    pub(super) fn since(&self, resource: Resource, version: u64) -> Option<Vec<Change>> {
        let Some(kind) = self.kinds.get(&resource) else {
            return Some(Vec::new());
        };
        let begin = kind.history.partition_point(|change| change.version <= version);
        (version >= kind.forgotten).then(|| kind.history.iter().skip(begin).cloned().collect())
    }

    pub(super) fn expire(&mut self, resource: Resource) {
        self.version += 1;
        let kind = self.kinds.entry(resource).or_default();
        kind.forgotten = self.version;
        kind.history.clear();
    }

    pub(super) fn cut(&mut self, resource: Resource) {
        self.kinds.entry(resource).or_default().cut += 1;
    }

    pub(super) fn cuts(&self, resource: Resource) -> u64 {
        self.kinds.get(&resource).map_or(0, |kind| kind.cut)
    }

    pub(super) fn watchers(&self, resource: Resource) -> usize {
        self.kinds.get(&resource).map_or(0, |kind| kind.watchers)
    }

    pub(super) fn watcher_came(&mut self, resource: Resource) {
        self.kinds.entry(resource).or_default().watchers += 1;
    }

    pub(super) fn watcher_left(&mut self, resource: Resource) {
        self.kinds.entry(resource).or_default().watchers -= 1;
    }
}

pub(super) fn key(object: &Value) -> (String, String) {
    let field = |name: &str| object["metadata"][name].as_str().unwrap_or_default().to_owned();
    (field("namespace"), field("name"))
}

/// `metadata.name=` and `metadata.namespace=`, the field selectors that every resource has.
pub(super) fn selected(object: &Value, selector: &str) -> bool {
    selector.split(',').filter_map(|term| term.split_once('=')).all(|(field, value)| {
        let field = field.strip_prefix("metadata.").unwrap_or(field);
        object["metadata"][field] == json!(value.trim_start_matches('='))
    })
}

fn has_finalizers(object: &Value) -> bool {
    object["metadata"]["finalizers"].as_array().is_some_and(|finalizers| !finalizers.is_empty())
}

/// Changes of a kind.
const HISTORY_MAX: usize = 10_000;

/// Nobody here reads the clock; a time that never changes keeps output comparable.
const NOW: &str = "2026-08-22T10:00:00Z";
