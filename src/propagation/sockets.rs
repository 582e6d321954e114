//! The exchange over real sockets: UDP first, TCP when the answer is cut off.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::exchange::{Answer, Exchange, ExchangeError};
use super::pace::Pace;
use super::wire::{Question, Reply};
use crate::metrics::Metrics;
use crate::metrics::dns::Via;
use crate::name::Fqdn;

/// Asks over the network, at a bounded pace and with a bounded number of sockets.
#[derive(Debug)]
pub struct Sockets {
    pace: Pace<SocketAddr>,
    open: Semaphore,
    metrics: Arc<Metrics>,
}

impl Sockets {
    /// No socket yet.
    pub(super) fn new(metrics: Arc<Metrics>) -> Self {
        Self { pace: Pace::new(EVERY, BURST), open: Semaphore::new(MAX_OPEN), metrics }
    }
}

impl Exchange for Sockets {
    async fn ask(&self, server: SocketAddr, name: &Fqdn) -> Result<Answer, ExchangeError> {
        for _ in 0..TRIES {
            // First this: who waits for his turn at one authority takes no socket from those of others.
            self.pace.turn(server).await;
            // The semaphore is never closed.
            let _permit = self.open.acquire().await.map_err(|_| ExchangeError::Silent)?;
            self.metrics.dns.asked(Via::Udp);
            let question = Question::txt(name).ok_or(ExchangeError::Garbled)?;
            match over_udp(server, &question).await {
                Ok(Reply::Whole(answer)) => return Ok(answer),
                Ok(Reply::Truncated) => {
                    self.metrics.dns.asked(Via::Tcp);
                    return over_tcp(server, name).await;
                }
                Err(ExchangeError::Silent) => {}
                Err(error) => return Err(error),
            }
        }
        Err(ExchangeError::Silent)
    }

    /// By a socket that is connected and never used: the kernel looks the route up and refuses if there is none.
    fn has_route(&self, server: SocketAddr) -> bool {
        std::net::UdpSocket::bind(any_port(server)).and_then(|socket| socket.connect(server)).is_ok()
    }
}

/// A socket for each question: its random port is half of what a forger has to guess, and being connected it takes
/// packets from this server only ([RFC 5452 §9.2](https://www.rfc-editor.org/rfc/rfc5452#section-9.2)).
async fn over_udp(server: SocketAddr, question: &Question) -> Result<Reply, ExchangeError> {
    let exchange = async {
        let socket = UdpSocket::bind(any_port(server)).await?;
        socket.connect(server).await?;
        socket.send(question.bytes()).await?;
        let mut buffer = vec![0; BUFFER];
        loop {
            let length = socket.recv(&mut buffer).await?;
            // What is no reply to this question is dropped; the right one may still come.
            if let Some(reply) = buffer.get(..length).and_then(|bytes| question.read(bytes)) {
                return Ok(reply);
            }
        }
    };
    timeout(PATIENCE, exchange).await.unwrap_or(Err(ExchangeError::Silent))
}

/// A message behind its length in two bytes ([RFC 1035 §4.2.2](https://www.rfc-editor.org/rfc/rfc1035#section-4.2.2)).
async fn over_tcp(server: SocketAddr, name: &Fqdn) -> Result<Answer, ExchangeError> {
    let question = Question::txt(name).ok_or(ExchangeError::Garbled)?;
    let exchange = async {
        let mut stream = TcpStream::connect(server).await?;
        let length = u16::try_from(question.bytes().len()).map_err(io::Error::other)?;
        // In one segment: some servers read the length and the message at once.
        let message = [&length.to_be_bytes(), question.bytes()].concat();
        stream.write_all(&message).await?;
        let length = stream.read_u16().await?;
        let mut reply = vec![0; length.into()];
        stream.read_exact(&mut reply).await?;
        match question.read(&reply) {
            Some(Reply::Whole(answer)) => Ok(answer),
            Some(Reply::Truncated) | None => Err(ExchangeError::Garbled),
        }
    };
    timeout(PATIENCE, exchange).await.unwrap_or(Err(ExchangeError::Silent))
}

fn any_port(server: SocketAddr) -> SocketAddr {
    match server {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    }
}

/// For one try over UDP, and for one connection over TCP.
const PATIENCE: Duration = Duration::from_secs(2);
/// A packet may get lost.
const TRIES: u32 = 2;
/// A hundred questions a second to one address, after a burst of 150. A name costs each address of its zone two
/// questions and a share of the pilots', so sixty names that are written at once, the most that cert-manager presents by
/// default, pass without delay, and fifty a second for as long as one likes. An address of Cloudflare's answers for
/// many zones, ours and others': this is what a small resolver asks it.
const EVERY: Duration = Duration::from_millis(10);
const BURST: u32 = 150;
/// More than the payload that the question allows.
const BUFFER: usize = 4096;
/// Well below the usual limit of 1024 open files.
const MAX_OPEN: usize = 512;

#[cfg(test)]
mod tests {
    use hickory_resolver::proto::op::Message;
    use hickory_resolver::proto::rr::rdata::TXT;
    use hickory_resolver::proto::rr::{Name, RData, Record};
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn an_answer_comes_back_and_forgeries_are_dropped() {
        let (socket, server) = udp().await;
        let serve = async {
            let (query, client) = receive(&socket).await;
            let mut wrong_id = answer(&query, "forged");
            wrong_id.metadata.id = query.metadata.id.wrapping_add(1);
            let mut wrong_name = answer(&query, "forged");
            wrong_name.queries[0].name = Name::from_ascii("_acme-challenge.example.org.").unwrap();
            let mut other_case = answer(&query, "genuine");
            other_case.queries[0].name = Name::from_ascii("_ACME-challenge.EXAMPLE.com.").unwrap();
            socket.send_to(b"noise", client).await.unwrap();
            for message in [wrong_id, wrong_name, other_case] {
                socket.send_to(&message.to_vec().unwrap(), client).await.unwrap();
            }
        };
        let got = ask_of(server, serve).await;
        assert_eq!(got.unwrap().values, ["genuine"]);
    }

