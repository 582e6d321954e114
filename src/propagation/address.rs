//! Which addresses a public name server may have.
//!
//! The delegation of a zone is written by whoever owns the domain. Without this, one that names `10.0.0.10` would
//! make the webhook send packets into the cluster.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether an address is that of a host on the public Internet
/// (the [IPv4](https://www.iana.org/assignments/iana-ipv4-special-registry/) and
/// [IPv6](https://www.iana.org/assignments/iana-ipv6-special-registry/) registries of special-purpose addresses).
pub(super) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = match a {
        // This network, private, loopback, multicast and reserved with broadcast.
        0 | 10 | 127 | 224.. => true,
        // Carrier-grade NAT (RFC 6598).
        100 => (64..128).contains(&b),
        // Link-local.
        169 => b == 254,
        172 => (16..32).contains(&b),
        // Protocol assignments, documentation, 6to4 relays, private.
        192 => matches!((b, c), (0, 0 | 2) | (88, 99) | (168, _)),
        // Benchmarks (RFC 2544), documentation.
        198 => matches!(b, 18 | 19) || (b, c) == (51, 100),
        203 => (b, c) == (0, 113),
        _ => false,
    };
    !special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    match address.segments() {
        // An IPv4 address as a DNS64 resolver writes it (RFC 6052).
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            let [a, b] = high.to_be_bytes();
            let [c, d] = low.to_be_bytes();
            is_public_v4(Ipv4Addr::new(a, b, c, d))
        }
        // Protocol assignments with Teredo, documentation, 6to4, documentation.
        [0x2001, 0..0x200 | 0xdb8, ..] | [0x2002, ..] | [0x3fff, 0..0x1000, ..] => false,
        // All global unicast addresses are of 2000::/3; loopback, link-local, unique local and multicast are not.
        [first, ..] => (0x2000..0x4000).contains(&first),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_addresses_are_told_from_public_ones() {
        let special = "0.0.0.0 0.1.2.3 10.0.0.10 100.64.0.1 100.127.255.255 127.0.0.1 169.254.169.254 172.16.0.1 \
            172.31.255.255 192.0.0.8 192.0.2.1 192.88.99.1 192.168.1.1 198.18.0.1 198.19.255.255 198.51.100.1 \
            203.0.113.1 224.0.0.1 240.0.0.1 255.255.255.255 :: ::1 ::ffff:10.0.0.1 ::ffff:1.1.1.1 64:ff9b::10.0.0.1 \
            64:ff9b:1::1 100::1 2001::1 2001:1ff:ffff::1 2001:db8::1 2002:a00:1::1 3fff::1 fc00::1 fd12::1 fe80::1 \
            fec0::1 ff02::1";
        for text in special.split_whitespace() {
            assert!(!is_public(text.parse().unwrap()), "{text}");
        }
        let public = "1.1.1.1 100.63.255.255 100.128.0.1 108.162.192.1 172.15.0.1 172.32.0.1 172.64.32.1 173.245.58.1 \
            192.0.1.1 192.167.0.1 198.17.0.1 203.0.112.1 223.255.255.255 64:ff9b::1.1.1.1 2001:200::1 2400:cb00::1 \
            2606:4700:50::adf5:3a01 2803:f800:50::6ca2:c001 2a06:98c1:50::ac40:2001";
        for text in public.split_whitespace() {
            assert!(is_public(text.parse().unwrap()), "{text}");
        }
    }
}
