//! The servers that are compared: how each is found, started, and what it cannot do.

use std::fs::OpenOptions;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::ValueEnum;

use crate::builds;
use crate::cases::Case;
use crate::options::Options;
use crate::process::{Running, exists, pinned};
use crate::site::Site;

/// The CPU that servers run on.
pub const SERVER_CPU: usize = 0;

/// How long a server may take until it accepts connections.
const START_LIMIT: Duration = Duration::from_secs(5);

/// Where Debian keeps nginx, which is not in every user's `PATH`.
const NGINX: [&str; 2] = ["nginx", "/usr/sbin/nginx"];

/// Which server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Name {
    #[value(name = "floor-epoll")]
    FloorEpoll,
    #[value(name = "floor-ring")]
    FloorRing,
    #[value(name = "nginx")]
    Nginx,
    /// The same with `tcp_nopush`, as Debian's configuration has it: a head goes out with the file.
    #[value(name = "nginx-nopush")]
    NginxNopush,
    /// The same with `aio threads`, for files that are not in memory.
    #[value(name = "nginx-threads")]
    NginxThreads,
    /// The same without `sendfile`, as it is unless it is told to.
    #[value(name = "nginx-copies")]
    NginxCopies,
    #[value(name = "actix-web")]
    ActixWeb,
    #[value(name = "hyper")]
    Hyper,
    #[value(name = "axum")]
    Axum,
    #[value(name = "may_minihttp")]
    MayMinihttp,
    #[value(name = "ntex")]
    Ntex,
    #[value(name = "corelane-axum")]
    CorelaneAxum,
    #[value(name = "corelane")]
    Corelane,
    /// The same without statistics: what those cost is the difference.
    #[value(name = "corelane-no-stats")]
    CorelaneNoStats,
    /// The same with `--sendfile`, for files.
    #[value(name = "corelane-sendfile")]
    CorelaneSendfile,
}

/// A server that can be started.
pub struct Server {
    /// What the report calls it.
    pub label: String,
    pub name: Name,
    program: PathBuf,
}

/// A server that accepts connections; dropping it ends it.
pub struct Serving {
    pub address: SocketAddr,
    process: Running,
}

impl Name {
    /// Every server, in the order of the report.
    pub const ALL: [Name; 15] = [
        Name::FloorEpoll,
        Name::FloorRing,
        Name::Nginx,
        Name::NginxNopush,
        Name::NginxThreads,
        Name::NginxCopies,
        Name::ActixWeb,
        Name::Hyper,
        Name::Axum,
        Name::MayMinihttp,
        Name::Ntex,
        Name::CorelaneAxum,
        Name::Corelane,
        Name::CorelaneNoStats,
        Name::CorelaneSendfile,
    ];

    /// Whether it is one of the two that ratios refer to.
    pub fn is_floor(self) -> bool {
        matches!(self, Name::FloorEpoll | Name::FloorRing)
    }

    /// Whether it is nginx, in any configuration.
    fn is_nginx(self) -> bool {
        self == Name::Nginx || self.is_extra()
    }

    /// Whether it is measured only where it is asked for by name.
    pub fn is_extra(self) -> bool {
        matches!(
            self,
            Name::NginxNopush | Name::NginxThreads | Name::NginxCopies
        )
    }

    /// Whether it is the program of this project.
    pub fn is_corelane(self) -> bool {
        matches!(
            self,
            Name::Corelane | Name::CorelaneNoStats | Name::CorelaneSendfile
        )
    }

    /// Whether it is somebody else's, or runs what is, so that what it cannot do is no failure of ours.
    pub fn is_peer(self) -> bool {
        !self.is_floor() && !self.is_corelane()
    }

    /// The name on the command line, which is its binary's as well.
    fn text(self) -> String {
        let value = self.to_possible_value().expect("no name is hidden");
        value.get_name().to_owned()
    }
}

