//! The `content` of a TXT record, as the API shows it.

use crate::challenge::TxtValue;

/// Quoted, as Cloudflare asks for it
/// (<https://developers.cloudflare.com/dns/manage-dns-records/reference/dns-record-types/>). A [`TxtValue`] has
/// nothing to escape and is shorter than the 255 bytes of one string.
pub(super) fn encode(value: &TxtValue) -> String {
    format!("\"{value}\"")
}

/// The value that DNS serves: quoted strings unescaped
/// ([RFC 1035 §5.1](https://www.rfc-editor.org/rfc/rfc1035#section-5.1)) and joined.
///
/// What was written without quotes is stored and returned without them (go-acme/lego#2521): it is the value, and so
/// is what begins with a quote but is no list of quoted strings.
pub(super) fn decode(content: &str) -> String {
    strings(content).unwrap_or_else(|| content.to_owned())
}

fn strings(content: &str) -> Option<String> {
    let mut value = Vec::with_capacity(content.len());
    let mut rest = content.as_bytes();
    loop {
        rest = string(rest, &mut value)?.trim_ascii_start();
        if rest.is_empty() {
            return Some(String::from_utf8_lossy(&value).into_owned());
        }
    }
}

/// Takes one quoted string off the front.
fn string<'a>(content: &'a [u8], value: &mut Vec<u8>) -> Option<&'a [u8]> {
    let mut rest = content.strip_prefix(b"\"")?;
    loop {
        rest = match rest {
            [b'"', rest @ ..] => return Some(rest),
            [b'\\', a, b, c, rest @ ..] if [a, b, c].iter().all(|d| d.is_ascii_digit()) => {
                let [a, b, c] = [a, b, c].map(|digit| u16::from(digit - b'0'));
                value.push(u8::try_from(a * 100 + b * 10 + c).ok()?);
                rest
            }
            [b'\\', byte, rest @ ..] | [byte, rest @ ..] => {
                value.push(*byte);
                rest
            }
            [] => return None,
        };
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn contents_decode_to_what_dns_serves() {
        let cases = [
            (r#""abc""#, "abc"),
            ("abc", "abc"),
            (r#""abc" "def""#, "abcdef"),
            (r#""abc""def""#, "abcdef"),
            (r#""a\"b\\c""#, r#"a"b\c"#),
            (r#""a\032b\195\164""#, "a bä"),
            (r#""""#, ""),
            ("", ""),
            // No list of quoted strings: verbatim.
            (r#""abc"#, r#""abc"#),
            (r#""abc" def"#, r#""abc" def"#),
            (r#""abc\"#, r#""abc\"#),
            (r#""a\999""#, r#""a\999""#),
            (r"a\032b", r"a\032b"),
        ];
        for (content, value) in cases {
            assert_eq!(decode(content), value, "{content}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(text in "[A-Za-z0-9_-]{1,43}") {
            let value = TxtValue::parse(&text).unwrap();
            prop_assert_eq!(decode(&encode(&value)), text);
        }

        #[test]
        fn any_text_survives_any_quoting(text in "\\PC{0,40}", escapes in any::<u64>(), cut in 0_usize..40) {
            let quoted: String = text
                .bytes()
                .enumerate()
                .map(|(at, byte)| {
                    let escaped = match byte {
                        b'"' | b'\\' => format!("\\{}", char::from(byte)),
                        0x20..0x7f if escapes >> (at % 64) & 1 == 0 => char::from(byte).to_string(),
                        byte => format!("\\{byte:03}"),
                    };
                    if at == cut { format!("\" \"{escaped}") } else { escaped }
                })
                .collect();
            prop_assert_eq!(decode(&format!("\"{quoted}\"")), text);
        }

        #[test]
        fn no_content_is_too_strange(content in any::<String>()) {
            decode(&content);
        }
    }
}
