//! SIGKILL after the write and before the answer, the moment at which nobody but Cloudflare knows of the record.

use harness::{Challenge, Scene, until};
use tokio::time::timeout;

use super::{QUICK, SOON, scene_that_holds_changes};

#[tokio::test(flavor = "multi_thread")]
async fn a_present_resumes_and_clean_up_leaves_nothing() {
    let scene = scene_that_holds_changes().await;
    let [challenge, _] = Challenge::pair().unwrap();
    kill_while_presenting(&scene, std::slice::from_ref(&challenge)).await;

    let webhook = scene.webhook(&[QUICK]).await.unwrap();
    let cert_manager = scene.cert_manager(&webhook).unwrap();
    scene.cloudflare.publish_now(None);
    cert_manager.must_present(&challenge).await.unwrap();
    assert_eq!(scene.records(), [challenge.value()]);
    cert_manager.must_clean_up(&challenge).await.unwrap();
    assert!(scene.records().is_empty(), "{:?}", scene.records());
}

/// Another process wrote the second value ahead; the mark in its comment says so, and nobody waits for a resolver to
/// forget the first answer.
#[tokio::test(flavor = "multi_thread")]
async fn a_name_and_its_wildcard_resume_without_a_wait() {
    let scene = scene_that_holds_changes().await;
    let challenges = Challenge::pair().unwrap();
    kill_while_presenting(&scene, &challenges).await;

    let webhook = scene.webhook(&[QUICK]).await.unwrap();
    scene.cluster.is_watched().await.unwrap();
    let cert_manager = scene.cert_manager(&webhook).unwrap();
    let resumed = async {
        for challenge in &challenges {
            scene.cloudflare.publish_now(None);
            cert_manager.must_present(challenge).await.unwrap();
            cert_manager.must_clean_up(challenge).await.unwrap();
        }
    };
    timeout(SOON, resumed).await.unwrap();
    assert!(scene.records().is_empty(), "{:?}", scene.records());
}

#[tokio::test(flavor = "multi_thread")]
async fn clean_up_alone_removes_what_was_written_before() {
    let scene = scene_that_holds_changes().await;
    let challenges = Challenge::pair().unwrap();
    kill_while_presenting(&scene, &challenges).await;

    let webhook = scene.webhook(&[QUICK]).await.unwrap();
    let cert_manager = scene.cert_manager(&webhook).unwrap();
    for challenge in &challenges {
        cert_manager.must_clean_up(challenge).await.unwrap();
    }
    assert!(scene.records().is_empty(), "{:?}", scene.records());
}

/// Ends with the first challenge's record at Cloudflare, and those of the others, and no answer.
async fn kill_while_presenting(scene: &Scene, challenges: &[Challenge]) {
    scene.cluster.create(challenges);
    let mut webhook = scene.webhook(&[QUICK]).await.unwrap();
    scene.cluster.is_watched().await.unwrap();
    let cert_manager = scene.cert_manager(&webhook).unwrap();
    let (answer, ()) = tokio::join!(cert_manager.present(&challenges[0]), async {
        let written = async || scene.records().len() == challenges.len();
        until("a record for each challenge", SOON, written).await.unwrap();
        webhook.kill().await.unwrap();
    });
    assert!(answer.is_err(), "{answer:?}");
}
