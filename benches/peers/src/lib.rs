//! What the peer servers share: their arguments, their answer and their allocator. It is no
//! framework: each binary under `bin/` is written the way that framework's documentation teaches.
//! The router of axum is here, because two servers run it.

use std::net::SocketAddr;
use std::path::PathBuf;

use axum::Router;
use axum::http::header::SERVER as SERVER_FIELD;
use axum::response::IntoResponse;
use axum::routing::get;

/// The allocator that corelane's binary uses, so that a difference is not the allocator's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The body of `GET /plaintext`, 13 bytes.
pub const HELLO: &str = "Hello, World!";

/// The value of the `Server` field, about as long as the servers' own ones.
pub const SERVER: &str = "peer";

/// How many connections may wait to be accepted; above every case's number of connections.
pub const BACKLOG: u32 = 1024;

/// The routes of axum, on its own server and on corelane.
pub fn axum_routes() -> Router {
    Router::new().route("/plaintext", get(plaintext))
}

async fn plaintext() -> impl IntoResponse {
    ([(SERVER_FIELD, SERVER)], HELLO)
}

/// What the command line asks for.
pub struct Options {
    /// The address to listen on (`--listen ADDR:PORT`).
    pub listen: SocketAddr,
    /// The folder that holds `10k.bin` (`--files DIR`).
    pub files: PathBuf,
}

impl Options {
    /// Reads the arguments of this process; on a mistake says so and exits with 2.
    pub fn from_args() -> Options {
        Options::parse(std::env::args().skip(1)).unwrap_or_else(|mistake| {
            eprintln!("{mistake}\nusage: --listen ADDR:PORT [--files DIR]");
            std::process::exit(2)
        })
    }

    fn parse(mut args: impl Iterator<Item = String>) -> Result<Options, String> {
        let mut listen = None;
        let mut files = PathBuf::from(".");
        while let Some(name) = args.next() {
            let value = args.next().ok_or(format!("{name} needs a value"))?;
            match name.as_str() {
                "--listen" => listen = Some(value.parse().map_err(|e| format!("{value}: {e}"))?),
                "--files" => files = PathBuf::from(value),
                _ => return Err(format!("unknown argument {name}")),
            }
        }
        let listen = listen.ok_or("--listen is missing")?;
        Ok(Options { listen, files })
    }
}
