//! Values as Go's flags spell them.

use std::net::SocketAddr;
use std::str::FromStr;
use std::time::Duration;

/// Go's spelling, as far as it is of use in a flag: `1m30s`, `500ms`, `0`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || "must be a duration such as 500ms, 40s or 1m30s".to_owned();
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let mut total = Duration::ZERO;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
        let number: u64 = rest[..digits].parse().map_err(|_| wrong())?;
        let unit_end = rest[digits..].find(|c: char| c.is_ascii_digit()).map_or(rest.len(), |at| digits + at);
        let millis = match &rest[digits..unit_end] {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            _ => return Err(wrong()),
        };
        let part = number.checked_mul(millis).map(Duration::from_millis).ok_or_else(wrong)?;
        total = total.checked_add(part).ok_or_else(wrong)?;
        rest = &rest[unit_end..];
    }
    if text.is_empty() { Err(wrong()) } else { Ok(total) }
}

/// As `strconv.ParseBool`.
pub(super) fn boolean(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err("must be true or false".to_owned()),
    }
}

/// `:9402` means every address, as in Go.
pub(super) fn listen_address(text: &str) -> Result<SocketAddr, String> {
    let full = text.strip_prefix(':').map(|port| format!("[::]:{port}"));
    SocketAddr::from_str(full.as_deref().unwrap_or(text))
        .map_err(|_| "must be ADDRESS:PORT or :PORT".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_spelled_as_in_go() {
        assert_eq!(duration("1m30s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("0"), Ok(Duration::ZERO));
        for text in ["", "40", "s", "4d", "1s2", "99999999999999999999s", "-1s", "1.5s"] {
            assert!(duration(text).is_err(), "{text:?}");
        }
    }
}
