//! `Warning` headers.
//!
//! Sources: `pkg/endpoints/filters/warning.go` of `k8s.io/apiserver`, `NewWarningHeader` in `pkg/util/net/http.go` of
//! `k8s.io/apimachinery`.

use http::header::WARNING;
use http::{HeaderMap, HeaderValue};

/// Adds a header for each text. If they are too many they are cut, and what is beyond is left out.
pub(super) fn add(headers: &mut HeaderMap, texts: &[String]) {
    let length = |text: &String| text.chars().count();
    if texts.iter().map(length).sum::<usize>() <= WHOLE {
        headers_of(headers, texts.iter().map(String::as_str));
        return;
    }
    let mut written = 0;
    let cut = texts
        .iter()
        .map(|text| text.char_indices().nth(LONGEST).map_or(text.as_str(), |(end, _)| &text[..end]));
    let fitting = cut.take_while(|text| {
        let fits = written < WHOLE;
        written += text.chars().count();
        fits
    });
    headers_of(headers, fitting);
}

fn headers_of<'a>(headers: &mut HeaderMap, texts: impl Iterator<Item = &'a str>) {
    for text in texts.filter(|text| !text.is_empty() && !text.contains(char::is_control)) {
        let quoted = text.replace('\\', "\\\\").replace('"', "\\\"");
        // Without control characters it is one.
        if let Ok(value) = HeaderValue::from_bytes(format!("299 - \"{quoted}\"").as_bytes()) {
            headers.append(WARNING, value);
        }
    }
}

/// In characters, of all texts together.
const WHOLE: usize = 4096;
/// In characters, of one text where there are too many.
const LONGEST: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    fn added(texts: &[String]) -> Vec<String> {
        let mut headers = HeaderMap::new();
        add(&mut headers, texts);
        let text = |value: &HeaderValue| String::from_utf8(value.as_bytes().to_vec()).unwrap();
        headers.get_all(WARNING).iter().map(text).collect()
    }

    #[test]
    fn texts_are_quoted() {
        assert_eq!(added(&[r#"unknown field "é\n""#.to_owned()]), [r#"299 - "unknown field \"é\\n\"""#]);
        assert!(added(&["a\nb".to_owned(), String::new()]).is_empty());
    }

    #[test]
    fn too_much_is_cut() {
        assert_eq!(added(&["é".repeat(4096)])[0].chars().count(), 4096 + 8);
        let long = added(&["é".repeat(4097), "b".to_owned()]);
        assert_eq!(long[0].chars().count(), 256 + 8);
        assert_eq!(long.len(), 2);
        let many: Vec<_> = (0..100).map(|i| format!("{i:0100}")).collect();
        assert_eq!(added(&many).len(), 41, "the last one goes beyond the limit");
    }
}
