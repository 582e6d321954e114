//! Live Challenges: watched, lost, found again, and read when it matters.

use std::time::Duration;

use cert_manager_webhook_cloudflare::challenge::TxtValue;
use cert_manager_webhook_cloudflare::cluster::challenges::ClusterChallenges;
use cert_manager_webhook_cloudflare::cluster::follow::Pauses;
use cert_manager_webhook_cloudflare::deadline::Deadline;
use cert_manager_webhook_cloudflare::health::Health;
use cert_manager_webhook_cloudflare::issuer::solver_digest;
use cert_manager_webhook_cloudflare::name::Fqdn;
use cert_manager_webhook_cloudflare::solver::port::{Challenges, LiveChallenge, Stage};
use cloudflare_emulator::kubernetes::{Failure, KubernetesStandIn, Resource};
use serde_json::{Value, json};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{PAUSES, soon, stand_in};

const KIND: Resource = Resource::Challenges;

#[tokio::test]
async fn the_first_list_shows_what_is_there_page_by_page() {
    let world = World::start(|api| {
        api.put(KIND, challenge("a", false));
        api.put(KIND, with_status("b", json!({"presented": true})));
        let mut other = challenge("c", false);
        other["spec"]["dnsName"] = json!("other.example");
        api.put(KIND, other);
        for number in 0..600 {
            let mut filler = challenge(&format!("filler{number}"), false);
            filler["spec"]["dnsName"] = json!("filler.example");
            api.put(KIND, filler);
        }
    })
    .await;
    let known = world.until(|known| known.len() == 2).await;
    assert_eq!((known[0].value.as_str(), known[0].stage), ("value-a", Stage::Pending));
    assert_eq!((known[1].value.as_str(), known[1].stage), ("value-b", Stage::Presented(None)));
    assert_eq!(known[0].namespace, "ns");
    assert_eq!(known[0].solver, solver_digest("g", "cloudflare", Some(&json!({"ttl": 60}))));
    let filler = Fqdn::parse("filler.example").unwrap();
    assert_eq!(world.challenges.known(&filler).unwrap().len(), 600);
}

#[tokio::test]
async fn ready_means_listed_once_or_that_it_cannot_be() {
    let world = World::start(|api| api.fail(KIND, Failure::Hang)).await;
    soon(world.api.until(|api| !api.requests(KIND).is_empty())).await;
    assert!(!world.health.is_ready());

    World::start(|_| {}).await.until_ready().await;
    World::start(|api| api.fail(KIND, Failure::Forbidden)).await.until_ready().await;
}

#[tokio::test]
async fn a_challenge_goes_from_pending_to_presented_to_its_end() {
    let world = World::start(|_| {}).await;
    world.until(<[_]>::is_empty).await;
    world.api.put(KIND, challenge("a", true));
    world.until(|known| stages(known) == [Stage::Pending]).await;

    let before = Instant::now();
    world.api.put(KIND, with_status("a", json!({"presented": true})));
    let known = world.until(|known| stages(known) != [Stage::Pending]).await;
    let Stage::Presented(Some(presented)) = known[0].stage else { panic!("{known:?}") };
    assert!(before <= presented && presented <= Instant::now());

    world.api.put(KIND, with_status("a", json!({"presented": false, "state": "valid"})));
    let is_over = |known: &[LiveChallenge]| matches!(known[0].stage, Stage::Over { .. });
    let known = world.until(is_over).await;
    let Stage::Over { at, presented: was } = known[0].stage else { panic!("{known:?}") };
    assert_eq!(was, Some(Some(presented)));

    world.api.delete(KIND, "ns", "a");
    world.api.put(KIND, challenge("b", false));
    let known = world.until(|known| known.len() == 2).await;
    assert_eq!(known[0].stage, Stage::Over { at, presented: was }, "the end is remembered");
}

#[tokio::test]
async fn a_challenge_that_is_deleted_unpresented_is_over() {
    let world = World::start(|api| {
        api.put(KIND, challenge("a", false));
    })
    .await;
    world.until(|known| known.len() == 1).await;
    world.api.delete(KIND, "ns", "a");
    world.until(|known| matches!(known[0].stage, Stage::Over { presented: None, .. })).await;
}

#[tokio::test]
async fn nothing_is_known_without_the_right_until_it_is_given() {
    for failure in [Failure::Forbidden, Failure::Unknown, Failure::Status(500)] {
        let world = World::start(|api| {
            api.put(KIND, challenge("a", false));
            api.fail(KIND, failure.clone());
        })
        .await;
        soon(world.api.until(|api| api.requests(KIND).len() >= 3)).await;
        assert_eq!(world.challenges.known(&name()), None, "{failure:?}");
        world.api.heal(KIND);
        world.until(|known| known.len() == 1).await;
    }
}

#[tokio::test]
async fn a_broken_watch_is_known_to_be_broken_and_made_good_by_a_list() {
    for expire in [true, false] {
        let world = World::start(|api| {
            api.put(KIND, challenge("a", false));
        })
        .await;
        world.until(|known| known.len() == 1).await;
        soon(world.api.until(|api| api.open_watches(KIND) == 1)).await;

        world.api.fail(KIND, Failure::Status(503));
        if expire {
            world.api.expire_watches(KIND);
        } else {
            world.api.cut_watches(KIND);
        }
        world.until_unknown().await;
        world.api.put(KIND, with_status("a", json!({"presented": true})));
        world.api.heal(KIND);
        let known = world.until(|known| known.len() == 1).await;
        assert_eq!(known[0].stage, Stage::Presented(None), "nobody saw when");
    }
}

