//! Cookies, both ways (RFC 6265): those that a request brings, and one that a response sets. It
//! keeps no session and signs nothing.

use std::fmt;
use std::time::Duration;

use http::HeaderValue;
use http::header::SET_COOKIE;

use super::request::Request;
use super::response::Response;

impl Request {
    /// The cookies as name and value, in the order received.
    ///
    /// It reads what servers commonly accept: white space around names and values and one pair of
    /// quotes around a value go, what has no `=` or no name is left out, as is a Cookie field that
    /// is not UTF-8. Values are as sent: nothing is percent-decoded.
    pub fn cookies(&self) -> impl Iterator<Item = (&str, &str)> {
        self.head().field_values("cookie").flat_map(parse)
    }

    /// The value of the first cookie called `name`: browsers send the one for the longest path
    /// first. Names are compared with regard to case.
    pub fn cookie(&self, name: &str) -> Option<&str> {
        let mut cookies = self.cookies();
        cookies.find_map(|(other, value)| (other == name).then_some(value))
    }
}

/// The cookies of one Cookie field.
fn parse(field: &[u8]) -> impl Iterator<Item = (&str, &str)> {
    let field = std::str::from_utf8(field).unwrap_or_default();
    field.split(';').filter_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        let (name, value) = (name.trim_ascii(), value.trim_ascii());
        let quoted = value
            .strip_prefix('"')
            .and_then(|rest| rest.strip_suffix('"'));
        (!name.is_empty()).then_some((name, quoted.unwrap_or(value)))
    })
}

/// A cookie for a response to set.
///
/// It is for this host and all of its paths (`Path=/`), until the browser ends, unless it is told
/// otherwise; scripts may read it unless it is [`Cookie::http_only`].
///
/// ```
/// use corelane::app::{Cookie, SameSite};
/// use corelane::{IntoResponse, Request, Response, Result};
/// use std::time::Duration;
///
/// async fn log_in(_: Request) -> Result<Response> {
///     let session = Cookie::new("session", "f3a9")?
///         .http_only()
///         .secure()
///         .same_site(SameSite::Strict)
///         .max_age(Duration::from_secs(3600));
///     Ok("Welcome".into_response().with_cookie(session))
/// }
///
/// async fn log_out(_: Request) -> Result<Response> {
///     Ok("Bye".into_response().with_cookie(Cookie::removal("session")?))
/// }
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Cookie {
    /// `name=value`.
    pair: String,
    path: String,
    domain: Option<String>,
    max_age: Option<Duration>,
    same_site: Option<SameSite>,
    http_only: bool,
    secure: bool,
}

/// With which requests from other sites' pages a browser sends a cookie. Those that are told
/// nothing treat a cookie as [`SameSite::Lax`], mostly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SameSite {
    /// With none.
    Strict,
    /// With those that lead to another page and change nothing (links).
    Lax,
    /// With all. Browsers take it only with [`Cookie::secure`], which it implies.
    None,
}

/// Why a [`Cookie`] was refused: a browser would take it for something else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CookieError {
    /// The name is not a token (RFC 6265 §4.1.1).
    #[error("the name of a cookie is a token: letters, digits and !#$%&'*+-.^_`|~")]
    Name,
    /// The value has white space, a control, a quote, a comma, a semicolon, a backslash, or
    /// something beyond ASCII.
    #[error("the value of a cookie is printable ASCII without spaces, quotes, `,`, `;` and `\\`")]
    Value,
    /// The path does not begin with `/`, or has a semicolon, a control or something beyond ASCII.
    #[error("the path of a cookie begins with `/` and is printable ASCII without `;`")]
    Path,
    /// The domain has something that is in no name of a host.
    #[error("the domain of a cookie has letters, digits, `-` and `.` only")]
    Domain,
}

