//! PostgreSQL and Redis as children of the test: started in a folder of their own, on a free port of
//! loopback and on a Unix socket, and ended with it.

use super::process::Process;
use super::{outside, wait_until};
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::chown;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// The password of the user `corelane` of [`Postgres`], and of [`Redis`].
pub(crate) const PASSWORD: &str = "opensesame";

/// A PostgreSQL server. Over TCP it asks for a password (SCRAM-SHA-256), on its socket for none.
#[derive(Debug)]
pub(crate) struct Postgres {
    folder: TempDir,
    programs: PathBuf,
    pub(crate) port: u16,
    process: Option<Process>,
}

/// A Redis server that asks for a password.
#[derive(Debug)]
pub(crate) struct Redis {
    folder: TempDir,
    pub(crate) port: u16,
    process: Option<Process>,
}

/// A port that nobody listens on now. It is below those that the kernel gives away by itself (32,768
/// and more), so that no connection of others takes it before the server does.
fn free_port() -> u16 {
    let is_free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    let mut ports = std::iter::repeat_with(|| fastrand::u16(10_000..32_768));
    ports.find(is_free).expect("one of them is free")
}

impl Postgres {
    /// A server with an empty database, started; `None` where PostgreSQL is not installed.
    pub(crate) fn start() -> Option<Postgres> {
        let mut server = Postgres::prepare()?;
        server.restart();
        Some(server)
    }

    /// One that is still to be started.
    pub(crate) fn prepare() -> Option<Postgres> {
        let Some(programs) = postgres_programs() else {
            outside::not_run("PostgreSQL is missing");
            return None;
        };
        let folder = tempfile::tempdir().expect("a folder");
        if let Some((user, group)) = other_user() {
            chown(folder.path(), Some(user), Some(group)).expect("it is ours");
        }
        let server = Postgres {
            folder,
            programs,
            port: free_port(),
            process: None,
        };
        let password = server.path("password");
        fs::write(&password, PASSWORD).expect("a file");
        let mut command = unprivileged(&server.programs.join("initdb"));
        command.args(["--no-sync", "--username=corelane", "--encoding=UTF8"]);
        command.args(["--locale=C", "--auth-local=trust"]);
        command.args(["--auth-host=scram-sha-256", "--pwfile"]);
        outside::run(command.arg(password).arg("-D").arg(server.path("data")));
        Some(server)
    }

    /// Stops it if it runs, whatever it is doing, and starts it.
    pub(crate) fn restart(&mut self) {
        self.stop();
        let mut command = unprivileged(&self.programs.join("postgres"));
        command.env("LC_ALL", "C").arg("-D").arg(self.path("data"));
        command.arg("-k").arg(self.folder.path());
        command.args(["-p", &self.port.to_string(), "-c", "fsync=off"]);
        command.args(["-c", "listen_addresses=127.0.0.1"]);
        let mut process = Process::spawn(&mut command);
        process.line("ready to accept connections");
        self.process = Some(process);
    }

    /// Stops it if it runs: its clients are told, and cut off.
    pub(crate) fn stop(&mut self) {
        if let Some(process) = self.process.take() {
            process.signal("INT");
            process.end();
        }
    }

    /// Its address over TCP, with the password.
    pub(crate) fn url(&self) -> String {
        format!(
            "postgres://corelane:{PASSWORD}@127.0.0.1:{}/postgres",
            self.port
        )
    }

    /// Its address by its socket.
    pub(crate) fn socket_url(&self) -> String {
        let (folder, port) = (self.folder.path().display(), self.port);
        format!("host={folder} port={port} user=corelane dbname=postgres")
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.stop();
        }
    }
}

impl Redis {
    /// A server without data, started; `None` where Redis is not installed.
    pub(crate) fn start() -> Option<Redis> {
        let mut server = Redis::prepare()?;
        server.restart();
        Some(server)
    }

    /// One that is still to be started.
    pub(crate) fn prepare() -> Option<Redis> {
        outside::has("redis-server").then(|| Redis {
            folder: tempfile::tempdir().expect("a folder"),
            port: free_port(),
            process: None,
        })
    }

    /// Stops it if it runs, and starts it without data.
    pub(crate) fn restart(&mut self) {
        self.stop();
        let mut command = Command::new("redis-server");
        command.args(["--bind", "127.0.0.1", "--port", &self.port.to_string()]);
        command.args(["--requirepass", PASSWORD, "--save", ""]);
        command.args(["--dir"]);
        command.arg(self.folder.path()).arg("--unixsocket");
        command.arg(self.folder.path().join("socket"));
        self.process = Some(Process::spawn(&mut command));
        // What it says when it is ready differs between versions. The socket comes last.
        let socket = self.folder.path().join("socket");
        wait_until("Redis listens", || UnixStream::connect(&socket).is_ok());
    }

    /// Stops it if it runs, at once.
    pub(crate) fn stop(&mut self) {
        self.process = None;
    }

    /// Has it do nothing for a while, though its connections stay: `STOP`, and then `CONT`.
    pub(crate) fn signal(&self, name: &str) {
        self.process.as_ref().expect("it runs").signal(name);
    }

    /// Its address over TCP, with the password.
    pub(crate) fn url(&self) -> String {
        format!("redis://:{PASSWORD}@127.0.0.1:{}/", self.port)
    }

    /// Its address by its socket, with the password.
    pub(crate) fn socket_url(&self) -> String {
        let folder = self.folder.path().display();
        format!("redis+unix://{folder}/socket?pass={PASSWORD}")
    }
}

/// Where the server's programs are: Debian keeps them out of the path, by version.
fn postgres_programs() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let folders = versions.filter_map(|version| Some(version.ok()?.path().join("bin")));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders = folders.chain(std::env::split_paths(&path));
    folders.find(|folder| folder.join("initdb").exists() && folder.join("postgres").exists())
}

/// The user and group `postgres`, if the test is root's, which PostgreSQL refuses to run as.
fn other_user() -> Option<(u32, u32)> {
    let id = |option| outside::run(Command::new("id").args([option, "postgres"]));
    let is_root = outside::run(Command::new("id").arg("-u")).trim() == "0";
    is_root.then(|| {
        let number = |option| id(option).trim().parse().expect("a number");
        (number("-u"), number("-g"))
    })
}

/// A command that PostgreSQL's programs accept to be run as.
fn unprivileged(program: &Path) -> Command {
    let Some((user, group)) = other_user() else {
        return Command::new(program);
    };
    let mut command = Command::new("setpriv");
    // Should the test be killed, the server goes with it.
    command.args(["--clear-groups", "--pdeathsig=QUIT"]);
    command
        .arg(format!("--reuid={user}"))
        .arg(format!("--regid={group}"));
    command.arg(program);
    command
}
