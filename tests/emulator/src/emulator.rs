//! The running emulator: sockets, tasks, and what a test may ask and change.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use hickory_proto::rr::RecordType;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde::{Deserialize, Serialize};
use tokio::net::{TcpListener, UdpSocket};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;

use crate::clock::Clock;
use crate::control::ZonePatch;
use crate::dns::{self, Role};
use crate::faults::Fault;
use crate::propagation::Visible;
use crate::records::{Op, RecordView};
use crate::resolver::View;
use crate::router::BASE;
use crate::settings::Settings;
use crate::state::{Shared, State};
use crate::timeline::{Event, Stats};
use crate::world::{RecordConfig, TokenConfig, World, WorldError, ZoneStatus};
use crate::{api, control, http_server};

/// A running emulator; dropping it closes all its sockets.
#[derive(Debug)]
pub struct Emulator {
    pub(crate) shared: Shared,
    pub(crate) ready: Ready,
    pub(crate) resolver: Option<SocketAddr>,
    pub(crate) ca_resolver: Option<SocketAddr>,
    pub(crate) _tasks: JoinSet<()>,
}

/// Where everything listens; written as JSON to the ready file.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Ready {
    /// Base URL of the API, `/client/v4` included.
    pub api: String,
    /// Base URL of the control interface.
    pub control: String,
    /// Address and port of the resolver.
    pub resolver: Option<String>,
    /// Address and port of the CA's resolver.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_resolver: Option<String>,
    /// Port of all name server addresses.
    pub authority_port: u16,
    /// Zone ids by name.
    pub zones: BTreeMap<String, String>,
}

