//! Media types: what a caller reads, and what they wrote.
//!
//! Sources: `pkg/endpoints/handlers/negotiation/negotiate.go` of `k8s.io/apiserver`, which reads `Accept` through
//! `github.com/munnerz/goautoneg`; before it, `route.go` of `github.com/emicklei/go-restful`.

use http::header::{ACCEPT, USER_AGENT};
use http::{HeaderMap, HeaderValue};
use serde::Serialize;
use tracing::error;

use super::query::Query;
use super::yaml;

mod accept;
pub(super) mod content_type;

use accept::Clause;

/// What there is.
pub(super) const JSON: &str = "application/json";
pub(super) const YAML: &str = "application/yaml";

/// How an answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Json,
    /// JSON for people.
    Pretty,
    Yaml,
}

impl Format {
    pub(super) fn media_type(self) -> &'static str {
        match self {
            Self::Json | Self::Pretty => JSON,
            Self::Yaml => YAML,
        }
    }

    /// `None` is a defect, and logged.
    pub(super) fn render(self, answer: &impl Serialize) -> Option<Vec<u8>> {
        let body = match self {
            Self::Json => serde_json::to_vec(answer).map_err(|error| error.to_string()),
            Self::Pretty => serde_json::to_vec_pretty(answer).map_err(|error| error.to_string()),
            Self::Yaml => serde_json::to_value(answer)
                .map_err(|error| error.to_string())
                .and_then(|value| yaml::write(&value)),
        };
        body.inspect_err(|error| error!(error, "an answer could not be written")).ok()
    }
}

/// What an answer tells, as the parameters of its media type say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// The object itself, for those who may name the version of `meta.k8s.io`.
    Plain { server_version: &'static str },
    /// `APIGroupDiscoveryList` of this version of `apidiscovery.k8s.io`.
    Aggregated { version: &'static str },
}

/// The object itself.
pub(super) const PLAIN: Form = Form::Plain { server_version: "" };

/// What a caller reads.
#[derive(Debug)]
pub(super) struct Reader {
    accept: Option<HeaderValue>,
    pretty: bool,
}

impl Reader {
    pub(super) fn of(headers: &HeaderMap, query: &Query) -> Self {
        Self { accept: headers.get(ACCEPT).cloned(), pretty: is_for_people(headers, query) }
    }

    /// Whether one of these is named as it is written. This comes first, and alone gets the text of go-restful.
    pub(super) fn names(&self, offered: &[&str]) -> bool {
        let accept = self.accept();
        accept.is_empty()
            || accept.split(',').any(|clause| {
                let media_type = clause.split(';').next().unwrap_or_default().trim_matches(' ');
                media_type == "*/*" || offered.contains(&media_type)
            })
    }

    /// How to write an answer of this form: as the first clause wants it that wants this form at all, those of high
    /// quality first.
    pub(super) fn choose(&self, form: Form) -> Option<Format> {
        let accept = self.accept();
        if accept.is_empty() {
            return matches!(form, Form::Plain { .. }).then(|| self.json(false));
        }
        accept::clauses(accept).iter().find_map(|clause| {
            let name =
                [JSON, YAML].into_iter().find(|name| clause.covers(name) && wants(clause, name, form))?;
            Some(if name == YAML { Format::Yaml } else { self.json(clause.is_pretty()) })
        })
    }

    /// Whether JSON is read, whatever the parameters (`pkg/handler/handler.go` of `k8s.io/kube-openapi`).
    pub(super) fn reads_json(&self) -> bool {
        let accept = self.accept();
        accept.is_empty() || accept::clauses(accept).iter().any(Clause::reads_json)
    }

    fn json(&self, pretty: bool) -> Format {
        if pretty || self.pretty { Format::Pretty } else { Format::Json }
    }

    /// What is no text names no media type, but it is there.
    fn accept(&self) -> &str {
        self.accept.as_ref().map_or("", |accept| std::str::from_utf8(accept.as_bytes()).unwrap_or("/"))
    }
}

/// `acceptMediaTypeOptions`
fn wants(clause: &Clause<'_>, media_type: &str, form: Form) -> bool {
    let parameters = clause.parameters();
    let streams = parameters.stream.is_empty() || (parameters.stream == "watch" && media_type == JSON);
    let converts = match form {
        // A conversion that is not offered (a Table, say) makes the clause unusable.
        Form::Plain { .. } => parameters.conversion.is_none(),
        Form::Aggregated { version } => {
            parameters.conversion == Some(("apidiscovery.k8s.io", version, "APIGroupDiscoveryList"))
        }
    };
    let known = match form {
        Form::Plain { server_version } => server_version,
        Form::Aggregated { .. } => "",
    };
    streams && converts && (parameters.server_version.is_empty() || parameters.server_version == known)
}

/// `isPrettyPrint`
fn is_for_people(headers: &HeaderMap, query: &Query) -> bool {
    if let Some(pretty) = query.get("pretty").filter(|pretty| !pretty.is_empty()) {
        return ["1", "t", "T", "TRUE", "true", "True"].contains(&pretty);
    }
    let agent = headers.get(USER_AGENT).map_or(&b""[..], HeaderValue::as_bytes);
    ["curl", "Wget", "Mozilla/5.0"].iter().any(|known| agent.starts_with(known.as_bytes()))
}

#[cfg(test)]
mod tests;
