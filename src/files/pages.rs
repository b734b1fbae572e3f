//! Answering with the page of an error (`error_pages.rs`), which is read and remembered as any file is.

use std::ffi::CStr;
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;

use http::header::{ACCEPT_RANGES, CACHE_CONTROL, ETAG, LAST_MODIFIED, VARY};
use http::{HeaderValue, StatusCode};

use super::decision::Seen;
use super::error_pages::wants_page;
use super::facts::Fact;
use super::refusal::Refusal;
use super::resolve;
use super::root::Release;
use super::sending::Wanted;
use super::service::Served;
use crate::app::{Body, IntoResponse, Request, Response};
use crate::http::{HeadLimits, HeadParser};

/// The request that pages are read for. It has no conditions, ranges or preferences, whatever the request
/// had that is refused.
pub(super) fn plain_request() -> Option<Request> {
    let head = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let parsed = HeadParser::default().parse(head, &HeadLimits::default());
    let (head, _) = parsed.ok()??;
    let nobody = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
    Some(Request::new(head, Body::Empty, nobody))
}

impl Served {
    /// The page for `request`, where it is refused with `status`.
    fn error_page(&self, status: StatusCode, request: &Request) -> Option<&CStr> {
        let page = self.policy.error_pages.get(status)?;
        let accept = request.head().field_values("accept");
        wants_page(accept).then_some(page)
    }

    /// The response of `refusal`: with its page if there is one, as it is written otherwise. A page that
    /// cannot be read has none of its own.
    pub(super) async fn refuse(
        self: &Rc<Self>,
        release: &Release,
        refusal: Refusal,
        request: &Request,
    ) -> Response {
        self.facts.note(|| Fact::Refused(refusal.told()));
        let mut response = refusal.into_response();
        let Some(page) = self.error_page(response.status, request) else {
            return response;
        };
        let read = self.read_page(release, page).await;
        self.facts
            .note(|| Fact::ErrorPage(page.to_owned(), read.is_some()));
        let Some(mut page) = read else {
            return response;
        };
        for said_of_file in [ACCEPT_RANGES, CACHE_CONTROL, ETAG, LAST_MODIFIED] {
            page.headers.remove(&said_of_file);
        }
        // Programs get another.
        page.headers
            .insert(VARY, HeaderValue::from_static("Accept"));
        response.headers = page.headers;
        response.body = page.body;
        response
    }

    /// The page as it would be served to whom nothing is refused. It may be hidden, so that nobody can ask for
    /// it by itself.
    async fn read_page(self: &Rc<Self>, release: &Release, page: &CStr) -> Option<Response> {
        // No path of a request is named so: they are UTF-8.
        let name = [b"\xff", page.to_bytes()].concat();
        let wanted = Wanted {
            request: self.plain_request.as_ref()?,
            name: &name,
        };
        let now_ns = self.ring.now_ns();
        if let Some(response) = self.remembered(release, wanted, now_ns).await {
            return Some(response);
        }
        let links = self.policy.symlinks;
        let seen = resolve::look(&self.ring, release, page, links).await;
        let Ok(Seen::File(version)) = seen else {
            self.forget(wanted);
            return None;
        };
        let read = self.file(release, wanted, page.to_owned(), version, now_ns);
        read.await.ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::Error;
    use crate::files::{Files, Policy};
    use crate::ring::{RingOptions, run};
    use futures_lite::future::block_on;

    /// What no peer can bring about: a file that cannot be read, or is always being changed.
    #[test]
    fn failures_have_pages_and_keep_their_causes() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("500.html"), "broken").unwrap();
        std::fs::write(folder.path().join("503.html"), "busy").unwrap();
        let mut policy = Policy::default();
        policy.error_pages.add("500=/500.html").unwrap();
        policy.error_pages.add("503=/503.html").unwrap();
        run(None, RingOptions::default(), |ring| async move {
            let files = Files::open(&ring, folder.path(), policy).unwrap();
            let served = &files.0;
            let release = served.root.release(ring.now_ns());
            let request = plain_request().unwrap();
            let broken = Error::new(StatusCode::INTERNAL_SERVER_ERROR, "").with_source("a disk");
            let table = [
                (Refusal::Failed(broken), 500, "broken"),
                (Refusal::Changing, 503, "busy"),
            ];
            for (refusal, status, page) in table {
                let response = served.refuse(&release, refusal, &request).await;
                assert_eq!(response.status.as_u16(), status);
                assert_eq!(response.failure().is_some(), status == 500);
                let content = block_on(response.body.collect(100)).unwrap();
                assert_eq!(content, page);
            }
        })
        .unwrap();
    }
}
