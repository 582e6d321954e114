//! A scripted exchange for tests: each call must be the next of the script, and each of the script must be called.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::{Value, json};
use tokio_util::task::TaskTracker;

use super::Cloudflare;
use super::exchange::{Answer, Call, Exchange, ExchangeError};
use crate::deadline::Deadline;
use crate::metrics::{CallLabels, Endpoint, Metrics, Outcome};
use crate::name::Fqdn;
use crate::secret::{Credential, Secret};
use crate::solver::port::Zone;

/// What is expected and what it gets.
pub(super) struct Step {
    call: String,
    credential: Option<Credential>,
    delay: Duration,
    answer: Result<Answer, ExchangeError>,
}

impl Step {
    /// `call` is method and path, e.g. `GET /zones?name=…`.
    pub(super) fn new(call: impl Into<String>, answer: impl Into<Result<Answer, ExchangeError>>) -> Self {
        Self { call: call.into(), credential: None, delay: Duration::ZERO, answer: answer.into() }
    }

    pub(super) fn after(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    pub(super) fn by(mut self, credential: &Credential) -> Self {
        self.credential = Some(credential.clone());
        self
    }
}

impl From<Answer> for Result<Answer, ExchangeError> {
    fn from(answer: Answer) -> Self {
        Ok(answer)
    }
}

impl From<ExchangeError> for Result<Answer, ExchangeError> {
    fn from(error: ExchangeError) -> Self {
        Err(error)
    }
}

#[derive(Default)]
pub(super) struct Script {
    steps: Mutex<VecDeque<Step>>,
    /// Calls that were not the next: a task may make one that nobody waits for.
    unexpected: Mutex<Vec<String>>,
    bodies: Mutex<Vec<Value>>,
}

impl Script {
    /// An adapter over this script, and the script.
    pub(super) fn start(steps: impl IntoIterator<Item = Step>) -> (Cloudflare<Arc<Self>>, Arc<Self>) {
        let script = Arc::new(Self::default());
        script.add_all(steps);
        (Cloudflare::over(Arc::clone(&script), Metrics::new().0, TaskTracker::new()), script)
    }

    pub(super) fn add(&self, step: Step) {
        self.steps.lock().unwrap().push_back(step);
    }

    pub(super) fn add_all(&self, steps: impl IntoIterator<Item = Step>) {
        self.steps.lock().unwrap().extend(steps);
    }

    /// The bodies sent, in order.
    pub(super) fn bodies(&self) -> Vec<Value> {
        self.bodies.lock().unwrap().clone()
    }
}

impl Exchange for Script {
    async fn send(&self, credential: &Credential, call: &Call) -> Result<Answer, ExchangeError> {
        let sent = format!("{} {}", call.method, call.path);
        let is_by = |expected: &Credential| expected.id() == credential.id();
        let is_this = |step: &mut Step| step.call == sent && step.credential.as_ref().is_none_or(is_by);
        let step = self.steps.lock().unwrap().pop_front_if(is_this);
        let Some(step) = step else {
            let expected = self.steps.lock().unwrap().front().map(|step| step.call.clone());
            let unexpected = format!("{sent} by {:?} in place of {expected:?}", credential.id());
            self.unexpected.lock().unwrap().push(unexpected.clone());
            panic!("unexpected call: {unexpected}");
        };
        if let Some(body) = &call.body {
            self.bodies.lock().unwrap().push(serde_json::from_slice(body).unwrap());
        }
        tokio::time::sleep(step.delay).await;
        step.answer
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let left: Vec<_> = self.steps.get_mut().unwrap().iter().map(|s| s.call.clone()).collect();
            let unexpected = self.unexpected.get_mut().unwrap();
            assert!(
                left.is_empty() && unexpected.is_empty(),
                "never called: {left:?}; unexpected: {unexpected:?}"
            );
        }
    }
}

/// 200, a success with this result.
pub(super) fn ok(result: &Value) -> Answer {
    let body = json!({"result": result, "success": true, "errors": [], "messages": []});
    answer(200, "application/json", &body.to_string())
}

/// A failure in the DNS service's form.
pub(super) fn refusal(status: u16, code: u32, message: &str) -> Answer {
    let errors = json!([{"code": code, "message": message}]);
    let body = json!({"result": null, "success": false, "errors": errors, "messages": []});
    answer(status, "application/json", &body.to_string())
}

pub(super) fn html(status: u16) -> Answer {
    let page = "<!DOCTYPE html><title>520: Web server is returning an unknown error</title>";
    answer(status, "text/html; charset=UTF-8", page)
}

pub(super) fn answer(status: u16, content_type: &'static str, body: &str) -> Answer {
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static(content_type));
    headers.insert("cf-ray", HeaderValue::from_static("86610873f8d987a9-IAD"));
    headers.insert("date", HeaderValue::from_static("Fri, 24 May 2024 09:43:37 GMT"));
    Answer { status: StatusCode::from_u16(status).unwrap(), headers, body: body.as_bytes().to_vec() }
}

/// 200 with these rate limit headers.
pub(super) fn limited(limit: &str, policies: &str) -> Answer {
    let mut answer = ok(&Value::Null);
    for (name, text) in [("ratelimit", limit), ("ratelimit-policy", policies)] {
        answer.headers.insert(name, HeaderValue::from_str(text).unwrap());
    }
    answer
}

pub(super) fn lost() -> ExchangeError {
    ExchangeError::Lost("connection reset by peer".to_owned())
}

pub(super) fn unsent() -> ExchangeError {
    ExchangeError::Unsent("connection refused".to_owned())
}

/// No answer until whoever asked has gone.
pub(super) const NEVER: Duration = Duration::from_hours(24);

pub(super) fn token(text: &str) -> Credential {
    Credential::Token(Secret::parse(text.as_bytes()).unwrap())
}

pub(super) fn fqdn(text: &str) -> Fqdn {
    Fqdn::parse(text).unwrap()
}

pub(super) fn soon() -> Deadline {
    Deadline::within(Duration::from_secs(45))
}

/// An id, 32 times the same digit.
pub(super) fn id(digit: char) -> String {
    digit.to_string().repeat(32)
}

/// example.com, found by the API.
pub(super) fn example() -> Zone {
    Zone {
        id: id('a'),
        name: fqdn("example.com"),
        name_servers: vec![fqdn("ada.ns.cloudflare.com"), fqdn("bob.ns.cloudflare.com")],
    }
}

pub(super) fn count<X>(cloudflare: &Cloudflare<X>, endpoint: Endpoint, outcome: Outcome) -> u64 {
    let calls = &cloudflare.api.metrics.cloudflare_calls;
    calls.get_or_create(&CallLabels { endpoint, outcome }).get()
}
