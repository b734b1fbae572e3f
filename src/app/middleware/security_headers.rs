//! Fields by which browsers are told to be careful with what they get.

use std::rc::Rc;

use http::{HeaderName, HeaderValue, header};

use super::{Middleware, Next};
use crate::app::{Answer, Request};

/// Adds these fields to every response that does not have them itself:
///
/// | field | value |
/// |---|---|
/// | X-Content-Type-Options | `nosniff` |
/// | X-Frame-Options | `DENY` |
/// | Referrer-Policy | `no-referrer` |
/// | Cross-Origin-Opener-Policy | `same-origin` |
/// | Cross-Origin-Resource-Policy | `same-origin` |
///
/// Content-Security-Policy and Strict-Transport-Security depend on the site, and are added with
/// [`SecurityHeaders::with`].
///
/// ```
/// use corelane::App;
/// use corelane::app::middleware::SecurityHeaders;
/// use http::{HeaderValue, header};
///
/// let csp = HeaderValue::from_static("default-src 'self'");
/// let app = App::new()
///     .wrap(SecurityHeaders::new().with(header::CONTENT_SECURITY_POLICY, csp));
/// ```
#[derive(Clone, Debug)]
pub struct SecurityHeaders {
    fields: Rc<[(HeaderName, HeaderValue)]>,
}

impl Default for SecurityHeaders {
    fn default() -> SecurityHeaders {
        let name = HeaderName::from_static;
        let fields = [
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (header::X_FRAME_OPTIONS, "DENY"),
            (header::REFERRER_POLICY, "no-referrer"),
            (name("cross-origin-opener-policy"), "same-origin"),
            (name("cross-origin-resource-policy"), "same-origin"),
        ];
        let fields = fields.map(|(name, value)| (name, HeaderValue::from_static(value)));
        SecurityHeaders {
            fields: fields.into(),
        }
    }
}

impl SecurityHeaders {
    /// The fields in the table.
    pub fn new() -> SecurityHeaders {
        SecurityHeaders::default()
    }

    /// Adds the field `name` with `value` as well, or instead of its value here.
    #[must_use]
    pub fn with(self, name: HeaderName, value: HeaderValue) -> SecurityHeaders {
        let kept = self.without(&name);
        let fields = kept.fields.iter().cloned().chain([(name, value)]);
        SecurityHeaders {
            fields: fields.collect(),
        }
    }

    /// Does not add the field `name`.
    #[must_use]
    pub fn without(self, name: &HeaderName) -> SecurityHeaders {
        let kept = self.fields.iter().filter(|(other, _)| other != name);
        SecurityHeaders {
            fields: kept.cloned().collect(),
        }
    }
}

impl Middleware for SecurityHeaders {
    fn call(&self, request: Request, next: Next) -> Answer {
        let fields = Rc::clone(&self.fields);
        Answer::pending(async move {
            let mut response = next.run(request).await;
            for (name, value) in &*fields {
                if !response.headers.contains(name) {
                    response.headers.append(name.clone(), value.clone());
                }
            }
            response
        })
    }
}
