//! The configuration, in two stages: what was written ([`raw::RawConfig`]: a file, and over it the
//! command line), and what is proved ([`Config`]). It is pure but for [`raw::RawConfig::read`]:
//! nothing is bound, opened or pinned here.

pub mod access_log;
pub mod cidr;
pub mod duration;
pub mod files;
mod limit;
pub mod listen;
pub mod log_level;
mod quantity;
pub mod raw;
pub mod size;
#[cfg(test)]
mod tests;

use http::HeaderValue;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use crate::app::AccessFormat;
use crate::cores::CoreSelection;
use crate::failure::Failure;
use crate::files::Policy;
use crate::limits::{self, Limits};
use access_log::AccessLog;
use cidr::Cidr;
use log_level::LogLevel;
use raw::{RawConfig, Written};

/// A configuration in which every value has been understood and lies within its limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Addresses to listen on, each different but for port 0. Default: `127.0.0.1:8080`.
    pub listen: Vec<SocketAddr>,
    /// Which CPUs get a shard. Default: all. Met with the machine by [`crate::cores::select`].
    pub cores: CoreSelection,
    /// The folder that `serve` serves. Default: the current folder. Whether it exists is asked
    /// when it is opened.
    pub root: PathBuf,
    /// How long a shutdown may take before what is left is cut off. Default: 30 s; at most
    /// [`limits::SHUTDOWN_TIMEOUT`].
    pub shutdown_timeout: Duration,
    /// How long a server that is told to shut down serves on first, while `/healthz` answers 503.
    /// Default: 0 s; at most [`limits::SHUTDOWN_TIMEOUT`].
    pub shutdown_delay: Duration,
    /// Whether a shard with nothing to do spins instead of blocking. Default: no.
    pub busy_poll: bool,
    /// Who may read `/stats`. Default: peers on this machine.
    pub stats: StatsAccess,
    /// The limits that every shard keeps.
    pub limits: Limits,
    /// The value of the Server field, or none. Default: `corelane`.
    pub server_header: Option<HeaderValue>,
    /// What the program's log tells. A [`Server`](crate::Server) has no log of its own: see
    /// [`crate::log`].
    pub log_level: LogLevel,
    /// The program's access log. Default: none. A [`Server`](crate::Server) has none of its own: see
    /// [`App::access_log`](crate::App::access_log).
    pub access_log: Option<AccessLog>,
    /// How files are served: by `serve`, and those of [`App::files`](crate::App::files) and
    /// [`App::folder`](crate::App::folder).
    pub files: Policy,
}

/// Who may read `/stats`; everyone else gets the 404 of an unknown path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatsAccess {
    /// Whether there is a `/stats` at all. Default: yes.
    pub enabled: bool,
    /// Networks that may read it, beside loopback addresses, which may unless their request came through
    /// a proxy. Default: none.
    pub allow: Vec<Cidr>,
    /// An address of its own, where there is nothing else, and without which it is on all others. Who may
    /// read it there is the same. Default: none.
    pub listen: Option<SocketAddr>,
}

impl StatsAccess {
    /// Whether `peer` may read `/stats`. An IPv4 peer on an IPv6 socket (`::ffff:a.b.c.d`) counts
    /// as the IPv4 address that it is.
    ///
    /// `is_forwarded` says that a proxy sent the request for somebody else, by the fields of
    /// [`StatsAccess::FORWARDED`]. One on this machine is a loopback peer, but those whom it speaks for
    /// are not: it is admitted where its network is named in `allow`.
    pub fn admits(&self, peer: IpAddr, is_forwarded: bool) -> bool {
        let peer = peer.to_canonical();
        let is_here = peer.is_loopback() && !is_forwarded;
        self.enabled && (is_here || self.allow.iter().any(|cidr| cidr.contains(peer)))
    }

