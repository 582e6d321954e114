//! The solver and what it asks of the outside, made from the settings.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use rustls_platform_verifier::BuilderVerifierExt;
use tokio::sync::watch;
use tokio_util::task::TaskTracker;

use super::WiredSolver;
use super::background::Background;
use crate::access::{FrontProxy, FrontProxyConfig};
use crate::cli::solver::{PropagationCheck, Solver as Settings};
use crate::cloudflare::{self, Cloudflare};
use crate::cluster::challenges::ClusterChallenges;
use crate::cluster::client::Clients;
use crate::cluster::follow::Pauses;
use crate::cluster::secret::ClusterCredentials;
use crate::health::Health;
use crate::metrics::Metrics;
use crate::propagation::{self, Check, LiveCheck, Roots};
use crate::solver::mark::{Owner, OwnerId};
use crate::solver::{Parts, Solver};

pub(super) fn solver(
    settings: &Settings,
    clients: &Clients,
    front_proxy: &FrontProxy,
    health: &Health,
    metrics: Arc<Metrics>,
    work: &TaskTracker,
    background: &mut Background,
) -> anyhow::Result<Arc<WiredSolver>> {
    let cloudflare = cloudflare::Settings {
        api_url: settings.cloudflare_api_url.clone(),
        ca_file: settings.cloudflare_ca_file.clone(),
    };
    let (challenges, challenge_watch) =
        ClusterChallenges::new(clients.api.clone(), health, Pauses::default());
    let changed = challenges.changed();
    background.start("challenges", challenge_watch.run(background.stop.clone()));
    let solver = Arc::new(Solver::new(Parts {
        records: Cloudflare::new(&cloudflare, Arc::clone(&metrics), work.clone())?,
        propagation: propagation(settings, Arc::clone(&metrics))?,
        credentials: ClusterCredentials::new(clients.api.clone(), settings.api_token_file.clone()),
        challenges,
        owner: owner(settings, front_proxy, background),
        group: settings.group_name.clone(),
        solver: settings.solver_name.clone(),
        metrics,
    }));
    background.start("tidying", tidy(Arc::clone(&solver), changed));
    Ok(solver)
}

fn propagation(settings: &Settings, metrics: Arc<Metrics>) -> anyhow::Result<LiveCheck> {
    let check = match settings.propagation_check {
        PropagationCheck::Auto => Check::Auto,
        PropagationCheck::Authority => Check::Authority,
        PropagationCheck::Doh => Check::Doh,
        PropagationCheck::Off => Check::Off,
    };
    let settings = propagation::Settings {
        check,
        timeout: settings.propagation_timeout,
        settle: settings.propagation_settle,
        authority_port: settings.dns01_authority_port,
        allow_private_name_servers: settings.allow_private_nameservers,
        recursive_servers: settings.dns01_recursive_nameservers.clone(),
        recursive_servers_only: settings.dns01_recursive_nameservers_only,
        doh_servers: settings.propagation_doh_servers.clone(),
        roots: Arc::new(Roots::new(|| {
            let config = rustls::ClientConfig::builder().with_platform_verifier()?;
            Ok(config.with_no_client_auth())
        })),
    };
    LiveCheck::new(&settings, metrics).context("the propagation check can't be set up")
}

/// The operator's id, or one that follows from the `ConfigMap` that every cluster has once.
fn owner(settings: &Settings, front_proxy: &FrontProxy, background: &mut Background) -> Owner {
    let owner = Owner::default();
    if let Some(id) = &settings.owner_id {
        owner.set(id.clone());
        return owner;
    }
    let (known, group, mut front_proxy) = (owner.clone(), settings.group_name.clone(), front_proxy.clone());
    background.start("owner id", async move {
        let read =
            |config: &Option<Arc<FrontProxyConfig>>| config.as_ref().is_some_and(|c| !c.uid.is_empty());
        if let Ok(config) = front_proxy.wait_for(read).await
            && let Some(config) = config.as_ref()
        {
            known.set(OwnerId::derive(&config.uid, &group));
        }
        std::future::pending::<()>().await;
    });
    owner
}

/// Removes what was written ahead for Challenges that went away. Changes come in bursts: one look serves a burst.
async fn tidy(solver: Arc<WiredSolver>, mut changed: watch::Receiver<u64>) {
    while !matches!(tokio::time::timeout(TIDY_EVERY, changed.changed()).await, Ok(Err(_))) {
        tokio::time::sleep(TIDY_PAUSE).await;
        changed.mark_unchanged();
        solver.remove_unpresented(TIDY_BUDGET).await;
    }
}

const TIDY_EVERY: Duration = Duration::from_mins(1);
const TIDY_PAUSE: Duration = Duration::from_secs(1);
/// Of one value.
const TIDY_BUDGET: Duration = Duration::from_secs(30);
