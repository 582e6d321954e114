//! What a name server address answers: its zones, delegations, aliases, wildcards, denials.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::rdata::{A, AAAA, CNAME, HINFO, MX, NS, PTR, SOA, TXT};
use hickory_proto::rr::{Name, RData, Record, RecordType};

use crate::names::{from_wire, is_within, to_wire};
use crate::propagation::{ServedData, Vantage, Visible};
use crate::state::State;
use crate::txt;
use crate::zones::Zone;

/// A DNS answer before it becomes a packet.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) rcode: ResponseCode,
    pub(crate) authoritative: bool,
    pub(crate) recursion_available: bool,
    pub(crate) answers: Vec<Record>,
    pub(crate) authorities: Vec<Record>,
    pub(crate) additionals: Vec<Record>,
}

impl Reply {
    pub(crate) fn code(rcode: ResponseCode) -> Self {
        Self {
            rcode,
            authoritative: false,
            recursion_available: false,
            answers: Vec::new(),
            authorities: Vec::new(),
            additionals: Vec::new(),
        }
    }

    fn answer(answers: Vec<Record>) -> Self {
        Self { authoritative: true, answers, ..Self::code(ResponseCode::NoError) }
    }

    /// A denial carries the zone's SOA, by which it is cached (RFC 2308 §3).
    fn denial(rcode: ResponseCode, soa: Record) -> Self {
        Self { authoritative: true, authorities: vec![soa], ..Self::code(rcode) }
    }
}

impl State {
    /// What this server (by its place in the list) answers; RD is ignored, RA is never set.
    pub(crate) fn authority(&self, server: usize, name: &Name, kind: RecordType, from: Vantage<'_>) -> Reply {
        let host = self.servers.get(server).map(|server| server.name.as_str()).unwrap_or_default();
        let text = from_wire(name);
        let zones = self.zones.iter().filter(|zone| zone.is_served_by(host) && is_within(&text, &zone.name));
        let Some(zone) = zones.max_by_key(|zone| zone.name.len()) else {
            return Reply::code(ResponseCode::Refused); // [C]
        };
        if kind == RecordType::ANY {
            // RFC 8482, which Cloudflare follows.
            let rdata = RData::HINFO(HINFO::new("RFC8482".to_owned(), String::new()));
            return Reply::answer(vec![Record::from_rdata(name.clone(), ANY_TTL, rdata)]);
        }
        if let Some(reply) = self.referral(zone, &text, from) {
            return reply;
        }
        zone.lookup(name, &text, kind, from)
    }

    /// What every server answers now.
    pub(crate) fn visible(&self, name: &str, kind: RecordType, now: tokio::time::Instant) -> Vec<Visible> {
        let Some(wire) = to_wire(name) else {
            return Vec::new();
        };
        let answer = |(index, server): (usize, &crate::propagation::Server)| {
            let from = Vantage { servers: &[index], extra: std::time::Duration::ZERO, now };
            let reply = self.authority(index, &wire, kind, from);
            Visible {
                server: server.name.clone(),
                address: server.address,
                rcode: rcode_name(reply.rcode),
                answers: reply.answers.iter().map(|record| plain(&record.data)).collect(),
            }
        };
        self.servers.iter().enumerate().map(answer).collect()
    }

    /// A delegation inside of the zone, at or above the name (RFC 1034 §4.3.2 step 3b).
    fn referral(&self, zone: &Zone, name: &str, from: Vantage<'_>) -> Option<Reply> {
        let below = name.strip_suffix(&zone.name)?.strip_suffix('.')?;
        let mut owner = zone.name.clone();
        for label in below.rsplit('.') {
            owner = format!("{label}.{owner}");
            let records = zone.published.at(&owner, from).unwrap_or_default();
            let delegation: Vec<_> = records.iter().filter(|record| record.kind == "NS").collect();
            if delegation.is_empty() {
                continue;
            }
            let wire = to_wire(&owner)?;
            let mut reply = Reply::code(ResponseCode::NoError);
            for record in delegation {
                reply.authorities.extend(to_record(&wire, record));
                reply.additionals.extend(self.addresses(&record.content));
            }
            return Some(reply);
        }
        None
    }

    /// Address records of a name server.
    pub(crate) fn addresses(&self, host: &str) -> Vec<Record> {
        let Some(wire) = to_wire(host) else {
            return Vec::new();
        };
        let known = self.servers.iter().filter(|server| server.name.eq_ignore_ascii_case(host));
        known.map(|server| Record::from_rdata(wire.clone(), NS_TTL, server.address.into())).collect()
    }
}

impl Zone {
    fn lookup(&self, name: &Name, text: &str, kind: RecordType, from: Vantage<'_>) -> Reply {
        let mut answers = Vec::new();
        let mut owner = name.clone();
        let mut text = text.to_owned();
        // Aliases are followed inside of the zone, never out of it (RFC 1034 §4.3.2 step 3a).
        for _ in 0..ALIASES_MAX {
            let apex = text == self.name;
            if apex && kind == RecordType::SOA {
                answers.extend(self.soa(from));
                return Reply::answer(answers);
            }
            if apex && kind == RecordType::NS {
                answers.extend(self.name_server_records());
                return Reply::answer(answers);
            }
            let Some(records) = self.at_or_wildcard(&text, from) else {
                let exists = apex || self.published.any_below(&text, from);
                let rcode = if exists { ResponseCode::NoError } else { ResponseCode::NXDomain };
                return self.denial(rcode, answers, from);
            };
            let alias = records.iter().find(|record| record.kind == "CNAME" && kind != RecordType::CNAME);
            if let Some(alias) = alias {
                answers.extend(to_record(&owner, alias));
                let target = alias.content.to_ascii_lowercase();
                match to_wire(&target) {
                    Some(wire) if is_within(&target, &self.name) => (owner, text) = (wire, target),
                    _ => return Reply::answer(answers),
                }
                continue;
            }
            let mut set: Vec<Record> = Vec::new();
            for record in records.iter().filter(|record| record.kind == kind.to_string()) {
                // An RRset holds no record twice (RFC 2181 §5).
                set.extend(
                    to_record(&owner, record).filter(|new| set.iter().all(|old| old.data != new.data)),
                );
            }
            if set.is_empty() {
                return self.denial(ResponseCode::NoError, answers, from);
            }
            let ttl = set.iter().map(|record| record.ttl).min().unwrap_or_default();
            for record in &mut set {
                record.ttl = ttl;
            }
            answers.extend(set);
            return Reply::answer(answers);
        }
        Reply::answer(answers)
    }

