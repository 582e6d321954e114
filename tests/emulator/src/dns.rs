//! DNS packets over UDP and TCP, for name servers and resolver alike.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hickory_proto::op::{Edns, Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::rdata::TXT;
use hickory_proto::rr::{DNSClass, RData, Record};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use crate::authority::{Reply, rcode_name};
use crate::faults::{Action, Asked};
use crate::names::from_wire;
use crate::propagation::Vantage;
use crate::resolver::View;
use crate::state::{Shared, State};
use crate::timeline::Event;

/// Who answers on a socket.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Role {
    /// The name server address at this place in the list.
    Authority(usize),
    /// A caching resolver.
    Resolver(View),
}

/// Answers on a UDP socket for ever.
pub(crate) async fn serve_udp(socket: UdpSocket, shared: Shared, role: Role) {
    let socket = Arc::new(socket);
    let mut late = JoinSet::new();
    let mut buffer = vec![0; 65_535];
    loop {
        while late.try_join_next().is_some() {}
        // An error here is an ICMP message about an earlier answer.
        let Ok((length, peer)) = socket.recv_from(&mut buffer).await else {
            continue;
        };
        let packet = buffer.get(..length).unwrap_or_default();
        let Some((answer, delay)) = respond(&shared, role, packet, Transport::Udp) else {
            continue;
        };
        if delay.is_zero() {
            let _ = socket.send_to(&answer, peer).await;
            continue;
        }
        let socket = Arc::clone(&socket);
        late.spawn(async move {
            sleep(delay).await;
            let _ = socket.send_to(&answer, peer).await;
        });
    }
}

/// Answers on a TCP listener for ever; many queries per connection (RFC 7766).
pub(crate) async fn serve_tcp(listener: TcpListener, shared: Shared, role: Role) {
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        match listener.accept().await {
            Ok((stream, _)) => {
                let shared = shared.clone();
                connections.spawn(async move {
                    // A client that goes away in the middle is its own business.
                    let _ = serve_connection(stream, &shared, role).await;
                });
            }
            Err(_) => sleep(Duration::from_millis(50)).await,
        }
    }
}

async fn serve_connection(mut stream: TcpStream, shared: &Shared, role: Role) -> io::Result<()> {
    loop {
        let length = timeout(TCP_IDLE, stream.read_u16()).await??;
        let mut packet = vec![0; usize::from(length)];
        timeout(TCP_IDLE, stream.read_exact(&mut packet)).await??;
        let Some((answer, delay)) = respond(shared, role, &packet, Transport::Tcp) else {
            continue;
        };
        if !delay.is_zero() {
            sleep(delay).await;
        }
        let length = u16::try_from(answer.len()).map_err(io::Error::other)?;
        let framed = [&length.to_be_bytes(), answer.as_slice()].concat();
        stream.write_all(&framed).await?;
    }
}

