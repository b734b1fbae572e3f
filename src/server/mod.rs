//! The server: one shard for each core, and the supervisor between them. It alone makes shards.
//!
//! Starting: the machine is looked at, the CPUs are chosen, every socket is bound (in core order,
//! so that the kernel's SO_REUSEPORT group has the order of the cores), one thread per core makes
//! its shard, and when all are ready they are told to serve. Whatever fails before that stops all
//! of it with one clear [`Failure`].

mod listen;
mod pace;
mod rounds;
mod supervisor;
mod surroundings;

use self::listen::Listening;
use self::supervisor::Supervisor;
use crate::app::{App, Error, Result};
use crate::config::Config;
use crate::cores;
use crate::failure::Failure;
use crate::files::Policy;
use crate::limits::{ARCHIVE_DESCRIPTORS, Limits, RESERVED_DESCRIPTORS, STATS_CONNECTIONS};
use crate::preflight::{Machine, SHARD_LOCKED_BYTES};
use crate::ring::RingOptions;
use crate::shard::{Credit, Factory, Report, Shard};
use http::HeaderValue;
use std::io::{self, Write as _};
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// An HTTP server to be configured and run.
///
/// ```no_run
/// use corelane::{App, Request, Server};
///
/// fn main() -> corelane::Result<()> {
///     Server::bind("127.0.0.1:8080").run(|_shard| {
///         App::new().get("/", |_req: Request| async { "Hello, Anonymous" })
///     })
/// }
/// ```
#[derive(Debug)]
#[must_use = "a server does nothing before it is run"]
pub struct Server {
    config: Config,
    /// What was wrong with an address, told when the server is started.
    fault: Option<Failure>,
}

impl Server {
    /// A server on `address`, with the defaults of [`Config`] otherwise. Port 0 picks a free port.
    pub fn bind(address: impl ToSocketAddrs) -> Self {
        let config = Config {
            listen: Vec::new(),
            ..Config::default()
        };
        Self {
            config,
            fault: None,
        }
        .listen(address)
    }

    /// A server as `config` says; its folder is not served by itself.
    pub fn new(config: Config) -> Self {
        Self {
            config,
            fault: None,
        }
    }

    /// Listens on `address` as well.
    pub fn listen(mut self, address: impl ToSocketAddrs) -> Self {
        match address.to_socket_addrs() {
            Ok(addresses) => self.config.listen.extend(addresses),
            Err(error) => {
                let what = format!("an address to listen on cannot be understood: {error}");
                let mend = "write ADDRESS:PORT, such as 127.0.0.1:8080 or [::1]:8080";
                self.fault
                    .get_or_insert_with(|| Failure::operator(what, mend));
            }
        }
        self
    }

    /// Which CPUs get a shard. Default: all that the process may use, at most its CPU quota.
    pub fn cores(mut self, cores: cores::CoreSelection) -> Self {
        self.config.cores = cores;
        self
    }

    /// How long a shutdown may take before what is left is cut off. Default: 30 s.
    pub fn shutdown_timeout(mut self, limit: Duration) -> Self {
        self.config.shutdown_timeout = limit;
        self
    }

    /// How long the server serves on when it is told to shut down, with [`Shard::leaving`] announced and 503
    /// at `/healthz`, before the shutdown begins: a load balancer needs that long to send its requests
    /// elsewhere. Whoever tells it again ends the delay. Default: 0 s.
    pub fn shutdown_delay(mut self, delay: Duration) -> Self {
        self.config.shutdown_delay = delay;
        self
    }

