//! The edge: TLS, authentication, authorization, the HTTP contract, drain.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests; clippy sees only the functions that bear the attribute as such"
)]

mod authentication;
mod certs;
mod contract;
mod discovery;
mod drain;
mod hostile;
mod negotiation;
mod openapi;
mod payload;
mod tls;
mod world;
