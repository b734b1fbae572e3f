//! A folder of files, and an echo: `POST /echo` answers what it is sent, as it arrives.
//!
//! `cargo run --release --example site -- DIR --listen 127.0.0.1:8080`; port 0 picks a free one.

use corelane::app::with_body_limit;
use corelane::{App, Error, IntoResponse, Request, Response, Result, Server};
use http::HeaderValue;
use http::header::CONTENT_TYPE;

fn main() -> Result<()> {
    let (folder, address) = arguments(std::env::args().skip(1))?;
    Server::bind(address).run(move |_shard| app(&folder))
}

/// The folder, and the address to listen on.
pub(crate) fn arguments(given: impl Iterator<Item = String>) -> Result<(String, String)> {
    let usage = || Error::operator("usage: site DIR [--listen ADDRESS:PORT]");
    let (mut folder, mut address) = (None, "127.0.0.1:8080".to_owned());
    let mut given = given;
    while let Some(argument) = given.next() {
        match argument.as_str() {
            "--listen" => address = given.next().ok_or_else(usage)?,
            option if option.starts_with('-') => return Err(usage()),
            _ if folder.is_some() => return Err(usage()),
            _ => folder = Some(argument),
        }
    }
    Ok((folder.ok_or_else(usage)?, address))
}

/// The application of one core.
pub(crate) fn app(folder: &str) -> App {
    // What is streamed takes no memory, so there is no need for a limit.
    App::new()
        .post("/echo", with_body_limit(u64::MAX, echo))
        .files("/", folder)
}

/// Sends each piece of the content back before it reads the next. So a client that sends much has to
/// read meanwhile.
async fn echo(req: Request) -> Response {
    let media_type = req.header("content-type").map(HeaderValue::from_str);
    let mut response = req.into_body().into_response();
    if let Some(Ok(media_type)) = media_type {
        response.headers.insert(CONTENT_TYPE, media_type);
    }
    response
}
