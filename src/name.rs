//! DNS names, parsed once: lower-case A-labels without the final dot.
//!
//! Cloudflare answers in A-labels whatever was sent, cert-manager sends names with a final dot, resolvers
//! may answer in any case: here all of them compare equal with `==`.

use std::fmt;
use std::sync::Arc;

/// A fully qualified domain name, at least one label, e.g. `_acme-challenge.example.com`.
///
/// Letters, digits, hyphens and underscores only: what may be asked of a record's name here
/// ([RFC 1035 §2.3.1](https://www.rfc-editor.org/rfc/rfc1035#section-2.3.1), underscores by
/// [RFC 8552](https://www.rfc-editor.org/rfc/rfc8552)). No wildcard: a challenge's record never has one.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fqdn(Arc<str>);

impl Fqdn {
    /// Parses a name with or without its final dot, in any case.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let text = text.strip_suffix('.').unwrap_or(text);
        if text.is_empty() {
            return Err(NameError::Empty);
        }
        if !text.is_ascii() {
            return Err(NameError::NotAscii);
        }
        if text.len() > MAX_NAME {
            return Err(NameError::TooLong);
        }
        text.split('.').try_for_each(check_label)?;
        Ok(Self(text.to_ascii_lowercase().into()))
    }

    /// The name without its final dot.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name itself, then each of its parents, the last with two labels (or the name alone, if it has one).
    pub fn ancestors(&self) -> impl Iterator<Item = Self> + '_ {
        let dots = self.0.match_indices('.').map(|(at, _)| at + 1);
        std::iter::once(0)
            .chain(dots)
            .map(|at| &self.0[at..])
            .filter(|name| name.contains('.') || name.len() == self.0.len())
            .map(|name| Self(name.into()))
    }

    /// Whether this name is `zone` or lies below it.
    pub fn is_within(&self, zone: &Self) -> bool {
        self.0.strip_suffix(&*zone.0).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    }

    /// The number of labels.
    pub fn labels(&self) -> usize {
        self.0.split('.').count()
    }
}

impl fmt::Display for Fqdn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Fqdn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why a text is no name here. The texts never repeat the input: it may be hostile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// A label holds a character other than a letter, digit, hyphen or underscore.
    #[error("a label has a character other than a letter, digit, hyphen or underscore")]
    Character,
    /// Nothing, or the root.
    #[error("the name is empty")]
    Empty,
    /// Two dots in a row, or one at the front.
    #[error("a label is empty")]
    EmptyLabel,
    /// A U-label; who wants one sends its A-label (`xn--…`).
    #[error("the name is not ASCII; write internationalized names as A-labels (xn--…)")]
    NotAscii,
    /// A label of more than 63 bytes.
    #[error("a label is longer than 63 bytes")]
    LongLabel,
    /// More than 253 bytes without the final dot.
    #[error("the name is longer than 253 bytes")]
    TooLong,
}

fn check_label(label: &str) -> Result<(), NameError> {
    if label.is_empty() {
        return Err(NameError::EmptyLabel);
    }
    if label.len() > MAX_LABEL {
        return Err(NameError::LongLabel);
    }
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    if label.bytes().all(allowed) { Ok(()) } else { Err(NameError::Character) }
}

/// 255 octets on the wire ([RFC 1035 §2.3.4](https://www.rfc-editor.org/rfc/rfc1035#section-2.3.4)): 253 in text.
const MAX_NAME: usize = 253;
const MAX_LABEL: usize = 63;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_and_final_dot_do_not_matter() {
        assert_eq!(Fqdn::parse("_ACME-Challenge.Example.COM.").unwrap(), fqdn("_acme-challenge.example.com"));
    }

    #[test]
    fn what_is_no_name_is_refused_by_its_reason() {
        let cases = [
            ("", NameError::Empty),
            (".", NameError::Empty),
            ("a..b", NameError::EmptyLabel),
            (".a", NameError::EmptyLabel),
            ("münchen.example", NameError::NotAscii),
            ("*.example.com", NameError::Character),
            ("a b.example", NameError::Character),
            ("a\n.example", NameError::Character),
        ];
        for (text, reason) in cases {
            assert_eq!(Fqdn::parse(text), Err(reason), "{text:?}");
        }
        assert_eq!(Fqdn::parse(&format!("{}.com", "a".repeat(64))), Err(NameError::LongLabel));
        assert_eq!(Fqdn::parse(&"abcdefghi.".repeat(30)), Err(NameError::TooLong));
    }

    #[test]
    fn ancestors_end_at_two_labels() {
        let names: Vec<_> =
            fqdn("_acme-challenge.a.example.com").ancestors().map(|n| n.to_string()).collect();
        assert_eq!(names, ["_acme-challenge.a.example.com", "a.example.com", "example.com"]);
        assert_eq!(fqdn("localhost").ancestors().count(), 1);
    }

    #[test]
    fn within_goes_by_labels() {
        assert!(fqdn("a.example.com").is_within(&fqdn("example.com")));
        assert!(fqdn("example.com").is_within(&fqdn("example.com")));
        assert!(!fqdn("badexample.com").is_within(&fqdn("example.com")));
        assert!(!fqdn("example.com").is_within(&fqdn("a.example.com")));
    }

    fn fqdn(text: &str) -> Fqdn {
        Fqdn::parse(text).unwrap()
    }
}
