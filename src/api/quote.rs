//! Text in quotes, as Go writes it.

use std::fmt::Write;

/// `strconv.Quote`: what is not printable is escaped.
pub(super) fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        let escape = match c {
            '"' => "\\\"",
            '\\' => "\\\\",
            '\x07' => "\\a",
            '\x08' => "\\b",
            '\x0c' => "\\f",
            '\n' => "\\n",
            '\r' => "\\r",
            '\t' => "\\t",
            '\x0b' => "\\v",
            _ => "",
        };
        // Writing to a String does not fail.
        let _ = match u32::from(c) {
            _ if !escape.is_empty() => quoted.write_str(escape),
            _ if is_printable(c) => quoted.write_char(c),
            code @ ..=0x7f => write!(quoted, "\\x{code:02x}"),
            code @ ..=0xffff => write!(quoted, "\\u{code:04x}"),
            code => write!(quoted, "\\U{code:08x}"),
        };
    }
    quoted.push('"');
    quoted
}

/// `unicode.IsPrint`, as far as Rust's tables tell: of all spaces the ASCII one alone, and no marks that extend
/// another character.
pub(super) fn is_printable(c: char) -> bool {
    c == ' ' || (!c.is_whitespace() && matches!(c, '"' | '\'' | '\\') || c.escape_debug().len() == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_are_those_of_go() {
        for (text, quoted) in [
            ("", r#""""#),
            ("a b", r#""a b""#),
            ("a\"b\\c", r#""a\"b\\c""#),
            ("\u{1}\n\t\u{7f}", r#""\x01\n\t\x7f""#),
            ("é<&>'", r#""é<&>'""#),
            ("\u{2028}\u{a0}\u{fffd}", "\"\\u2028\\u00a0\u{fffd}\""),
            ("\u{e0001}", r#""\U000e0001""#),
        ] {
            assert_eq!(quote(text), quoted);
        }
    }
}