#[tokio::test]
async fn what_was_known_counts_for_nothing_from_the_loss_on() {
    let never = Pauses { first: Duration::from_hours(1), last: Duration::from_hours(1) };
    let world = World::with(never, |_| {}).await;
    world.until(<[_]>::is_empty).await;
    soon(world.api.until(|api| api.open_watches(KIND) == 1)).await;
    // A stream that merely breaks off is resumed where it was, and nothing is lost; this one can't be.
    world.api.fail(KIND, Failure::Status(503));
    world.api.cut_watches(KIND);
    world.until_unknown().await;
}

#[tokio::test]
async fn a_read_asks_the_api_server_and_knows_what_was_seen() {
    let world = World::start(|api| {
        api.put(KIND, challenge("a", false));
    })
    .await;
    world.until(|known| known.len() == 1).await;
    world.api.put(KIND, with_status("a", json!({"presented": true})));
    let known = world.until(|known| stages(known) != [Stage::Pending]).await;
    world.api.put(KIND, challenge("b", true));
    let mut read = world.challenges.read(&values(), deadline()).await.unwrap();
    read.sort_by(|a, b| a.value.cmp(&b.value));
    assert_eq!(read[0], known[0]);
    assert_eq!((read.len(), read[1].stage), (2, Stage::Pending));
    let requests = world.api.requests(KIND);
    let lists: Vec<_> = requests.iter().filter(|request| !request.flag("watch")).collect();
    assert_eq!(lists.len(), 2);
    assert_eq!(lists[1].path, "/apis/acme.cert-manager.io/v1/challenges");
    assert_eq!(lists[1].value("resourceVersion"), "", "as new as the request, not from a cache");

    world.api.delete(KIND, "ns", "a");
    world.api.delete(KIND, "ns", "b");
    let none = world.challenges.read(&values(), deadline()).await.unwrap();
    assert!(none.is_empty(), "what has gone does not exist");
}

#[tokio::test]
async fn a_read_that_fails_is_none() {
    let world = World::start(|_| {}).await;
    soon(world.api.until(|api| api.open_watches(KIND) == 1)).await;
    for failure in [Failure::Forbidden, Failure::Cut, Failure::Text(200, "{".into())] {
        world.api.fail_next(KIND, failure, 1);
        assert_eq!(world.challenges.read(&values(), deadline()).await, None);
    }
    world.api.fail(KIND, Failure::Hang);
    let short = Deadline::within(Duration::from_millis(100));
    assert_eq!(world.challenges.read(&values(), short).await, None);
}

#[tokio::test]
async fn a_bottomless_config_does_not_hide_the_others() {
    let deep = (0..200).fold(json!(1), |inner, _| json!([inner]));
    let world = World::start(|api| {
        let mut hostile = challenge("hostile", false);
        hostile["spec"]["solver"]["dns01"]["webhook"]["config"] = deep;
        api.put(KIND, hostile);
        api.put(KIND, challenge("a", false));
    })
    .await;
    world.until(|known| known.len() == 1).await;
}

struct World {
    api: KubernetesStandIn,
    challenges: ClusterChallenges,
    health: Health,
    shutdown: CancellationToken,
}

impl World {
    async fn start(before: impl FnOnce(&KubernetesStandIn)) -> Self {
        Self::with(PAUSES, before).await
    }

    async fn with(pauses: Pauses, before: impl FnOnce(&KubernetesStandIn)) -> Self {
        let (api, clients) = stand_in().await;
        before(&api);
        let health = Health::default();
        let (challenges, watch) = ClusterChallenges::new(clients.api, &health, pauses);
        let shutdown = CancellationToken::new();
        TaskTracker::new().spawn(watch.run(shutdown.clone()));
        Self { api, challenges, health, shutdown }
    }

    async fn until_ready(&self) {
        let mut changed = self.challenges.changed();
        soon(async {
            while !self.health.is_ready() {
                changed.changed().await.unwrap();
            }
        })
        .await;
    }

    /// Waits until what is known is as wanted; in the order of the values.
    async fn until(&self, wanted: impl Fn(&[LiveChallenge]) -> bool) -> Vec<LiveChallenge> {
        let mut changed = self.challenges.changed();
        soon(async {
            loop {
                changed.mark_unchanged();
                if let Some(mut known) = self.challenges.known(&name()) {
                    known.sort_by(|a, b| a.value.cmp(&b.value));
                    if wanted(&known) {
                        return known;
                    }
                }
                changed.changed().await.unwrap();
            }
        })
        .await
    }

    async fn until_unknown(&self) {
        let mut changed = self.challenges.changed();
        soon(changed.wait_for(|_| self.challenges.known(&name()).is_none())).await.unwrap();
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

fn stages(known: &[LiveChallenge]) -> Vec<Stage> {
    known.iter().map(|challenge| challenge.stage).collect()
}

fn with_status(id: &str, status: Value) -> Value {
    let mut object = challenge(id, false);
    object["status"] = status;
    object
}

fn challenge(id: &str, wildcard: bool) -> Value {
    json!({
        "metadata": {"namespace": "ns", "name": id},
        "spec": {
            "type": "DNS-01", "dnsName": "Example.com", "wildcard": wildcard, "key": format!("value-{id}"),
            "solver": {"dns01": {"webhook": {"groupName": "g", "solverName": "cloudflare", "config": {"ttl": 60}}}},
        },
    })
}

fn name() -> Fqdn {
    Fqdn::parse("example.com").unwrap()
}

fn values() -> [TxtValue; 2] {
    ["value-a", "value-b"].map(|value| TxtValue::parse(value).unwrap())
}

fn deadline() -> Deadline {
    Deadline::within(Duration::from_secs(5))
}
