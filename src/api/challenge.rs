//! `POST` of a `ChallengePayload`.
//!
//! The steps come in the order of `pkg/endpoints/handlers/create.go`: Accept, Content-Type, options, body, payload,
//! solver.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::Request;
use futures::StreamExt;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, Response};
use tokio::time;
use tracing::{Instrument, Span, error, warn};

use super::accept::{Form, forms};
use super::wire::{Answered, decode};
use super::{Answer, Api, route, status};
use crate::challenge::ChallengeRequest;
use crate::deadline::Deadline;

/// What never reaches the solver.
#[derive(Debug)]
pub(super) enum Refusal {
    /// The caller can't read JSON.
    NotAcceptable,
    /// The caller did not write JSON.
    MediaType,
    /// The body has more bytes than this.
    TooLarge(usize),
    /// The body did not arrive in time.
    Late,
    /// The solver can't be tried without doing its work, and the original does the work.
    DryRun,
    /// The request can't be understood.
    Malformed(String),
}

/// Answers a challenge: 201 with a `response`, or a `metav1.Status` for what never reached the solver.
pub(super) async fn create<A, T, S: Answer>(api: &Api<A, T, S>, request: Request) -> Response<Body> {
    match read(api.request_deadline, request).await {
        Ok((challenge, deadline)) => solve(api, challenge, deadline).await,
        Err(refusal) => status::refused(&refusal),
    }
}

/// The work runs apart from the request: a caller that hangs up must not leave half of it done.
async fn solve<A, T, S: Answer>(
    api: &Api<A, T, S>,
    challenge: ChallengeRequest,
    deadline: Deadline,
) -> Response<Body> {
    let solver = Arc::clone(&api.solver);
    let asked = challenge.clone();
    let work = async move { solver.answer(asked, deadline).await }.instrument(Span::current());
    let work = api.tracker.spawn(work);
    // The solver keeps the deadline itself; this is for a defect.
    match time::timeout_at(deadline.instant() + GUARD, work).await {
        Ok(Ok(Ok(()))) => created(&Answered::new(&challenge, Ok(()))),
        Ok(Ok(Err(error))) => created(&Answered::new(&challenge, Err(&error.to_string()))),
        Ok(Err(error)) => {
            error!(%error, "the task that answers a challenge has died");
            status::panicked()
        }
        Err(_) => {
            warn!("a challenge has not been answered in time; the work on it goes on");
            status::timeout()
        }
    }
}

async fn read(limit: Duration, request: Request) -> Result<(ChallengeRequest, Deadline), Refusal> {
    let (parts, body) = request.into_parts();
    if !forms(&parts.headers).contains(&Form::Plain) {
        return Err(Refusal::NotAcceptable);
    }
    if !is_json(&parts.headers) {
        return Err(Refusal::MediaType);
    }
    let deadline = Deadline::within(options(parts.uri.query(), limit)?);
    let body = match deadline.at_most(BODY_TIME).run(collect(body)).await {
        Ok(body) => body?,
        Err(_) => return Err(Refusal::Late),
    };
    let challenge = decode(&body).map_err(Refusal::Malformed)?;
    Ok((challenge, deadline))
}

/// The time that is left for the request (`pkg/endpoints/filters/request_deadline.go`).
fn options(raw_query: Option<&str>, limit: Duration) -> Result<Duration, Refusal> {
    let mut budget = limit;
    for (key, value) in route::query(raw_query) {
        match key.as_str() {
            "dryRun" => {
                return Err(Refusal::DryRun);
            }
            "timeout" if !value.is_empty() => match route::duration(&value) {
                Some(Duration::ZERO) => {}
                Some(timeout) => budget = budget.min(timeout),
                None => {
                    let message =
                        format!("invalid timeout specified in the request URL - {value:?} is no duration");
                    return Err(Refusal::Malformed(message));
                }
            },
            _ => {}
        }
    }
    Ok(budget)
}

/// No Content-Type is JSON, too: `kubectl create --raw` sends none.
fn is_json(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(CONTENT_TYPE) else {
        return true;
    };
    let media = value.to_str().ok().and_then(|value| value.split(';').next()).map(str::trim);
    media.is_some_and(|media| media.is_empty() || media.eq_ignore_ascii_case("application/json"))
}

/// Reads a body, but never more than the limit.
async fn collect(body: Body) -> Result<Bytes, Refusal> {
    let mut stream = body.into_data_stream();
    let mut bytes = Vec::new();
    while let Some(chunk) = stream.next().await {
        let chunk =
            chunk.map_err(|_| Refusal::Malformed("the body of the request could not be read".to_owned()))?;
        if bytes.len() + chunk.len() > MAX_BODY {
            return Err(Refusal::TooLarge(MAX_BODY));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes.into())
}

fn created(payload: &Answered<'_>) -> Response<Body> {
    match serde_json::to_vec(payload) {
        Ok(body) => status::created(body),
        Err(error) => {
            error!(%error, "an answer could not be written");
            status::panicked()
        }
    }
}

/// 3 MiB (`pkg/server/config.go`).
const MAX_BODY: usize = 3 * 1024 * 1024;
/// For the body to arrive; a payload has a few kilobytes.
const BODY_TIME: Duration = Duration::from_secs(20);
/// Beyond the deadline, for the solver to give up by itself.
const GUARD: Duration = Duration::from_secs(5);
