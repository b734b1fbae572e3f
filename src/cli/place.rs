//! What `serve` serves and where, in the words of `python -m http.server`, too.

use std::net::Ipv6Addr;
use std::path::{Path, PathBuf};

use clap::Args;

use crate::config::raw::{RawConfig, Written};
use crate::failure::Failure;

/// What is listened on where one of the two is given.
const DEFAULT_ADDRESS: &str = "127.0.0.1";
const DEFAULT_PORT: &str = "8080";

/// A folder, and an address to listen on.
#[derive(Args, Debug)]
pub(super) struct PlaceArgs {
    /// Folder to serve [default: root in the configuration file, or the current folder]. A number is
    /// a port to listen on: 8000 is 127.0.0.1:8000, and ./8000 a folder
    #[arg(value_name = "DIR|PORT")]
    place: Option<PathBuf>,

    /// Folder to serve, as DIR
    #[arg(short, long, value_name = "DIR")]
    directory: Option<PathBuf>,

    /// IP address, or localhost, to listen on, at PORT [default: 127.0.0.1, and port 8080]
    #[arg(short, long, value_name = "ADDR", conflicts_with = "listen")]
    bind: Option<String>,
}

impl PlaceArgs {
    /// What was written; `has_listen` if `--listen` was as well.
    ///
    /// # Errors
    /// Two of them mean the same, or one could mean two things.
    pub(super) fn into_raw(self, has_listen: bool) -> Result<RawConfig, Failure> {
        let port = self.place.as_deref().and_then(Path::to_str);
        let port = port.filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
        let port = port.filter(|text| !text.is_empty()).map(str::to_owned);
        let folder = match &port {
            Some(_) => None,
            None => self.place,
        };
        if let Some(port) = &port {
            let refused = |what: String, mend: String| Err(Failure::operator(what, mend));
            if has_listen {
                return refused(
                    format!("--listen: the port {port} is given as well"),
                    format!("leave one of them out, or write ./{port} for a folder"),
                );
            }
            if self.directory.is_none() && Path::new(port).is_dir() {
                return refused(
                    format!("{port} is a port, and there is a folder of that name"),
                    format!("write ./{port} for the folder, or --listen 127.0.0.1:{port}"),
                );
            }
        }
        if let (Some(folder), Some(directory)) = (&folder, &self.directory) {
            return Err(Failure::operator(
                format!(
                    "--directory: both {} and {} are to be served",
                    directory.display(),
                    folder.display()
                ),
                "name one folder",
            ));
        }
        let option = match (&self.bind, &port) {
            (Some(_), _) => "--bind",
            (None, Some(_)) => "PORT",
            (None, None) => "",
        };
        let listen = (!option.is_empty()).then(|| {
            // The one name that means the same everywhere (RFC 6761 §6.3).
            let bind = self.bind.filter(|address| address != "localhost");
            let address = bind.unwrap_or_else(|| DEFAULT_ADDRESS.to_owned());
            let port = port.unwrap_or_else(|| DEFAULT_PORT.to_owned());
            let is_bare = address.parse::<Ipv6Addr>().is_ok();
            let text = match is_bare {
                true => format!("[{address}]:{port}"),
                false => format!("{address}:{port}"),
            };
            vec![Written::argument(option, text)]
        });
        Ok(RawConfig {
            root: folder.or(self.directory),
            listen,
            ..RawConfig::default()
        })
    }
}