impl Cookie {
    /// A cookie with `name` and `value`; what has other characters is to be encoded before, for
    /// instance by percent-encoding.
    ///
    /// # Errors
    /// If the name or the value would not be read as it was written.
    pub fn new(name: &str, value: &str) -> Result<Cookie, CookieError> {
        if name.is_empty() || !name.bytes().all(is_token) {
            return Err(CookieError::Name);
        }
        if !value.bytes().all(is_cookie_octet) {
            return Err(CookieError::Value);
        }
        Ok(Cookie {
            pair: [name, "=", value].concat(),
            path: "/".to_owned(),
            domain: None,
            max_age: None,
            same_site: None,
            http_only: false,
            secure: false,
        })
    }

    /// Has the browser forget the cookie `name`, if path and domain are those that it was set with.
    ///
    /// # Errors
    /// If the name is none.
    pub fn removal(name: &str) -> Result<Cookie, CookieError> {
        Ok(Cookie::new(name, "")?.max_age(Duration::ZERO))
    }

    /// Only for requests to `path` and what is below it, instead of all.
    ///
    /// # Errors
    /// If the path would not be read as it was written.
    pub fn path(mut self, path: &str) -> Result<Cookie, CookieError> {
        let may_have = |octet: u8| matches!(octet, b' '..=b'~') && octet != b';';
        if !path.starts_with('/') || !path.bytes().all(may_have) {
            return Err(CookieError::Path);
        }
        path.clone_into(&mut self.path);
        Ok(self)
    }

    /// For `domain` and all names below it, instead of this host alone.
    ///
    /// # Errors
    /// If it is no name of a host.
    pub fn domain(mut self, domain: &str) -> Result<Cookie, CookieError> {
        let may_have = |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'.');
        if domain.is_empty() || !domain.bytes().all(may_have) {
            return Err(CookieError::Domain);
        }
        self.domain = Some(domain.to_owned());
        Ok(self)
    }

    /// Until so much time has passed, in whole seconds; zero has the browser forget it.
    #[must_use]
    pub fn max_age(mut self, time: Duration) -> Cookie {
        self.max_age = Some(time);
        self
    }

    /// With which requests from other sites' pages it is sent.
    #[must_use]
    pub fn same_site(mut self, same_site: SameSite) -> Cookie {
        self.same_site = Some(same_site);
        self
    }

    /// Hidden from scripts: what tells who somebody is should be.
    #[must_use]
    pub fn http_only(mut self) -> Cookie {
        self.http_only = true;
        self
    }

    /// Never sent without TLS.
    #[must_use]
    pub fn secure(mut self) -> Cookie {
        self.secure = true;
        self
    }

    /// The value of a Set-Cookie field (RFC 6265 §4.1.1).
    fn to_field_value(&self) -> HeaderValue {
        let mut text = [&self.pair, "; Path=", &self.path].concat();
        if let Some(domain) = &self.domain {
            text += "; Domain=";
            text += domain;
        }
        if let Some(max_age) = self.max_age {
            text += &format!("; Max-Age={}", max_age.as_secs());
        }
        text += match self.same_site {
            Some(SameSite::Strict) => "; SameSite=Strict",
            Some(SameSite::Lax) => "; SameSite=Lax",
            Some(SameSite::None) => "; SameSite=None",
            None => "",
        };
        if self.secure || self.same_site == Some(SameSite::None) {
            text += "; Secure";
        }
        if self.http_only {
            text += "; HttpOnly";
        }
        // Each part was checked when it was given, and none has what a field value may not.
        HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""))
    }
}

impl fmt::Debug for Cookie {
    /// Leaves the value out, for it may be a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.pair.split('=').next();
        f.debug_struct("Cookie")
            .field("name", &name.unwrap_or_default())
            .field("path", &self.path)
            .field("domain", &self.domain)
            .finish_non_exhaustive()
    }
}

impl Response {
    /// This response with one more cookie.
    #[must_use]
    pub fn with_cookie(mut self, cookie: Cookie) -> Response {
        self.headers.append(SET_COOKIE, cookie.to_field_value());
        self
    }
}

fn is_token(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&octet)
}

