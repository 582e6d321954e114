//! The front proxy's authority is rotated under a running program.

use harness::{Aggregator, Certificates, Recorded, until};
use serde_json::{Value, json};

use cloudflare_emulator::kubernetes::Resource;

use super::{SOON, scene};

/// As kube-apiserver rotates: the new authority is added first, and the old one removed last. Whoever still shows a
/// certificate of the old one is refused then, on the connection that has been open all the time.
#[tokio::test(flavor = "multi_thread")]
async fn the_old_authority_is_believed_until_it_is_removed() {
    let scene = scene().await;
    let webhook = scene.webhook(&[]).await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    let mut next = Certificates::make(directory.path()).unwrap();
    let read = |path| std::fs::read_to_string(path).unwrap();
    let (old_ca, new_ca) = (read(&scene.certificates.front_proxy_ca), read(&next.front_proxy_ca));

    let old = scene.aggregator(&webhook).unwrap();
    next.serving_ca.clone_from(&scene.certificates.serving_ca);
    let new = Aggregator::new(&next, webhook.address).unwrap();
    assert_eq!((status(&old).await, status(&new).await), (200, 401));

    let publish = |bundle: &str| scene.cluster.server().put(Resource::ConfigMaps, config_map(bundle));
    publish(&format!("{old_ca}{new_ca}"));
    until("the new one is believed, too", SOON, async || status(&new).await == 200).await.unwrap();
    assert_eq!(status(&old).await, 200);
    publish(&new_ca);
    until("the old one is not believed", SOON, async || status(&old).await == 401).await.unwrap();
    assert_eq!(status(&new).await, 200);
}

async fn status(aggregator: &Aggregator) -> u16 {
    let [present, _] = Recorded::first().unwrap();
    let path = "/apis/cloudflare.dns01.webhook/v1alpha1".to_owned();
    let discovery = Recorded { method: "GET".to_owned(), path, body: Value::Null, ..present };
    aggregator.send(&discovery).await.unwrap().status
}

fn config_map(authorities: &str) -> Value {
    json!({
        "metadata": {"namespace": "kube-system", "name": "extension-apiserver-authentication"},
        "data": {
            "requestheader-client-ca-file": authorities,
            "requestheader-allowed-names": r#"["front-proxy-client"]"#,
            "requestheader-username-headers": r#"["X-Remote-User"]"#,
            "requestheader-group-headers": r#"["X-Remote-Group"]"#,
        },
    })
}
