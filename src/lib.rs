//! cert-manager DNS-01 webhook for Cloudflare.
