//! The edge: TLS, authentication, authorization, the HTTP contract, drain.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests; clippy sees only the functions that bear the attribute as such"
)]

mod authentication;
pub(crate) mod certs;
mod contract;
mod discovery;
pub(crate) mod drain;
mod hostile;
mod negotiation;
mod openapi;
mod payload;
mod tls;
pub(crate) mod world;
