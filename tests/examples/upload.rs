//! Keeps the files of forms in a folder, each under its name once all of it is on the disk.
//!
//! `cargo run --features multipart --example upload -- DIR [ADDRESS:PORT]`; `curl -F file=@photo.jpg 127.0.0.1:8080`.

use corelane::glommio::io::BufferedFile;
use corelane::{App, Error, Request, Result, Server, StatusCode};
use std::{io, path::PathBuf};
use tempfile::NamedTempFile;

fn main() -> Result<()> {
    let mut given = std::env::args().skip(1);
    let usage = || Error::operator("usage: upload DIR [ADDRESS:PORT]");
    let folder = PathBuf::from(given.next().ok_or_else(usage)?);
    let address = given.next().unwrap_or("127.0.0.1:8080".into());
    Server::bind(address).run(move |_| app(folder.clone(), 1 << 30))
}

/// Takes forms of up to `most` bytes.
pub(crate) fn app(folder: PathBuf, most: u64) -> App {
    App::new().state(folder).body_limit(most).post("/", upload)
}

async fn upload(mut req: Request) -> Result<String> {
    let folder = req.state::<PathBuf>();
    let mut form = req.multipart()?.with_part_limit(u64::MAX);
    let mut told = String::new();
    while let Some(mut part) = form.next_part().await? {
        // Other fields are skipped, and so is what a form sends for a file that nobody chose.
        let Some(name) = part.file_name().and_then(safe) else {
            continue;
        };
        if folder.join(&name).is_dir() {
            return Err(Error::new(StatusCode::CONFLICT, "A folder has that name."));
        }
        // It has a name of its own, and is removed if it stays unfinished. That and the renaming are done
        // on the core, each in microseconds: a thread's answer that nobody waits for would leave files.
        let unfinished = NamedTempFile::new_in(&*folder)?;
        let file = BufferedFile::create(unfinished.path()).await?;
        let mut bytes = 0;
        // A piece is asked for when the last one is written: a slow disk slows down its peer.
        while let Some(piece) = part.next().await? {
            if file.write_at(piece.to_vec(), bytes).await? < piece.len() {
                return Err(io::Error::from(io::ErrorKind::StorageFull).into());
            }
            bytes += piece.len() as u64;
        }
        file.fdatasync().await?;
        unfinished.persist(folder.join(&name))?;
        told += &format!("{name}: {bytes} bytes\n");
    }
    Ok(told)
}

/// A name in the folder for what its sender calls `name`, whatever that is.
fn safe(name: &str) -> Option<String> {
    let last = name.rsplit(['/', '\\']).next()?.trim_start_matches('.');
    let safe = last.replace(|c: char| !c.is_alphanumeric() && !"-_.".contains(c), "_");
    Some(safe.chars().take(60).collect()).filter(|name: &String| !name.is_empty())
}