    /// The limits that every shard keeps. Default: [`Limits::default`]. One that is out of its range
    /// is told when the server is started.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.config.limits = limits;
        self
    }

    /// How the folders of [`App::files`] and [`App::folder`] are served. Default: [`Policy::default`].
    pub fn files(mut self, policy: Policy) -> Self {
        self.config.files = policy;
        self
    }

    /// The value of the Server field of responses that have none of their own; `None` for no such
    /// field. Default: `corelane`.
    pub fn server_header(mut self, value: Option<HeaderValue>) -> Self {
        self.config.server_header = value;
        self
    }

    /// Serves what `factory` makes, until the process gets SIGTERM or SIGINT: then it stops
    /// accepting, finishes what it has begun, and returns. A second signal cuts that short.
    ///
    /// `factory` is called once on each core, before any request is served. The addresses are
    /// written to standard error, a line `listening on http://ADDRESS:PORT` each, once requests
    /// are served, and behind them a line `statistics on http://ADDRESS:PORT` if these have an address of
    /// their own.
    ///
    /// # Errors
    /// When the server cannot start, or a shard ends by itself; the message says what to mend.
    pub fn run(self, factory: impl Fn(&Shard) -> App + Send + Sync + 'static) -> Result<()> {
        self.run_until_signal(factory)
            .map_err(|failure| Error::operator(failure.to_string()))
    }

    /// [`Server::run`] with the failure as the command line needs it.
    pub(crate) fn run_until_signal(
        self,
        factory: impl Fn(&Shard) -> App + Send + Sync + 'static,
    ) -> std::result::Result<(), Failure> {
        let (mut supervisor, reports) = self.supervisor(Arc::new(factory))?;
        forward_signals(reports)?;
        supervisor.start()?;
        // Behind those of the service, which scripts wait for.
        let lines = supervisor
            .addresses()
            .iter()
            .map(|address| format!("listening on http://{address}\n"));
        let stats = supervisor
            .stats_address()
            .map(|address| format!("statistics on http://{address}\n"));
        for line in lines.chain(stats) {
            // Whoever closed standard error does not wait for the line.
            // In one piece: a line of the log, which another thread writes, must not come between.
            let _ = io::stderr().write_all(line.as_bytes());
        }
        supervisor.supervise()
    }

    /// Serves what `factory` makes on threads of its own, until it is [stopped](Running::stop).
    /// Signals are left alone.
    ///
    /// # Errors
    /// When the server cannot start; the message says what to mend.
    pub fn start(self, factory: impl Fn(&Shard) -> App + Send + Sync + 'static) -> Result<Running> {
        let started = self
            .supervisor(Arc::new(factory))
            .and_then(|(mut supervisor, reports)| {
                supervisor.start()?;
                let addresses = supervisor.addresses().to_vec();
                let stats_address = supervisor.stats_address();
                let thread = std::thread::Builder::new()
                    .name("supervisor".to_owned())
                    .spawn(move || supervisor.supervise())
                    .map_err(|error| Failure::no_thread(&error))?;
                Ok(Running {
                    addresses,
                    stats_address,
                    reports,
                    thread,
                })
            });
        started.map_err(|failure| Error::operator(failure.to_string()))
    }

    fn supervisor(
        self,
        factory: Factory,
    ) -> std::result::Result<(Supervisor, Sender<Report>), Failure> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        let config = self.config;
        config.prove()?;
        let machine = Machine::read();
        let cpus = cores::select(&config.cores, &machine.available, machine.quota)?;
        machine.admits(cpus.len(), SHARD_LOCKED_BYTES)?;
        let listening = Listening::bind(&config.listen, cpus.len())?;
        let stats_address = config.stats.listen.filter(|_| config.stats.enabled);
        let stats_listening = stats_address.map(|address| Listening::bind(&[address], cpus.len()));
        let stats_listening = stats_listening.transpose()?;
        let options = RingOptions {
            busy_poll: config.busy_poll,
            ..RingOptions::default()
        };
        let (reports, inbox) = channel();
        let credit = |descriptors| {
            credit(
                machine.open_files,
                cpus.len(),
                config.listen.len(),
                stats_address.is_some(),
                config.files.tar,
                config.limits.connections,
                descriptors,
            )
        };
        let credit = Credit {
            plain: credit(1),
            // A connection, and what it is being sent.
            with_files: credit(2),
        };
        let supervisor = Supervisor::new(supervisor::Plan {
            cpus,
            listening,
            stats_listening,
            options,
            limits: config.limits,
            credit,
            server_header: config.server_header,
            files: config.files,
            access: config.stats,
            shutdown_timeout: config.shutdown_timeout,
            shutdown_delay: config.shutdown_delay,
            factory,
            inbox,
            reports: reports.clone(),
        });
        Ok((supervisor, reports))
    }
}

/// A server that runs on threads of its own.
#[derive(Debug)]
pub struct Running {
    addresses: Vec<SocketAddr>,
    stats_address: Option<SocketAddr>,
    reports: Sender<Report>,
    thread: JoinHandle<std::result::Result<(), Failure>>,
}

impl Running {
    /// The addresses it listens on, with the ports that were picked.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// The address of the statistics alone, if they have one: see
    /// [`StatsAccess::listen`](crate::config::StatsAccess::listen).
    pub fn stats_address(&self) -> Option<SocketAddr> {
        self.stats_address
    }