    /// The fields by which a proxy says that it sends a request for somebody else: those of RFC 7239, RFC 8586 and
    /// RFC 9110 §7.6.3, those that are older than these or in wider use, and those of networks that deliver content.
    pub const FORWARDED: &[&str] = &[
        "cdn-loop",
        "cf-connecting-ip",
        "cf-connecting-ipv6",
        "cf-ray",
        "cf-visitor",
        "client-ip",
        "fastly-client-ip",
        "fly-client-ip",
        "forwarded",
        "forwarded-for",
        "front-end-https",
        "true-client-ip",
        "via",
        "x-appengine-user-ip",
        "x-azure-clientip",
        "x-azure-socketip",
        "x-client-ip",
        "x-cluster-client-ip",
        "x-envoy-external-address",
        "x-forwarded",
        "x-forwarded-by",
        "x-forwarded-client-cert",
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-path",
        "x-forwarded-port",
        "x-forwarded-prefix",
        "x-forwarded-proto",
        "x-forwarded-protocol",
        "x-forwarded-scheme",
        "x-forwarded-server",
        "x-forwarded-ssl",
        "x-forwarded-uri",
        "x-original-forwarded-for",
        "x-original-host",
        "x-originating-ip",
        "x-proxyuser-ip",
        "x-real-ip",
        "x-real-port",
        "x-remote-addr",
        "x-remote-ip",
    ];
}

impl Default for StatsAccess {
    fn default() -> Self {
        Self {
            enabled: true,
            allow: Vec::new(),
            listen: None,
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: vec![SocketAddr::from((Ipv4Addr::LOCALHOST, 8080))],
            cores: CoreSelection::All,
            root: PathBuf::from("."),
            shutdown_timeout: Duration::from_secs(30),
            shutdown_delay: Duration::ZERO,
            busy_poll: false,
            stats: StatsAccess::default(),
            limits: Limits::default(),
            server_header: Some(HeaderValue::from_static("corelane")),
            log_level: LogLevel::default(),
            access_log: None,
            files: Policy::default(),
        }
    }
}

impl Config {
    /// Makes sure of what a configuration made by hand may break.
    pub(crate) fn prove(&self) -> Result<(), Failure> {
        if self.listen.is_empty() {
            return Err(no_address());
        }
        self.limits.prove().map_err(|error| {
            Failure::operator(format!("{}: {}", error.name, error.what), error.mend)
        })?;
        prove_shares(&self.limits, self.listen.len()).map_err(|mistake| {
            Failure::operator(format!("connections: {}", mistake.what), mistake.mend)
        })
    }
}

fn no_address() -> Failure {
    Failure::operator("listen: the list is empty", "name at least one ADDR:PORT")
}

/// Every address to listen on needs a connection to give.
fn prove_shares(limits: &Limits, addresses: usize) -> Result<(), Mistake> {
    if limits.connections >= addresses {
        return Ok(());
    }
    Err(Mistake::new(
        format!(
            "{} is less than one for each of {addresses} addresses",
            limits.connections
        ),
        format!(
            "give it a value from {addresses} to {}",
            limits::CONNECTIONS
        ),
    ))
}

impl TryFrom<RawConfig> for Config {
    type Error = Vec<Failure>;

