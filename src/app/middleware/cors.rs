//! Cross-origin requests (the Fetch standard's CORS): which pages of other origins may read what is
//! answered. It is told to browsers, and keeps nobody else from asking.

use std::rc::Rc;
use std::time::Duration;

use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use http::{HeaderName, HeaderValue, Method, StatusCode};

use super::{Middleware, Next};
use crate::app::{Answer, Headers, Request, Response};

const ANY: HeaderValue = HeaderValue::from_static("*");

/// Lets pages of other origins read the responses, and answers the preflight requests by which
/// browsers ask whether they may send.
///
/// By default GET, HEAD, POST, PUT, PATCH and DELETE are allowed, with all fields that are asked
/// for, without credentials; responses show no fields beyond the standard's; browsers ask again
/// after the time that they choose. A preflight is answered here with 204, and no handler sees it;
/// on a nested app that goes for the paths whose routes are all in that app.
/// A page of an origin that is not allowed is answered without the fields that would let it read.
///
/// ```
/// use corelane::App;
/// use corelane::app::middleware::Cors;
/// use std::time::Duration;
///
/// let cors = Cors::origins(["https://example.org"])
///     .credentials()
///     .max_age(Duration::from_secs(600));
/// let app = App::new().wrap(cors).get("/", async |_| "for example.org, too");
/// ```
#[derive(Clone, Debug)]
pub struct Cors(Rc<Rules>);

#[derive(Clone, Debug)]
struct Rules {
    /// `None` for any.
    origins: Option<Vec<HeaderValue>>,
    methods: HeaderValue,
    /// `None` for those that are asked for.
    headers: Option<HeaderValue>,
    exposed: Option<HeaderValue>,
    credentials: bool,
    max_age: Option<HeaderValue>,
}

impl Cors {
    /// Allows pages of any origin.
    pub fn any() -> Cors {
        Cors(Rc::new(Rules {
            origins: None,
            methods: HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE"),
            headers: None,
            exposed: None,
            credentials: false,
            max_age: None,
        }))
    }

    /// Allows pages of `origins`, each as browsers write it: `https://example.org`, with its port
    /// if it is not the scheme's own.
    ///
    /// # Panics
    /// If one is not written so: without scheme, or with a path or a slash at its end.
    pub fn origins<'a>(origins: impl IntoIterator<Item = &'a str>) -> Cors {
        let origins = origins.into_iter().map(|origin| {
            let host = origin.split_once("://").map_or("", |(_, host)| host);
            let is_origin = !host.is_empty() && !host.contains(['/', '?', '#', '*', ' ']);
            match HeaderValue::try_from(origin) {
                Ok(value) if is_origin => value,
                _ => panic!("{origin:?} is no origin: write it like https://example.org"),
            }
        });
        let origins = Some(origins.collect());
        Cors::any().with(|rules| rules.origins = origins)
    }

    /// Allows `methods` instead of the common ones.
    #[must_use]
    pub fn methods(self, methods: impl IntoIterator<Item = Method>) -> Cors {
        let methods: Vec<Method> = methods.into_iter().collect();
        self.with(|rules| rules.methods = list(methods.iter().map(Method::as_str)))
    }

    /// Allows the request fields `names` instead of all.
    #[must_use]
    pub fn headers(self, names: impl IntoIterator<Item = HeaderName>) -> Cors {
        let names: Vec<HeaderName> = names.into_iter().collect();
        self.with(|rules| rules.headers = Some(list(names.iter().map(HeaderName::as_str))))
    }

    /// Lets pages read the response fields `names` as well.
    #[must_use]
    pub fn expose(self, names: impl IntoIterator<Item = HeaderName>) -> Cors {
        let names: Vec<HeaderName> = names.into_iter().collect();
        self.with(|rules| rules.exposed = Some(list(names.iter().map(HeaderName::as_str))))
    }

    /// Lets pages send cookies and credentials, and read what is answered to them.
    ///
    /// # Panics
    /// If any origin is allowed: each page in the world could act as the user then.
    #[must_use]
    pub fn credentials(self) -> Cors {
        assert!(
            self.0.origins.is_some(),
            "credentials for pages of any origin: name the origins with Cors::origins"
        );
        self.with(|rules| rules.credentials = true)
    }

    /// Lets browsers remember the answer to a preflight for `time`.
    #[must_use]
    pub fn max_age(self, time: Duration) -> Cors {
        self.with(|rules| rules.max_age = Some(HeaderValue::from(time.as_secs())))
    }

    fn with(mut self, change: impl FnOnce(&mut Rules)) -> Cors {
        change(Rc::make_mut(&mut self.0));
        self
    }
}

