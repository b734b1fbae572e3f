//! A limit for how long a handler may take until it has its response.

use std::time::Duration;

use http::StatusCode;

use super::{Middleware, Next};
use crate::app::{Answer, Request, Response};

/// Answers for a handler that takes too long, and drops it where it stands.
///
/// The time is for making the response, reading the request's content included; sending a response
/// that is streamed is not in it. On a core it passes up to 100 ms late, or up to 1 s late when it
/// is longer than 5 s. A handler that computes without ever waiting cannot be cut off.
///
/// [`Limits::handler_timeout`](crate::Limits) is one for all handlers of a server, in which the time
/// that the content takes to come does not count, and for the pieces of a streamed response.
///
/// ```
/// use corelane::App;
/// use corelane::app::middleware::Timeout;
/// use http::StatusCode;
/// use std::time::Duration;
///
/// let app = App::new()
///     .wrap(Timeout::new(Duration::from_secs(10)).status(StatusCode::GATEWAY_TIMEOUT));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Timeout {
    limit: Duration,
    status: StatusCode,
}

impl Timeout {
    /// A limit of `limit`; beyond it the answer is 503 (Service Unavailable).
    pub fn new(limit: Duration) -> Timeout {
        Timeout {
            limit,
            status: StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// Answers with `status` instead of 503: 504 where the handler asks another server.
    #[must_use]
    pub fn status(mut self, status: StatusCode) -> Timeout {
        self.status = status;
        self
    }
}

impl Middleware for Timeout {
    fn call(&self, request: Request, next: Next) -> Answer {
        let Timeout { limit, status } = *self;
        let time = request.time();
        Answer::pending(async move {
            match time.limit(limit, next.run(request)).await {
                Ok(response) => response,
                Err(_) => Response::error(status, "The answer took too long."),
            }
        })
    }
}
