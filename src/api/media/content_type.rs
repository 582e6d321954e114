//! `Content-Type`, read as Go's `mime.ParseMediaType` reads it.

use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue};

/// How a body is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::api) enum Written {
    Json,
    Yaml,
}

/// `NegotiateInputSerializer`: without the header it is JSON, for `kubectl create --raw` sends none.
pub(in crate::api) fn written(headers: &HeaderMap) -> Option<Written> {
    let value = headers.get(CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
    if value.is_empty() {
        return Some(Written::Json);
    }
    let (media_type, parameters) = split(std::str::from_utf8(value).ok()?);
    let written = [(super::JSON, Written::Json), (super::YAML, Written::Yaml)]
        .into_iter()
        .find(|(known, _)| media_type.eq_ignore_ascii_case(known))?;
    are_valid(parameters).then_some(written.1)
}

fn split(value: &str) -> (&str, &str) {
    let end = value.find(';').unwrap_or(value.len());
    (value[..end].trim(), &value[end..])
}

/// Each parameter has a name of its own and a value; a `;` at the end is overlooked.
fn are_valid(parameters: &str) -> bool {
    let (mut rest, mut names) = (parameters.trim_start(), Vec::new());
    while !rest.is_empty() {
        if rest.trim() == ";" {
            return true;
        }
        let Some((name, tail)) = parameter(rest) else {
            return false;
        };
        let name = name.to_ascii_lowercase();
        if names.contains(&name) || names.len() == MOST {
            return false;
        }
        names.push(name);
        rest = tail.trim_start();
    }
    true
}

/// `;name=value`, and what follows.
fn parameter(text: &str) -> Option<(&str, &str)> {
    let (name, rest) = token(text.strip_prefix(';')?.trim_start())?;
    let rest = rest.trim_start().strip_prefix('=')?.trim_start();
    let rest = if let Some(quoted) = rest.strip_prefix('"') { after_quotes(quoted)? } else { token(rest)?.1 };
    Some((name, rest))
}

fn token(text: &str) -> Option<(&str, &str)> {
    let is_token = |c: char| c.is_ascii_graphic() && !r#"()<>@,;:\"/[]?="#.contains(c);
    let end = text.find(|c| !is_token(c)).unwrap_or(text.len());
    (end > 0).then(|| text.split_at(end))
}

/// What follows the closing quote; a `\` takes the meaning from the next character.
fn after_quotes(text: &str) -> Option<&str> {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            '"' if !escaped => return Some(&text[at + 1..]),
            '\r' | '\n' => return None,
            _ => escaped = c == '\\' && !escaped,
        }
    }
    None
}

const MOST: usize = 32;
