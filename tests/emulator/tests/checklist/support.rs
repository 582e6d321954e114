//! A running emulator with clients for its API and its DNS.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use cloudflare_emulator::{Emulator, KeyConfig, Permission, TokenConfig, World};
use hickory_proto::op::{Edns, Message, MessageType, OpCode, Query};
use hickory_proto::rr::{Name, RData, RecordType};
use http::HeaderMap;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};

use crate::openapi;

pub(crate) const EVERYTHING: &str = "all-permissions-on-all-zones";
pub(crate) const DNS_EDIT: &str = "dns-edit-on-example-com";
pub(crate) const DNS_READ: &str = "dns-read-on-example-com";
pub(crate) const ZONE_READ: &str = "zone-read-on-example-com";
pub(crate) const KEY: &str = "0123456789abcdef0123456789abcdef01234";
pub(crate) const MAIL: &str = "operator@example.com";

pub(crate) struct Lab {
    pub(crate) emulator: Emulator,
    pub(crate) zone: String,
    client: reqwest::Client,
}

pub(crate) struct Caller<'a> {
    lab: &'a Lab,
    headers: Vec<(String, String)>,
}

#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
    pub(crate) json: Value,
}

/// Two zones of one account, tokens of all kinds, a global key.
pub(crate) fn world() -> World {
    let scoped = |value: &str, permission| TokenConfig {
        zones: vec!["example.com".to_owned()],
        permissions: vec![permission],
        ..TokenConfig::new(value)
    };
    let mut world = World::new().zone("example.com").zone("other.example").token(EVERYTHING, &["*"]);
    world.tokens.extend([
        scoped(DNS_EDIT, Permission::DnsEdit),
        scoped(DNS_READ, Permission::DnsRead),
        scoped(ZONE_READ, Permission::ZoneRead),
    ]);
    world.keys.push(KeyConfig {
        email: MAIL.to_owned(),
        key: KEY.to_owned(),
        account: "a1".to_owned(),
        user: None,
    });
    world
}

pub(crate) fn txt(name: &str, content: &str) -> Value {
    json!({"type": "TXT", "name": name, "content": content, "ttl": 60})
}

impl Lab {
    pub(crate) async fn new(world: World) -> Self {
        let emulator = Emulator::start(world).await.unwrap();
        let zone = emulator.zone_id("example.com").unwrap_or_default();
        // One connection a call, so that one that was reset or cut has no effect on the next.
        let client = reqwest::Client::builder()
            .pool_max_idle_per_host(0)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .unwrap();
        Self { emulator, zone, client }
    }

    /// With all permissions.
    pub(crate) fn api(&self) -> Caller<'_> {
        self.token(EVERYTHING)
    }

    pub(crate) fn token(&self, token: &str) -> Caller<'_> {
        self.headers(&[("authorization", &format!("Bearer {token}"))])
    }

    pub(crate) fn headers(&self, headers: &[(&str, &str)]) -> Caller<'_> {
        let headers = headers.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        Caller { lab: self, headers }
    }

    /// Path of the records of example.com, with something behind it.
    pub(crate) fn records(&self, rest: &str) -> String {
        format!("/zones/{}/dns_records{rest}", self.zone)
    }

    /// Creates a record and gives its object.
    pub(crate) async fn create(&self, body: Value) -> Value {
        self.api().post(&self.records(""), body).await.ok()
    }

    pub(crate) async fn list(&self, query: &str) -> Vec<Value> {
        let listed = self.api().get(&self.records(query)).await.ok();
        listed.as_array().unwrap().clone()
    }

    /// The first name server address.
    pub(crate) fn authority(&self) -> SocketAddr {
        self.emulator.authorities()[0].1
    }

    pub(crate) fn authority_at(&self, address: &str) -> SocketAddr {
        SocketAddr::new(address.parse::<IpAddr>().unwrap(), self.emulator.authority_port())
    }

    pub(crate) async fn dig(&self, name: &str, kind: &str) -> Message {
        ask(self.authority(), name, kind).await
    }

    pub(crate) async fn resolve(&self, name: &str, kind: &str) -> Message {
        ask(self.emulator.resolver_addr().unwrap(), name, kind).await
    }
}

