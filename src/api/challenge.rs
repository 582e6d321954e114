//! `POST` of a `ChallengePayload`.
//!
//! The steps come in the order of `pkg/endpoints/handlers/create.go`: Accept, Content-Type, body, options, payload,
//! solver.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use futures::StreamExt;
use http::header::CONTENT_LENGTH;
use http::{HeaderMap, Response};
use tokio::time;
use tracing::{Instrument, Span, error, warn};

use super::failure::Failure;
use super::media::{Form, Format, JSON, Reader, YAML, content_type};
use super::options::FieldValidation;
use super::query::Query;
use super::quote::quote;
use super::wire::{Answered, Echo, Payload, decode, strictly_refused};
use super::{Answer, Api, Asked, status, warning};
use crate::challenge::{Action, ChallengeRequest};
use crate::deadline::Deadline;

/// Answers a challenge: 201 with a `response`, or a failure for what never reached the solver.
pub(super) async fn create<A, T, S: Answer>(
    api: &Api<A, T, S>,
    Asked { query, reader, budget, .. }: &Asked,
    headers: &HeaderMap,
    body: Body,
) -> Result<Response<Body>, Failure> {
    let deadline = Deadline::within(*budget);
    let format = format(reader)?;
    let (payload, validation) = read(deadline, query, headers, body).await?;
    let answered = match &payload.strict {
        strict if strict.is_empty() || validation != FieldValidation::Strict => {
            solve(api, format, payload.request, deadline).await
        }
        strict => return Err(status::bad_request(strictly_refused(strict))),
    };
    let mut response = answered.unwrap_or_else(|failure| failure.render(reader));
    if validation == FieldValidation::Warn {
        warning::add(response.headers_mut(), &payload.strict);
    }
    Ok(response)
}

/// The work runs apart from the request: a caller that hangs up must not leave half of it done.
async fn solve<A, T, S: Answer>(
    api: &Api<A, T, S>,
    format: Format,
    challenge: Option<ChallengeRequest>,
    deadline: Deadline,
) -> Result<Response<Body>, Failure> {
    let Some(challenge) = challenge else {
        return Err(status::nothing_to_do("payload request field cannot be empty".to_owned()));
    };
    if Action::parse(&challenge.action).is_none() {
        let message = format!("unknown action type {}", quote(&challenge.action));
        return Err(status::nothing_to_do(message));
    }
    let Ok(echo) = Echo::of(&challenge) else {
        error!("a request could not be written again");
        return Err(status::panicked().into());
    };
    let solver = Arc::clone(&api.solver);
    let work = async move { solver.answer(challenge, deadline).await }.instrument(Span::current());
    let work = api.tracker.spawn(work);
    // The solver keeps the deadline itself; this is for a defect.
    let result = match time::timeout_at(deadline.instant() + GUARD, work).await {
        Ok(Ok(result)) => result.map_err(|error| error.to_string()),
        Ok(Err(error)) => {
            error!(%error, "the task that answers a challenge has died");
            return Err(status::panicked().into());
        }
        Err(_) => {
            warn!("a challenge has not been answered in time; the work on it goes on");
            return Err(status::timeout());
        }
    };
    match format.render(&Answered::new(&echo, result.as_ref().err().map(String::as_str))) {
        Some(body) => Ok(status::created(format.media_type(), body)),
        None => Err(status::panicked().into()),
    }
}

/// How the answer is to be written. Two look at it, with two texts: go-restful, then the handler.
fn format(reader: &Reader) -> Result<Format, Failure> {
    if !reader.names(&MEDIA_TYPES) {
        return Err(status::not_representable(&MEDIA_TYPES));
    }
    let chosen = reader.choose(Form::Plain { server_version: "v1" });
    chosen.ok_or_else(|| status::not_acceptable(&MEDIA_TYPES))
}

async fn read(
    deadline: Deadline,
    query: &Query,
    headers: &HeaderMap,
    body: Body,
) -> Result<(Payload, FieldValidation), Failure> {
    let written =
        content_type::written(headers).ok_or_else(|| status::unsupported_media_type(&MEDIA_TYPES))?;
    let body = match deadline.at_most(BODY_TIME).run(collect(headers, body)).await {
        Ok(body) => body?,
        Err(_) => return Err(status::timeout()),
    };
    let validation = FieldValidation::read(query)?;
    let payload = decode(&body, written).map_err(status::bad_request)?;
    Ok((payload, validation))
}

/// Reads a body, but never more than the limit; one that is said to be longer is not read at all.
async fn collect(headers: &HeaderMap, body: Body) -> Result<Bytes, Failure> {
    let declared = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if declared.is_some_and(|length| length > MAX_BODY as u64) {
        return Err(status::too_large(MAX_BODY));
    }
    let mut stream = body.into_data_stream();
    let mut bytes = Vec::new();
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|_| status::bad_request("the body of the request could not be read"))?;
        if bytes.len() + chunk.len() > MAX_BODY {
            return Err(status::too_large(MAX_BODY));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes.into())
}

const MEDIA_TYPES: [&str; 2] = [JSON, YAML];
/// 3 MiB (`pkg/server/config.go`).
const MAX_BODY: usize = 3 * 1024 * 1024;
/// For the body to arrive; a payload has a few kilobytes.
const BODY_TIME: Duration = Duration::from_secs(20);
/// Beyond the deadline, for the solver to give up by itself.
const GUARD: Duration = Duration::from_secs(5);
