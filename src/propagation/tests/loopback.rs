//! The whole check over real sockets: a resolver and two authorities on loopback addresses.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU32, Ordering};

use hickory_resolver::proto::op::{Message, Query, ResponseCode};
use hickory_resolver::proto::rr::rdata::{A, NS, TXT};
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use tokio::net::UdpSocket;

use super::*;

const ADA: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
const BOB: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 3);

#[tokio::test]
async fn a_record_is_confirmed_when_both_authorities_have_it() {
    let (ada, bob) = same_port().await;
    let resolver = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let check = check(&resolver, &ada, true);
    let late = AtomicU32::new(0);
    let serve = async {
        tokio::join!(
            answer(&resolver, directory),
            answer(&ada, |query, reply| authority(query, reply, true)),
            answer(&bob, |query, reply| {
                let asked = late.fetch_add(1, Ordering::Relaxed);
                authority(query, reply, asked >= 2);
            }),
        )
    };
    let confirmed = tokio::select! {
        confirmed = confirm(&check) => confirmed.unwrap().unwrap(),
        _ = serve => unreachable!("serves for ever"),
    };
    assert_eq!(confirmed.others, ["other"]);
    assert_eq!(late.load(Ordering::Relaxed), 4, "no, no, yes, yes");
}

#[tokio::test]
async fn loopback_authorities_are_refused_unless_allowed() {
    let (ada, _bob) = same_port().await;
    let resolver = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let check = check(&resolver, &ada, false);
    let error = tokio::select! {
        confirmed = confirm(&check) => confirmed.unwrap_err(),
        () = answer(&resolver, directory) => unreachable!("serves for ever"),
    };
    assert_eq!(error.cause(), &Cause::PrivateNameServer(fqdn(ZONE)));
    let nothing = ada.try_recv(&mut [0]).unwrap_err();
    assert_eq!(nothing.kind(), std::io::ErrorKind::WouldBlock);
}

fn check(resolver: &UdpSocket, authority: &UdpSocket, allow_private: bool) -> LiveCheck {
    let settings = Settings {
        check: Check::Authority,
        settle: Duration::from_millis(50),
        authority_port: authority.local_addr().unwrap().port(),
        allow_private_name_servers: allow_private,
        recursive_servers: vec![resolver.local_addr().unwrap().to_string().parse().unwrap()],
        recursive_servers_only: true,
        ..settings()
    };
    LiveCheck::new(&settings, Arc::default()).unwrap()
}

async fn confirm(check: &LiveCheck) -> Result<Option<Sighting>, Error> {
    let (zone, values) = (zone(&["ada.ns.cloudflare.com"]), values(&["v"]));
    let watch = Watch { zone: &zone, fqdn: &fqdn(NAME), values: &values, seen: None };
    check.confirm(watch, Deadline::within(Duration::from_secs(10))).await
}

fn directory(query: &Query, reply: &mut Message) {
    reply.metadata.recursion_available = true;
    let name = query.name.to_ascii();
    let address = |address: Ipv4Addr| RData::A(A(address));
    let ns = |host: &str| RData::NS(NS(Name::from_ascii(host).unwrap()));
    let data = match (name.as_str(), query.query_type) {
        ("example.com.", RecordType::NS) => {
            vec![ns("ADA.ns.cloudflare.com."), ns("bob.ns.cloudflare.com.")]
        }
        ("ada.ns.cloudflare.com.", RecordType::A) => vec![address(ADA)],
        ("bob.ns.cloudflare.com.", RecordType::A) => vec![address(BOB)],
        ("ada.ns.cloudflare.com." | "bob.ns.cloudflare.com.", RecordType::AAAA) => vec![],
        other => panic!("the resolver was not to be asked for {other:?}"),
    };
    let records = data.into_iter();
    reply.add_answers(records.map(|data| Record::from_rdata(query.name.clone(), 300, data)));
}

fn authority(query: &Query, reply: &mut Message, has: bool) {
    assert_eq!(query.name.to_ascii(), format!("{NAME}."));
    reply.metadata.authoritative = true;
    if !has {
        reply.metadata.response_code = ResponseCode::NXDomain;
        return;
    }
    for value in ["other", "v"] {
        let txt = RData::TXT(TXT::new(vec![value.to_owned()]));
        reply.add_answer(Record::from_rdata(query.name.clone(), 60, txt));
    }
}

/// Answers for ever.
async fn answer(socket: &UdpSocket, fill: impl Fn(&Query, &mut Message)) {
    let mut buffer = [0; 1500];
    loop {
        let (length, from) = socket.recv_from(&mut buffer).await.unwrap();
        let query = Message::from_vec(&buffer[..length]).unwrap();
        let mut reply = Message::response(query.metadata.id, query.metadata.op_code);
        reply.add_query(query.queries[0].clone());
        fill(&query.queries[0], &mut reply);
        socket.send_to(&reply.to_vec().unwrap(), from).await.unwrap();
    }
}

/// Two sockets, at the same port of both addresses.
async fn same_port() -> (UdpSocket, UdpSocket) {
    for _ in 0..20 {
        let ada = UdpSocket::bind((ADA, 0)).await.unwrap();
        let port = ada.local_addr().unwrap().port();
        if let Ok(bob) = UdpSocket::bind((BOB, port)).await {
            return (ada, bob);
        }
    }
    panic!("no port is free at both addresses");
}
