//! What Cloudflare answers, or whoever poses as it: whatever comes, each call comes to an end in time, and an error is a line that
//! has nothing of the answer and nothing of the token in it.
#![no_main]

use std::fmt::Debug;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use cert_manager_webhook_cloudflare::challenge::TxtValue;
use cert_manager_webhook_cloudflare::cloudflare::{Answer, Call, Cloudflare, Exchange, ExchangeError};
use cert_manager_webhook_cloudflare::deadline::Deadline;
use cert_manager_webhook_cloudflare::metrics::Metrics;
use cert_manager_webhook_cloudflare::name::Fqdn;
use cert_manager_webhook_cloudflare::secret::{Credential, Secret};
use cert_manager_webhook_cloudflare::solver::error::Error;
use cert_manager_webhook_cloudflare::solver::port::{Doomed, NewRecord, Records, Zone};
use http::{HeaderMap, HeaderValue, StatusCode};
use libfuzzer_sys::fuzz_target;
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

static METRICS: LazyLock<Arc<Metrics>> = LazyLock::new(|| Metrics::new().0);
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime")
});

/// Answers one after another, and the last one again and again: each is a letter for the status, a line for the headers that are
/// read, and the body; a zero byte ends it.
struct Answers(Mutex<Vec<Answer>>);

impl Exchange for Answers {
    async fn send(&self, _: &Credential, _: &Call) -> Result<Answer, ExchangeError> {
        let mut answers = self.0.lock().expect("no panic before");
        let next = if answers.len() > 1 { answers.pop() } else { answers.last().cloned() };
        next.ok_or(ExchangeError::TooLong)
    }
}

fn answer(bytes: &[u8]) -> Answer {
    let (&status, rest) = bytes.split_first().unwrap_or((&b'2', &[]));
    let status = match status {
        b'3' => StatusCode::FOUND,
        b'4' => StatusCode::BAD_REQUEST,
        b'5' => StatusCode::BAD_GATEWAY,
        b'9' => StatusCode::TOO_MANY_REQUESTS,
        b'f' => StatusCode::FORBIDDEN,
        b'n' => StatusCode::NOT_FOUND,
        _ => StatusCode::OK,
    };
    let (line, body) = rest.split_at(rest.iter().position(|byte| *byte == b'\n').unwrap_or(0));
    let mut headers = HeaderMap::new();
    if let Ok(value) = HeaderValue::from_bytes(line) {
        for name in ["ratelimit", "ratelimit-policy", "retry-after", "date", "cf-ray"] {
            headers.insert(name, value.clone());
        }
    }
    Answer { status, headers, body: body.to_vec() }
}

/// Ends within its deadline, and says no more than it may.
async fn held<T: Debug>(call: impl Future<Output = Result<T, Error>>) -> Option<T> {
    let ended =
        timeout(PATIENCE + Duration::from_secs(1), call).await.expect("a call goes on after its deadline");
    ended
        .inspect_err(|error| {
            let text = error.to_string();
            assert!(text.len() <= 400 && !text.contains(char::is_control), "{text:?}");
            assert!(!format!("{error:?}").contains(TOKEN), "{error:?}");
        })
        .ok()
}

/// What is asked: by the byte in front one call that is not repeated, which is many times as quick, or with an `a` each upon
/// the other, with patience.
fn asked(data: &[u8]) -> (Option<u8>, &[u8]) {
    let (first, answers) = data.split_first().unwrap_or((&0, &[]));
    let only = (*first != b'a').then(|| CALLS[usize::from(*first) % CALLS.len()]);
    (only, answers)
}

fuzz_target!(|data: &[u8]| {
    let (only, answers) = asked(data);
    let mut answers: Vec<_> = answers.split(|byte| *byte == 0).map(answer).collect();
    answers.reverse();
    let is_asked = |call| only.is_none_or(|only| only == call);
    let deadline = || Deadline::within(if only.is_some() { HURRY } else { PATIENCE });
    RUNTIME.block_on(async {
        let credential = Credential::Token(Secret::parse(TOKEN.as_bytes()).unwrap());
        let work = TaskTracker::new();
        let cloudflare =
            Cloudflare::over(Arc::new(Answers(Mutex::new(answers))), Arc::clone(&METRICS), work.clone());
        let fqdn = Fqdn::parse("_acme-challenge.www.example.com").unwrap();
        let mut zone = Zone {
            id: "9a7806061c88ada191ed06f989cc3dac".to_owned(),
            name: Fqdn::parse("example.com").unwrap(),
            name_servers: Vec::new(),
        };
        if is_asked(b'z')
            && let Some(found) = held(cloudflare.zone(&credential, &fqdn, None, deadline())).await
        {
            assert!(found.id.len() == 32 && fqdn.as_str().ends_with(found.name.as_str()), "{found:?}");
            zone = found;
        }
        if is_asked(b'c') {
            let value = TxtValue::parse(VALUE).unwrap();
            let record = NewRecord { value, ttl: 60, comment: "a comment".to_owned() };
            held(cloudflare.create(&credential, &zone, &fqdn, record, deadline())).await;
        }
        let mut id = "023e105f4ecef8ad9ca31a8372d0c353".to_owned();
        if is_asked(b'l') {
            let listed = held(cloudflare.list(&credential, &zone, &fqdn, deadline())).await;
            for record in listed.into_iter().flatten() {
                assert_eq!(record.id.len(), 32, "an id that is none is in no URL: {record:?}");
                id = record.id;
            }
        }
        if is_asked(b'd') {
            let doomed = Doomed { fqdn: &fqdn, value: VALUE, id: &id };
            held(cloudflare.delete(&credential, &zone, doomed, deadline())).await;
        }
        work.close();
    });
});

/// Zone, create, list, delete.
const CALLS: [u8; 4] = [b'z', b'c', b'l', b'd'];
const TOKEN: &str = "token-of-the-fuzzer-0123456789abcdefghij";
const VALUE: &str = "LPJNul-wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ";
/// Long enough for every repetition.
const PATIENCE: Duration = Duration::from_secs(6);
/// Too short for one.
const HURRY: Duration = Duration::from_millis(100);
