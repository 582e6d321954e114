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
        timeout(BUDGET + Duration::from_secs(1), call).await.expect("a call goes on after its deadline");
    ended
        .inspect_err(|error| {
            let text = error.to_string();
            assert!(text.len() <= 400 && !text.contains(char::is_control), "{text:?}");
            assert!(!format!("{error:?}").contains(TOKEN), "{error:?}");
        })
        .ok()
}

fuzz_target!(|data: &[u8]| {
    let mut answers: Vec<_> = data.split(|byte| *byte == 0).map(answer).collect();
    answers.reverse();
    RUNTIME.block_on(async {
        let credential = Credential::Token(Secret::parse(TOKEN.as_bytes()).unwrap());
        let work = TaskTracker::new();
        let cloudflare =
            Cloudflare::over(Arc::new(Answers(Mutex::new(answers))), Arc::clone(&METRICS), work.clone());
        let fqdn = Fqdn::parse("_acme-challenge.www.example.com").unwrap();
        let deadline = || Deadline::within(BUDGET);
        let found = held(cloudflare.zone(&credential, &fqdn, None, deadline())).await;
        if let Some(zone) = &found {
            assert!(zone.id.len() == 32 && fqdn.as_str().ends_with(zone.name.as_str()), "{zone:?}");
        }
        let zone = found.unwrap_or_else(|| Zone {
            id: "9a7806061c88ada191ed06f989cc3dac".to_owned(),
            name: Fqdn::parse("example.com").unwrap(),
            name_servers: Vec::new(),
        });
        let value = TxtValue::parse(VALUE).unwrap();
        let record = NewRecord { value, ttl: 60, comment: "a comment".to_owned() };
        held(cloudflare.create(&credential, &zone, &fqdn, record, deadline())).await;
        let listed = held(cloudflare.list(&credential, &zone, &fqdn, deadline())).await.unwrap_or_default();
        for record in &listed {
            assert_eq!(record.id.len(), 32, "an id that is none is in no URL: {record:?}");
        }
        let id = listed.first().map_or("023e105f4ecef8ad9ca31a8372d0c353", |record| &record.id);
        held(cloudflare.delete(&credential, &zone, Doomed { fqdn: &fqdn, value: VALUE, id }, deadline()))
            .await;
        work.close();
    });
});

const TOKEN: &str = "token-of-the-fuzzer-0123456789abcdefghij";
const VALUE: &str = "LPJNul-wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ";
/// Long enough for every repetition.
const BUDGET: Duration = Duration::from_secs(6);
