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
    /// How files are served: by `serve`, and below [`App::files`](crate::App::files).
    pub files: Policy,
}

/// Who may read `/stats`; everyone else gets the 404 of an unknown path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatsAccess {
    /// Whether there is a `/stats` at all. Default: yes.
    pub enabled: bool,
    /// Networks that may read it, beside loopback addresses, which always may. Default: none.
    pub allow: Vec<Cidr>,
}

impl StatsAccess {
    /// Whether `peer` may read `/stats`. An IPv4 peer on an IPv6 socket (`::ffff:a.b.c.d`) counts
    /// as the IPv4 address that it is.
    pub fn admits(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        self.enabled && (peer.is_loopback() || self.allow.iter().any(|cidr| cidr.contains(peer)))
    }
}

impl Default for StatsAccess {
    fn default() -> Self {
        Self {
            enabled: true,
            allow: Vec::new(),
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
            busy_poll: raw.busy_poll.unwrap_or(default.busy_poll),
            stats: StatsAccess {
                enabled: raw.stats_enabled.unwrap_or(default.stats.enabled),
                allow: raw
                    .stats_allow
                    .iter()
                    .flatten()
                    .filter_map(|written| prove(Some(written), &mut faults, cidr::parse))
                    .collect(),
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn config(text: &str) -> Result<Config, Vec<String>> {
        let shown = |failure: &Failure| failure.to_string();
        let raw = RawConfig::parse(Path::new("/etc/c.toml"), text)
            .map_err(|failure| vec![shown(&failure)])?;
        Config::try_from(raw).map_err(|faults| faults.iter().map(shown).collect())
    }

    #[test]
    fn nothing_written_is_the_default() {
        assert_eq!(config(""), Ok(Config::default()));
        assert_eq!(config("[stats]\n"), Ok(Config::default()));
        let default = Config::default();
        assert_eq!(default.listen, ["127.0.0.1:8080".parse().unwrap()]);
        assert_eq!(default.shutdown_timeout, Duration::from_secs(30));
    }

    #[test]
    fn everything_written_is_taken() {
        let text = r#"
            listen = ["0.0.0.0:80", "[::]:80"]
            cores = "0,2-3"
            root = "public"
            shutdown_timeout = "1500ms"
            busy_poll = true
            server_header = "a/1 (b)"
            log_level = "debug"
            access_log = "access.log"
            access_log_format = "json"
            [stats]
            enabled = false
            allow = ["10.0.0.0/8"]
            [limits]
            head_timeout = "5s"
            body_bytes = "10MiB"
            field_lines = 50
            requests_per_connection = 1000
            handler_timeout = "2m"
        "#;
        let mut limits = Limits {
            head_timeout: Duration::from_secs(5),
            body_bytes: 10 << 20,
            requests_per_connection: Some(1000),
            handler_timeout: Some(Duration::from_secs(120)),
            ..Limits::default()
        };
        limits.head.field_lines = 50;
        let expected = Config {
            listen: vec!["0.0.0.0:80".parse().unwrap(), "[::]:80".parse().unwrap()],
            cores: CoreSelection::List(vec![0, 2, 3]),
            root: "/etc/public".into(),
            shutdown_timeout: Duration::from_millis(1500),
            busy_poll: true,
            stats: StatsAccess {
                enabled: false,
                allow: vec![cidr::parse("10.0.0.0/8").unwrap()],
            },
            limits,
            server_header: Some(HeaderValue::from_static("a/1 (b)")),
            log_level: LogLevel::Debug,
            access_log: Some(AccessLog {
                to: access_log::AccessLogTo::File("/etc/access.log".into()),
                format: AccessFormat::Json,
            }),
            files: Policy::default(),
        };
        assert_eq!(config(text), Ok(expected));
    }

    #[test]
    fn every_fault_is_told_with_its_place_and_mend() {
        let text = "listen = [\n  \"localhost:80\",\n  \"127.0.0.1:1\", \"127.0.0.1:1\",\n]\n\
                    cores = \"many\"\nshutdown_timeout = \"30\"\n[stats]\nallow = \"10.0.0.1/8\"\n";
        let expected = [
            "/etc/c.toml:2:3: listen: 'localhost:80' names a host; \
             write its IP address, such as 127.0.0.1:80",
            "/etc/c.toml:3:18: listen: 127.0.0.1:1 is given twice; give it once",
            "/etc/c.toml:5:9: cores: 'many' is not a choice of CPUs; \
             write all, a number of CPUs such as 4, or CPU numbers such as 0,2-3",
            "/etc/c.toml:6:20: shutdown_timeout: '30' has no unit; write 30s or 30ms",
            "/etc/c.toml:8:9: stats.allow: '10.0.0.1/8' has bits beyond its prefix; \
             write 10.0.0.0/8",
        ];
        assert_eq!(config(text).unwrap_err(), expected);
    }

    #[test]
    fn an_empty_list_of_addresses_is_no_server() {
        let expected = ["listen: the list is empty; name at least one ADDR:PORT"];
        assert_eq!(config("listen = []").unwrap_err(), expected);
    }

    #[test]
    fn the_longest_shutdown_timeout_is_taken_and_no_longer() {
        let most = limits::SHUTDOWN_TIMEOUT.as_secs();
        let text = |seconds| format!("shutdown_timeout = '{seconds}s'");
        let config_of = |seconds| config(&text(seconds)).map(|config| config.shutdown_timeout);
        assert_eq!(config_of(most), Ok(limits::SHUTDOWN_TIMEOUT));
        assert!(config_of(most + 1).is_err());
    }

    #[test]
    fn a_limit_that_is_wrong_is_told_with_its_place() {
        let table = [
            (
                "[limits]\nhead_timeout = '5'",
                "/etc/c.toml:2:16: limits.head_timeout: '5' has no unit; write 5s or 5ms",
            ),
            (
                "[limits]\nhead_timeout = '0s'",
                "/etc/c.toml:2:16: limits.head_timeout: 0ms is less than 1ms; \
                 give it a value from 1ms to 24h",
            ),
            (
                "limits.idle_timeout = '9999999h'",
                "/etc/c.toml:1:23: limits.idle_timeout: '9999999h' is too long; \
 write at most 86400s",
            ),
            (
                "limits.body_bytes = '8KB'",
                "/etc/c.toml:1:21: limits.body_bytes: '8KB' is not a size; ",
            ),
            (
                "limits.field_lines = -1",
                "/etc/c.toml:1:22: limits.field_lines: '-1' is not a count; write a whole number",
            ),
            (
                "limits.connections = 'none'",
                "/etc/c.toml:1:22: limits.connections: 'none' is not a count; ",
            ),
            (
                "limits.requests_per_connection = ''",
                "/etc/c.toml:1:34: limits.requests_per_connection: '' is not a count; \
                 write a whole number, or none",
            ),
            (
                "limits.handler_timeout = 'never'",
                "/etc/c.toml:1:26: limits.handler_timeout: 'never' is not a duration; \
                 write a whole number and ms, s, m or h, such as 30s, or none",
            ),
            (
                "limits.bodybytes = 1",
                "/etc/c.toml:1:20: limits.bodybytes: 'bodybytes' is not a limit; \
                 name one of request_line_bytes, ",
            ),
            (
                "limits.trailer_bytes = '64KiB'",
                "/etc/c.toml:1:24: limits.trailer_bytes: field_section_bytes: 32KiB is less than \
                 trailer_bytes, 64KiB; raise it, or lower trailer_bytes",
            ),
            (
                "listen = ['[::1]:1', '[::1]:2']\nlimits.connections = 1",
                "/etc/c.toml:2:22: limits.connections: 1 is less than one for each of 2 addresses; ",
            ),
        ];
        for (text, start) in table {
            let faults = config(text).unwrap_err();
            assert_eq!(faults.len(), 1, "{faults:?}");
            assert!(faults[0].starts_with(start), "{faults:?}");
        }
        let both = "limits.trailer_bytes = '64KiB'\nlimits.field_section_bytes = '64KiB'";
        assert_eq!(
            config(both).map(|config| config.limits.trailer_bytes),
            Ok(65_536)
        );
        let twice = "[limits]\nbody_bytes = 'x'\nhead_timeout = 'x'";
        assert_eq!(config(twice).unwrap_err().len(), 2);
    }

    #[test]
    fn the_server_field_is_a_value_or_none() {
        let of = |text: &str| {
            config(&format!("server_header = {text}")).map(|config| config.server_header)
        };
        assert_eq!(of("false"), Ok(None));
        assert_eq!(of("'none'"), Ok(None));
        assert_eq!(of("'a'"), Ok(Some(HeaderValue::from_static("a"))));
        for text in ["''", "' a'", "'a\t'", "\"a\\n\"", "'\u{e9}'", "true", "1"] {
            assert_eq!(of(text).unwrap_err().len(), 1, "{text}");
        }
    }

    #[test]
    fn the_log_has_levels() {
        let of =
            |text: &str| config(&format!("log_level = '{text}'")).map(|config| config.log_level);
        let table = [
            ("off", LogLevel::Off),
            ("error", LogLevel::Error),
            ("warn", LogLevel::Warn),
            ("info", LogLevel::Info),
            ("debug", LogLevel::Debug),
        ];
        for (text, level) in table {
            assert_eq!(of(text), Ok(level));
        }
        let expected = "/etc/c.toml:1:13: log_level: 'WARN' is not a level of the log; \
                        write off, error, warn, info or debug";
        assert_eq!(of("WARN").unwrap_err(), [expected]);
    }

    #[test]
    fn the_access_log_has_a_place_and_a_format() {
        use access_log::AccessLogTo;
        let of = |text: &str| config(text).map(|config| config.access_log);
        let log = |to, format| Ok(Some(AccessLog { to, format }));
        assert_eq!(of("access_log_format = 'json'"), Ok(None));
        let combined = log(AccessLogTo::Stdout, AccessFormat::Combined);
        assert_eq!(of("access_log = '-'"), combined);
        let path = AccessLogTo::File("/a".into());
        let common = log(path, AccessFormat::Common);
        assert_eq!(
            of("access_log = '/a'\naccess_log_format = 'common'"),
            common
        );
        let expected = "/etc/c.toml:1:21: access_log_format: 'x' is not a format of the access log; \
                        write common, combined or json";
        assert_eq!(of("access_log_format = 'x'").unwrap_err(), [expected]);
    }

    #[test]
    fn a_configuration_made_by_hand_is_proved_as_well() {
        let mut config = Config::default();
        assert_eq!(config.prove(), Ok(()));
        config.limits.connections = 1;
        assert_eq!(config.prove(), Ok(()));
        config.listen.push("127.0.0.1:1".parse().unwrap());
        let failure = config.prove().unwrap_err();
        assert!(
            failure.what().starts_with("connections: 1 is less"),
            "{failure}"
        );
        config.limits.head_timeout = Duration::ZERO;
        let failure = config.prove().unwrap_err();
        assert!(failure.what().starts_with("head_timeout: 0ms"), "{failure}");
        config.listen.clear();
        assert_eq!(
            config.prove().unwrap_err().what(),
            "listen: the list is empty"
        );
    }

    #[test]
    fn stats_admits_loopback_and_the_networks_named() {
        let open = |allow: &[&str]| StatsAccess {
            enabled: true,
            allow: allow
                .iter()
                .map(|text| cidr::parse(text).unwrap())
                .collect(),
        };
        let off = StatsAccess {
            enabled: false,
            ..open(&["0.0.0.0/0"])
        };
        let table = [
            (open(&[]), "127.0.0.1", true),
            (open(&[]), "127.9.9.9", true),
            (open(&[]), "::1", true),
            (open(&[]), "::ffff:127.0.0.1", true),
            (open(&[]), "10.0.0.1", false),
            (open(&[]), "::", false),
            (open(&["10.0.0.0/8"]), "10.255.0.1", true),
            (open(&["10.0.0.0/8"]), "::ffff:10.0.0.1", true),
            (open(&["10.0.0.0/8"]), "11.0.0.1", false),
            (open(&["10.0.0.0/8"]), "::1", true),
            (open(&["0.0.0.0/0"]), "2001:db8::1", false),
            (open(&["::/0"]), "2001:db8::1", true),
            (open(&["::/0"]), "::ffff:10.0.0.1", false),
            (off, "127.0.0.1", false),
        ];
        for (access, peer, expected) in table {
            let admitted = access.admits(peer.parse().unwrap());
            assert_eq!(admitted, expected, "{peer} {access:?}");
        }
    }
}