    /// Shuts the server down as SIGTERM would, and waits for its end.
    ///
    /// # Errors
    /// When a shard had failed.
    pub fn stop(self) -> Result<()> {
        // A supervisor that has ended needs not be told.
        let _ = self.reports.send(Report::Stop);
        let outcome = self.thread.join().unwrap_or_else(|_| {
            Err(Failure::run(
                "the supervisor panicked",
                "report it, with what was written before",
            ))
        });
        outcome.map_err(|failure| Error::operator(failure.to_string()))
    }
}

/// Signals this close to each other count as one: timeout(1) sends its signal to the program and
/// then to the whole group, and a terminal's Ctrl-C may come with that of a parent.
const SAME_SIGNAL: Duration = Duration::from_millis(50);

/// Sends SIGTERM and SIGINT to the supervisor, from a thread that waits for them.
fn forward_signals(reports: Sender<Report>) -> std::result::Result<(), Failure> {
    use signal_hook::consts::{SIGINT, SIGTERM};
    let failed = |error: io::Error| {
        let what = format!("signals cannot be received: {error}");
        Failure::run(what, "raise the limits of open files and threads")
    };
    let mut signals = signal_hook::iterator::Signals::new([SIGTERM, SIGINT]).map_err(failed)?;
    let forward = move || {
        let mut last: Option<Instant> = None;
        for _ in signals.forever() {
            let now = Instant::now();
            let is_same = last
                .replace(now)
                .is_some_and(|last| now - last < SAME_SIGNAL);
            if !is_same && reports.send(Report::Signal).is_err() {
                break;
            }
        }
    };
    let thread = std::thread::Builder::new()
        .name("signals".to_owned())
        .spawn(forward);
    thread.map(drop).map_err(failed)
}

/// Connections that each shard may have at once, which take so many `descriptors` each: `connections`, or
/// fewer, so that all together leave enough descriptors for files, rings and logs, for archives of folders, and for
/// statistics that have an address of their own. Each of its listening sockets gets one at least.
fn credit(
    open_files: Option<u64>,
    shards: usize,
    addresses: usize,
    has_stats: bool,
    has_archives: bool,
    connections: usize,
    descriptors: usize,
) -> usize {
    let Some(open_files) = open_files else {
        return connections;
    };
    let stats = if has_stats { 1 + STATS_CONNECTIONS } else { 0 };
    let archives = if has_archives { ARCHIVE_DESCRIPTORS } else { 0 };
    let reserved = RESERVED_DESCRIPTORS * (1 + shards) + shards * (addresses + stats + archives);
    let left = usize::try_from(open_files)
        .unwrap_or(usize::MAX)
        .saturating_sub(reserved);
    (left / shards / descriptors).clamp(addresses, connections)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::CONNECTIONS;

    #[test]
    fn credit_leaves_descriptors_for_the_rest() {
        let table = [
            (None, 2, 1, false, CONNECTIONS, CONNECTIONS),
            (
                Some(20_000),
                2,
                1,
                false,
                CONNECTIONS,
                (20_000 - RESERVED_DESCRIPTORS * 3 - 2) / 2,
            ),
            (
                Some(20_000),
                2,
                1,
                true,
                CONNECTIONS,
                (20_000 - RESERVED_DESCRIPTORS * 3 - 2 - 130) / 2,
            ),
            (
                Some(1024),
                1,
                2,
                false,
                CONNECTIONS,
                1024 - RESERVED_DESCRIPTORS * 2 - 2,
            ),
            (Some(64), 4, 1, true, CONNECTIONS, 1),
            (Some(u64::MAX), 1, 1, true, CONNECTIONS, CONNECTIONS),
            (None, 2, 3, false, 8, 8),
            (Some(20_000), 2, 1, false, 100, 100),
            (Some(64), 4, 2, false, 100, 2),
        ];
        for (open_files, shards, addresses, has_stats, connections, expected) in table {
            assert_eq!(
                credit(
                    open_files,
                    shards,
                    addresses,
                    has_stats,
                    false,
                    connections,
                    1
                ),
                expected,
                "{open_files:?}"
            );
        }
        let with_archives = credit(Some(20_000), 2, 1, false, true, CONNECTIONS, 2);
        assert_eq!(
            with_archives,
            (20_000 - RESERVED_DESCRIPTORS * 3 - 2 - 2 * 256) / 2 / 2
        );
    }

    #[test]
    fn an_address_that_is_none_is_told_at_the_start() {
        let error = Server::bind("nonsense").start(|_| App::new()).unwrap_err();
        assert!(error.to_string().contains("ADDRESS:PORT"), "{error}");
    }
}