/// RFC 6265 §4.1.1, `cookie-octet`.
fn is_cookie_octet(octet: u8) -> bool {
    octet.is_ascii_graphic() && !matches!(octet, b'"' | b',' | b';' | b'\\')
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::*;

    #[test]
    fn cookie_fields_and_what_is_read_of_them() {
        type Case<'a> = (&'a [u8], &'a [(&'a str, &'a str)]);
        let cases: &[Case<'_>] = &[
            (b"", &[]),
            (b"a=b", &[("a", "b")]),
            (b"a=b; c=d", &[("a", "b"), ("c", "d")]),
            (b"a=b;c=d;", &[("a", "b"), ("c", "d")]),
            (b" a = b ;\tc\t=\td", &[("a", "b"), ("c", "d")]),
            (b"a=b; a=c", &[("a", "b"), ("a", "c")]),
            (b"a=b=c", &[("a", "b=c")]),
            (b"a=", &[("a", "")]),
            (b"a; =b; ;c=d", &[("c", "d")]),
            (b"a=\"b c\"", &[("a", "b c")]),
            (b"a=\"\"", &[("a", "")]),
            (b"a=\"", &[("a", "\"")]),
            (b"a=\"b", &[("a", "\"b")]),
            (b"a=%20", &[("a", "%20")]),
            (b"a=b, c=d", &[("a", "b, c=d")]),
            ("a=é".as_bytes(), &[("a", "é")]),
            (b"a=b; c=\xff", &[]),
        ];
        for (field, expected) in cases {
            let read: Vec<_> = parse(field).collect();
            assert_eq!(read, *expected, "{}", field.escape_ascii());
        }
    }

    #[test]
    fn cookies_and_their_fields() {
        let a = || Cookie::new("a", "b").unwrap();
        let cases = [
            (a(), "a=b; Path=/"),
            (Cookie::new("~", "").unwrap(), "~=; Path=/"),
            (a().path("/c d").unwrap(), "a=b; Path=/c d"),
            (
                a().domain("Example.org").unwrap(),
                "a=b; Path=/; Domain=Example.org",
            ),
            (
                a().max_age(Duration::from_millis(1999)),
                "a=b; Path=/; Max-Age=1",
            ),
            (
                a().same_site(SameSite::Strict).http_only(),
                "a=b; Path=/; SameSite=Strict; HttpOnly",
            ),
            (
                a().same_site(SameSite::Lax).secure(),
                "a=b; Path=/; SameSite=Lax; Secure",
            ),
            (
                a().same_site(SameSite::None),
                "a=b; Path=/; SameSite=None; Secure",
            ),
            (Cookie::removal("a").unwrap(), "a=; Path=/; Max-Age=0"),
        ];
        for (cookie, expected) in cases {
            let response = Response::new(StatusCode::OK).with_cookie(cookie);
            assert_eq!(response.headers.get(&SET_COOKIE).unwrap(), expected);
        }
    }

    #[test]
    fn what_would_be_read_as_something_else_is_refused() {
        use CookieError::*;
        let a = || Cookie::new("a", "b").unwrap();
        let mut cases = vec![(Cookie::new("", "b"), Name)];
        for name in ["a=", "a;", "a b", "a\r\nb", "é", "\"a\"", "a,"] {
            cases.push((Cookie::new(name, "b"), Name));
        }
        for value in [
            "a b",
            "a;b",
            "a,b",
            "\"a\"",
            "a\\",
            "a\r\nB: c",
            "\0",
            "é",
            "\x7f",
        ] {
            cases.push((Cookie::new("a", value), Value));
        }
        for path in ["", "a", "/;Secure", "/\n", "/é"] {
            cases.push((a().path(path), Path));
        }
        for domain in ["", "a;b", "a b", "a\r\n", "é.org"] {
            cases.push((a().domain(domain), Domain));
        }
        for (outcome, expected) in cases {
            assert_eq!(outcome, Err(expected));
        }
    }

    #[test]
    fn values_are_not_told_by_debug() {
        let told = format!("{:?}", Cookie::new("name", "secret").unwrap());
        assert!(told.contains("name") && !told.contains("secret"), "{told}");
    }
}
