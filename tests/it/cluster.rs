//! What is asked of the Kubernetes API server and what it tells, against a stand-in for it.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "clippy knows tests by their attribute, not their helpers"
)]

mod challenges;
mod front_proxy;
mod review;
mod secret;

use std::future::Future;
use std::time::Duration;

use cert_manager_webhook_cloudflare::cluster::client::{Clients, Settings};
use cert_manager_webhook_cloudflare::cluster::follow::Pauses;
use cloudflare_emulator::kubernetes::KubernetesStandIn;

/// A stand-in, and clients as the program makes them.
pub(crate) async fn stand_in() -> (KubernetesStandIn, Clients) {
    let api = KubernetesStandIn::start().await.unwrap();
    let clients = clients(&api).await;
    (api, clients)
}

/// Clients of a stand-in, as the program makes them.
async fn clients(api: &KubernetesStandIn) -> Clients {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), api.kubeconfig()).unwrap();
    let settings = Settings { kubeconfig: Some(file.path().to_owned()), ..Settings::default() };
    Clients::new(&settings).await.unwrap()
}

/// What happens must happen soon.
pub(crate) async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), what).await.expect("it did not happen in time")
}

/// Waits for a value of a channel.
pub(crate) async fn value<T: Clone>(
    channel: &mut tokio::sync::watch::Receiver<T>,
    wanted: impl Fn(&T) -> bool,
) -> T {
    soon(channel.wait_for(|value| wanted(value))).await.expect("the sender went away").clone()
}

pub(crate) const PAUSES: Pauses =
    Pauses { first: Duration::from_millis(10), last: Duration::from_millis(50) };

#[tokio::test]
async fn a_kubeconfig_that_is_not_there_is_named_by_its_flag() {
    let settings = Settings { kubeconfig: Some("/nowhere/kubeconfig".into()), ..Settings::default() };
    let error = Clients::new(&settings).await.map(|_| ()).unwrap_err();
    assert_eq!(error.to_string(), "--kubeconfig: /nowhere/kubeconfig can't be used");
}
