//! kube-apiserver's aggregation layer: HTTPS with the front proxy's client certificate, the user in headers.

use std::fs;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result};
use reqwest::{Certificate, Client, Identity, Method, Request};
use serde_json::Value;

use crate::certificates::{Certificates, SERVICE};
use crate::recorded::Recorded;

/// A client that keeps its connection, as kube-apiserver does.
#[derive(Debug, Clone)]
pub struct Aggregator {
    client: Client,
    base: String,
}

/// An answer of the program.
#[derive(Debug, Clone)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// JSON, or null.
    pub body: Value,
}

impl Aggregator {
    /// Connects when it is first used.
    pub fn new(certificates: &Certificates, webhook: SocketAddr) -> Result<Self> {
        let mut identity = fs::read(&certificates.front_proxy_cert)?;
        identity.extend(fs::read(&certificates.front_proxy_key)?);
        let client = Client::builder()
            .no_proxy()
            .tls_certs_only([Certificate::from_pem(&fs::read(&certificates.serving_ca)?)?])
            .identity(Identity::from_pem(&identity)?)
            .resolve(SERVICE, webhook)
            .timeout(GIVES_UP)
            .build()?;
        Ok(Self { client, base: format!("https://{SERVICE}:{}", webhook.port()) })
    }

    /// The status of what is at a path.
    pub async fn get(&self, path: &str) -> Result<u16> {
        Ok(self.client.get(format!("{}{path}", self.base)).send().await?.status().as_u16())
    }

    /// Sends a request as it was recorded.
    pub async fn send(&self, request: &Recorded) -> Result<Answer> {
        self.play(&self.prepare(request)?).await
    }

    /// The request, ready to be sent any number of times.
    pub fn prepare(&self, request: &Recorded) -> Result<Request> {
        let method = Method::from_bytes(request.method.as_bytes())?;
        let mut builder = self.client.request(method, format!("{}{}", self.base, request.path));
        for (name, values) in &request.headers {
            if !name.eq_ignore_ascii_case("content-length") {
                builder = values.iter().fold(builder, |builder, value| builder.header(name, value));
            }
        }
        if !request.body.is_null() {
            builder = builder.body(serde_json::to_vec(&request.body)?);
        }
        Ok(builder.build()?)
    }

    /// Sends a prepared request.
    pub async fn play(&self, request: &Request) -> Result<Answer> {
        let request = request.try_clone().context("a body that can't be sent again")?;
        let response = self.client.execute(request).await.context("no answer from the webhook")?;
        let status = response.status().as_u16();
        let body = response.bytes().await.context("half an answer from the webhook")?;
        Ok(Answer { status, body: serde_json::from_slice(&body).unwrap_or_default() })
    }
}

impl Answer {
    /// Whether the solver did what it was asked.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status) && self.body["response"]["success"] == true
    }

    /// What cert-manager would show in the Challenge's `reason`.
    pub fn message(&self) -> String {
        let solver = self.body["response"]["status"]["message"].as_str();
        let server = self.body["message"].as_str();
        solver.or(server).map_or_else(|| format!("HTTP status {}", self.status), ToOwned::to_owned)
    }
}

/// kube-apiserver's limit for a request.
const GIVES_UP: Duration = Duration::from_mins(1);
