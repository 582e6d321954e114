//! The checklist: each id of Cloudflare's observed behaviour is a test named after it, over real HTTP and
//! real DNS packets. `complete` asserts that none is forgotten; every exchange is held against the OpenAPI
//! description in `testdata/`.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "clippy knows tests by their attribute, not their helpers"
)]

mod auth;
mod authority;
mod batch;
mod complete;
mod control;
mod detached;
mod limits;
mod openapi;
mod record_lists;
mod records;
mod resolver;
mod support;
mod transport;
mod zones;