    /// The records at the name, or those of the wildcard that covers it (RFC 4592 §3.3).
    fn at_or_wildcard(&self, name: &str, from: Vantage<'_>) -> Option<Vec<Arc<ServedData>>> {
        if let Some(records) = self.published.at(name, from) {
            return Some(records);
        }
        if name == self.name || self.published.any_below(name, from) {
            return None;
        }
        let mut encloser = name;
        loop {
            encloser = encloser.split_once('.')?.1;
            let exists = encloser == self.name
                || self.published.at(encloser, from).is_some()
                || self.published.any_below(encloser, from);
            if exists {
                return self.published.at(&format!("*.{encloser}"), from);
            }
        }
    }

    fn denial(&self, rcode: ResponseCode, answers: Vec<Record>, from: Vantage<'_>) -> Reply {
        match self.soa(from) {
            Some(soa) => Reply { answers, ..Reply::denial(rcode, soa) },
            None => Reply::code(ResponseCode::ServFail),
        }
    }

    /// [D: dns-record-types, SOA; RNAME G]
    fn soa(&self, from: Vantage<'_>) -> Option<Record> {
        let first = self.name_servers.first().or(self.vanity_name_servers.first())?;
        let serial = SERIAL_START.wrapping_add(self.published.changes(from));
        let soa = SOA::new(
            to_wire(first)?,
            to_wire("dns.cloudflare.com")?,
            serial,
            10_000,
            2400,
            604_800,
            self.soa_minimum,
        );
        Some(Record::from_rdata(to_wire(&self.name)?, self.soa_minimum.min(SOA_TTL), RData::SOA(soa)))
    }

    fn name_server_records(&self) -> Vec<Record> {
        let shown =
            if self.vanity_name_servers.is_empty() { &self.name_servers } else { &self.vanity_name_servers };
        ns_records(&self.name, shown)
    }
}

/// The NS records of a name.
pub(crate) fn ns_records(owner: &str, hosts: &[String]) -> Vec<Record> {
    let Some(owner) = to_wire(owner) else {
        return Vec::new();
    };
    let hosts = hosts.iter().filter_map(|host| to_wire(host));
    hosts.map(|host| Record::from_rdata(owner.clone(), NS_TTL, RData::NS(NS(host)))).collect()
}

/// A record as it goes on the wire; `None` for content that cannot.
fn to_record(owner: &Name, data: &ServedData) -> Option<Record> {
    let content = data.content.as_str();
    let rdata = match data.kind.as_str() {
        "A" => RData::A(A(content.parse::<Ipv4Addr>().ok()?)),
        "AAAA" => RData::AAAA(AAAA(content.parse::<Ipv6Addr>().ok()?)),
        "CNAME" => RData::CNAME(CNAME(to_wire(content)?)),
        "MX" => RData::MX(MX::new(data.priority.unwrap_or_default(), to_wire(content)?)),
        "NS" => RData::NS(NS(to_wire(content)?)),
        "PTR" => RData::PTR(PTR(to_wire(content)?)),
        "TXT" => {
            let strings = txt::strings(content)?;
            RData::TXT(TXT::from_bytes(strings.iter().map(Vec::as_slice).collect()))
        }
        _ => return None,
    };
    // 1 is automatic: 300 s. [D]
    let ttl = if data.ttl == 1 { AUTOMATIC_TTL } else { data.ttl };
    Some(Record::from_rdata(owner.clone(), ttl, rdata))
}

/// RDATA as text: TXT strings joined, names without the last dot.
pub(crate) fn plain(rdata: &RData) -> String {
    match rdata {
        RData::TXT(txt) => String::from_utf8_lossy(&txt.txt_data.concat()).into_owned(),
        RData::CNAME(CNAME(name)) | RData::NS(NS(name)) | RData::PTR(PTR(name)) => from_wire(name),
        other => other.to_string(),
    }
}

/// `NOERROR`, `NXDOMAIN`, …
pub(crate) fn rcode_name(rcode: ResponseCode) -> String {
    match rcode {
        ResponseCode::NoError => "NOERROR",
        ResponseCode::NXDomain => "NXDOMAIN",
        ResponseCode::ServFail => "SERVFAIL",
        ResponseCode::Refused => "REFUSED",
        ResponseCode::FormErr => "FORMERR",
        ResponseCode::NotImp => "NOTIMP",
        other => return other.to_string(),
    }
    .to_owned()
}

const ALIASES_MAX: usize = 8;
const ANY_TTL: u32 = 3789;
const AUTOMATIC_TTL: u32 = 300;
const NS_TTL: u32 = 86_400;
/// At most this; never above the minimum, by which denials are cached. [D]
const SOA_TTL: u32 = 1800;
const SERIAL_START: u32 = 2_300_000_000;