/// Why it did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The world does not fit together.
    #[error("the world does not fit together")]
    World(#[source] WorldError),
    /// A socket cannot be had.
    #[error("cannot listen on {address} for {what}")]
    Listen {
        /// For what.
        what: &'static str,
        /// Address and port.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// No port is free on all name server addresses.
    #[error("no port is free, UDP and TCP, on all of the name server addresses {addresses:?}")]
    NoCommonPort {
        /// The addresses.
        addresses: Vec<IpAddr>,
        /// Why the last one failed.
        source: io::Error,
    },
    /// Certificate or key of the API cannot be used.
    #[error("cannot use the API's certificate and key: {0}")]
    Tls(String),
}

impl Emulator {
    /// Listens everywhere and answers from now on.
    pub async fn start(world: World) -> Result<Self, StartError> {
        let tls = match (&world.api.tls_cert, &world.api.tls_key) {
            (Some(cert), Some(key)) => Some(acceptor(cert, key).map_err(StartError::Tls)?),
            (None, None) => None,
            _ => {
                return Err(StartError::Tls("one of tls_cert and tls_key is missing".to_owned()));
            }
        };
        let state = State::new(&world, Clock::start()).map_err(StartError::World)?;
        let addresses: Vec<IpAddr> = state.servers.iter().map(|server| server.address).collect();
        let zones = state.zones.iter().map(|zone| (zone.name.clone(), zone.id.clone())).collect();
        let shared = Shared::new(state);
        let mut tasks = JoinSet::new();

        let (authority_port, sockets) = bind_authorities(&addresses, world.authority_port).await?;
        for (index, (udp, tcp)) in sockets.into_iter().enumerate() {
            tasks.spawn(dns::serve_udp(udp, shared.clone(), Role::Authority(index)));
            tasks.spawn(dns::serve_tcp(tcp, shared.clone(), Role::Authority(index)));
        }
        let mut resolvers = [None, None];
        let ca = world.ca_resolver.as_ref().map(|config| config.listen);
        let cluster = world.resolver.as_ref().map(|config| config.listen);
        for (bound, (view, wanted)) in resolvers.iter_mut().zip([(View::Cluster, cluster), (View::Ca, ca)]) {
            let Some(wanted) = wanted else { continue };
            let (udp, tcp) = bind_pair(wanted).await?;
            *bound = Some(tcp.local_addr().map_err(listening("a resolver", wanted))?);
            tasks.spawn(dns::serve_udp(udp, shared.clone(), Role::Resolver(view)));
            tasks.spawn(dns::serve_tcp(tcp, shared.clone(), Role::Resolver(view)));
        }
        let [resolver, ca_resolver] = resolvers;
        let (listener, api) = listen("the API", world.api.listen).await?;
        let scheme = if tls.is_some() { "https" } else { "http" };
        let for_api = shared.clone();
        tasks.spawn(http_server::serve(listener, tls, move |call| api::handle(for_api.clone(), call)));
        let (listener, control) = listen("the control interface", world.control.listen).await?;
        let for_control = shared.clone();
        tasks.spawn(http_server::serve(listener, None, move |call| {
            let shared = for_control.clone();
            async move { control::handle(&shared, &call) }
        }));

        let ready = Ready {
            api: format!("{scheme}://{api}{BASE}"),
            control: format!("http://{control}"),
            resolver: resolver.map(|address| address.to_string()),
            ca_resolver: ca_resolver.map(|address| address.to_string()),
            authority_port,
            zones,
        };
        Ok(Self { shared, ready, resolver, ca_resolver, _tasks: tasks })
    }

    /// Where everything listens.
    pub fn ready(&self) -> &Ready {
        &self.ready
    }

    /// Base URL of the API, `/client/v4` included.
    pub fn api_url(&self) -> &str {
        &self.ready.api
    }

    /// Base URL of the control interface.
    pub fn control_url(&self) -> &str {
        &self.ready.control
    }

    /// The resolver; none when the world has none.
    pub fn resolver_addr(&self) -> Option<SocketAddr> {
        self.resolver
    }

    /// The CA's resolver; none unless the world has one.
    pub fn ca_resolver_addr(&self) -> Option<SocketAddr> {
        self.ca_resolver
    }

    /// Port of all name server addresses.
    pub fn authority_port(&self) -> u16 {
        self.ready.authority_port
    }

    /// Name server addresses with their names and the port.
    pub fn authorities(&self) -> Vec<(String, SocketAddr)> {
        let with_port = |address| SocketAddr::new(address, self.ready.authority_port);
        let state = self.shared.lock();
        state.servers.iter().map(|server| (server.name.clone(), with_port(server.address))).collect()
    }

    /// A zone's id.
    pub fn zone_id(&self, name: &str) -> Option<String> {
        let state = self.shared.lock();
        state.zone(name).map(|zone| state.zones[zone].id.clone())
    }

    /// Counts since the start or the last reset.
    pub fn stats(&self) -> Stats {
        self.shared.lock().stats(Instant::now())
    }

    /// Counts, events and rate limits start anew.
    pub fn reset_stats(&self) {
        self.shared.lock().reset_stats();
    }

    /// All records of a zone (by name or id) in the API's state.
    pub fn records(&self, zone: &str) -> Vec<RecordView> {
        let state = self.shared.lock();
        let records = state.zone(zone).map(|zone| state.zones[zone].records.values());
        records.map(|records| records.map(|record| record.view.clone()).collect()).unwrap_or_default()
    }

    /// What happened so far.
    pub fn timeline(&self) -> Vec<Event> {
        self.shared.lock().events(Instant::now())
    }

    /// The settings in force.
    pub fn settings(&self) -> Settings {
        self.shared.lock().settings.clone()
    }

    /// Changes settings; writes made before keep the moments they drew.
    pub fn change(&self, change: impl FnOnce(&mut Settings)) {
        change(&mut self.shared.lock().settings);
    }

    /// What each name server address answers now; `kind` as `TXT`.
    pub fn visible(&self, name: &str, kind: &str) -> Vec<Visible> {
        let kind = kind.parse().unwrap_or(RecordType::TXT);
        self.shared.lock().visible(name, kind, Instant::now())
    }

    /// Whether every name server address serves this TXT value now.
    pub fn serves_everywhere(&self, name: &str, value: &str) -> bool {
        let visible = self.visible(name, "TXT");
        !visible.is_empty() && visible.iter().all(|seen| seen.answers.iter().any(|answer| answer == value))
    }

    /// Lets everything under way arrive now: everywhere, or on one name server (by name or address).
    pub fn publish_now(&self, server: Option<&str>) {
        self.shared.lock().arrive(server, Instant::now());
    }

    /// Turns a fault on; false for a pattern that is none.
    pub fn add_fault(&self, fault: Fault) -> bool {
        self.shared.lock().faults.add(fault).is_ok()
    }

    /// Turns all faults off.
    pub fn clear_faults(&self) {
        self.shared.lock().faults.clear();
    }

    /// Adds a token, or puts it in the place of one with the same value.
    pub fn add_token(&self, token: TokenConfig) {
        self.shared.lock().add_token(token);
    }

    /// Revokes a token.
    pub fn remove_token(&self, value: &str) {
        self.shared.lock().remove_token(value);
    }

    /// Changes a zone's state.
    pub fn set_zone_status(&self, zone: &str, status: ZoneStatus) {
        let patch = ZonePatch { name: zone.to_owned(), status: Some(status), ..ZonePatch::default() };
        self.shared.lock().change_zone(patch);
    }

    /// Changes what the zone's parent says.
    pub fn set_delegation(&self, zone: &str, hosts: &[&str]) {
        let delegated_to = Some(hosts.iter().map(ToString::to_string).collect());
        let patch = ZonePatch { name: zone.to_owned(), delegated_to, ..ZonePatch::default() };
        self.shared.lock().change_zone(patch);
    }

    /// Adds a record that is served everywhere at once; gives its id.
    pub fn add_record(&self, record: &RecordConfig) -> Result<String, WorldError> {
        self.shared.lock().add_record(record)
    }

    /// Deletes a record as the API would, without a call; false when there is none with this id.
    pub fn remove_record(&self, zone: &str, id: &str) -> bool {
        let mut state = self.shared.lock();
        let zone = state.zone(zone);
        zone.is_some_and(|zone| state.write(zone, vec![Op::Delete(id.to_owned())], Instant::now()).is_ok())
    }

    /// The resolvers forget everything.
    pub fn flush_resolver(&self) {
        self.shared.lock().caches.clear();
    }
}

/// One port for all addresses, UDP and TCP.
async fn bind_authorities(
    addresses: &[IpAddr],
    port: u16,
) -> Result<(u16, Vec<(UdpSocket, TcpListener)>), StartError> {
    let attempts = if port == 0 { PORT_ATTEMPTS } else { 1 };
    let mut last = io::Error::other("there is no name server");
    'attempt: for _ in 0..attempts {
        let mut port = port;
        let mut sockets = Vec::with_capacity(addresses.len());
        for address in addresses {
            let bound = dns::bind(SocketAddr::new(*address, port)).await;
            match bound.and_then(|(udp, tcp)| Ok((tcp.local_addr()?.port(), (udp, tcp)))) {
                Ok((found, pair)) => {
                    port = found;
                    sockets.push(pair);
                }
                Err(error) => {
                    last = error;
                    continue 'attempt;
                }
            }
        }
        return Ok((port, sockets));
    }
    Err(StartError::NoCommonPort { addresses: addresses.to_vec(), source: last })
}

