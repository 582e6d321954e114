//! What Cloudflare answers, or whoever poses as it: whatever comes, each call comes to an end in time, no answer chooses what is
//! called next, and an error is a line that has nothing of the answer and nothing of the token in it.
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
    async fn send(&self, _: &Credential, call: &Call) -> Result<Answer, ExchangeError> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/_?&=.-".contains(&byte);
        assert!(call.path.bytes().all(is_plain) && !call.path.contains(".."), "{call:?}");
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

/// What is asked. One thing in each input, so that many are tried in a second; what one answer means for the next call is for the
/// simulation.
#[derive(Clone, Copy)]
enum Ask {
    Zone,
    Create,
    List,
    Delete,
    Batch,
}

/// The first byte is a digit: from 0 what is asked, from 5 the same with time for repeats.
fn asked(data: &[u8]) -> (Ask, Deadline, &[u8]) {
    let (first, answers) = data.split_first().unwrap_or((&b'0', &[]));
    let digit = usize::from(first.wrapping_sub(b'0')) % (2 * ASKS.len());
    let time = if digit < ASKS.len() { HURRY } else { PATIENCE };
    (ASKS[digit % ASKS.len()], Deadline::within(time), answers)
}

fuzz_target!(|data: &[u8]| {
    RUNTIME.block_on(async {
        let (ask, deadline, answers) = asked(data);
        let mut answers: Vec<_> = answers.split(|byte| *byte == 0).map(answer).collect();
        answers.reverse();
        let credential = Credential::Token(Secret::parse(TOKEN.as_bytes()).unwrap());
        let work = TaskTracker::new();
        let answers = Arc::new(Answers(Mutex::new(answers)));
        let cloudflare = Cloudflare::over(Arc::clone(&answers), Arc::clone(&METRICS), work.clone());
        let fqdn = Fqdn::parse("_acme-challenge.www.example.com").unwrap();
        let zone = Zone {
            id: "9a7806061c88ada191ed06f989cc3dac".to_owned(),
            name: Fqdn::parse("example.com").unwrap(),
            name_servers: Vec::new(),
        };
        let record = |value| NewRecord {
            value: TxtValue::parse(value).unwrap(),
            ttl: 60,
            comment: "a comment".to_owned(),
        };
        let create = |value| held(cloudflare.create(&credential, &zone, &fqdn, record(value), deadline));
        let doomed = Doomed { fqdn: &fqdn, value: VALUE, id: "023e105f4ecef8ad9ca31a8372d0c353" };
        let delete = held(cloudflare.delete(&credential, &zone, doomed, deadline));
        match ask {
            Ask::Zone => {
                let found = held(cloudflare.zone(&credential, &fqdn, None, deadline)).await;
                let is_ours = |zone: &Zone| is_id(&zone.id) && fqdn.as_str().ends_with(zone.name.as_str());
                assert!(found.as_ref().is_none_or(is_ours), "{found:?}");
            }
            Ask::Create => drop(create(VALUE).await),
            Ask::List => {
                let listed = held(cloudflare.list(&credential, &zone, &fqdn, deadline)).await;
                let listed = listed.unwrap_or_default();
                assert!(
                    listed.iter().all(|record| is_id(&record.id)),
                    "what is no id is in no URL: {listed:?}"
                );
            }
            Ask::Delete => drop(delete.await),
            Ask::Batch => drop(tokio::join!(create(ANOTHER), create(A_THIRD), delete)),
        }
        // What is to go is tried for as long as Cloudflare takes no calls: let it say no for good.
        *answers.0.lock().expect("no panic before") = vec![answer(b"f")];
        work.close();
        timeout(LONGEST_WORK, work.wait()).await.expect("a write goes on for ever");
    });
});

fn is_id(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

const ASKS: [Ask; 5] = [Ask::Zone, Ask::Create, Ask::List, Ask::Delete, Ask::Batch];
const TOKEN: &str = "token-of-the-fuzzer-0123456789abcdefghij";
const VALUE: &str = "LPJNul-wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ";
const ANOTHER: &str = "LoqXcYV8q5ONbJQxbmR7SCTNo3tiAXDfowyjxAjEuX0";
const A_THIRD: &str = "9jg46WB3rR_AHD-EBXdN7cBkH1WOu0tA3M9fm21mqTI";
/// Long enough for every repetition.
const PATIENCE: Duration = Duration::from_secs(6);
/// More than the hour for which Cloudflare may refuse all calls.
const LONGEST_WORK: Duration = Duration::from_hours(2);
/// Too short for one.
const HURRY: Duration = Duration::from_millis(100);
