//! A token is never said, however much is logged.

use harness::{Challenge, Scene, TOKEN};

use super::{QUICK, scene};

/// Looks like a token and is none.
const REFUSED: &str = "v1-token-that-nobody-knows-9876543210zyxwvutsrq";

#[tokio::test(flavor = "multi_thread")]
async fn no_token_is_in_the_log() {
    let scene = scene().await;
    let mut webhook = scene.webhook(&[QUICK, "--log-level=trace"]).await.unwrap();
    let cert_manager = scene.cert_manager(&webhook).unwrap();
    let [challenge, _] = Challenge::pair().unwrap();
    let mut secrets = vec![TOKEN.to_owned(), encoded(&scene, &challenge).await];
    cert_manager.must_present(&challenge).await.unwrap();
    cert_manager.must_clean_up(&challenge).await.unwrap();

    let refused = Challenge::of("refused").unwrap();
    scene.cluster.put_token(&refused, REFUSED);
    scene.cloudflare.remove_token(TOKEN);
    secrets.extend([REFUSED.to_owned(), encoded(&scene, &refused).await]);
    let answer = cert_manager.present(&refused).await.unwrap();
    assert!(!answer.is_success());

    webhook.kill().await.unwrap();
    let log = webhook.log();
    assert!(log.contains("TRACE"), "this is no log at trace level:\n{log}");
    for secret in &secrets {
        assert!(!log.contains(secret), "{secret} is in the log, {}", line_with(&log, secret));
        assert!(!answer.message().contains(secret), "{}", answer.message());
    }
}

/// The token as the Secret has it, in base64.
async fn encoded(scene: &Scene, challenge: &Challenge) -> String {
    let (name, key) = challenge.secret();
    let server = scene.cluster.server().url();
    let url = format!("{server}/api/v1/namespaces/{}/secrets/{name}", challenge.namespace());
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let secret: serde_json::Value = client.get(url).send().await.unwrap().json().await.unwrap();
    secret["data"][key].as_str().unwrap().to_owned()
}

fn line_with<'a>(log: &'a str, text: &str) -> &'a str {
    log.lines().find(|line| line.contains(text)).unwrap_or("over several lines")
}
