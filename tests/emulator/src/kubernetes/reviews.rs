//! `TokenReview` and `SubjectAccessReview`, answered as told.

use std::collections::HashMap;
use std::fmt;

use serde_json::{Value, json};

/// The answer to a `SubjectAccessReview`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// `allowed`.
    Allowed,
    /// `denied`, with a reason.
    Denied(String),
    /// Neither, with a reason.
    NoOpinion(String),
}

type Judge = Box<dyn Fn(&Value) -> Verdict + Send>;

#[derive(Default)]
pub(super) struct Reviews {
    tokens: HashMap<String, Value>,
    verdict: Option<Judge>,
}

impl Reviews {
    pub(super) fn know(&mut self, token: &str, user: Value) {
        self.tokens.insert(token.to_owned(), user);
    }

    pub(super) fn authorize(&mut self, verdict: impl Fn(&Value) -> Verdict + Send + 'static) {
        self.verdict = Some(Box::new(verdict));
    }

    /// The review with its status.
    pub(super) fn token(&self, mut review: Value) -> Value {
        let token = review["spec"]["token"].as_str().unwrap_or_default();
        review["status"] = match self.tokens.get(token) {
            Some(user) => json!({"authenticated": true, "user": user}),
            None => json!({"user": {}}),
        };
        review
    }

    /// The review with its status.
    pub(super) fn access(&self, mut review: Value) -> Value {
        let nobody_cares = Verdict::NoOpinion(String::new());
        let verdict = self.verdict.as_ref().map(|verdict| verdict(&review["spec"]));
        review["status"] = match verdict.unwrap_or(nobody_cares) {
            Verdict::Allowed => json!({"allowed": true}),
            Verdict::Denied(reason) => json!({"allowed": false, "denied": true, "reason": reason}),
            Verdict::NoOpinion(reason) => json!({"allowed": false, "reason": reason}),
        };
        review
    }
}

impl fmt::Debug for Reviews {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reviews")
    }
}