impl Rules {
    /// What a page of `origin` is told that may read.
    fn allowed(&self, origin: &[u8]) -> Option<HeaderValue> {
        match &self.origins {
            None => Some(ANY),
            Some(origins) => origins.iter().find(|other| *other == origin).cloned(),
        }
    }

    /// What is said in every response, to a request from `origin`.
    fn mark(&self, headers: &mut Headers, origin: Option<&HeaderValue>) {
        if self.origins.is_some() {
            // Caches must not give one origin what is meant for another.
            headers.append(VARY, HeaderValue::from_static("Origin"));
        }
        let Some(allowed) = origin.and_then(|origin| self.allowed(origin.as_bytes())) else {
            return;
        };
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
        if self.credentials {
            let value = HeaderValue::from_static("true");
            headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, value);
        }
    }

    /// The answer to a preflight from `origin` that asks for the fields `asked`.
    fn preflight(&self, origin: &HeaderValue, asked: Option<&[u8]>) -> Response {
        let mut response = Response::new(StatusCode::NO_CONTENT);
        let headers = &mut response.headers;
        self.mark(headers, Some(origin));
        if self.headers.is_none() {
            let value = HeaderValue::from_static("Access-Control-Request-Headers");
            headers.append(VARY, value);
        }
        if headers.contains(&ACCESS_CONTROL_ALLOW_ORIGIN) {
            headers.append(ACCESS_CONTROL_ALLOW_METHODS, self.methods.clone());
            let asked = asked.and_then(|asked| HeaderValue::from_bytes(asked).ok());
            if let Some(names) = self.headers.clone().or(asked) {
                headers.append(ACCESS_CONTROL_ALLOW_HEADERS, names);
            }
            if let Some(max_age) = self.max_age.clone() {
                headers.append(ACCESS_CONTROL_MAX_AGE, max_age);
            }
        }
        response
    }
}

/// Names as a field lists them.
fn list<'a>(names: impl Iterator<Item = &'a str>) -> HeaderValue {
    let names: Vec<&str> = names.collect();
    // Methods and field names are tokens, which field values may hold.
    HeaderValue::try_from(names.join(", ")).unwrap_or(HeaderValue::from_static(""))
}

impl Middleware for Cors {
    fn call(&self, request: Request, next: Next) -> Answer {
        let origin = request.header_bytes(ORIGIN);
        let origin = origin.and_then(|origin| HeaderValue::from_bytes(origin).ok());
        if let Some(origin) = &origin
            && request.method() == Method::OPTIONS
            && request
                .header_bytes(ACCESS_CONTROL_REQUEST_METHOD)
                .is_some()
        {
            let asked = request.header_bytes(ACCESS_CONTROL_REQUEST_HEADERS);
            return Answer::ready(self.0.preflight(origin, asked));
        }
        let rules = Rc::clone(&self.0);
        Answer::pending(async move {
            let mut response = next.run(request).await;
            rules.mark(&mut response.headers, origin.as_ref());
            if let Some(exposed) = &rules.exposed
                && response.headers.contains(&ACCESS_CONTROL_ALLOW_ORIGIN)
            {
                response
                    .headers
                    .insert(ACCESS_CONTROL_EXPOSE_HEADERS, exposed.clone());
            }
            response
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistakes_of_the_program_are_told_at_once() {
        for origin in [
            "",
            "example.org",
            "https://",
            "https://a.b/",
            "https://a.b/c",
            "https://*",
        ] {
            assert!(
                std::panic::catch_unwind(|| Cors::origins([origin])).is_err(),
                "{origin}"
            );
        }
        assert!(std::panic::catch_unwind(|| Cors::any().credentials()).is_err());
    }
}
