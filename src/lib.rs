//! cert-manager DNS-01 webhook for Cloudflare.

pub mod challenge;
pub mod cli;
pub mod deadline;
pub mod expiring;
pub mod health;
pub mod issuer;
pub mod metrics;
pub mod name;
pub mod propagation;
pub mod secret;
pub mod shutdown;
pub mod solver;
pub mod telemetry;
