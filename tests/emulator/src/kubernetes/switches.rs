//! Failures on demand, and the requests so far.

use std::collections::HashMap;

use serde_json::Value;

use super::store::Resource;

/// How a request fails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// The connection is closed without an answer.
    Cut,
    /// 403, as RBAC says it.
    Forbidden,
    /// No answer at all.
    Hang,
    /// A `metav1.Status` with this code.
    Status(u16),
    /// This code and this text, which need not be JSON.
    Text(u16, String),
    /// 404, as for a resource whose definition is not installed.
    Unknown,
}

/// A request that came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// GET, POST, …
    pub method: String,
    /// The path.
    pub path: String,
    /// The query, decoded.
    pub query: Vec<(String, String)>,
    /// The body; null if there was none.
    pub body: Value,
}

#[derive(Debug, Default)]
pub(super) struct Switches {
    failures: HashMap<Resource, (Failure, Option<usize>)>,
    seen: Vec<(Resource, Seen)>,
}

impl Switches {
    pub(super) fn fail(&mut self, resource: Resource, failure: Failure, times: Option<usize>) {
        self.failures.insert(resource, (failure, times));
    }

    pub(super) fn heal(&mut self, resource: Resource) {
        self.failures.remove(&resource);
    }

    /// Takes a request down; says how it is to fail.
    pub(super) fn enter(&mut self, resource: Resource, seen: Seen) -> Option<Failure> {
        self.seen.push((resource, seen));
        let (failure, times) = self.failures.get_mut(&resource)?;
        let failure = failure.clone();
        if let Some(left) = times {
            *left -= 1;
            if *left == 0 {
                self.failures.remove(&resource);
            }
        }
        Some(failure)
    }

    pub(super) fn seen(&self, resource: Resource) -> Vec<Seen> {
        let requests = self.seen.iter().filter(|(of, _)| *of == resource);
        requests.map(|(_, seen)| seen.clone()).collect()
    }
}
