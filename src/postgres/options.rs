//! Which database, and how a core's connections to it are kept.

use crate::app::{Error, Result};
use crate::environment;
use crate::limits::{CONNECT_TIMEOUT, QUERY_TIMEOUT};
use crate::net::Address;
use crate::pool::PoolOptions;
use std::net::SocketAddr;
use std::str::FromStr;
use std::time::Duration;
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};

/// The port of PostgreSQL where none is named.
const PORT: u16 = 5432;

/// Which database, as whom, and how a core's connections to it are kept.
///
/// They are read from an URL, `postgres://USER:PASSWORD@HOST:PORT/DATABASE`, or from libpq's
/// `key=value` form, as [`Config`] describes them; the folder of a Unix socket is a host as well
/// (`host=/run/postgresql`). Of several hosts the first that takes a connection is used.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    pub(super) config: Config,
    /// How many connections each core has, and how long they live.
    pub pool: PoolOptions,
    /// Longest time to connect to one host, and as long again to be let in, and longest time for a
    /// connection that is closed to be gone. Default: `connect_timeout` of the URL, or 2 s.
    pub connect_timeout: Duration,
    /// Longest time that a query is waited for. Default: 30 s.
    pub query_timeout: Duration,
}

impl Options {
    /// Options for what `config` says.
    ///
    /// # Errors
    /// The operator's: it names no host, or asks for what is not offered here, which is TLS and
    /// `target_session_attrs`.
    pub fn new(config: Config) -> Result<Options> {
        let refused = |what| Err(Error::operator(what));
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return refused("the address of the database names no host");
        }
        if config.get_ssl_mode() == SslMode::Require {
            return refused("TLS to the database is not offered: use sslmode=disable, or a tunnel");
        }
        if config.get_target_session_attrs() != TargetSessionAttrs::Any {
            return refused("target_session_attrs is not offered: name the primary's host alone");
        }
        let connect_timeout = config.get_connect_timeout().copied();
        Ok(Options {
            config,
            pool: PoolOptions::default(),
            connect_timeout: connect_timeout.unwrap_or(CONNECT_TIMEOUT),
            query_timeout: QUERY_TIMEOUT,
        })
    }

    /// Options for the address that the environment variable `name` holds.
    ///
    /// # Errors
    /// The operator's: it is not set, or is no address that can be used.
    pub fn from_env(name: &str) -> Result<Options> {
        environment::address(name, "the database")
    }

    /// Where the server may be, in the order in which that is tried.
    pub(super) fn addresses(&self) -> impl Iterator<Item = Address> {
        let config = &self.config;
        let (hosts, ips, ports) = (
            config.get_hosts(),
            config.get_hostaddrs(),
            config.get_ports(),
        );
        (0..hosts.len().max(ips.len())).filter_map(move |place| {
            let port = ports.get(place).or(ports.first()).copied().unwrap_or(PORT);
            if let Some(ip) = ips.get(place) {
                return Some(Address::Ip(SocketAddr::new(*ip, port)));
            }
            Some(match hosts.get(place)? {
                Host::Tcp(host) => Address::tcp(host, port),
                Host::Unix(folder) => Address::Unix(folder.join(format!(".s.PGSQL.{port}"))),
            })
        })
    }
}

impl FromStr for Options {
    type Err = Error;

    fn from_str(text: &str) -> Result<Options> {
        let config = text.parse().map_err(|error: tokio_postgres::Error| {
            Error::operator("the address of the database cannot be read").with_source(error)
        })?;
        Options::new(config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_the_server_may_be() {
        let cases: [(&str, &[&str]); 6] = [
            ("postgres://a:b@db.example/c", &["db.example:5432"]),
            ("postgres://127.0.0.1:5433", &["127.0.0.1:5433"]),
            ("postgres://a,b:2/c", &["a:5432", "b:2"]),
            ("host=a,b port=7", &["a:7", "b:7"]),
            (
                "host=/run/postgresql user=a",
                &["/run/postgresql/.s.PGSQL.5432"],
            ),
            ("host=a hostaddr=10.0.0.1 port=1", &["10.0.0.1:1"]),
        ];
        for (text, expected) in cases {
            let options: Options = text.parse().unwrap();
            let found: Vec<_> = options.addresses().map(|it| it.to_string()).collect();
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn what_is_not_offered_is_refused_at_the_start() {
        for (text, expected) in [
            ("postgres://", "names no host"),
            ("host=a sslmode=require", "TLS"),
            ("host=a target_session_attrs=read-write", "the primary's"),
            ("host=a color=blue", "cannot be read"),
            ("http://a", "cannot be read"),
        ] {
            let error = text.parse::<Options>().unwrap_err();
            assert!(error.to_string().contains(expected), "{text}: {error}");
            assert_eq!(error.blame(), crate::app::Blame::Operator);
        }
    }

    #[test]
    fn nobody_reads_the_password_in_a_log() {
        let options: Options = "postgres://me:hunter2@a/b".parse().unwrap();
        assert!(!format!("{options:?}").contains("hunter2"));
    }

    #[test]
    fn times_stand_in_the_address_or_in_the_options() {
        let plain: Options = "host=a".parse().unwrap();
        assert_eq!(plain.connect_timeout, CONNECT_TIMEOUT);
        let patient: Options = "host=a connect_timeout=7".parse().unwrap();
        assert_eq!(patient.connect_timeout, Duration::from_secs(7));
    }
}
