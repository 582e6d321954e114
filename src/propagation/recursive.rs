//! A recursive name server as the operator names it.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use crate::name::Fqdn;

/// An entry of `--dns01-recursive-nameservers`, spelled as cert-manager's: `host:port` for DNS over UDP and TCP, or
/// `https://host/dns-query` for DNS over HTTPS ([RFC 8484](https://www.rfc-editor.org/rfc/rfc8484)).
///
/// Without a port it is 53 or 443. A host that is a name is resolved by the system when it is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecursiveServer {
    pub(super) host: String,
    pub(super) port: u16,
    /// The path of DNS over HTTPS; `None` for UDP and TCP.
    pub(super) path: Option<String>,
}

/// Why a text names no recursive name server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RecursiveServerError {
    /// Another scheme than `https`.
    #[error("only https:// URLs are name servers")]
    Scheme,
    /// A URL that can't be read.
    #[error("not a URL of the form https://host/dns-query")]
    Url,
    /// The host is neither an address nor a name.
    #[error("the host is neither an address nor a name")]
    Host,
    /// The port is no number from 1 to 65535.
    #[error("the port is not a number from 1 to 65535")]
    Port,
}

impl RecursiveServer {
    /// Whether it is asked over HTTPS, and its certificate has to be judged.
    pub fn is_https(&self) -> bool {
        self.path.is_some()
    }
}

impl FromStr for RecursiveServer {
    type Err = RecursiveServerError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.contains("://") {
            return over_https(text);
        }
        if let Ok(address) = text.parse::<SocketAddr>() {
            return plain(address.ip().to_string(), address.port());
        }
        if let Ok(address) = text.parse::<IpAddr>() {
            return plain(address.to_string(), DNS);
        }
        match text.rsplit_once(':') {
            Some((host, port)) => {
                plain(host_name(host)?, port.parse().map_err(|_| RecursiveServerError::Port)?)
            }
            None => plain(host_name(text)?, DNS),
        }
    }
}

/// As it is spelled in a flag.
impl fmt::Display for RecursiveServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port, path } = self;
        let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
        match path {
            Some(path) if *port == HTTPS => write!(f, "https://{host}{path}"),
            Some(path) => write!(f, "https://{host}:{port}{path}"),
            None => write!(f, "{host}:{port}"),
        }
    }
}

fn over_https(text: &str) -> Result<RecursiveServer, RecursiveServerError> {
    let uri: http::Uri = text.parse().map_err(|_| RecursiveServerError::Url)?;
    if uri.scheme() != Some(&http::uri::Scheme::HTTPS) {
        return Err(RecursiveServerError::Scheme);
    }
    let authority = uri.authority().ok_or(RecursiveServerError::Url)?;
    // A user or a query would be dropped in silence; a place where "https://1.1.1.1" alone works has no path.
    if authority.as_str().contains('@') || uri.query().is_some() {
        return Err(RecursiveServerError::Url);
    }
    let host = authority.host();
    let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let host = match bare {
        Some(address) => address.parse::<IpAddr>().ok().map(|ip| ip.to_string()),
        None => host_name(host).ok(),
    };
    let path = match uri.path() {
        "" | "/" => "/dns-query",
        path => path,
    };
    let port = authority.port_u16().unwrap_or(HTTPS);
    Ok(RecursiveServer {
        path: Some(path.to_owned()),
        ..plain(host.ok_or(RecursiveServerError::Host)?, port)?
    })
}

fn plain(host: String, port: u16) -> Result<RecursiveServer, RecursiveServerError> {
    if port == 0 {
        return Err(RecursiveServerError::Port);
    }
    Ok(RecursiveServer { host, port, path: None })
}

/// An IPv4 address has the form of a name.
fn host_name(text: &str) -> Result<String, RecursiveServerError> {
    Fqdn::parse(text).map(|name| name.to_string()).map_err(|_| RecursiveServerError::Host)
}

const DNS: u16 = 53;
const HTTPS: u16 = 443;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_spelled_as_in_cert_manager() {
        let cases = [
            ("1.1.1.1:53", "1.1.1.1:53"),
            ("1.1.1.1", "1.1.1.1:53"),
            ("[2606:4700:4700::1111]:5353", "[2606:4700:4700::1111]:5353"),
            ("2606:4700:4700::1111", "[2606:4700:4700::1111]:53"),
            ("kube-dns.kube-system.svc:53", "kube-dns.kube-system.svc:53"),
            ("https://cloudflare-dns.com/dns-query", "https://cloudflare-dns.com/dns-query"),
            ("https://1.1.1.1", "https://1.1.1.1/dns-query"),
            ("https://[2620:fe::fe]:8443/q", "https://[2620:fe::fe]:8443/q"),
        ];
        for (text, shown) in cases {
            let server: RecursiveServer = text.parse().unwrap();
            assert_eq!(server.to_string(), shown, "{text}");
            assert_eq!(shown.parse(), Ok(server), "{text}");
        }
    }

    #[test]
    fn what_is_none_is_refused_by_its_reason() {
        let cases = [
            ("", RecursiveServerError::Host),
            ("1.1.1.1:dns", RecursiveServerError::Port),
            ("1.1.1.1:0", RecursiveServerError::Port),
            ("a b:53", RecursiveServerError::Host),
            ("http://1.1.1.1/dns-query", RecursiveServerError::Scheme),
            ("tls://1.1.1.1", RecursiveServerError::Scheme),
            ("https://me@1.1.1.1/dns-query", RecursiveServerError::Url),
            ("https:///dns-query", RecursiveServerError::Url),
            ("https://1.1.1.1/dns-query?dns=", RecursiveServerError::Url),
        ];
        for (text, reason) in cases {
            assert_eq!(text.parse::<RecursiveServer>(), Err(reason), "{text}");
        }
    }
}
