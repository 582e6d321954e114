//! The bearer token of a request.
//!
//! Source: `pkg/authentication/request/bearertoken/bearertoken.go` of `k8s.io/apiserver`.

use http::HeaderMap;
use http::header::AUTHORIZATION;
use zeroize::Zeroizing;

use super::request_header::text;

/// The token; other schemes and an empty token are no credential.
pub(super) fn of(headers: &HeaderMap) -> Option<Zeroizing<String>> {
    let value = value(headers)?;
    let mut parts = value.trim().split(' ');
    let (scheme, token) = (parts.next()?, parts.next()?);
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then(|| token.to_owned().into())
}

/// Whether one space too many stands before the token, so that it is none.
pub fn is_misplaced(headers: &HeaderMap) -> bool {
    value(headers).is_some_and(|value| {
        let mut parts = value.trim().splitn(3, ' ');
        let scheme = parts.next().is_some_and(|scheme| scheme.eq_ignore_ascii_case("bearer"));
        scheme && parts.next() == Some("") && parts.next().is_some()
    })
}

fn value(headers: &HeaderMap) -> Option<Zeroizing<String>> {
    headers.get(AUTHORIZATION).map(|value| text(value).into())
}
