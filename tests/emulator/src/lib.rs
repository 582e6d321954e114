//! Cloudflare, as far as a DNS-01 webhook meets it.
//!
//! One state ([`World`] at the start) answers everything: Cloudflare's v4 zone and DNS record endpoints
//! (`router`), authoritative DNS on each name server's addresses (`authority`), a caching recursive
//! resolver (`resolver`) and a control interface (`control`). A write through the API becomes a list of
//! moments, one for each name server address, from which on that address serves it (`propagation`).
//!
//! Everything runs on tokio's clock, so a test may pause it. [`Emulator::start`] listens on loopback
//! ports; dropping the [`Emulator`] closes them. [`Emulator::detached`] has no ports and is called directly.
//!
//! Evidence behind a rule is tagged as in the checklist: D documented, O observed, C what several clients
//! rely on, G general knowledge, I inferred, U unknown. What is unknown is a switch ([`Switches`]).

#![allow(rustdoc::broken_intra_doc_links, reason = "the tags of evidence stand in brackets")]

mod api;
mod auth;
mod authority;
mod batch;
mod clock;
mod control;
mod detached;
mod dns;
mod emulator;
mod envelope;
mod faults;
mod http_server;
pub mod kubernetes;
mod limits;
mod names;
mod propagation;
mod query;
mod records;
mod resolver;
mod router;
mod settings;
mod state;
mod timeline;
mod txt;
mod validation;
mod world;
mod zones;

pub use detached::{Asked, Heard};
pub use emulator::{Emulator, Ready, StartError};
pub use faults::{Action, Fault, FaultBody, Match};
pub use names::derived_id;
pub use propagation::{Delay, Visible};
pub use records::RecordView;
pub use settings::{RateLimit, ResolverPick, Settings, Switches};
pub use state::Random;
pub use timeline::{Event, Stats};
pub use world::{
    ApiConfig, KeyConfig, ListenConfig, NameServerConfig, Permission, Plan, RecordConfig, ResolverConfig,
    TokenConfig, TokenStatus, World, WorldError, ZoneConfig, ZoneKind, ZoneStatus,
};
