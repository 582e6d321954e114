//! `KEEP=1`: everything stays, with commands to copy.

use anyhow::{Context, Result};
use harness::{Challenge, Recorded, Scene, Webhook};

/// Says how to ask each part, and waits for Ctrl-C.
pub(crate) async fn keep(scene: &Scene, webhook: &Webhook, challenge: &Challenge) -> Result<()> {
    let [present, clean_up] = [&challenge.present, &challenge.clean_up].map(|request| (request, scene));
    let files = [write(present, "present.json")?, write(clean_up, "cleanup.json")?];
    let curl = curl(scene, webhook);
    println!("  Still running, until Ctrl-C. As kube-apiserver:\n");
    println!("    webhook() {{ {curl} \"$@\"; }}");
    println!("    url=https://webhook.cert-manager.svc:{}", webhook.address.port());
    println!("    webhook $url{} --json @{}", challenge.present.path, files[0]);
    println!("    webhook $url{} --json @{}", challenge.clean_up.path, files[1]);
    println!("    webhook $url/apis\n");
    println!("  Cloudflare's name servers, and a resolver:\n");
    let port = scene.cloudflare.authority_port();
    for (_, address) in scene.cloudflare.authorities() {
        println!("    dig +norecurse +short TXT {} @{} -p {port}", challenge.fqdn(), address.ip());
    }
    let resolver = scene.cloudflare.resolver_addr().context("no resolver")?;
    println!("    dig +short TXT {} @{} -p {}\n", challenge.fqdn(), resolver.ip(), resolver.port());
    println!("  Cloudflare's state and delays, the cluster, the webhook:\n");
    let control = scene.cloudflare.control_url();
    println!("    curl -s '{control}/records?zone=example.com'");
    println!("    curl -s '{control}/timeline'");
    println!("    curl -s {control}/settings -X PATCH --json '{{\"propagation_ms\": 5000}}'");
    println!("    curl -s {}/apis/acme.cert-manager.io/v1/challenges", scene.cluster.server().url());
    println!("    curl -s http://{}/metrics", webhook.admin);
    println!("    tail -f {}\n", webhook.log_path().display());
    tokio::signal::ctrl_c().await.context("cannot wait for Ctrl-C")
}

/// The certificates and headers of the front proxy.
fn curl(scene: &Scene, webhook: &Webhook) -> String {
    let files = &scene.certificates;
    let resolve = format!("webhook.cert-manager.svc:{}:{}", webhook.address.port(), webhook.address.ip());
    format!(
        "curl -s --resolve {resolve} --cacert {} --cert {} --key {} \
         -H 'X-Remote-User: system:serviceaccount:cert-manager:cert-manager'",
        files.serving_ca.display(),
        files.front_proxy_cert.display(),
        files.front_proxy_key.display(),
    )
}

fn write((request, scene): (&Recorded, &Scene), name: &str) -> Result<String> {
    let path = scene.directory().join(name);
    std::fs::write(&path, serde_json::to_vec(&request.body)?)?;
    Ok(path.display().to_string())
}