impl Caller<'_> {
    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.send("GET", path, None).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Reply {
        self.send("POST", path, Some(body.to_string())).await
    }

    pub(crate) async fn put(&self, path: &str, body: Value) -> Reply {
        self.send("PUT", path, Some(body.to_string())).await
    }

    pub(crate) async fn patch(&self, path: &str, body: Value) -> Reply {
        self.send("PATCH", path, Some(body.to_string())).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Reply {
        self.send("DELETE", path, None).await
    }

    /// Sends, and holds JSON exchanges against the description.
    pub(crate) async fn send(&self, method: &str, path: &str, body: Option<String>) -> Reply {
        let reply = self.try_send(method, path, body.clone()).await.unwrap();
        if !reply.json.is_null() {
            let request = body.and_then(|body| serde_json::from_str(&body).ok());
            openapi::check(method, path, request.as_ref(), reply.status, &reply.json);
        }
        reply
    }

    pub(crate) async fn try_send(
        &self,
        method: &str,
        path: &str,
        body: Option<String>,
    ) -> reqwest::Result<Reply> {
        let url = format!("{}{path}", self.lab.emulator.api_url());
        let mut request = self.lab.client.request(method.parse().unwrap(), url);
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body);
        }
        let response = request.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await?;
        let json = serde_json::from_str(&text).unwrap_or_default();
        Ok(Reply { status, headers, text, json })
    }
}

impl Reply {
    /// The result of a success.
    #[track_caller]
    pub(crate) fn ok(&self) -> Value {
        assert_eq!((self.status, &self.json["success"]), (200, &json!(true)), "{}", self.text);
        assert_eq!(self.json["errors"], json!([]));
        self.json["result"].clone()
    }

    /// A failure with exactly one error of this code and a text that begins like this.
    #[track_caller]
    pub(crate) fn fails(&self, status: u16, code: u64, message: &str) -> &Value {
        assert_eq!(self.status, status, "{}", self.text);
        assert_eq!(self.json["success"], false);
        assert_eq!(self.json["result"], Value::Null);
        let errors = self.json["errors"].as_array().unwrap();
        assert_eq!(errors.len(), 1, "{errors:?}");
        assert_eq!(errors[0]["code"], code, "{errors:?}");
        let text = errors[0]["message"].as_str().unwrap();
        assert!(text.starts_with(message), "{text}");
        &errors[0]
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }
}

pub(crate) fn question(name: &str, kind: &str, payload: Option<u16>) -> Message {
    let mut message = Message::new(4711, MessageType::Query, OpCode::Query);
    let name = Name::from_ascii(format!("{name}.")).unwrap();
    message.add_query(Query::query(name, kind.parse::<RecordType>().unwrap()));
    if let Some(payload) = payload {
        let mut edns = Edns::new();
        edns.set_max_payload(payload);
        message.set_edns(edns);
    }
    message
}

pub(crate) async fn ask(server: SocketAddr, name: &str, kind: &str) -> Message {
    ask_udp(server, &question(name, kind, Some(1232))).await.expect("an answer")
}

/// `None` when there is no answer for half a second.
pub(crate) async fn ask_udp(server: SocketAddr, query: &Message) -> Option<Message> {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    socket.send_to(&query.to_vec().unwrap(), server).await.unwrap();
    let mut buffer = vec![0; 65_535];
    let received = tokio::time::timeout(Duration::from_millis(500), socket.recv_from(&mut buffer)).await;
    let (length, from) = received.ok()?.unwrap();
    assert_eq!(from, server);
    Some(Message::from_vec(&buffer[..length]).unwrap())
}

/// Several queries over one connection.
pub(crate) async fn ask_tcp(server: SocketAddr, queries: &[Message]) -> Vec<Message> {
    let mut stream = TcpStream::connect(server).await.unwrap();
    let mut answers = Vec::new();
    for query in queries {
        let packet = query.to_vec().unwrap();
        stream.write_u16(u16::try_from(packet.len()).unwrap()).await.unwrap();
        stream.write_all(&packet).await.unwrap();
        let mut answer = vec![0; usize::from(stream.read_u16().await.unwrap())];
        stream.read_exact(&mut answer).await.unwrap();
        answers.push(Message::from_vec(&answer).unwrap());
    }
    answers
}

/// The TXT values of an answer, strings joined, sorted.
pub(crate) fn values(message: &Message) -> Vec<String> {
    let text = |rdata: &RData| match rdata {
        RData::TXT(txt) => Some(String::from_utf8(txt.txt_data.concat()).unwrap()),
        _ => None,
    };
    let mut values: Vec<_> = message.answers.iter().filter_map(|record| text(&record.data)).collect();
    values.sort();
    values
}

/// Lets time pass without waiting for it.
pub(crate) async fn pass(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}
