//! hyper's side: its server connection, driven in memory.

use super::reading::{Request, collapse_lengths};
use hyper::body::{Body, Incoming};
use hyper::rt::ReadBufCursor;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

/// What hyper reads out of `bytes`.
pub(crate) fn read(bytes: &[u8]) -> Vec<Request> {
    let requests = RefCell::new(Vec::new());
    let written = Rc::new(RefCell::new(Vec::new()));
    let wire = Wire {
        unread: bytes,
        written: Rc::clone(&written),
    };
    let service = service_fn(|request: hyper::Request<Incoming>| async {
        let (head, body) = request.into_parts();
        let body = content(body).await?;
        let fields = head.headers.iter();
        requests.borrow_mut().push(Request {
            method: head.method.as_str().into(),
            target: head.uri.to_string().into(),
            minor: u8::from(head.version == hyper::Version::HTTP_11),
            fields: fields
                .map(|(name, value)| (name.as_str().into(), value.as_bytes().to_vec()))
                .collect(),
            body,
            persists: false,
        });
        // A success would make a tunnel of a CONNECT.
        let mut response = hyper::Response::new(String::new());
        *response.status_mut() = hyper::StatusCode::NOT_FOUND;
        Ok::<_, hyper::Error>(response)
    });
    let mut server = http1::Builder::new();
    server.half_close(true).header_read_timeout(None);
    // How it ended is told by what it read, and by what it wrote.
    let _ = futures_lite::future::block_on(server.serve_connection(wire, service));
    let mut requests = requests.into_inner();
    let persists = persisting(&written.borrow());
    assert!(
        persists.len() >= requests.len(),
        "hyper did not answer: {}",
        bytes.escape_ascii()
    );
    for (request, persists) in requests.iter_mut().zip(persists) {
        request.persists = persists;
        comparable(request);
    }
    requests
}

/// `request` of ours, as hyper tells of it.
pub(crate) fn retold(mut request: Request) -> Request {
    request.target = written_out(&request.target);
    for (name, _) in &mut request.fields {
        name.make_ascii_lowercase();
    }
    comparable(&mut request);
    request
}

/// hyper keeps fields in a map, which has an order only among those of one name.
fn comparable(request: &mut Request) {
    collapse_lengths(&mut request.fields);
    request
        .fields
        .sort_by(|(one, _), (other, _)| one.cmp(other));
}

/// An absolute-form target as `Uri` writes it: the scheme in small letters, and a slash for an
/// empty path (RFC 9110 §4.2.3 has them be the same).
fn written_out(target: &[u8]) -> Vec<u8> {
    let Some(rest) = target
        .get(..7)
        .filter(|scheme| scheme.eq_ignore_ascii_case(b"http://"))
    else {
        return target.to_vec();
    };
    let rest = &target[rest.len()..];
    let at = rest
        .iter()
        .position(|octet| b"/?".contains(octet))
        .unwrap_or(rest.len());
    let slash: &[u8] = if rest.get(at) == Some(&b'/') {
        b""
    } else {
        b"/"
    };
    [b"http://", &rest[..at], slash, &rest[at..]].concat()
}

/// Whether the connection goes on after each response in `written`, none of which has a body.
fn persisting(written: &[u8]) -> Vec<bool> {
    let text = String::from_utf8_lossy(written).to_ascii_lowercase();
    let heads = text.split("\r\n\r\n");
    heads
        .filter(|head| !head.is_empty() && !head.starts_with("http/1.1 100"))
        .map(|head| match head.starts_with("http/1.0") {
            true => head.contains("\r\nconnection: keep-alive"),
            false => !head.contains("\r\nconnection: close"),
        })
        .collect()
}

async fn content(mut body: Incoming) -> hyper::Result<Vec<u8>> {
    let mut content = Vec::new();
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        if let Ok(data) = frame?.into_data() {
            content.extend_from_slice(&data);
        }
    }
    Ok(content)
}

/// A peer that has sent everything, closed its side, and reads what comes.
struct Wire<'a> {
    unread: &'a [u8],
    written: Rc<RefCell<Vec<u8>>>,
}

impl hyper::rt::Read for Wire<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        mut into: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let (piece, rest) = self
            .unread
            .split_at(self.unread.len().min(into.remaining()));
        into.put_slice(piece);
        self.unread = rest;
        Poll::Ready(Ok(()))
    }
}

impl hyper::rt::Write for Wire<'_> {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.written.borrow_mut().extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
