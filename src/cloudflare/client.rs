//! The exchange over HTTPS: one connection pool for every credential.

use std::error::Error as _;
use std::fmt::Write as _;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Certificate, ClientBuilder, Url, redirect};
use zeroize::Zeroizing;

use super::exchange::{Answer, Call, Exchange, ExchangeError, MAX_BODY};
use crate::secret::Credential;

/// Where Cloudflare's API is and whom to trust there. The operator's alone: an Issuer that could choose the address
/// would be sent the token (GHSA-8rvj-mm4h-c258 is that mistake elsewhere).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// `--cloudflare-api-url`: HTTPS, or plain HTTP to a loopback host.
    pub api_url: String,
    /// `--cloudflare-ca-file`: PEM; nothing but these certificates is trusted then, else the system's roots.
    pub ca_file: Option<PathBuf>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { api_url: DEFAULT_API_URL.to_owned(), ca_file: None }
    }
}

/// Why the settings are of no use; each text names the flag. What the URL holds is not repeated.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// Not a URL, or one with a user, a query or a fragment.
    #[error("--cloudflare-api-url is not a plain URL of the form https://host/path")]
    Url,
    /// The token would travel in the clear.
    #[error("--cloudflare-api-url must be https; http is for loopback hosts only")]
    Plain,
    /// The file can't be read.
    #[error("--cloudflare-ca-file can't be read")]
    CaFile(#[source] std::io::Error),
    /// The file is not PEM, or has no certificate.
    #[error("--cloudflare-ca-file holds no PEM certificate")]
    NoCertificate,
    /// No client can be made of it: a certificate that is none, or no roots on this system.
    #[error(
        "the HTTP client for Cloudflare can't be built; a system without root certificates needs --cloudflare-ca-file"
    )]
    Client(#[source] reqwest::Error),
}

/// The HTTPS client. Proxies by the environment (`HTTPS_PROXY`, `NO_PROXY`) are honoured; redirects never followed,
/// for they would carry the token elsewhere.
#[derive(Debug, Clone)]
pub struct HttpClient {
    base: String,
    client: reqwest::Client,
}

impl HttpClient {
    /// Checks the settings and reads the CA file; connects to nothing yet.
    pub fn new(settings: &Settings) -> Result<Self, SettingsError> {
        Self::build(reqwest::Client::builder(), settings)
    }

    fn build(builder: ClientBuilder, settings: &Settings) -> Result<Self, SettingsError> {
        let base = base(&settings.api_url)?;
        let mut builder = builder
            .user_agent(concat!("cert-manager-webhook-cloudflare/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .referer(false)
            .connect_timeout(CONNECT_TIMEOUT)
            // A connection that died silently is given up before the call is, so that its repeat gets a new one.
            .http2_keep_alive_interval(PING)
            .http2_keep_alive_timeout(PING);
        if let Some(path) = &settings.ca_file {
            builder = builder.tls_certs_only(certificates(path)?);
        }
        let client = builder.build().map_err(SettingsError::Client)?;
        Ok(Self { base, client })
    }

    async fn exchange(&self, credential: &Credential, call: &Call) -> Result<Answer, ExchangeError> {
        let mut request = self
            .client
            .request(call.method.clone(), format!("{}{}", self.base, call.path))
            .headers(authentication(credential)?);
        if let Some(body) = &call.body {
            request = request.header(CONTENT_TYPE, "application/json").body(body.clone());
        }
        let response = request.send().await.map_err(failed)?;
        let status = response.status();
        let headers = response.headers().clone();
        let body = body(response).await?;
        Ok(Answer { status, headers, body })
    }
}

impl Exchange for HttpClient {
    fn send(
        &self,
        credential: &Credential,
        call: &Call,
    ) -> impl Future<Output = Result<Answer, ExchangeError>> + Send {
        self.exchange(credential, call)
    }
}

fn base(text: &str) -> Result<String, SettingsError> {
    let url = Url::parse(text).map_err(|_| SettingsError::Url)?;
    let host = url.host_str().ok_or(SettingsError::Url)?;
    let plain = url.username().is_empty() && url.password().is_none();
    if !plain || url.query().is_some() || url.fragment().is_some() {
        return Err(SettingsError::Url);
    }
    match url.scheme() {
        "https" => {}
        "http" if is_loopback(host) => {}
        "http" => return Err(SettingsError::Plain),
        _ => return Err(SettingsError::Url),
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || bare.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

fn certificates(path: &Path) -> Result<Vec<Certificate>, SettingsError> {
    let pem = std::fs::read(path).map_err(SettingsError::CaFile)?;
    match Certificate::from_pem_bundle(&pem) {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        _ => Err(SettingsError::NoCertificate),
    }
}

/// <https://developers.cloudflare.com/fundamentals/api/how-to/make-api-calls/>; marked sensitive, so that no log of
/// the HTTP stack shows them and HTTP/2 does not index them.
fn authentication(credential: &Credential) -> Result<HeaderMap, ExchangeError> {
    let mut headers = HeaderMap::new();
    let mut set = |name: HeaderName, text: &str| {
        let mut value = HeaderValue::from_str(text).map_err(|_| ExchangeError::Credential)?;
        value.set_sensitive(true);
        headers.insert(name, value);
        Ok(())
    };
    match credential {
        Credential::Token(token) => {
            let text = Zeroizing::new(format!("Bearer {}", token.expose()));
            set(AUTHORIZATION, &text)?;
        }
        Credential::Key { email, key } => {
            set(HeaderName::from_static("x-auth-email"), email)?;
            set(HeaderName::from_static("x-auth-key"), key.expose())?;
        }
    }
    Ok(headers)
}

/// By chunks: a length that is announced may be wrong or missing.
async fn body(mut response: reqwest::Response) -> Result<Vec<u8>, ExchangeError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(failed)? {
        if body.len() + chunk.len() > MAX_BODY {
            return Err(ExchangeError::TooLong);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn failed(error: reqwest::Error) -> ExchangeError {
    let unsent = error.is_connect() || error.is_builder();
    let error = error.without_url();
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        // Writing to a string can't fail.
        let _ = write!(text, ": {error}");
        source = error.source();
    }
    if unsent { ExchangeError::Unsent(text) } else { ExchangeError::Lost(text) }
}

/// <https://developers.cloudflare.com/fundamentals/api/>
const DEFAULT_API_URL: &str = "https://api.cloudflare.com/client/v4";
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const PING: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests;
