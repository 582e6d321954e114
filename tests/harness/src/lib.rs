//! Everything around the program, so that the real binary can be run and asked on any machine.
//!
//! A [`Scene`] is Cloudflare (the emulator), the Kubernetes API server (a stand-in) and the certificates of both ends,
//! in this process. [`Scene::webhook`] runs the real binary in it; an [`Aggregator`] sends it requests over TLS as
//! kube-apiserver's aggregation layer does, and [`CertManager`] plays a whole challenge: the requests recorded from
//! cert-manager in `testdata/requests`, and the status of the Challenge that goes with each. [`attack`] plays those who
//! mean harm.

mod aggregator;
pub mod attack;
mod cert_manager;
mod certificates;
mod challenge;
mod cluster;
pub mod command;
mod dns;
pub mod figures;
mod log;
mod process;
mod recorded;
mod scene;
mod wait;
pub mod work;

pub use aggregator::{Aggregator, Answer};
pub use cert_manager::CertManager;
pub use certificates::Certificates;
pub use challenge::Challenge;
pub use cluster::Cluster;
pub use dns::{Served, ask};
pub use process::{Usage, Webhook};
pub use recorded::Recorded;
pub use scene::{Binary, Scene, Setting, TOKEN, ZONE};
pub use wait::until;
