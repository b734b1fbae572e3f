//! Sources of an app's own that have their content sent from a file.

use super::*;
use corelane::app::{BodyError, BodySource, FilePiece, SendFile};
use corelane::{Body, Response};
use http::StatusCode;
use std::os::fd::AsFd;
use std::pin::Pin;
use std::task::{Context, Poll};

const CONTENT: &[u8] = b"0123456789";

/// Has its file sent in two halves, one right behind the other.
struct Halves {
    file: fs::File,
    /// Whether what is sent is a copy.
    is_copied: bool,
    sent: usize,
}

impl BodySource for Halves {
    fn is_in_file(&self) -> bool {
        self.sent < CONTENT.len()
    }

    fn send_from_file(
        mut self: Pin<&mut Self>,
        send: &mut SendFile<'_>,
    ) -> Option<Result<(), BodyError>> {
        for _ in 0..2 {
            let bytes = (CONTENT.len() - self.sent).min(CONTENT.len() / 2);
            let sent = match self.is_copied {
                true => send(FilePiece::Copy(&CONTENT[self.sent..][..bytes])),
                false => send(FilePiece::Pages {
                    file: self.file.as_fd(),
                    offset: self.sent as u64,
                    bytes,
                }),
            };
            self.sent += sent;
        }
        Some(Ok(()))
    }

    fn poll_data(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<bytes::Bytes, BodyError>>> {
        Poll::Ready(None)
    }
}

/// Panics when it is to send, or when it is asked whether it would.
struct Panics {
    at_once: bool,
}

impl BodySource for Panics {
    fn is_in_file(&self) -> bool {
        assert!(!self.at_once, "a source that panics, on purpose");
        true
    }

    fn send_from_file(self: Pin<&mut Self>, _: &mut SendFile<'_>) -> Option<Result<(), BodyError>> {
        panic!("a source that panics, on purpose")
    }

    fn poll_data(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<bytes::Bytes, BodyError>>> {
        Poll::Ready(None)
    }
}

fn response(source: impl BodySource + 'static) -> Response {
    let body = Body::stream(source, Some(CONTENT.len() as u64));
    Response::new(StatusCode::OK).with_body(body)
}

#[test]
fn a_source_that_panics_costs_its_request_alone() {
    let served = Served::with(|_| {
        let panics = |at_once| move |_| async move { response(Panics { at_once }) };
        let app = App::new().get("/panics", panics(false));
        app.get("/panics-at-once", panics(true))
            .get("/", async |_| "alive")
    });
    let mut client = Client::connect(served.address);
    for target in ["/panics", "/panics-at-once"] {
        assert_eq!(get(&mut client, target).status, 500);
        assert_eq!(get(&mut client, "/").text(), "alive");
    }
}

#[test]
fn a_source_that_sends_twice_in_its_turn_is_sent_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("file");
    fs::write(&path, CONTENT).expect("a file");
    let served = Served::with(move |_| {
        let way = |is_copied| {
            let path = path.clone();
            move |_| {
                let halves = Halves {
                    file: fs::File::open(&path).expect("the file"),
                    is_copied,
                    sent: 0,
                };
                async { response(halves) }
            }
        };
        let app = App::new().get("/pages", way(false));
        app.get("/copy", way(true))
    });
    let mut client = Client::connect(served.address);
    for target in ["/pages", "/copy", "/pages", "/copy"] {
        assert_eq!(get(&mut client, target).body, CONTENT);
    }
}
