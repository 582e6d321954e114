//! Answers of the API: the envelope around results and errors, and the headers that always come.
//!
//! Two backends write the fields in two orders: the gateway (authentication, limits, routing) and the DNS
//! service. [O: jeessy2/ddns-go#916, #1378]

use std::time::Duration;

use http::{HeaderName, HeaderValue, Response, StatusCode};
use serde::Serialize;
use serde_json::{Value, json};

/// An answer before it becomes HTTP.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) content_type: &'static str,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
}

/// A failure of the API.
#[derive(Clone, Debug)]
pub(crate) struct ApiError {
    status: u16,
    code: u32,
    message: String,
    chain: Vec<(u32, String)>,
    retry_after: Option<Duration>,
    backend: Backend,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Backend {
    Gateway,
    Dns,
}

/// `result_info` of a list. [D]
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct ResultInfo {
    pub(crate) page: usize,
    pub(crate) per_page: usize,
    pub(crate) count: usize,
    pub(crate) total_count: usize,
    pub(crate) total_pages: usize,
}

#[derive(Serialize)]
#[expect(clippy::struct_field_names, reason = "the fields are named as in the envelope")]
struct Success<T> {
    result: T,
    success: bool,
    errors: [(); 0],
    messages: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    result_info: Option<ResultInfo>,
}

#[derive(Serialize)]
struct GatewayFailure {
    success: bool,
    errors: Vec<Value>,
    messages: [(); 0],
    result: Value,
}

#[derive(Serialize)]
struct DnsFailure {
    result: Value,
    success: bool,
    errors: Vec<Value>,
    messages: [(); 0],
}

impl Answer {
    /// 200 with one result.
    pub(crate) fn result(result: impl Serialize) -> Self {
        Self::success(result, Vec::new(), None)
    }

    /// 200 with one result and a message. Codes occur in messages of a success, too. [O: libdns/cloudflare#12]
    pub(crate) fn result_with_message(result: impl Serialize, code: u32, message: &str) -> Self {
        Self::success(result, vec![json!({"code": code, "message": message, "type": null})], None)
    }

    /// 200 with a page of results.
    pub(crate) fn page(results: &[impl Serialize], info: ResultInfo) -> Self {
        Self::success(results, Vec::new(), Some(info))
    }

    /// Any JSON.
    pub(crate) fn json(status: u16, body: &impl Serialize) -> Self {
        Self {
            status,
            content_type: "application/json",
            headers: Vec::new(),
            body: serde_json::to_vec(body).unwrap_or_default(),
        }
    }

    /// A page of the edge in front of the API. [O: kubernetes-sigs/external-dns#5225, #3798]
    pub(crate) fn html(status: u16) -> Self {
        let body = format!(
            "<!DOCTYPE html>\n<html lang=\"en-US\">\n<head><title>api.cloudflare.com | {status}</title></head>\n\
             <body><h1>Error code {status}</h1><p>The web server reported an error.</p></body>\n</html>\n"
        );
        Self {
            status,
            content_type: "text/html; charset=UTF-8",
            headers: Vec::new(),
            body: body.into_bytes(),
        }
    }

    /// Plain text, or nothing.
    pub(crate) fn text(status: u16, text: &str) -> Self {
        Self { status, content_type: "text/plain; charset=UTF-8", headers: Vec::new(), body: text.into() }
    }

    /// The answer as HTTP.
    pub(crate) fn into_response(self) -> Response<Vec<u8>> {
        let mut response = Response::new(self.body);
        *response.status_mut() =
            StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static(self.content_type));
        for (name, value) in self.headers {
            if let Ok(value) = HeaderValue::try_from(value) {
                headers.append(HeaderName::from_static(name), value);
            }
        }
        response
    }

    fn success(result: impl Serialize, messages: Vec<Value>, result_info: Option<ResultInfo>) -> Self {
        Self::json(200, &Success { result, success: true, errors: [], messages, result_info })
    }
}

impl ApiError {
    /// A failure of the gateway: authentication, limits, routing.
    pub(crate) fn gateway(status: u16, code: u32, message: impl Into<String>) -> Self {
        Self::new(Backend::Gateway, status, code, message.into())
    }

    /// A failure of the DNS service.
    pub(crate) fn dns(status: u16, code: u32, message: impl Into<String>) -> Self {
        Self::new(Backend::Dns, status, code, message.into())
    }

    /// With the error that caused it.
    pub(crate) fn caused_by(mut self, code: u32, message: &str) -> Self {
        self.chain.push((code, message.to_owned()));
        self
    }

    /// With `Retry-After`, which only a 429 has. [D: changelog 2025-09-03]
    pub(crate) fn retry_after(mut self, after: Duration) -> Self {
        self.retry_after = Some(after);
        self
    }

    /// As validation errors were before 2024-10-01. [D: api-deprecations]
    pub(crate) fn wrapped(self) -> Self {
        if self.backend != Backend::Dns || self.status != 400 {
            return self;
        }
        let Self { status, code, message, .. } = self;
        Self::dns(status, 1004, "DNS Validation Error").caused_by(code, &message)
    }

    pub(crate) fn answer(self) -> Answer {
        let mut error = json!({"code": self.code, "message": self.message});
        if !self.chain.is_empty() {
            let chain = self.chain.iter().map(|(code, message)| json!({"code": code, "message": message}));
            error["error_chain"] = chain.collect();
        }
        let errors = vec![error];
        let mut answer = match self.backend {
            Backend::Gateway => Answer::json(
                self.status,
                &GatewayFailure { success: false, errors, messages: [], result: Value::Null },
            ),
            Backend::Dns => Answer::json(
                self.status,
                &DnsFailure { result: Value::Null, success: false, errors, messages: [] },
            ),
        };
        if let Some(after) = self.retry_after {
            let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
            answer.headers.push(("retry-after", seconds.to_string()));
        }
        answer
    }

    fn new(backend: Backend, status: u16, code: u32, message: String) -> Self {
        Self { status, code, message, chain: Vec::new(), retry_after: None, backend }
    }
}

impl From<ApiError> for Answer {
    fn from(error: ApiError) -> Self {
        error.answer()
    }
}