    #[tokio::test]
    async fn another_host_is_not_heard() {
        let (socket, server) = udp().await;
        let (stranger, _) = udp().await;
        let serve = async {
            let (query, client) = receive(&socket).await;
            let forged = answer(&query, "forged").to_vec().unwrap();
            stranger.send_to(&forged, client).await.unwrap();
            let genuine = answer(&query, "genuine").to_vec().unwrap();
            socket.send_to(&genuine, client).await.unwrap();
        };
        let got = ask_of(server, serve).await;
        assert_eq!(got.unwrap().values, ["genuine"]);
    }

    #[tokio::test]
    async fn a_lost_packet_is_sent_again_with_another_id_and_port() {
        let (socket, server) = udp().await;
        let serve = async {
            let (lost, first) = receive(&socket).await;
            let (query, second) = receive(&socket).await;
            assert_ne!((lost.metadata.id, first), (query.metadata.id, second));
            let late = answer(&query, "late").to_vec().unwrap();
            socket.send_to(&late, second).await.unwrap();
        };
        let got = ask_of(server, serve).await;
        assert_eq!(got.unwrap().values, ["late"]);
    }

    #[tokio::test]
    async fn a_truncated_answer_is_fetched_over_tcp() {
        let (socket, listener, server) = both().await;
        let long = "x".repeat(200);
        let serve = async {
            let (query, client) = receive(&socket).await;
            let cut = answer(&query, "cut").truncate();
            socket.send_to(&cut.to_vec().unwrap(), client).await.unwrap();

            let (mut stream, _) = listener.accept().await.unwrap();
            let mut query = vec![0; stream.read_u16().await.unwrap().into()];
            stream.read_exact(&mut query).await.unwrap();
            let mut whole = answer(&Message::from_vec(&query).unwrap(), &long);
            let record = whole.answers[0].clone();
            whole.add_answers(std::iter::repeat_n(record, 20));
            let bytes = whole.to_vec().unwrap();
            stream.write_u16(u16::try_from(bytes.len()).unwrap()).await.unwrap();
            // In two parts: the length is what counts, not what one read returns.
            let (head, tail) = bytes.split_at(700);
            stream.write_all(head).await.unwrap();
            tokio::task::yield_now().await;
            stream.write_all(tail).await.unwrap();
        };
        let got = ask_of(server, serve).await;
        assert_eq!(got.unwrap().values, vec![long.clone(); 21]);
    }

    #[tokio::test]
    async fn a_closed_port_is_told_at_once() {
        let (socket, server) = udp().await;
        drop(socket);
        let begun = tokio::time::Instant::now();
        let error = ask(server).await.unwrap_err();
        assert!(matches!(error, ExchangeError::Io(_)), "{error}");
        assert!(begun.elapsed() < PATIENCE);
    }

    /// Sixty names of one zone, a share of the pilots' questions and both rounds, and then sixty a second.
    #[tokio::test(start_paused = true)]
    async fn sixty_names_at_once_are_not_slowed_down() {
        let pace = Pace::new(EVERY, BURST);
        let begun = tokio::time::Instant::now();
        for (second, questions) in [(0, 90), (1, 60), (2, 60), (3, 60)] {
            tokio::time::sleep_until(begun + Duration::from_secs(second)).await;
            for _ in 0..questions {
                pace.turn("authority").await;
            }
            assert_eq!(begun.elapsed(), Duration::from_secs(second));
        }
    }

    #[tokio::test]
    async fn loopback_has_a_route() {
        assert!(sockets().has_route(SocketAddr::from(([127, 0, 0, 1], 53))));
    }

    /// At one port; another test may hold it for TCP alone.
    async fn both() -> (UdpSocket, TcpListener, SocketAddr) {
        for _ in 0..20 {
            let (socket, server) = udp().await;
            if let Ok(listener) = TcpListener::bind(server).await {
                return (socket, listener, server);
            }
        }
        panic!("no port is free for both");
    }

    async fn udp() -> (UdpSocket, SocketAddr) {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        (socket, address)
    }

    async fn receive(socket: &UdpSocket) -> (Message, SocketAddr) {
        let mut buffer = [0; 1500];
        let (length, from) = socket.recv_from(&mut buffer).await.unwrap();
        (Message::from_vec(&buffer[..length]).unwrap(), from)
    }

    fn answer(query: &Message, value: &str) -> Message {
        let mut message = Message::response(query.metadata.id, query.metadata.op_code);
        message.metadata.authoritative = true;
        let question = query.queries[0].clone();
        let txt = RData::TXT(TXT::new(vec![value.to_owned()]));
        message.add_answer(Record::from_rdata(question.name.clone(), 60, txt));
        message.add_query(question);
        message
    }

    /// A server that is not asked what it expects fails the test instead of holding it up.
    async fn ask_of(server: SocketAddr, serve: impl Future<Output = ()>) -> Result<Answer, ExchangeError> {
        let both = async { tokio::join!(ask(server), serve) };
        let (got, ()) = timeout(PATIENCE * 4, both).await.expect("the server waits");
        got
    }

    async fn ask(server: SocketAddr) -> Result<Answer, ExchangeError> {
        let name = Fqdn::parse("_acme-challenge.example.com").unwrap();
        sockets().ask(server, &name).await
    }

    fn sockets() -> Sockets {
        Sockets::new(Arc::default())
    }
}
