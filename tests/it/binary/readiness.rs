//! Ready when kube-apiserver can be answered; Cloudflare has no say in that.

use cloudflare_emulator::kubernetes::{Failure, Resource};
use harness::Challenge;

use super::{SOON, scene};

#[tokio::test(flavor = "multi_thread")]
async fn ready_without_cloudflare() {
    let scene = scene().await;
    // Nobody listens there, nor anywhere near.
    let nobody = "--cloudflare-api-url=http://127.0.0.1:9";
    let webhook = scene.webhook(&[nobody, "--request-deadline=2s"]).await.unwrap();
    let cert_manager = scene.cert_manager(&webhook).unwrap();
    let [challenge, _] = Challenge::pair().unwrap();
    let answers =
        [cert_manager.present(&challenge).await.unwrap(), cert_manager.present(&challenge).await.unwrap()];
    assert!(answers.iter().all(|answer| !answer.is_success()), "{answers:?}");
    assert_eq!(answers[0].message(), answers[1].message(), "a text that changes makes cert-manager hurry");
    assert_eq!(webhook.health("readyz").await, Some(200));
    assert_eq!(webhook.health("livez").await, Some(200));
}

#[tokio::test(flavor = "multi_thread")]
async fn not_ready_without_the_front_proxy() {
    let scene = scene().await;
    scene.cluster.server().fail(Resource::ConfigMaps, Failure::Status(503));
    let mut webhook = scene.spawn(&[]).unwrap();
    harness::until("alive", SOON, async || webhook.health("livez").await == Some(200)).await.unwrap();
    assert_ne!(webhook.health("readyz").await, Some(200));
    scene.cluster.server().heal(Resource::ConfigMaps);
    webhook.ready().await.unwrap();
}
