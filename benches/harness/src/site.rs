//! The temporary folder of a run: the files that are served, wrk's script, nginx's configuration.

use std::fs::{self, Permissions};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::Result;
use tempfile::TempDir;

use crate::cases::{COLD_FILES, Case, FOLDER_FILES, TREE_FOLDERS};
use crate::servers::Name;

/// Where the files lie that are read from the disk, below those that are served.
const COLD_FOLDER: &str = "cold";

/// The folder; dropping it removes it.
pub struct Site {
    folder: TempDir,
}

impl Site {
    /// Makes the folder and what does not depend on a server.
    pub fn new() -> Result<Site> {
        // Open to others, because nginx's worker is another user when root starts it.
        let open = Permissions::from_mode(0o755);
        let folder = tempfile::Builder::new()
            .prefix("compare-")
            .permissions(open)
            .tempdir()?;
        let site = Site { folder };
        fs::create_dir(site.files())?;
        fs::write(site.script(), include_str!("wrk.lua"))?;
        Ok(site)
    }

    /// Makes what `case` asks for, if it is not there yet.
    pub fn furnish(&self, case: Case) -> Result<()> {
        let Some(file) = case.file() else {
            return Ok(());
        };
        if self.files().join(&file.path[1..]).exists() {
            return Ok(());
        }
        let content = file.content();
        match case {
            Case::Tree => {
                for folder in 0..TREE_FOLDERS {
                    self.fill(&format!("tree/{folder}"), FOLDER_FILES, &content)?;
                }
            }
            Case::Cold => self.fill(COLD_FOLDER, COLD_FILES, &content)?,
            _ => fs::write(self.files().join(&file.path[1..]), content)?,
        }
        Ok(())
    }

    /// Makes a folder of so many files.
    fn fill(&self, folder: &str, files: usize, content: &[u8]) -> Result<()> {
        let folder = self.files().join(folder);
        fs::create_dir_all(&folder)?;
        for number in 0..files {
            fs::write(folder.join(format!("{number}.bin")), content)?;
        }
        Ok(())
    }

    /// Where the files lie that are read from the disk.
    pub fn cold(&self) -> PathBuf {
        self.files().join(COLD_FOLDER)
    }

    /// The folder that servers serve.
    pub fn files(&self) -> PathBuf {
        self.folder().join("files")
    }

    /// wrk's script.
    pub fn script(&self) -> PathBuf {
        self.folder().join("wrk.lua")
    }

    /// Where what the servers say is kept.
    pub fn log(&self) -> PathBuf {
        self.folder().join("log")
    }

    /// Writes nginx's configuration for `address`, in the way that `name` tells, and returns its path.
    pub fn nginx(&self, address: SocketAddr, name: Name) -> Result<PathBuf> {
        let path = self.folder().join("nginx.conf");
        fs::write(&path, nginx_conf(address, self.folder(), name))?;
        Ok(path)
    }

    fn folder(&self) -> &Path {
        self.folder.path()
    }
}

/// nginx as one would set it up to win: one worker, no log, no end to a connection, files and
/// their descriptors cached, as many as a worker may open.
fn nginx_conf(address: SocketAddr, folder: &Path, name: Name) -> String {
    let folder = folder.display();
    let sendfile = match name {
        Name::NginxCopies => "off",
        _ => "on",
    };
    let nopush = match name {
        Name::NginxNopush => "on",
        _ => "off",
    };
    let aio = match name {
        Name::NginxThreads => "threads",
        _ => "off",
    };
    format!(
        r#"daemon off;
worker_processes 1;
worker_rlimit_nofile 20000;
pid {folder}/nginx.pid;
error_log stderr warn;
events {{
    worker_connections 4096;
    use epoll;
}}
http {{
    access_log off;
    keepalive_requests 1000000000;
    keepalive_timeout 1h;
    tcp_nodelay on;
    sendfile {sendfile};
    tcp_nopush {nopush};
    aio {aio};
    open_file_cache max=10000 inactive=1h;
    open_file_cache_valid 1h;
    default_type application/octet-stream;
    client_body_temp_path {folder}/client_body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen {address} backlog=1024;
        root {folder}/files;
        location = /plaintext {{
            default_type text/plain;
            return 200 "Hello, World!";
        }}
    }}
}}
"#
    )
}
