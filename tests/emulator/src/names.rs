//! Domain names: lower-case A-labels without the trailing dot, and keys that sort a tree of names.

use hickory_proto::rr::{Name, domain::Label};

/// A record's name as the API stores it: `@` is the zone, a name outside of the zone gets the zone
/// appended, Unicode becomes Punycode.
/// [O: NewFuture/DDNS#21; D: notes on "Create DNS Record"]
pub(crate) fn in_zone(name: &str, zone: &str) -> Option<String> {
    if name == "@" {
        return Some(zone.to_owned());
    }
    let name = normal(name)?;
    let absolute = if is_within(&name, zone) { name } else { format!("{name}.{zone}") };
    (absolute.len() <= 253).then_some(absolute)
}

/// Lower-case A-labels, no trailing dot; `None` when it is no domain name.
pub(crate) fn normal(name: &str) -> Option<String> {
    let name = name.strip_suffix('.').unwrap_or(name);
    let mut labels = Vec::new();
    for label in name.split('.') {
        if label.is_empty() {
            return None;
        }
        labels.push(if label.is_ascii() { ascii_label(label)? } else { unicode_label(label)? });
    }
    let joined = labels.join(".");
    (joined.len() <= 253).then_some(joined)
}

fn ascii_label(label: &str) -> Option<String> {
    let fine = label.len() <= 63
        && label
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'*' | b'/'));
    fine.then(|| label.to_ascii_lowercase())
}

fn unicode_label(label: &str) -> Option<String> {
    Label::from_utf8(label).ok().map(|label| label.to_ascii().to_ascii_lowercase())
}

/// Whether `name` is `zone` or below it; both normal.
pub(crate) fn is_within(name: &str, zone: &str) -> bool {
    name.strip_suffix(zone).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// The labels from the top down: descendants of a name are the keys that start with its key and a dot.
pub(crate) fn tree_key(name: &str) -> String {
    name.rsplit('.').collect::<Vec<_>>().join(".")
}

/// A wire name as the state spells it.
pub(crate) fn from_wire(name: &Name) -> String {
    let text = name.to_ascii().to_ascii_lowercase();
    text.strip_suffix('.').map(str::to_owned).unwrap_or(text)
}

/// A name of the state as it goes on the wire; `None` for text that no packet can carry.
pub(crate) fn to_wire(name: &str) -> Option<Name> {
    let mut wire =
        Name::from_labels(name.split('.').filter(|label| !label.is_empty()).map(str::as_bytes)).ok()?;
    wire.set_fqdn(true);
    Some(wire)
}

/// 32 lower-case hex characters that depend on `seed` alone, the form of all of Cloudflare's ids. [D]
///
/// A zone without an `id` in the world has `derived_id("zone:<name>")`, an account `derived_id("account:<name>")`.
pub fn derived_id(seed: &str) -> String {
    // FNV-1a, 128 bits.
    let mut hash: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    for byte in seed.bytes() {
        hash ^= u128::from(byte);
        hash = hash.wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b);
    }
    format!("{hash:032x}")
}

/// Whether it has the form of an id.
pub(crate) fn is_id(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::{derived_id, in_zone, is_id, normal, tree_key};

    #[test]
    fn names_are_stored_below_their_zone() {
        let stored = |name| in_zone(name, "example.com");
        assert_eq!(stored("@").as_deref(), Some("example.com"));
        assert_eq!(stored("_acme-challenge").as_deref(), Some("_acme-challenge.example.com"));
        assert_eq!(stored("WWW.Example.com.").as_deref(), Some("www.example.com"));
        assert_eq!(stored("mail.other.org").as_deref(), Some("mail.other.org.example.com"));
        assert_eq!(stored("notexample.com").as_deref(), Some("notexample.com.example.com"));
        assert_eq!(stored("bücher").as_deref(), Some("xn--bcher-kva.example.com"));
        assert_eq!(stored("a..b"), None);
        assert_eq!(stored(&"x".repeat(64)), None);
    }

    #[test]
    fn ids_have_their_form() {
        assert!(is_id(&derived_id("zone:example.com")));
        assert!(!is_id("example.com"));
        assert_eq!(tree_key("a.example.com"), "com.example.a");
        assert_eq!(normal("*.Example.com").as_deref(), Some("*.example.com"));
    }
}