    /// Proves what was written; what was not is the default.
    ///
    /// # Errors
    /// One operator's failure for each value that is wrong, all of them at once.
    fn try_from(raw: RawConfig) -> Result<Self, Vec<Failure>> {
        let mut faults = Vec::new();
        let default = Self::default();
        let config = Self {
            listen: match &raw.listen {
                Some(written) => prove_listen(written, &mut faults),
                None => default.listen,
            },
            cores: prove(raw.cores.as_ref(), &mut faults, |text| {
                text.parse()
                    .map_err(|error: crate::cores::CoresError| Mistake {
                        mend: error.mend(),
                        what: error.to_string(),
                    })
            })
            .unwrap_or(default.cores),
            root: raw.root.unwrap_or(default.root),
            shutdown_timeout: prove(raw.shutdown_timeout.as_ref(), &mut faults, |text| {
                duration::parse(text, limits::SHUTDOWN_TIMEOUT)
            })
            .unwrap_or(default.shutdown_timeout),
            shutdown_delay: prove(raw.shutdown_delay.as_ref(), &mut faults, |text| {
                duration::parse(text, limits::SHUTDOWN_TIMEOUT)
            })
            .unwrap_or(default.shutdown_delay),
            busy_poll: raw.busy_poll.unwrap_or(default.busy_poll),
            stats: StatsAccess {
                enabled: raw.stats_enabled.unwrap_or(default.stats.enabled),
                allow: raw
                    .stats_allow
                    .iter()
                    .flatten()
                    .filter_map(|written| prove(Some(written), &mut faults, cidr::parse))
                    .collect(),
                listen: prove(raw.stats_listen.as_ref(), &mut faults, listen::parse),
            },
            limits: default.limits,
            server_header: match &raw.server_header {
                Some(written) => prove(Some(written), &mut faults, prove_server).flatten(),
                None => default.server_header,
            },
            log_level: prove(raw.log_level.as_ref(), &mut faults, log_level::parse)
                .unwrap_or(default.log_level),
            access_log: {
                let format = raw.access_log_format.as_ref();
                let format = prove(format, &mut faults, access_log::parse_format);
                raw.access_log.map(|path| AccessLog {
                    to: access_log::to(path),
                    format: format.unwrap_or(AccessFormat::Combined),
                })
            },
            files: raw.files.prove(&mut faults),
        };
        if let (Some(written), Some(address)) = (&raw.stats_listen, config.stats.listen)
            && address.port() != 0
            && config.listen.contains(&address)
        {
            let what = format!("{address} is listened on for everything else");
            faults.push(written.fault(Mistake::new(what, "give another port")));
        }
        let config = Self {
            limits: limit::prove(&raw.limits, config.listen.len(), &mut faults),
            ..config
        };
        if faults.is_empty() {
            Ok(config)
        } else {
            Err(faults)
        }
    }
}

/// Why a text is not the value it should be; where it was written is added by [`Written`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// What is wrong, naming the text.
    pub what: String,
    /// What to write instead.
    pub mend: String,
}

impl Mistake {
    fn new(what: impl Into<String>, mend: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            mend: mend.into(),
        }
    }
}

fn prove<T>(
    written: Option<&Written>,
    faults: &mut Vec<Failure>,
    parse: impl Fn(&str) -> Result<T, Mistake>,
) -> Option<T> {
    let written = written?;
    match parse(&written.text) {
        Ok(value) => Some(value),
        Err(mistake) => {
            faults.push(written.fault(mistake));
            None
        }
    }
}

/// The value of the Server field, or `none`.
fn prove_server(text: &str) -> Result<Option<HeaderValue>, Mistake> {
    if text == "none" {
        return Ok(None);
    }
    let is_padded = text.trim_matches([' ', '\t']).len() != text.len();
    match HeaderValue::from_str(text) {
        Ok(value) if !is_padded && !text.is_empty() && text.is_ascii() => Ok(Some(value)),
        _ => Err(Mistake::new(
            format!("'{text}' cannot be the value of a field"),
            "write visible ASCII, such as corelane, or none",
        )),
    }
}

/// With SO_REUSEPORT the kernel would let one address be bound twice and split its connections
/// between the two, so the slip would never show.
fn prove_listen(written: &[Written], faults: &mut Vec<Failure>) -> Vec<SocketAddr> {
    if written.is_empty() {
        faults.push(no_address());
    }
    let mut addresses = Vec::with_capacity(written.len());
    for written in written {
        let Some(address) = prove(Some(written), faults, listen::parse) else {
            continue;
        };
        if address.port() != 0 && addresses.contains(&address) {
            let mistake = Mistake::new(format!("{address} is given twice"), "give it once");
            faults.push(written.fault(mistake));
        } else {
            addresses.push(address);
        }
    }
    addresses
}
