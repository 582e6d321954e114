//! Settings that can't be: the program ends at once and names the flag.

use std::process::{Command, Output};

use cloudflare_emulator::kubernetes::{Resource, Verdict};
use harness::Challenge;

use super::{PROGRAM, SOON, scene};

#[test]
fn a_wrong_value_names_its_flag() {
    for (flag, value) in [
        ("--group-name", "Not A Group"),
        ("--solver-name", "CloudFlare"),
        ("--secure-port", "65536"),
        ("--bind-address", "localhost"),
        ("--propagation-timeout", "40"),
        ("--propagation-check", "maybe"),
        ("--owner-id", "a b"),
        ("--metrics-bind-address", "9402"),
        ("--log-format", "xml"),
    ] {
        let output = serve(&["--tls-cert-file=a", "--tls-private-key-file=b", &format!("{flag}={value}")]);
        let said = said(&output);
        assert_eq!(output.status.code(), Some(2), "{flag}: {said}");
        assert!(said.contains(flag), "{flag}: {said}");
    }
}

#[test]
fn a_missing_flag_is_named() {
    let output = serve(&["--tls-private-key-file=b"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output).contains("--tls-cert-file"), "{}", said(&output));
}

/// What is wrong shows only when it is used.
#[tokio::test(flavor = "multi_thread")]
async fn what_can_not_be_used_is_named_with_its_flag() {
    let scene = scene().await;
    let taken = scene.webhook(&[]).await.unwrap();
    let (port, admin) = (taken.address.port(), taken.admin);
    let address = format!("--bind-address={}", taken.address.ip());
    for (flag, wrong) in [
        ("--tls-cert-file", vec!["--tls-cert-file=/nowhere/tls.crt".to_owned()]),
        ("--tls-private-key-file", vec!["--tls-private-key-file=/nowhere/tls.key".to_owned()]),
        ("--kubeconfig", vec!["--kubeconfig=/nowhere/kubeconfig".to_owned()]),
        ("--cloudflare-api-url", vec!["--cloudflare-api-url=http://192.0.2.1/client/v4".to_owned()]),
        ("--cloudflare-ca-file", vec!["--cloudflare-ca-file=/nowhere/ca.crt".to_owned()]),
        ("--log-level", vec!["--log-level=a=b=c".to_owned()]),
        ("--client-ca-file", vec!["--client-ca-file=/nowhere/ca.crt".to_owned()]),
        ("--requestheader-client-ca-file", vec!["--requestheader-client-ca-file=/nowhere/ca.crt".to_owned()]),
        ("--tls-sni-cert-key", vec!["--tls-sni-cert-key=/nowhere/tls.crt,/nowhere/tls.key".to_owned()]),
        ("--secure-port", vec![address, format!("--secure-port={port}")]),
        ("--metrics-bind-address", vec![format!("--metrics-bind-address={admin}")]),
    ] {
        let arguments: Vec<_> = wrong.iter().map(String::as_str).collect();
        let mut webhook = scene.spawn(&arguments).unwrap();
        let status = webhook.exit(SOON).await.unwrap();
        assert!(!status.success(), "{flag}: {}", webhook.log());
        assert!(webhook.log().contains(flag), "{flag}: {}", webhook.log());
    }
}

/// The flags give all that the cluster would, and nothing is asked of it but reviews.
#[tokio::test(flavor = "multi_thread")]
async fn flags_take_the_place_of_the_cluster_s_configuration() {
    let scene = scene().await;
    let front_proxy =
        format!("--requestheader-client-ca-file={}", scene.certificates.front_proxy_ca.display());
    let arguments = [
        &*front_proxy,
        "--requestheader-allowed-names=front-proxy-client",
        "--requestheader-uid-headers=X-Remote-Uid",
        "--authentication-skip-lookup",
        "--audit-log-path=-",
    ];
    let webhook = scene.webhook(&arguments).await.unwrap();
    let cert_manager = scene.cert_manager(&webhook).unwrap();
    let [challenge, _] = Challenge::pair().unwrap();
    cert_manager.must_present(&challenge).await.unwrap();
    assert!(scene.cluster.server().requests(Resource::ConfigMaps).is_empty());
    assert!(webhook.log().contains("--audit-log-path means nothing here"), "{}", webhook.log());
}

/// All else is for the cluster to decide, which allows nothing here.
#[tokio::test(flavor = "multi_thread")]
async fn everybody_may_see_the_paths_of_the_flag_and_no_others() {
    let scene = scene().await;
    scene.cluster.server().authorize(|_| Verdict::NoOpinion(String::new()));
    for (arguments, livez, version) in
        [(&[][..], 200, 403), (&["--authorization-always-allow-paths=/version"][..], 403, 200)]
    {
        let webhook = scene.webhook(arguments).await.unwrap();
        let anybody = scene.aggregator(&webhook).unwrap();
        assert_eq!(anybody.get("/livez").await.unwrap(), livez, "{arguments:?}");
        assert_eq!(anybody.get("/version").await.unwrap(), version, "{arguments:?}");
    }
}

fn serve(arguments: &[&str]) -> Output {
    Command::new(PROGRAM).arg("serve").args(arguments).env_clear().output().unwrap()
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}
