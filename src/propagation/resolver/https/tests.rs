use hickory_resolver::proto::op::{Message, Query};
use hickory_resolver::proto::rr::Record;
use hickory_resolver::proto::rr::rdata::{CNAME, SOA, TXT};

use super::super::tests::{distrust, https, serve_https, tls};
use super::*;

#[tokio::test]
async fn values_at_exactly_the_name_are_told_with_their_time_to_live() {
    let told = ask("_acme-challenge.example.com").await.unwrap();
    assert_eq!(told, Told { values: vec!["one two".to_owned()], ttl: Duration::from_mins(1) });
    let behind = ask("_acme-challenge.alias.example.com").await.unwrap();
    assert_eq!(behind.values, [""; 0]);
}

#[tokio::test]
async fn no_such_name_lasts_as_long_as_its_zone_says_or_half_an_hour() {
    let told = ask("_acme-challenge.none.example.com").await.unwrap();
    assert_eq!(told, Told { values: Vec::new(), ttl: Duration::from_mins(15) });
    let told = ask("_acme-challenge.bare.example.com").await.unwrap();
    assert_eq!(told, Told { values: Vec::new(), ttl: Duration::from_mins(30) });
}

#[tokio::test]
async fn a_failure_is_no_no() {
    let error = ask("_acme-challenge.broken.example.com").await.unwrap_err();
    assert!(matches!(error, HttpsError::Failed(_)), "{error:?}");
}

#[tokio::test]
async fn nobody_is_believed_without_a_root_that_vouches_for_him() {
    let (server, url, _) = https();
    let serve = serve_https(server, answer);
    let resolvers = resolvers(url.clone(), &distrust());
    let name = Fqdn::parse("_acme-challenge.example.com").unwrap();
    let told = tokio::select! {
        told = resolvers.ask(0, &name) => told,
        () = serve => unreachable!("serves for ever"),
    };
    assert!(matches!(told, Err(HttpsError::Failed(_))), "{told:?}");
    let none = Roots::new(|| Err(rustls::Error::General("none".to_owned())));
    let told = self::resolvers(url, &Arc::new(none)).ask(0, &name).await;
    assert!(matches!(told, Err(HttpsError::Roots(_))), "{told:?}");
}

async fn ask(name: &str) -> Result<Told, HttpsError> {
    let (server, url, roots) = https();
    let serve = serve_https(server, answer);
    let resolvers = resolvers(url, &tls(roots));
    let name = Fqdn::parse(name).unwrap();
    tokio::select! {
        told = resolvers.ask(0, &name) => told,
        () = serve => unreachable!("serves for ever"),
    }
}

fn resolvers(url: crate::propagation::RecursiveServer, roots: &Arc<Roots>) -> HttpsResolvers {
    let operator = Operator { name: "test".to_owned(), servers: vec![url] };
    HttpsResolvers::new(vec![operator], roots, Arc::default())
}

fn answer(query: &Query, reply: &mut Message) {
    assert_eq!(query.query_type, RecordType::TXT);
    let name_of = |text: &str| Name::from_ascii(text).unwrap();
    let txt = |name: Name, strings: &[&str]| {
        let strings = strings.iter().map(|text| (*text).to_owned()).collect();
        Record::from_rdata(name, 60, RData::TXT(TXT::new(strings)))
    };
    let soa = || {
        let (zone, ns) = (name_of("example.com."), name_of("ada.ns.cloudflare.com."));
        let soa = SOA::new(ns, name_of("dns.cloudflare.com."), 1, 10_000, 2400, 604_800, 900);
        Record::from_rdata(zone, 3600, RData::SOA(soa))
    };
    match query.name.to_ascii().as_str() {
        "_acme-challenge.example.com." => {
            reply.add_answer(txt(query.name.clone(), &["one ", "two"]));
        }
        "_acme-challenge.alias.example.com." => {
            let target = name_of("elsewhere.example.com.");
            let alias = RData::CNAME(CNAME(target.clone()));
            reply.add_answer(Record::from_rdata(query.name.clone(), 60, alias));
            reply.add_answer(txt(target, &["foreign"]));
        }
        "_acme-challenge.none.example.com." => {
            reply.metadata.response_code = ResponseCode::NXDomain;
            reply.add_authority(soa());
        }
        "_acme-challenge.bare.example.com." => reply.metadata.response_code = ResponseCode::NXDomain,
        _ => reply.metadata.response_code = ResponseCode::ServFail,
    }
}
