//! List and watch without an end: whatever breaks, it begins anew with a list, after a pause that grows.
//!
//! kube's own watcher resumes a broken watch by itself, but says nothing when that succeeded. Who follows here must
//! know whether what he has seen is all there is, so any failure ends the watch and only a complete list makes up for
//! it. A stream that ends, on time (`timeoutSeconds`) or broken off, is no failure: kube resumes it where it was, and
//! nothing is missed, though it may come late.

use std::fmt;
use std::fmt::Debug;
use std::pin::pin;
use std::time::Duration;

use futures::StreamExt;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Resource};
use serde::de::DeserializeOwned;

use super::call::chain;

/// The pauses between attempts: the first, doubled up to the last.
#[derive(Debug, Clone, Copy)]
pub struct Pauses {
    /// After the first failure.
    pub first: Duration,
    /// The longest.
    pub last: Duration,
}

impl Default for Pauses {
    fn default() -> Self {
        Self { first: Duration::from_millis(500), last: Duration::from_secs(30) }
    }
}

/// Who follows a kind of object.
pub(super) trait Follower<K> {
    /// What happened; `false` ends the watch as a failure would.
    fn event(&mut self, event: Event<K>) -> bool;

    /// The watch broke; until the next [`Event::InitDone`] what is known may be old.
    fn lost(&mut self, why: &Lost);
}

/// Why nothing can be watched at the moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Lost {
    /// The right to list or watch is missing.
    Forbidden,
    /// The API server does not know this kind of object.
    Missing,
    /// The API server is not there, or not well.
    Unavailable(String),
    /// Nothing is wrong; what was seen is too old to be continued (410).
    Expired,
}

/// One stable text, but for what is [`Lost::Unavailable`].
impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Forbidden => f.write_str("the right to list and watch is missing"),
            Self::Missing => f.write_str("the API server does not serve this resource"),
            Self::Unavailable(why) => f.write_str(why),
            Self::Expired => f.write_str("the watch is too old to be continued"),
        }
    }
}

/// Follows for ever.
pub(super) async fn follow<K>(
    api: Api<K>,
    config: watcher::Config,
    pauses: Pauses,
    follower: &mut impl Follower<K>,
) where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
{
    let config = config.timeout(WATCH_SECONDS);
    let mut pause = pauses.first;
    loop {
        let mut events = pin!(watcher(api.clone(), config.clone()));
        while let Some(event) = events.next().await {
            match event {
                Ok(event) => {
                    if matches!(event, Event::InitDone) {
                        pause = pauses.first;
                    }
                    if !follower.event(event) {
                        break;
                    }
                }
                Err(error) => {
                    follower.lost(&classify(&error));
                    break;
                }
            }
        }
        tokio::time::sleep(pause).await;
        pause = pauses.last.min(pause * 2);
    }
}

fn classify(error: &watcher::Error) -> Lost {
    use watcher::Error::{InitialListFailed, NoResourceVersion, WatchError, WatchFailed, WatchStartFailed};
    let status = match error {
        InitialListFailed(kube::Error::Api(status))
        | WatchStartFailed(kube::Error::Api(status))
        | WatchFailed(kube::Error::Api(status))
        | WatchError(status) => status,
        InitialListFailed(_) | WatchStartFailed(_) | WatchFailed(_) | NoResourceVersion => {
            return Lost::Unavailable(chain(error));
        }
    };
    match status.code {
        403 => Lost::Forbidden,
        404 => Lost::Missing,
        410 => Lost::Expired,
        code => Lost::Unavailable(format!("HTTP status {code} ({})", status.reason)),
    }
}

/// How long the server keeps a watch open. kube gives a silent connection five seconds more: a peer that vanished
/// is noticed after this time, not after the five minutes of the default.
pub(super) const WATCH_SECONDS: u32 = 60;
