//! Sockets: the one that listens, and those it accepts.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use rustix::process::{Resource, getrlimit, setrlimit};
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

/// Takes as many file descriptors as the system allows, as Go's runtime does (`os/rlimit.go`): the soft limit is low
/// for the sake of `select`, which nobody here uses.
pub fn raise_descriptor_limit() {
    let limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        // What is there has to do, then: connections beyond it take the place of others.
        let _ = setrlimit(Resource::Nofile, rustix::process::Rlimit { current: limit.maximum, ..limit });
    }
}

const BACKLOG: i32 = 1024;
/// A payload and an answer have a few kilobytes.
const BUFFER: usize = 128 * 1024;
/// As `pkg/server/secure_serving.go`.
const KEEPALIVE: Duration = Duration::from_mins(3);
