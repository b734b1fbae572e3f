//! Basic authentication (RFC 7617) against names and passwords that the program knows.

use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use subtle::{Choice, ConstantTimeEq};

use super::{Middleware, Next};
use crate::app::{Answer, Request, Response};

/// Lets requests in that bring a name and its password; all others are answered 401.
///
/// Passwords are sent as they are: this is for connections that something encrypts. How long a
/// comparison takes depends on what was sent, and on how many users there are; not on where it
/// differs, nor on which user it is.
///
/// Handlers find the name as a [`BasicUser`] in the request's extensions. A browser's CORS preflight
/// has no credentials: wrap with [`Cors`](super::Cors) before this, and so outside of it.
///
/// ```
/// use corelane::app::middleware::{BasicAuth, BasicUser};
/// use corelane::{App, Request};
///
/// let app = App::new()
///     .wrap(BasicAuth::new("notes").user("ada", "the secret"))
///     .get("/", |req: Request| async move {
///         let user = req.extension::<BasicUser>().map(|user| user.0.clone());
///         format!("Hello, {}", user.unwrap_or_default())
///     });
/// ```
pub struct BasicAuth {
    challenge: HeaderValue,
    users: Vec<(String, String)>,
}

/// The name that a request has proved by its password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BasicUser(pub String);

impl BasicAuth {
    /// Nobody is let in yet. `realm` is what browsers call the place for which they ask.
    ///
    /// # Panics
    /// If `realm` has other than printable ASCII characters, or `"` or `\`.
    pub fn new(realm: &str) -> BasicAuth {
        let is_plain = |byte: u8| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\';
        let challenge =
            HeaderValue::try_from(format!("Basic realm=\"{realm}\", charset=\"UTF-8\""));
        match challenge {
            Ok(challenge) if realm.bytes().all(is_plain) => BasicAuth {
                challenge,
                users: Vec::new(),
            },
            _ => panic!("the realm {realm:?} is not plain text"),
        }
    }

    /// Lets `name` in with `password`.
    ///
    /// # Panics
    /// If `name` has a colon, which ends it (RFC 7617 §2).
    #[must_use]
    pub fn user(mut self, name: impl Into<String>, password: impl Into<String>) -> BasicAuth {
        let (name, password) = (name.into(), password.into());
        assert!(!name.contains(':'), "the name {name:?} has a colon");
        self.users.push((name, password));
        self
    }

    /// Whose name and password `authorization` has.
    fn proved(&self, authorization: &[u8]) -> Option<&str> {
        let (scheme, credentials) = authorization.split_at_checked(6)?;
        if !scheme.eq_ignore_ascii_case(b"Basic ") {
            return None;
        }
        let credentials = BASE64_STANDARD.decode(credentials.trim_ascii()).ok()?;
        let colon = credentials.iter().position(|byte| *byte == b':')?;
        let (given_name, given_password) = (&credentials[..colon], &credentials[colon + 1..]);
        let mut proved = None;
        // All are compared, so that the time does not tell which of them it was.
        for (name, password) in &self.users {
            let is_user =
                equal(name.as_bytes(), given_name) & equal(password.as_bytes(), given_password);
            if bool::from(is_user) {
                proved = Some(name.as_str());
            }
        }
        proved
    }
}

/// Whether `given` is `secret`, in a time that depends on the length of `given` alone.
fn equal(secret: &[u8], given: &[u8]) -> Choice {
    let mut is_equal = secret.len().ct_eq(&given.len());
    for (index, byte) in given.iter().enumerate() {
        // An empty secret differs in length from whatever gets here.
        let expected = secret.get(index % secret.len().max(1)).unwrap_or(&0);
        is_equal &= expected.ct_eq(byte);
    }
    is_equal
}

impl Middleware for BasicAuth {
    fn call(&self, mut request: Request, next: Next) -> Answer {
        let given = request.header_bytes(AUTHORIZATION).unwrap_or_default();
        match self.proved(given) {
            Some(name) => {
                request.extensions().insert(BasicUser(name.to_owned()));
                next.run(request)
            }
            None => Answer::ready(
                Response::error(StatusCode::UNAUTHORIZED, "")
                    .with_header(WWW_AUTHENTICATE, self.challenge.clone()),
            ),
        }
    }
}

impl fmt::Debug for BasicAuth {
    /// Leaves the users out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BasicAuth")
            .field("challenge", &self.challenge)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_let_in() {
        let auth = BasicAuth::new("r")
            .user("ada", "s3:cret")
            .user("bob", "")
            .user("", "x");
        let table = [
            ("ada:s3:cret", Some("ada")),
            ("ada:s3:cre", None),
            ("ada:s3:crets3:cret", None),
            ("ada:", None),
            ("ad:s3:cret", None),
            ("bob:", Some("bob")),
            ("bob:x", None),
            (":x", Some("")),
            ("ada", None),
            ("", None),
        ];
        for (credentials, name) in table {
            let encoded = BASE64_STANDARD.encode(credentials);
            for scheme in ["Basic ", "bAsIc   "] {
                let authorization = format!("{scheme}{encoded}");
                assert_eq!(auth.proved(authorization.as_bytes()), name, "{credentials}");
            }
            assert_eq!(auth.proved(encoded.as_bytes()), None);
            assert_eq!(auth.proved(format!("Bearer {encoded}").as_bytes()), None);
        }
        for authorization in ["", "Basic", "Basic ", "Basic !", "Basic YQ"] {
            assert_eq!(auth.proved(authorization.as_bytes()), None);
        }
        assert_eq!(BasicAuth::new("r").proved(b"Basic Og=="), None);
    }

    #[test]
    fn mistakes_of_the_program_are_told_at_once() {
        for realm in ["a\"b", "a\\b", "é", "a\n"] {
            assert!(
                std::panic::catch_unwind(|| BasicAuth::new(realm)).is_err(),
                "{realm:?}"
            );
        }
        assert!(std::panic::catch_unwind(|| BasicAuth::new("r").user("a:b", "c")).is_err());
    }
}