/// Binds UDP and TCP of one address.
pub(crate) async fn bind(address: SocketAddr) -> io::Result<(UdpSocket, TcpListener)> {
    let tcp = TcpListener::bind(address).await?;
    let udp = UdpSocket::bind(tcp.local_addr()?).await?;
    Ok((udp, tcp))
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Transport {
    Udp,
    Tcp,
}

/// The answer to a packet and how late it is sent; `None` for silence.
fn respond(shared: &Shared, role: Role, packet: &[u8], transport: Transport) -> Option<(Vec<u8>, Duration)> {
    let query = match Message::from_vec(packet) {
        Ok(query) if query.metadata.message_type == MessageType::Query => query,
        Ok(_) => return None,
        Err(_) => {
            let id = packet.first_chunk::<2>().map(|bytes| u16::from_be_bytes(*bytes))?;
            let error = Message::error_msg(id, OpCode::Query, ResponseCode::FormErr);
            return Some((error.to_vec().ok()?, Duration::ZERO));
        }
    };
    let (reply, delay, truncate) = match query.queries.as_slice() {
        _ if query.metadata.op_code != OpCode::Query => {
            (Reply::code(ResponseCode::NotImp), Duration::ZERO, false)
        }
        [question] if matches!(question.query_class, DNSClass::IN | DNSClass::ANY) => {
            shared.lock().answer_question(role, question, transport)?
        }
        [_] => (Reply::code(ResponseCode::Refused), Duration::ZERO, false),
        _ => (Reply::code(ResponseCode::FormErr), Duration::ZERO, false),
    };
    Some((encode(&query, reply, transport, truncate)?, delay))
}

fn encode(query: &Message, reply: Reply, transport: Transport, truncate: bool) -> Option<Vec<u8>> {
    let mut message = Message::response(query.metadata.id, query.metadata.op_code);
    message.metadata.recursion_desired = query.metadata.recursion_desired;
    message.metadata.authoritative = reply.authoritative;
    message.metadata.recursion_available = reply.recursion_available;
    message.metadata.response_code = reply.rcode;
    // The question comes back as it was spelled, which 0x20 checks. [O]
    message.add_queries(query.queries.iter().cloned());
    message.add_answers(reply.answers);
    message.add_authorities(reply.authorities);
    message.add_additionals(reply.additionals);
    let mut most = 512;
    if let Some(edns) = &query.edns {
        most = usize::from(edns.max_payload()).clamp(512, UDP_MAX);
        let mut own = Edns::new();
        own.set_max_payload(OWN_PAYLOAD).set_version(0);
        message.set_edns(own);
    }
    let packet = message.to_vec().ok()?;
    if transport == Transport::Udp && (truncate || packet.len() > most) {
        return message.truncate().to_vec().ok();
    }
    Some(packet)
}

impl State {
    /// Answers a question and notes it: the reply, how late, and whether TC is set without need.
    fn answer_question(
        &mut self,
        role: Role,
        question: &Query,
        transport: Transport,
    ) -> Option<(Reply, Duration, bool)> {
        let now = Instant::now();
        let (server, address) = match role {
            Role::Authority(index) => {
                let server = self.servers.get(index)?;
                (server.name.clone(), Some(server.address))
            }
            Role::Resolver(view) => (view.name().to_owned(), None),
        };
        let transport = if transport == Transport::Udp { "udp" } else { "tcp" };
        let (name, kind) = (from_wire(&question.name), question.query_type);
        let asked = Asked { server: &server, address, transport, name: &name, kind: &kind.to_string() };
        let fault = self.faults.for_query(asked);
        let outcome = match fault {
            Some(Action::Silent) => None,
            Some(Action::ServFail) => Some((Reply::code(ResponseCode::ServFail), Duration::ZERO, false)),
            Some(Action::Refused) => Some((Reply::code(ResponseCode::Refused), Duration::ZERO, false)),
            Some(Action::Intercept { txt }) => Some((intercepted(question, &txt), Duration::ZERO, false)),
            other => {
                let reply = match role {
                    Role::Authority(index) => {
                        let from = Vantage { servers: &[index], extra: Duration::ZERO, now };
                        self.authority(index, &question.name, kind, from)
                    }
                    Role::Resolver(view) => self.resolve(view, &question.name, kind, now),
                };
                let delay = match other {
                    Some(Action::DnsSlow { ms }) => Duration::from_millis(ms),
                    _ => Duration::ZERO,
                };
                Some((reply, delay, matches!(other, Some(Action::Truncate))))
            }
        };
        let counted = address.map_or_else(|| server.clone(), |address| address.to_string());
        *self.stats.dns_queries_by_server.entry(counted).or_default() += 1;
        let reply = outcome.as_ref().map(|(reply, _, _)| reply);
        let event = Event::Dns {
            ms: self.clock.ms(now),
            server,
            address,
            transport: transport.to_owned(),
            name: question.name.to_ascii(),
            r#type: kind.to_string(),
            rcode: reply.map_or_else(|| "SILENT".to_owned(), |reply| rcode_name(reply.rcode)),
            answers: reply.map_or(0, |reply| reply.answers.len()),
        };
        self.timeline.add(now, event);
        outcome
    }
}

/// What a box between client and name server would say: not authoritative, and not the truth.
fn intercepted(question: &Query, values: &[String]) -> Reply {
    let record = |value: &String| {
        let txt = TXT::from_bytes(value.as_bytes().chunks(255).collect());
        Record::from_rdata(question.name.clone(), 60, RData::TXT(txt))
    };
    let rcode = if values.is_empty() { ResponseCode::NXDomain } else { ResponseCode::NoError };
    let answers = values.iter().map(record).collect();
    Reply { recursion_available: true, answers, ..Reply::code(rcode) }
}

const TCP_IDLE: Duration = Duration::from_secs(10);
const UDP_MAX: usize = 4096;
const OWN_PAYLOAD: u16 = 1232;
