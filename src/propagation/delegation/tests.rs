use super::super::fake::{Authorities, BOB_4, Directory, ZONE, delegation, fqdn};
use super::*;

#[tokio::test(start_paused = true)]
async fn names_are_sorted_and_addresses_taken_in_turn() {
    let found = find(Directory::usual()).await.unwrap();
    assert_eq!(*found, delegation());
}

#[tokio::test(start_paused = true)]
async fn a_delegation_is_kept_between_thirty_seconds_and_ten_minutes() {
    let at = |ttl| Directory::usual().zone(&["bob.ns.cloudflare.com"], ttl);
    // The hosts' own time to live is five minutes.
    for (ttl, kept) in [(0, 30), (60, 60), (86400, 300)] {
        let directory = at(ttl);
        let delegations = Delegations::new(directory.clone(), routes(), 53, false);
        let lookups = || {
            let asked = directory.asked();
            asked.iter().filter(|name| *name == ZONE).count()
        };
        delegations.find(&fqdn(ZONE)).await.unwrap();
        tokio::time::advance(Duration::from_secs(kept - 1)).await;
        delegations.find(&fqdn(ZONE)).await.unwrap();
        assert_eq!(lookups(), 1, "{ttl}");
        tokio::time::advance(Duration::from_secs(1)).await;
        delegations.find(&fqdn(ZONE)).await.unwrap();
        assert_eq!(lookups(), 2, "{ttl}");
        delegations.forget(&fqdn(ZONE));
        delegations.find(&fqdn(ZONE)).await.unwrap();
        assert_eq!(lookups(), 3, "{ttl}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_cold_delegation_is_looked_up_once_however_many_wait() {
    let directory = Directory::usual().slow(Duration::from_secs(1));
    let delegations = Delegations::new(directory.clone(), routes(), 53, false);
    let zone = fqdn(ZONE);
    let found = join_all((0..60).map(|_| delegations.find(&zone))).await;
    assert!(found.iter().all(Result::is_ok));
    assert_eq!(directory.asked().len(), 5, "NS, and two families of two name servers");

    let broken = directory.broken_zone();
    let delegations = Delegations::new(broken.clone(), routes(), 53, false);
    let found = join_all((0..60).map(|_| delegations.find(&zone))).await;
    assert!(found.iter().all(Result::is_err));
    assert_eq!(broken.asked().len(), 6);
    delegations.find(&zone).await.unwrap_err();
    assert_eq!(broken.asked().len(), 7, "a failure is not kept");
}

#[tokio::test(start_paused = true)]
async fn sixteen_addresses_are_asked_at_most_and_each_name_server_is() {
    let host = |n: usize| format!("ns{n:02}.example.net");
    let hosts: Vec<_> = (0..4).map(host).collect();
    let names: Vec<_> = hosts.iter().map(String::as_str).collect();
    let v4: Vec<_> = (1..=9).map(|n| format!("1.1.1.{n}")).collect();
    let v4: Vec<_> = v4.iter().map(String::as_str).collect();
    let directory = names[..3]
        .iter()
        .fold(Directory::default().zone(&names, 300), |directory, name| {
            directory.host(name, &v4, &["2606:4700::1", "2606:4700::2"])
        })
        .host(names[3], &["1.0.0.1"], &[]);
    let found = find(directory).await.unwrap();
    let counts: Vec<_> = found.servers.iter().map(|s| s.addresses.len()).collect();
    assert_eq!(counts, [5, 5, 5, 1]);
    let v6 = found.servers[0].addresses.iter().filter(|a| a.is_ipv6());
    assert_eq!(v6.count(), 2);

    let hosts: Vec<_> = (0..20).map(host).collect();
    let names: Vec<_> = hosts.iter().map(String::as_str).collect();
    let directory = names[..16]
        .iter()
        .fold(Directory::default().zone(&names, 300), |directory, name| directory.host(name, &v4, &[]));
    let found = find(directory).await.unwrap();
    assert!(found.servers.iter().all(|server| server.addresses.len() == 1));
    assert_eq!(found.servers.len(), 16);
}

#[tokio::test(start_paused = true)]
async fn a_private_address_is_refused_unless_allowed() {
    for (v4, v6) in [
        (&["172.64.32.1", "10.0.0.10"][..], &[][..]),
        (&["127.0.0.1"], &[]),
        (&["169.254.169.254"], &[]),
        (&["172.64.32.1"], &["fd00::1"]),
    ] {
        let directory = Directory::usual().host("bob.ns.cloudflare.com", v4, v6);
        let error = find(directory.clone()).await.unwrap_err();
        assert_eq!(error.cause(), &Cause::PrivateNameServer(fqdn(ZONE)), "{v4:?} {v6:?}");
        let allowed = Delegations::new(directory, routes(), 53, true);
        assert!(allowed.find(&fqdn(ZONE)).await.is_ok());
    }
}

#[tokio::test(start_paused = true)]
async fn an_address_without_a_route_is_not_asked() {
    let v6_only = Authorities::new().no_route("108.162.192.1:53").no_route(BOB_4);
    let delegations = Delegations::new(
        Directory::usual().host("bob.ns.cloudflare.com", &["172.64.32.1"], &["2606:4700:50::2"]),
        Arc::new(v6_only),
        53,
        false,
    );
    let found = delegations.find(&fqdn(ZONE)).await.unwrap();
    let addresses = found.servers.iter().flat_map(|server| &server.addresses);
    let addresses: Vec<_> = addresses.map(ToString::to_string).collect();
    assert_eq!(addresses, ["[2606:4700:50::1]:53", "[2606:4700:50::2]:53"]);

    let v4_only = Authorities::new().no_route("[2606:4700:50::1]:53");
    let delegations = Delegations::new(
        Directory::usual().host("bob.ns.cloudflare.com", &[], &["2606:4700:50::1"]),
        Arc::new(v4_only),
        53,
        false,
    );
    let found = delegations.find(&fqdn(ZONE)).await.unwrap();
    assert_eq!(found.servers.len(), 1, "bob can't be asked at all");
}

#[tokio::test(start_paused = true)]
async fn one_family_is_enough_and_both_failing_is_unknown() {
    let v6_fails = Directory::usual().family("ada.ns.cloudflare.com", Family::V6, None);
    let found = find(v6_fails.clone()).await.unwrap();
    assert_eq!(found.servers[0].addresses, ["108.162.192.1:53".parse().unwrap()]);

    let unknown = Cause::DelegationUnknown(fqdn(ZONE));
    let both_fail = v6_fails.family("ada.ns.cloudflare.com", Family::V4, None);
    assert_eq!(find(both_fail).await.unwrap_err().cause(), &unknown);
    let half = Directory::usual().family("ada.ns.cloudflare.com", Family::V4, Some(&[])).family(
        "ada.ns.cloudflare.com",
        Family::V6,
        None,
    );
    assert_eq!(find(half).await.unwrap_err().cause(), &unknown);
    let zone_fails = Directory::usual().broken_zone();
    assert_eq!(find(zone_fails).await.unwrap_err().cause(), &unknown);
}

#[tokio::test(start_paused = true)]
async fn a_zone_without_name_servers_is_not_delegated() {
    let error = find(Directory::default().zone(&[], 0)).await.unwrap_err();
    assert_eq!(error.cause(), &Cause::NotDelegated(fqdn(ZONE)));
}

#[test]
fn a_delegation_is_elsewhere_if_it_shares_no_name() {
    let names = |texts: &[&str]| texts.iter().map(|text| fqdn(text)).collect::<Vec<_>>();
    let elsewhere = |texts| delegation().is_elsewhere(&names(texts));
    assert!(!elsewhere(&["ADA.ns.cloudflare.com", "carl.ns.cloudflare.com"]));
    assert!(elsewhere(&["carl.ns.cloudflare.com"]));
    assert!(!elsewhere(&[]));
}

async fn find(directory: Directory) -> Result<Arc<Delegation>, Error> {
    Delegations::new(directory, routes(), 53, false).find(&fqdn(ZONE)).await
}

fn routes() -> Arc<Authorities> {
    Arc::new(Authorities::new())
}
