//! Who runs a resolver: two resolvers of one operator are one witness, for they may share a cache.

use super::recursive::RecursiveServer;

/// An operator with those of its resolvers that were given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Operator {
    /// A host or domain.
    pub(super) name: String,
    pub(super) servers: Vec<RecursiveServer>,
}

/// The operators of `servers`, in their order, without those of `apart_from`: these may have been asked too early.
pub(super) fn operators(servers: &[RecursiveServer], apart_from: &[RecursiveServer]) -> Vec<Operator> {
    let mut operators: Vec<Operator> = Vec::new();
    for server in servers.iter().filter(|server| server.is_https()) {
        let name = name(server);
        if apart_from.iter().any(|other| self::name(other) == name) {
            tracing::info!(%server, "not asked for challenges: its operator is one of --dns01-recursive-nameservers");
        } else if let Some(operator) = operators.iter_mut().find(|operator| operator.name == name) {
            operator.servers.push(server.clone());
        } else {
            operators.push(Operator { name: name.to_owned(), servers: vec![server.clone()] });
        }
    }
    operators
}

/// The well-known name of the operator, or the last two labels of the host's name, or its address.
fn name(server: &RecursiveServer) -> &str {
    let host = server.host.as_str();
    let domain = match host.rmatch_indices('.').nth(1) {
        Some((dot, _)) if host.ends_with(|c: char| c.is_ascii_alphabetic()) => &host[dot + 1..],
        _ => host,
    };
    let known = WELL_KNOWN.iter().find(|(_, hosts)| hosts.contains(&host) || hosts.contains(&domain));
    known.map_or(domain, |(name, _)| name)
}

/// Operators whose resolvers have several names.
const WELL_KNOWN: &[(&str, &[&str])] = &[
    (
        "Cloudflare",
        &[
            "1.1.1.1",
            "1.0.0.1",
            "2606:4700:4700::1111",
            "2606:4700:4700::1001",
            "cloudflare-dns.com",
            "one.one",
        ],
    ),
    (
        "Google",
        &["8.8.8.8", "8.8.4.4", "2001:4860:4860::8888", "2001:4860:4860::8844", "dns.google", "google.com"],
    ),
    ("Quad9", &["9.9.9.9", "149.112.112.112", "2620:fe::fe", "2620:fe::9", "quad9.net"]),
    ("OpenDNS", &["208.67.222.222", "208.67.220.220", "2620:119:35::35", "2620:119:53::53", "opendns.com"]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resolvers_of_one_operator_are_one() {
        let found = operators(
            &servers(&[
                "https://1.1.1.1/dns-query",
                "https://dns.google/dns-query",
                "https://one.one.one.one/dns-query",
                "https://[2606:4700:4700::1111]/dns-query",
                "https://dns10.quad9.net/dns-query",
                "https://127.0.0.1:8443/dns-query",
                "https://127.0.0.2:8443/dns-query",
                "https://eu.resolver.example/q",
                "https://us.resolver.example/q",
                "9.9.9.9:53",
            ]),
            &[],
        );
        let found: Vec<_> = found.iter().map(|o| (o.name.as_str(), o.servers.len())).collect();
        let expected = [
            ("Cloudflare", 3),
            ("Google", 1),
            ("Quad9", 1),
            ("127.0.0.1", 1),
            ("127.0.0.2", 1),
            ("resolver.example", 2),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn those_that_may_have_been_asked_too_early_are_left_out() {
        let all = servers(&["https://1.1.1.1", "https://8.8.8.8", "https://9.9.9.9"]);
        for asked in ["1.1.1.1:53", "1.0.0.1", "https://cloudflare-dns.com/dns-query"] {
            let left = operators(&all, &servers(&[asked]));
            let left: Vec<_> = left.iter().map(|operator| operator.name.as_str()).collect();
            assert_eq!(left, ["Google", "Quad9"], "{asked}");
        }
    }

    fn servers(texts: &[&str]) -> Vec<RecursiveServer> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }
}