/// Builds or finds every server that the options ask for.
pub fn prepare(options: &Options) -> Result<Vec<Server>> {
    let names = options.servers();
    let mut binaries = builds::bench_crate("floor")?;
    if names.iter().any(|name| name.is_peer() && !name.is_nginx()) {
        binaries.extend(builds::bench_crate("peers")?);
    }
    let mut servers = Vec::new();
    for name in names {
        let label = name.text();
        match name {
            Name::Corelane if options.corelane()?.is_empty() => {
                servers.push(Server::corelane(None)?);
            }
            Name::Corelane => {
                for (number, path) in options.corelane()?.iter().enumerate() {
                    let mut server = Server::corelane(Some(path))?;
                    if number > 0 {
                        server.label.push_str("-2");
                    }
                    servers.push(server);
                }
            }
            Name::CorelaneNoStats | Name::CorelaneSendfile => {
                let program = match options.corelane()?.first() {
                    Some(path) => path.clone(),
                    None => builds::corelane()?,
                };
                servers.push(Server {
                    label,
                    name,
                    program,
                });
            }
            name if name.is_nginx() => {
                let program = NGINX.into_iter().find(|program| exists(program));
                let program = program.context("nginx is missing: apt-get install nginx-light")?;
                servers.push(Server {
                    label,
                    name,
                    program: program.into(),
                });
            }
            _ => {
                let program = binaries.remove(&label);
                let program = program.with_context(|| format!("cargo built no {label}"))?;
                servers.push(Server {
                    label,
                    name,
                    program,
                });
            }
        }
    }
    Ok(servers)
}

impl Server {
    /// corelane as it is built at `program`, or now.
    pub fn corelane(program: Option<&Path>) -> Result<Server> {
        let program = match program {
            Some(path) => path
                .canonicalize()
                .with_context(|| path.display().to_string())?,
            None => builds::corelane()?,
        };
        let name = Name::Corelane;
        Ok(Server {
            label: name.text(),
            name,
            program,
        })
    }

    /// Why the server has no part in a case, if it has none.
    pub fn lacks(&self, case: Case) -> Option<&'static str> {
        let has_no_file = match self.name {
            // They have one in memory.
            Name::FloorEpoll | Name::FloorRing => case != Case::File10k,
            name => matches!(name, Name::Hyper | Name::MayMinihttp | Name::CorelaneAxum),
        };
        match case.file() {
            Some(_) if has_no_file => Some("has no file service"),
            None if self.name == Name::CorelaneSendfile => Some("sends no file"),
            _ => None,
        }
    }

    /// Starts the server for `case` on a free port, with all its threads on one CPU.
    pub fn start(&self, case: Case, site: &Site) -> Result<Serving> {
        let address = free_address()?;
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(site.log())?;
        let mut command = self.command(case, site, address)?;
        command.stdout(log.try_clone()?).stderr(log);
        let mut process = Running::start(&mut command)?;
        let end = Instant::now() + START_LIMIT;
        while TcpStream::connect(address).is_err() {
            if let Some(status) = process.ended()? {
                let log = std::fs::read_to_string(site.log()).unwrap_or_default();
                bail!(
                    "ended at once ({status}): {}",
                    log.lines().last().unwrap_or_default()
                );
            }
            if Instant::now() > end {
                bail!("does not listen after {START_LIMIT:?}");
            }
            sleep(Duration::from_millis(5));
        }
        Ok(Serving { address, process })
    }

    fn command(&self, case: Case, site: &Site, address: SocketAddr) -> Result<Command> {
        let mut command = pinned(SERVER_CPU, &self.program);
        match self.name {
            name if name.is_nginx() => {
                command
                    .args(["-e", "stderr", "-c"])
                    .arg(site.nginx(address, name)?);
                return Ok(command);
            }
            name if name.is_corelane() && case.file().is_some() => {
                command.arg("serve").arg(site.files());
                if name == Name::CorelaneSendfile {
                    command.arg("--sendfile");
                }
            }
            name if name.is_corelane() => {
                command.arg("demo");
            }
            _ => {}
        }
        command.args(["--listen", &address.to_string()]);
        if self.name == Name::CorelaneNoStats {
            command.arg("--no-stats");
        }
        match self.name {
            name if name.is_corelane() => command.args(["--cores", &SERVER_CPU.to_string()]),
            name if name.is_peer() => command.arg("--files").arg(site.files()),
            _ => &mut command,
        };
        Ok(command)
    }
}

impl Serving {
    /// Its process id.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Whether it still runs.
    pub fn alive(&mut self) -> bool {
        matches!(self.process.ended(), Ok(None))
    }
}

/// An address that was free a moment ago.
fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}
