//! Peers that mean harm, one connection each: they wait, trickle, never read, or send what nobody should.
//!
//! An attack ends when the server ends it, and says how; whoever plays it sets the limit.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use rustls::ClientConfig;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf, split};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::sleep;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

pub mod frames;
mod gullible;
mod http1;
mod http2;

pub use gullible::Gullible;
pub use http1::{BodyKind, HeadKind};
pub use http2::Flood;

/// Where an attack goes.
#[derive(Clone)]
pub struct Target {
    address: SocketAddr,
    http1: TlsConnector,
    http2: TlsConnector,
}

/// A connection of an attacker: no certificate shown, any taken.
pub type Stream = TlsStream<TcpStream>;

/// How the server ended an attack.
#[derive(Debug, Default)]
pub struct Fate {
    /// All that it said.
    pub said: Vec<u8>,
    /// What it had taken by then, in units of the attack: bytes, streams, frames.
    pub taken: usize,
}

impl Target {
    /// The server at this address.
    pub fn new(address: SocketAddr) -> Result<Self> {
        Ok(Self { address, http1: connector(b"http/1.1")?, http2: connector(b"h2")? })
    }

    /// A connection that says nothing.
    pub async fn silent(&self) -> Result<TcpStream> {
        let socket = if self.address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        // Little room for what the server says: an attack has no use for it, and ten thousand have none to spare.
        socket.set_recv_buffer_size(BUFFER)?;
        let stream = socket.connect(self.address).await.context("no connection")?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    /// A connection of HTTP/1.1 that has shaken hands.
    pub async fn http1(&self) -> Result<Stream> {
        Ok(self.http1.connect(name()?, self.silent().await?).await?)
    }

    /// A connection of HTTP/2 that has shaken hands.
    pub async fn http2(&self) -> Result<Stream> {
        Ok(self.http2.connect(name()?, self.silent().await?).await?)
    }

    /// Begins a handshake, byte by byte.
    pub async fn slow_handshake(&self, every: Duration) -> Result<Fate> {
        let mut stream = self.silent().await?;
        // A handshake record of 512 bytes, and in it a ClientHello.
        stream.write_all(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03").await?;
        let (read, write) = stream.split();
        Ok(trickle(read, write, b"\x00", every).await)
    }
}

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Target({})", self.address)
    }
}

impl Fate {
    /// The status of the first answer of HTTP/1.1.
    pub fn status(&self) -> Option<u16> {
        let text = std::str::from_utf8(self.said.get(..12)?).ok()?;
        text.strip_prefix("HTTP/1.1 ")?.parse().ok()
    }

    /// How many heads of answers came by HTTP/2.
    pub fn answers(&self) -> usize {
        frames::read(&self.said).filter(|frame| frame.is(frames::Kind::Headers)).count()
    }

    /// The error code of the last GOAWAY.
    pub fn go_away(&self) -> Option<u32> {
        frames::read(&self.said).filter_map(|frame| frame.go_away()).last()
    }
}

/// Sends `bytes` again and again, until the server closes.
async fn trickle(
    mut read: impl AsyncReadExt + Unpin,
    mut write: impl AsyncWriteExt + Unpin,
    bytes: &[u8],
    every: Duration,
) -> Fate {
    let mut said = Vec::new();
    let mut taken = 0;
    let trickling = async {
        while write.write_all(bytes).await.is_ok() && write.flush().await.is_ok() {
            taken += bytes.len();
            sleep(every).await;
        }
        // It no longer takes anything; it may still say why.
        std::future::pending::<()>().await;
    };
    tokio::select! {
        _ = read.read_to_end(&mut said) => {}
        () = trickling => {}
    }
    Fate { said, taken }
}

/// Reads whatever comes while it sends, until the server closes or everything is sent and answered.
async fn send(stream: Stream, chunks: impl Iterator<Item = Vec<u8>>) -> Fate {
    let (mut read, mut write) = split(stream);
    let mut said = Vec::new();
    let mut taken = 0;
    tokio::select! {
        _ = read.read_to_end(&mut said) => {}
        () = pour(&mut write, chunks, &mut taken) => {}
    }
    drain(&mut read, &mut said).await;
    Fate { said, taken }
}

/// Sends until the server takes no more, and then waits for its end.
async fn pour(write: &mut WriteHalf<Stream>, chunks: impl Iterator<Item = Vec<u8>>, taken: &mut usize) {
    for chunk in chunks {
        if write.write_all(&chunk).await.is_err() {
            return;
        }
        *taken += 1;
    }
    let _ = write.flush().await;
    std::future::pending::<()>().await;
}

async fn drain(read: &mut ReadHalf<Stream>, said: &mut Vec<u8>) {
    let _ = read.read_to_end(said).await;
}

fn connector(protocol: &[u8]) -> Result<TlsConnector> {
    let mut config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Gullible))
        .with_no_client_auth();
    config.alpn_protocols = vec![protocol.to_vec()];
    Ok(TlsConnector::from(Arc::new(config)))
}

fn name() -> Result<ServerName<'static>> {
    Ok(ServerName::try_from("localhost")?)
}

const BUFFER: u32 = 16 * 1024;
