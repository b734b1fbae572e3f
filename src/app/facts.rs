//! What a request says in its head beside the fields themselves, as values: where it leads to, how
//! much content it has, and its conditions one by one. Judging them is in `extract.rs`.

use std::time::SystemTime;

use super::request::Request;
use crate::http::{EntityTags, Framing, IfRange, RangeSpec, TargetForm};

impl Request {
    /// `http`: this server speaks no TLS. What stands before it and does may say so in a field of its
    /// own, such as X-Forwarded-Proto, which everybody else can send, too.
    pub fn scheme(&self) -> &'static str {
        "http"
    }

    /// The whole URL of what the request is about (RFC 9110 §7.1), by [`Request::scheme`] and
    /// [`Request::host`]; `None` without a host, and for CONNECT.
    ///
    /// The host is what the peer says that it is: a link that is made of it and kept may lead others
    /// to where a peer wants.
    ///
    /// ```
    /// use corelane::{App, Request};
    /// use corelane::testing::TestClient;
    ///
    /// let app = App::new().get("/a", |req: Request| async move { req.url().unwrap_or_default() });
    /// let answer = TestClient::new(app).get("/a?b=c").send();
    /// assert_eq!(answer.text(), "http://localhost/a?b=c");
    /// ```
    pub fn url(&self) -> Option<String> {
        let host = self.host()?;
        if self.head().form() == TargetForm::Authority {
            return None;
        }
        let mut url = [self.scheme(), "://", host].concat();
        // What is about the whole server has no path.
        if self.path() != "*" {
            url += self.path();
        }
        if let Some(query) = self.query_str() {
            url += "?";
            url += query;
        }
        Some(url)
    }

    /// How many bytes of content it declares; 0 if it has none, and `None` if that shows only at its
    /// end (chunked).
    pub fn content_length(&self) -> Option<u64> {
        match self.head().framing() {
            Framing::None => Some(0),
            Framing::Length(bytes) => Some(bytes),
            Framing::Chunked => None,
        }
    }

    /// Whether the peer wants the connection to stay open after this request (RFC 9112 §9.3).
    pub fn keep_alive(&self) -> bool {
        self.head().keep_alive()
    }

    /// What the peer calls itself in User-Agent, if that is UTF-8.
    pub fn user_agent(&self) -> Option<&str> {
        self.header("user-agent")
    }

    /// The date in If-Modified-Since. One that is malformed, or repeated, is ignored (RFC 9110
    /// §13.1.3). [`Request::judge`] goes by all conditions, and by their order.
    pub fn if_modified_since(&self) -> Option<SystemTime> {
        self.head().date("if-modified-since")
    }

    /// The date in If-Unmodified-Since, as [`Request::if_modified_since`].
    pub fn if_unmodified_since(&self) -> Option<SystemTime> {
        self.head().date("if-unmodified-since")
    }

    /// The entity tags in If-Match; `None` without it.
    pub fn if_match(&self) -> Option<EntityTags<'_>> {
        self.head().entity_tags("if-match")
    }

    /// The entity tags in If-None-Match; `None` without it.
    pub fn if_none_match(&self) -> Option<EntityTags<'_>> {
        self.head().entity_tags("if-none-match")
    }

    /// What If-Range names; `None` if that is neither an entity tag nor a date.
    pub fn if_range(&self) -> Option<IfRange<'_>> {
        self.head().if_range()
    }

    /// The range that a GET asks for, in bytes, if it asks for one alone: whether it counts is for
    /// [`Request::select`] to say, which looks at If-Range and at how much there is.
    pub fn range(&self) -> Option<RangeSpec> {
        self.head().range()
    }
}
