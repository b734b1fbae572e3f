//! Where to connect to, as it is written.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

/// Where to connect to.
///
/// As text it is `127.0.0.1:5432`, `[::1]:5432`, `db.example:5432`, or the absolute path of a Unix
/// socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// An IP address and a port.
    Ip(SocketAddr),
    /// A name, which is looked up whenever a connection is made, and a port.
    Name {
        /// The name.
        host: String,
        /// The port.
        port: u16,
    },
    /// The path of a Unix socket.
    Unix(PathBuf),
}

/// A text that is no [`Address`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is neither HOST:PORT nor the absolute path of a socket")]
pub struct AddressError(String);

impl Address {
    /// A host, which may be an IP address or a name, and a port.
    pub fn tcp(host: &str, port: u16) -> Address {
        match host.parse::<IpAddr>() {
            Ok(ip) => Address::Ip(SocketAddr::new(ip, port)),
            Err(_) => Address::Name {
                host: host.to_owned(),
                port,
            },
        }
    }

    /// The path of a Unix socket.
    pub fn unix(path: impl Into<PathBuf>) -> Address {
        Address::Unix(path.into())
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Address, AddressError> {
        if text.starts_with('/') {
            return Ok(Address::unix(text));
        }
        if let Ok(address) = text.parse() {
            return Ok(Address::Ip(address));
        }
        let refused = || AddressError(text.to_owned());
        let (host, port) = text.rsplit_once(':').ok_or_else(refused)?;
        let is_port = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
        let is_name = !host.is_empty() && !host.contains([':', '/', '[', ']', '@', ' ']);
        match port.parse() {
            Ok(port) if is_port && is_name => Ok(Address::tcp(host, port)),
            _ => Err(refused()),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Ip(address) => address.fmt(f),
            Address::Name { host, port } => write!(f, "{host}:{port}"),
            Address::Unix(path) => path.display().fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_as_they_are_written() {
        let cases = [
            ("127.0.0.1:80", Some(Address::tcp("127.0.0.1", 80))),
            ("[::1]:65535", Some(Address::tcp("::1", 65535))),
            ("db.example:0", Some(Address::tcp("db.example", 0))),
            ("/run/db.sock", Some(Address::unix("/run/db.sock"))),
            ("db.example:65536", None),
            ("db.example:+1", None),
            ("db.example:", None),
            ("db.example", None),
            (":80", None),
            ("::1:80:", None),
            ("[::1]", None),
            ("http://db:80", None),
            ("a b:80", None),
            ("", None),
        ];
        for (text, expected) in cases {
            assert_eq!(text.parse().ok(), expected, "{text}");
            if let Some(address) = expected {
                assert_eq!(address.to_string(), text);
            }
        }
    }

    #[test]
    fn a_name_is_told_from_an_address() {
        assert!(matches!(Address::tcp("::1", 1), Address::Ip(_)));
        assert!(matches!(Address::tcp("localhost", 1), Address::Name { .. }));
    }
}
