//! The query of a request, read once, as Go reads it.

use std::time::Duration;

use super::quote::quote;
use crate::access::request_header::percent_decode;

/// The decoded pairs, in their order.
#[derive(Debug, Default)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    /// What is wrongly escaped, or has a `;` in it, is left out (`net/url`, `ParseQuery`).
    pub(crate) fn parse(raw: Option<&str>) -> Self {
        let pairs = raw.unwrap_or_default().split('&').filter(|pair| !pair.is_empty() && !pair.contains(';'));
        let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        Self(pairs.filter_map(|(key, value)| Some((decode(key)?, decode(value)?))).collect())
    }

    /// The first value of a key.
    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        self.all(key).next()
    }

    /// Every value of a key.
    pub(crate) fn all(&self, key: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(known, _)| known == key).map(|(_, value)| value.as_str())
    }

    /// The time that the caller gives the request; zero is for ever (`parseTimeout` of
    /// `pkg/endpoints/filters/request_deadline.go`). The error is a text for the caller.
    pub(super) fn timeout(&self) -> Result<Duration, String> {
        let timeout = self.get("timeout").filter(|timeout| !timeout.is_empty());
        timeout.map_or(Ok(Duration::ZERO), |timeout| {
            duration(timeout)
                .map_err(|error| format!("invalid timeout specified in the request URL - time: {error}"))
        })
    }
}

/// Bytes that are no text stay something that equals nothing we know.
fn decode(text: &str) -> Option<String> {
    let text = text.replace('+', " ");
    if !text.contains('%') {
        return Some(text);
    }
    Some(String::from_utf8_lossy(&percent_decode(&text)?).into_owned())
}

/// A duration as Go writes it (`time.ParseDuration`); a negative one is zero.
fn duration(text: &str) -> Result<Duration, String> {
    let invalid = || format!("invalid duration {}", quote(text));
    let negative = text.starts_with('-');
    let mut rest = text.strip_prefix(['+', '-']).unwrap_or(text);
    if rest == "0" {
        return Ok(Duration::ZERO);
    }
    let mut nanoseconds = 0.0;
    loop {
        let is_number = |c: char| c.is_ascii_digit() || c == '.';
        let (number, tail) = rest.split_at(rest.find(|c| !is_number(c)).unwrap_or(rest.len()));
        let value: f64 = number.parse().map_err(|_| invalid())?;
        let (unit, tail) = tail.split_at(tail.find(is_number).unwrap_or(tail.len()));
        nanoseconds += value
            * match unit {
                "h" => 3.6e12,
                "m" => 6e10,
                "s" => 1e9,
                "ms" => 1e6,
                "us" | "µs" | "μs" => 1e3,
                "ns" => 1.0,
                "" => return Err(format!("missing unit in duration {}", quote(text))),
                _ => return Err(format!("unknown unit {} in duration {}", quote(unit), quote(text))),
            };
        if nanoseconds > LONGEST {
            return Err(invalid());
        }
        rest = tail;
        if rest.is_empty() {
            let duration = Duration::try_from_secs_f64(nanoseconds / 1e9).map_err(|_| invalid())?;
            return Ok(if negative { Duration::ZERO } else { duration });
        }
    }
}

/// What fits into an `int64`: 292 years.
const LONGEST: f64 = 9.223_372_036_854_775e18;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_those_of_go() {
        for (text, millis) in [
            ("30s", 30_000),
            ("1m30s", 90_000),
            ("1.5s", 1500),
            ("250ms", 250),
            ("0", 0),
            ("-1s", 0),
            (".5s", 500),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for (text, error) in [
            ("soon", r#"invalid duration "soon""#),
            ("s", r#"invalid duration "s""#),
            (".s", r#"invalid duration ".s""#),
            ("9999999999h", r#"invalid duration "9999999999h""#),
            ("10", r#"missing unit in duration "10""#),
            ("1s2", r#"missing unit in duration "1s2""#),
            ("1d", r#"unknown unit "d" in duration "1d""#),
        ] {
            assert_eq!(duration(text), Err(error.to_owned()));
        }
    }

    #[test]
    fn escapes_are_seen_through() {
        let query = Query::parse(Some("dry%52un=All&a&%zz=1&b=c+d&a;e=1&a=2&f=%ff"));
        assert_eq!(query.get("dryRun"), Some("All"));
        assert_eq!(query.get("b"), Some("c d"));
        assert_eq!(query.all("a").collect::<Vec<_>>(), ["", "2"]);
        assert_eq!(query.get("f"), Some("\u{fffd}"), "what is no text is not overlooked");
        assert_eq!(query.0.len(), 5);
    }
}
