//! Sockets: the one that listens, and those it accepts.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use tokio::net::{TcpListener, TcpStream};

/// Listens. An address of `[::]` means IPv4, too, and IPv4 alone where the system has nothing else.
pub(super) fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    match listen_on(address) {
        Err(_) if address.is_ipv6() && address.ip().is_unspecified() => {
            listen_on((Ipv4Addr::UNSPECIFIED, address.port()).into())
        }
        listener => listener,
    }
}

fn listen_on(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(!address.ip().is_unspecified())?;
    }
    // A restarted process binds while connections of the last one linger.
    socket.set_reuse_address(true)?;
    // Of each connection that it accepts: what the system would give them by and by is megabytes.
    socket.set_recv_buffer_size(BUFFER)?;
    socket.set_send_buffer_size(BUFFER)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// Makes an accepted socket ready for use.
pub(super) fn prepare(stream: &TcpStream) {
    // Neither is vital; a socket that refuses them shows its fault when it is read.
    let _ = stream.set_nodelay(true);
    let _ = SockRef::from(stream).set_tcp_keepalive(&TcpKeepalive::new().with_time(KEEPALIVE));
}

const BACKLOG: i32 = 1024;
/// A payload and an answer have a few kilobytes.
const BUFFER: usize = 128 * 1024;
/// As `pkg/server/secure_serving.go`.
const KEEPALIVE: Duration = Duration::from_mins(3);
