//! Clients that download and upload as fast as they are served, again and again.

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Instant;

use anyhow::{Result, ensure};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::spawn_local;
use tokio::time::timeout_at;

use crate::block_on;
use crate::server::CONTENT_BYTES;
use crate::tally::Tally;

/// What a client writes and reads at a time, in bytes.
const PIECE_BYTES: usize = 64 * 1024;

/// What was moved, by kind.
#[derive(Default)]
pub struct Moved {
    pub files: Tally,
    pub streams: Tally,
    pub echoes: Tally,
}

/// What a client moves.
#[derive(Clone)]
pub enum Kind {
    /// The content of this path.
    Download(String),
    /// Content of its own, there and back.
    Echo,
}

/// Moves content with `clients` of each kind until `until`.
pub fn run(address: SocketAddr, clients: u32, until: Instant) -> Result<Moved> {
    block_on(async move {
        let begin = |kind| -> Vec<_> {
            let one = |_| {
                let client = Client {
                    address,
                    kind: Kind::clone(&kind),
                    bytes: CONTENT_BYTES as u64,
                };
                spawn_local(client.again_and_again(until, || Ok(())))
            };
            (0..clients).map(one).collect()
        };
        let downloads = ["/file", "/stream"].map(|path| Kind::Download(path.into()));
        let [file, stream] = downloads;
        let kinds = [file, stream, Kind::Echo].map(begin);
        let mut tallies = [const { Tally(Vec::new()) }; 3];
        for (tally, clients) in tallies.iter_mut().zip(kinds) {
            for client in clients {
                tally.0.push(client.await??);
            }
        }
        let [files, streams, echoes] = tallies;
        Ok(Moved {
            files,
            streams,
            echoes,
        })
    })
}

/// One client.
pub struct Client {
    pub address: SocketAddr,
    pub kind: Kind,
    /// Bytes of content.
    pub bytes: u64,
}

impl Client {
    /// Moves the content until `until`, each time after `prepare`; the bytes that it got.
    pub async fn again_and_again(
        self,
        until: Instant,
        mut prepare: impl FnMut() -> Result<()>,
    ) -> Result<u64> {
        let received = Rc::new(Cell::new(0));
        while Instant::now() < until {
            prepare()?;
            let before = received.get();
            let one = transfer(self.address, self.kind.clone(), Rc::clone(&received));
            let Ok(outcome) = timeout_at(until.into(), one).await else {
                break;
            };
            outcome?;
            let bytes = received.get() - before;
            ensure!(bytes >= self.bytes, "a response broke off at {bytes} bytes");
        }
        Ok(received.get())
    }
}

async fn transfer(address: SocketAddr, kind: Kind, received: Rc<Cell<u64>>) -> Result<()> {
    let mut stream = TcpStream::connect(address).await?;
    match kind {
        Kind::Download(path) => {
            let request = format!("GET {path} HTTP/1.1\r\nHost: site\r\nConnection: close\r\n\r\n");
            stream.write_all(request.as_bytes()).await?;
            drain(stream, received).await
        }
        Kind::Echo => {
            let (reader, mut writer) = stream.into_split();
            let reading = spawn_local(drain(reader, received));
            let head = format!(
                "POST /echo HTTP/1.1\r\nHost: site\r\nConnection: close\r\n\
                 Content-Length: {CONTENT_BYTES}\r\n\r\n"
            );
            writer.write_all(head.as_bytes()).await?;
            let piece = vec![b'e'; PIECE_BYTES];
            let mut left = CONTENT_BYTES;
            while left > 0 {
                let bytes = left.min(PIECE_BYTES);
                writer.write_all(&piece[..bytes]).await?;
                left -= bytes;
            }
            reading.await?
        }
    }
}

/// Reads to the end.
async fn drain(mut reader: impl AsyncRead + Unpin, received: Rc<Cell<u64>>) -> Result<()> {
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        match reader.read(&mut piece).await? {
            0 => return Ok(()),
            bytes => received.set(received.get() + bytes as u64),
        }
    }
}
