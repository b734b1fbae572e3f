//! Which server, and how long it is waited for.

use crate::app::{Error, Result};
use crate::environment;
use crate::limits::{COMMAND_TIMEOUT, CONNECT_TIMEOUT};
use crate::net::Address;
use redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo, RedisConnectionInfo};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// Which server, as whom, and how long it is waited for.
///
/// They are read from an URL: `redis://USER:PASSWORD@HOST:PORT/DATABASE`, or
/// `redis+unix:///PATH?db=DATABASE&pass=PASSWORD`.
#[derive(Clone)]
#[non_exhaustive]
pub struct Options {
    pub(super) address: Address,
    pub(super) login: RedisConnectionInfo,
    /// Longest time to connect, and as long again to be let in. Default: 2 s.
    pub connect_timeout: Duration,
    /// Longest time that a command, or a pipeline of them, is waited for. Default: 2 s.
    pub command_timeout: Duration,
}

impl Options {
    /// Options for what `info` says.
    ///
    /// # Errors
    /// The operator's: it asks for TLS, which is not offered here.
    pub fn new(info: &ConnectionInfo) -> Result<Options> {
        let address = match info.addr() {
            ConnectionAddr::Tcp(host, port) => Address::tcp(host, *port),
            ConnectionAddr::Unix(path) => Address::unix(path),
            _ => return Err(Error::operator("TLS to Redis is not offered: use a tunnel")),
        };
        Ok(Options {
            address,
            login: info.redis_settings().clone(),
            connect_timeout: CONNECT_TIMEOUT,
            command_timeout: COMMAND_TIMEOUT,
        })
    }

    /// Options for the address that the environment variable `name` holds.
    ///
    /// # Errors
    /// The operator's: it is not set, or is no address that can be used.
    pub fn from_env(name: &str) -> Result<Options> {
        environment::address(name, "Redis")
    }
}

impl FromStr for Options {
    type Err = Error;

    fn from_str(text: &str) -> Result<Options> {
        let info = text.into_connection_info().map_err(|error| {
            Error::operator("the address of Redis cannot be read").with_source(error)
        })?;
        Options::new(&info)
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The login holds a password.
        f.debug_struct("Options")
            .field("address", &self.address)
            .field("connect_timeout", &self.connect_timeout)
            .field("command_timeout", &self.command_timeout)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_the_server_is() {
        for (text, expected, database) in [
            ("redis://cache.example", "cache.example:6379", 0),
            ("redis://:pass@127.0.0.1:7000/3", "127.0.0.1:7000", 3),
            ("redis+unix:///run/redis.sock?db=2", "/run/redis.sock", 2),
        ] {
            let options: Options = text.parse().unwrap();
            assert_eq!(options.address.to_string(), expected);
            assert_eq!(options.login.db(), database);
        }
    }

    #[test]
    fn what_cannot_be_used_is_refused_at_the_start() {
        for text in ["", "cache.example", "http://a", "redis://a/b"] {
            let error = text.parse::<Options>().unwrap_err();
            assert!(error.to_string().contains("cannot be read"), "{text}");
            assert_eq!(error.blame(), crate::app::Blame::Operator);
        }
        let error = "rediss://a".parse::<Options>().unwrap_err();
        assert_eq!(error.blame(), crate::app::Blame::Operator);
    }

    #[test]
    fn nobody_reads_the_password_in_a_log() {
        let options: Options = "redis://me:hunter2@a".parse().unwrap();
        assert!(!format!("{options:?}").contains("hunter2"));
    }
}