/// UDP and TCP on one address, which may leave the port open.
async fn bind_pair(address: SocketAddr) -> Result<(UdpSocket, TcpListener), StartError> {
    let mut attempts = if address.port() == 0 { PORT_ATTEMPTS } else { 1 };
    loop {
        attempts -= 1;
        match dns::bind(address).await {
            Ok(pair) => return Ok(pair),
            Err(error) if attempts == 0 => return Err(listening("a resolver", address)(error)),
            Err(_) => {}
        }
    }
}

async fn listen(what: &'static str, address: SocketAddr) -> Result<(TcpListener, SocketAddr), StartError> {
    let listener = TcpListener::bind(address).await.map_err(listening(what, address))?;
    let bound = listener.local_addr().map_err(listening(what, address))?;
    Ok((listener, bound))
}

fn listening(what: &'static str, address: SocketAddr) -> impl Fn(io::Error) -> StartError {
    move |source| StartError::Listen { what, address, source }
}

/// HTTP/1.1 alone; clients that offer HTTP/2 fall back.
fn acceptor(cert: &Path, key: &Path) -> Result<TlsAcceptor, String> {
    let chain =
        CertificateDer::pem_file_iter(cert).and_then(Iterator::collect).map_err(|error| error.to_string())?;
    let key = PrivateKeyDer::from_pem_file(key).map_err(|error| error.to_string())?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|error| error.to_string())?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

const PORT_ATTEMPTS: u32 = 64;
