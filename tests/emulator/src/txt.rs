//! TXT content: the presentation form that the API stores, and the strings that DNS carries.

/// A character string holds at most this many bytes (RFC 1035 §3.3).
const STRING_MAX: usize = 255;

/// The character strings of a TXT record's content; `None` when its quotes do not pair up.
///
/// Quoted content is RFC 1035 presentation form; content that does not start with a quote is taken
/// verbatim. Longer strings are split. [D: description of `content`; O: go-acme/lego#2521]
pub(crate) fn strings(content: &str) -> Option<Vec<Vec<u8>>> {
    if !content.trim_start().starts_with('"') {
        // A quote inside of bare text is the "inconsistent" case, unless it is escaped. [D; code U]
        let bare = content.replace("\\\"", "");
        return (!bare.contains('"')).then(|| split(content.as_bytes()));
    }
    let mut strings = Vec::new();
    let mut rest = content.trim().as_bytes();
    while !rest.is_empty() {
        let (string, after) = quoted(rest.strip_prefix(b"\"")?)?;
        strings.extend(split(&string));
        let trimmed = after.trim_ascii_start();
        if !trimmed.is_empty() && trimmed.len() == after.len() {
            return None; // `"a"b`
        }
        rest = trimmed;
    }
    Some(strings)
}

/// The bytes that all strings make together, which is what an ACME server compares.
pub(crate) fn decoded(content: &str) -> Option<Vec<u8>> {
    strings(content).map(|strings| strings.concat())
}

/// Bytes on the wire: each string and its length byte.
pub(crate) fn wire_len(strings: &[Vec<u8>]) -> usize {
    strings.iter().map(|string| string.len() + 1).sum()
}

/// Reads up to the closing quote; gives the unescaped string and what follows.
fn quoted(mut rest: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut string = Vec::new();
    loop {
        match rest {
            [b'"', after @ ..] => return Some((string, after)),
            [b'\\', a @ b'0'..=b'9', b @ b'0'..=b'9', c @ b'0'..=b'9', after @ ..] => {
                let value = u32::from(a - b'0') * 100 + u32::from(b - b'0') * 10 + u32::from(c - b'0');
                string.push(u8::try_from(value).ok()?);
                rest = after;
            }
            [b'\\', escaped, after @ ..] => {
                string.push(*escaped);
                rest = after;
            }
            [byte, after @ ..] if *byte != b'\\' => {
                string.push(*byte);
                rest = after;
            }
            _ => return None,
        }
    }
}

fn split(bytes: &[u8]) -> Vec<Vec<u8>> {
    if bytes.is_empty() {
        return vec![Vec::new()];
    }
    bytes.chunks(STRING_MAX).map(<[u8]>::to_vec).collect()
}

#[cfg(test)]
mod tests {
    use super::{decoded, strings};

    fn text(content: &str) -> Option<String> {
        decoded(content).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    }

    #[test]
    fn both_spellings_carry_the_same_bytes() {
        assert_eq!(text("\"abc\"").as_deref(), Some("abc"));
        assert_eq!(text("abc").as_deref(), Some("abc"));
        assert_eq!(text("\"a\" \"b\"").as_deref(), Some("ab"));
        assert_eq!(text(r#""a\"b\\c\065""#).as_deref(), Some(r#"a"b\cA"#));
    }

    #[test]
    fn quotes_must_pair_up() {
        for bad in ["\"abc", "\"a\" b\"", "\"a\"b", "a\"b", "\"a\\", "\"a\\\"", "\"these\" ones\""] {
            assert_eq!(strings(bad), None, "{bad}");
        }
    }

    #[test]
    fn long_text_is_split() {
        let lengths =
            |content: &str| strings(content).map(|all| all.iter().map(Vec::len).collect::<Vec<_>>());
        assert_eq!(lengths(&"x".repeat(600)), Some(vec![255, 255, 90]));
        assert_eq!(lengths(&format!("\"{}\"", "x".repeat(256))), Some(vec![255, 1]));
    }
}
