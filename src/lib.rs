//! cert-manager DNS-01 webhook for Cloudflare: an aggregated API server that writes the TXT record of a challenge and
//! confirms it only when it is live at the authority.
//!
//! # One request, room by room
//!
//! ```text
//! cert-manager → kube-apiserver (aggregation layer) →
//!   server        accepts, TLS, optional client certificate, drain
//!     api         layers: headers, panic, the door (limits, access), the route
//!       access    who is it, may they; fails closed
//!         solver  decodes the challenge once; present / clean_up: idempotent, one budget of time, one error catalogue
//!           cluster      the credential, from a Secret in the request's namespace; the live Challenges of the name
//!           cloudflare   the zone, and its TXT records by exact value
//!           propagation  whether every name server of the zone's delegation serves the value
//! ← ChallengeResponse, or metav1.Status for what never reached the solver
//! ```
//!
//! Imports only go down; `ARCHITECTURE.md` has the floors, and a test holds them.

pub mod access;
pub mod admin;
pub mod api;
pub mod app;
pub mod challenge;
pub mod cli;
pub mod cloudflare;
pub mod cluster;
pub mod deadline;
pub mod expiring;
pub mod flight;
pub mod health;
pub mod issuer;
pub mod metrics;
pub mod name;
pub mod propagation;
pub mod secret;
pub mod server;
pub mod shutdown;
pub mod solver;
pub mod telemetry;
