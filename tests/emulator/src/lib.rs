//! Cloudflare, as far as a DNS-01 webhook meets it.

pub mod kubernetes;
