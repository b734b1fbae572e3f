//! A name for each request, by which it is found again in logs.

use std::cell::Cell;
use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::{BuildHasher, Hasher};

use http::{HeaderName, HeaderValue};

use super::{Middleware, Next};
use crate::app::RequestIds;
use crate::app::{Answer, Request};

/// Where the ID stands, in requests and responses.
pub(crate) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The longest id that is taken over from a peer, in bytes.
const LONGEST: usize = 128;

/// Gives each request an [`Id`], which handlers find in its extensions, and sends it back in
/// `X-Request-Id`, in place of any that is there.
///
/// Ids are 32 hexadecimal digits: a number that each core draws when its app is made, and a
/// counter. They do not repeat, but can be guessed.
///
/// ```
/// use corelane::app::middleware::{Id, RequestId};
/// use corelane::{App, Request};
///
/// let app = App::new().wrap(RequestId::new()).get("/", |req: Request| async move {
///     let id = req.extension::<Id>().map(Id::to_string);
///     id.unwrap_or_default()
/// });
/// ```
#[derive(Debug)]
pub struct RequestId {
    core: u64,
    count: Cell<u64>,
    is_trusting: bool,
}

/// The id of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Id(HeaderValue);

impl RequestId {
    /// Ids of its own for all requests.
    #[expect(clippy::new_without_default, reason = "two of them differ")]
    pub fn new() -> RequestId {
        RequestId {
            core: RandomState::new().build_hasher().finish(),
            count: Cell::new(0),
            is_trusting: false,
        }
    }

    /// Keeps the `X-Request-Id` of a request that has one, if it is at most 128 letters, digits,
    /// `-`, `_`, `.`, `:`, `+`, `/` and `=`: for a server behind a proxy that sets it.
    #[must_use]
    pub fn trusting(mut self) -> RequestId {
        self.is_trusting = true;
        self
    }

    fn id(&self, sent: Option<&[u8]>) -> Id {
        let sent = sent.filter(|id| self.is_trusting && is_fit(id));
        let sent = sent.and_then(|id| HeaderValue::from_bytes(id).ok());
        Id(sent.unwrap_or_else(|| {
            let count = self.count.get();
            self.count.set(count.wrapping_add(1));
            let digits = format!("{:016x}{count:016x}", self.core);
            HeaderValue::try_from(digits).unwrap_or(HeaderValue::from_static(""))
        }))
    }
}

fn is_fit(id: &[u8]) -> bool {
    let is_fit = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.:+/=".contains(byte);
    (1..=LONGEST).contains(&id.len()) && id.iter().all(is_fit)
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.to_str().unwrap_or_default())
    }
}

impl Middleware for RequestId {
    fn call(&self, mut request: Request, next: Next) -> Answer {
        let id = self.id(request.header_bytes(&X_REQUEST_ID));
        if let Some(ids) = request.try_state::<RequestIds>() {
            ids.note(&id.0);
        }
        request.extensions().insert(id.clone());
        Answer::pending(async move {
            let mut response = next.run(request).await;
            response.headers.insert(X_REQUEST_ID, id.0);
            response
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_made_or_taken_over() {
        let long = "a".repeat(LONGEST + 1);
        let table = [
            ("a-B_1.:+/=", true),
            (&long[1..], true),
            (&long, false),
            ("", false),
            ("a b", false),
            ("a\"b", false),
        ];
        let (trusting, own) = (RequestId::new().trusting(), RequestId::new());
        for (sent, is_kept) in table {
            let id = trusting.id(Some(sent.as_bytes())).to_string();
            assert_eq!(id == sent, is_kept, "{id}");
            assert_ne!(own.id(Some(sent.as_bytes())).to_string(), sent);
        }
        let (one, other) = (own.id(None).to_string(), own.id(None).to_string());
        assert_eq!((one.len(), other.len()), (32, 32));
        assert_ne!(one, other);
    }
}
