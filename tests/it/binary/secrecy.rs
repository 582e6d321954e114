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

#[tokio::test(flavor = "multi_thread")]
async fn no_core_dump_is_written() {
    let scene = scene().await;
    let webhook = scene.webhook(&[QUICK]).await.unwrap();
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", webhook.id())).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().skip(4).take(2).collect::<Vec<_>>(), ["0", "0"], "{core}");
}

/// What a request says stands in the log as one value of one line, whoever reads that.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_writes_a_line_of_the_log() {
    const FORGED: &str = "\n2026-01-01T00:00:00Z ERROR forged\r\u{1b}[2J\u{85}\u{2028}";
    for format in ["--log-format=text", "--log-format=json"] {
        let scene = scene().await;
        let mut webhook = scene.webhook(&[QUICK, "--log-level=debug", format]).await.unwrap();
        let aggregator = scene.aggregator(&webhook).unwrap();
        for field in
            ["uid", "action", "type", "dnsName", "key", "resourceNamespace", "resolvedFQDN", "resolvedZone"]
        {
            let [challenge, _] = Challenge::pair().unwrap();
            let mut request = challenge.present;
            let value = request.body["request"][field].as_str().unwrap_or_default().to_owned();
            request.body["request"][field] = format!("{value}{FORGED}").into();
            aggregator.send(&request).await.unwrap();
        }
        let [challenge, _] = Challenge::pair().unwrap();
        let mut request = challenge.present;
        request.body["request"]["config"] = serde_json::json!({ FORGED: FORGED });
        aggregator.send(&request).await.unwrap();
        webhook.kill().await.unwrap();
        let log = webhook.log();
        assert!(log.contains("forged"), "nothing of it was logged:\n{log}");
        for line in log.lines() {
            assert!(!line.starts_with("2026-01-01"), "{line}");
            assert!(!line.contains(['\r', '\u{1b}', '\u{85}', '\u{2028}']), "{line:?}");
        }
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
