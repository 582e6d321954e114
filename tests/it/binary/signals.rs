//! SIGTERM lets requests in flight finish; a second signal does not.

use harness::{Challenge, until};

use super::{QUICK, SOON, scene_that_holds_changes};

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_waits_for_a_present_in_flight() {
    let scene = scene_that_holds_changes().await;
    let mut webhook = scene.webhook(&[QUICK]).await.unwrap();
    let cert_manager = scene.cert_manager(&webhook).unwrap();
    let [challenge, _] = Challenge::pair().unwrap();
    let (answer, ()) = tokio::join!(cert_manager.present(&challenge), async {
        until("a record", SOON, async || scene.records() == [challenge.value()]).await.unwrap();
        webhook.terminate().unwrap();
        until("no longer ready", SOON, async || webhook.health("readyz").await != Some(200)).await.unwrap();
        scene.cloudflare.publish_now(None);
    });
    let answer = answer.unwrap();
    assert!(answer.is_success(), "{}", answer.message());
    let status = webhook.exit(SOON).await.unwrap();
    assert!(status.success(), "{status}: {}", webhook.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_ends_at_once() {
    let scene = scene_that_holds_changes().await;
    let mut webhook = scene.webhook(&[QUICK]).await.unwrap();
    let cert_manager = scene.cert_manager(&webhook).unwrap();
    let [challenge, _] = Challenge::pair().unwrap();
    let (answer, status) = tokio::join!(cert_manager.present(&challenge), async {
        until("a record", SOON, async || scene.records() == [challenge.value()]).await.unwrap();
        webhook.terminate().unwrap();
        until("no longer ready", SOON, async || webhook.health("readyz").await != Some(200)).await.unwrap();
        webhook.terminate().unwrap();
        webhook.exit(SOON).await.unwrap()
    });
    assert!(answer.is_err(), "{answer:?}");
    assert_eq!(status.code(), Some(130), "as of cert-manager's own programs: {}", webhook.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_program_ends_when_it_is_told_to() {
    let scene = scene_that_holds_changes().await;
    let mut webhook = scene.webhook(&[]).await.unwrap();
    webhook.terminate().unwrap();
    let status = webhook.exit(SOON).await.unwrap();
    assert!(status.success(), "{status}: {}", webhook.log());
}

/// The file is a pipe that nobody writes to: whoever opens it waits.
#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_hangs_ends_when_it_is_told_to() {
    let scene = scene_that_holds_changes().await;
    let pipe = scene.directory().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    for flag in ["kubeconfig", "tls-cert-file", "cloudflare-ca-file"] {
        let mut webhook = scene.spawn(&[&format!("--{flag}={}", pipe.display()), "-v=4"]).unwrap();
        // Signals are listened to before anything is read.
        until("it has begun", SOON, async || webhook.log().contains("starting")).await.unwrap();
        webhook.terminate().unwrap();
        let status = webhook.exit(SOON).await.unwrap();
        assert!(status.success(), "{flag}: {status}: {}", webhook.log());
    }
}
