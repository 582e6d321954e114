//! cert-manager DNS-01 webhook for Cloudflare.

pub mod access;
pub mod challenge;
pub mod cluster;
pub mod deadline;
pub mod expiring;
pub mod health;
pub mod issuer;
pub mod metrics;
pub mod name;
pub mod secret;
pub mod server;
pub mod solver;
