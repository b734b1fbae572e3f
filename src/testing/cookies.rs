//! The cookies that a test's client keeps, by the rules of RFC 6265bis §5 for one that has no list of
//! public suffixes and knows no sites. It reads no clock: time is an argument.
//!
//! `Secure` holds nothing back, as browsers have it for `localhost`: a test speaks to the app itself,
//! and not to what ends TLS before it.

use crate::http::HttpDate;
use std::net::IpAddr;
use std::time::{Duration, SystemTime};

/// Longest name and value that are kept together, in bytes (RFC 6265bis §5.6).
const PAIR_BYTES: usize = 4096;

/// The longest that a cookie is kept (RFC 6265bis §5.5).
const LONGEST_AGE: Duration = Duration::from_secs(400 * 24 * 60 * 60);

/// The cookies that were set, in the order in which they were first.
#[derive(Debug, Default)]
pub(super) struct Jar(Vec<Kept>);

#[derive(Debug)]
struct Kept {
    name: String,
    value: String,
    domain: String,
    /// For `domain` itself, and no name below it.
    is_host_only: bool,
    path: String,
    /// `None` if it is kept as long as the client.
    expires: Option<SystemTime>,
}

impl Kept {
    /// Whether it takes the place of `other` (RFC 6265bis §5.7, step 23).
    fn replaces(&self, other: &Kept) -> bool {
        fn key(kept: &Kept) -> (bool, [&str; 3]) {
            (kept.is_host_only, [&kept.name, &kept.domain, &kept.path])
        }
        key(self) == key(other)
    }

    fn is_for(&self, host: &str, path: &str) -> bool {
        let is_host = match self.is_host_only {
            true => self.domain == host,
            false => is_within(host, &self.domain),
        };
        is_host && is_below(path, &self.path)
    }

    fn has_expired(&self, now: SystemTime) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }
}

impl Jar {
    /// Keeps what a Set-Cookie field with `value` says, in the response to a request to `host` for
    /// `path`.
    pub(super) fn store(&mut self, value: &[u8], host: &str, path: &str, now: SystemTime) {
        let (host, path) = (canonical(host), without_query(path));
        let Some(kept) = read(value, &host, path, now) else {
            return;
        };
        let known = self.0.iter().position(|other| kept.replaces(other));
        match (known, kept.has_expired(now)) {
            (Some(known), true) => drop(self.0.remove(known)),
            (None, true) => {}
            (Some(known), false) => self.0[known] = kept,
            (None, false) => self.0.push(kept),
        }
    }

    /// The value of the Cookie field of a request to `host` for `path`, if it has any.
    pub(super) fn field(&mut self, host: &str, path: &str, now: SystemTime) -> Option<String> {
        let (host, path) = (canonical(host), without_query(path));
        self.0.retain(|kept| !kept.has_expired(now));
        let mut fit: Vec<_> = self
            .0
            .iter()
            .filter(|kept| kept.is_for(&host, path))
            .collect();
        // RFC 6265bis §5.8.3: longer paths first, and then what was set first.
        fit.sort_by_key(|kept| std::cmp::Reverse(kept.path.len()));
        let pairs: Vec<_> = fit
            .iter()
            .map(|kept| [&*kept.name, "=", &*kept.value].concat())
            .collect();
        (!pairs.is_empty()).then(|| pairs.join("; "))
    }

    /// The value of the cookie called `name` that was set first, for whichever path and host.
    pub(super) fn value(&self, name: &str, now: SystemTime) -> Option<&str> {
        let mut kept = self.0.iter();
        let found = kept.find(|kept| kept.name == name && !kept.has_expired(now))?;
        Some(&found.value)
    }
}

/// RFC 6265bis §5.6 and §5.7: a cookie, if it is to be kept.
fn read(value: &[u8], host: &str, path: &str, now: SystemTime) -> Option<Kept> {
    let value = std::str::from_utf8(value).ok()?;
    let mut parts = value.split(';');
    let (name, value) = parts.next()?.split_once('=')?;
    let (name, value) = (name.trim_ascii(), value.trim_ascii());
    if name.is_empty() || name.len() + value.len() > PAIR_BYTES {
        return None;
    }
    let mut kept = Kept {
        name: name.to_owned(),
        value: value.to_owned(),
        domain: host.to_owned(),
        is_host_only: true,
        path: default_path(path).to_owned(),
        expires: None,
    };
    let (mut age, mut is_secure, mut has_path) = (None, false, false);
    for part in parts {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        let value = value.trim_ascii();
        // The last of a name counts.
        match name.trim_ascii().to_ascii_lowercase().as_str() {
            "secure" => is_secure = true,
            "path" => {
                has_path = value == "/";
                let is_path = value.starts_with('/');
                kept.path = if is_path { value } else { default_path(path) }.to_owned();
            }
            "domain" if !value.is_empty() => {
                let domain = value.strip_prefix('.').unwrap_or(value);
                kept.domain = domain.to_ascii_lowercase();
                kept.is_host_only = false;
            }
            "max-age" => age = seconds(value).or(age),
            "expires" => kept.expires = date(value).or(kept.expires),
            _ => {}
        }
    }
    if let Some(age) = age {
        // RFC 6265bis §5.6.2: nothing or less is in the past.
        kept.expires = Some(now + age);
    }
    kept.expires = kept.expires.map(|expires| expires.min(now + LONGEST_AGE));
    if !kept.is_host_only && kept.domain == host {
        // A name that is no other's parent, or an address, has itself as its domain.
        kept.is_host_only = !host.contains('.') || host.parse::<IpAddr>().is_ok();
    } else if !kept.is_host_only && (!kept.domain.contains('.') || !is_within(host, &kept.domain)) {
        return None;
    }
    // RFC 6265bis §4.1.3: the names promise what their cookies are.
    let has_prefix = |prefix: &str| {
        let start = name.get(..prefix.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    };
    let keeps_promise = match () {
        () if has_prefix("__Host-") => is_secure && kept.is_host_only && has_path,
        () if has_prefix("__Secure-") => is_secure,
        () => true,
    };
    keeps_promise.then_some(kept)
}

/// The host of a Host field, without its port and in lower case.
fn canonical(host: &str) -> String {
    let end = match host.strip_prefix('[') {
        Some(_) => host.find(']').map_or(host.len(), |bracket| bracket + 1),
        None => host.find(':').unwrap_or(host.len()),
    };
    let host = host[..end].trim_start_matches('[').trim_end_matches(']');
    host.to_ascii_lowercase()
}

fn without_query(target: &str) -> &str {
    target.split('?').next().unwrap_or_default()
}

/// RFC 6265bis §5.1.3, domain-match.
fn is_within(host: &str, domain: &str) -> bool {
    let above = host.strip_suffix(domain);
    let is_below = above.is_some_and(|above| above.ends_with('.'));
    host == domain || is_below && host.parse::<IpAddr>().is_err()
}

/// RFC 6265bis §5.1.4, path-match.
fn is_below(path: &str, prefix: &str) -> bool {
    path.strip_prefix(prefix)
        .is_some_and(|rest| rest.is_empty() || prefix.ends_with('/') || rest.starts_with('/'))
}

/// RFC 6265bis §5.1.4, default-path.
fn default_path(path: &str) -> &str {
    match path.rfind('/') {
        Some(slash) if slash > 0 && path.starts_with('/') => &path[..slash],
        _ => "/",
    }
}

/// The value of Max-Age: what is no number is ignored.
fn seconds(value: &str) -> Option<Duration> {
    let digits = value.strip_prefix('-').unwrap_or(value);
    if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let is_past = value.starts_with('-');
    let age = digits.parse().map_or(LONGEST_AGE, Duration::from_secs);
    Some(if is_past {
        Duration::ZERO
    } else {
        age.min(LONGEST_AGE)
    })
}

/// The value of Expires; older servers have dashes in it.
fn date(value: &str) -> Option<SystemTime> {
    let parse = |text: &str| HttpDate::parse(text.as_bytes());
    parse(value).or_else(|| parse(&value.replace('-', " ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::UNIX_EPOCH;

    const NOW: SystemTime = UNIX_EPOCH;

    /// What is sent to `host` for `path` after `set` came from `a.example.org/x/y`.
    fn sent(set: &[&str], host: &str, path: &str, now: SystemTime) -> String {
        let mut jar = Jar::default();
        for value in set {
            jar.store(value.as_bytes(), "A.example.org:80", "/x/y?z/w", NOW);
        }
        jar.field(host, path, now).unwrap_or_default()
    }

    #[test]
    fn to_whom_a_cookie_goes() {
        let table = [
            ("a=1", "a.example.org", "/x", "a=1"),
            ("a=1", "a.example.org:8080", "/x/z/w?", "a=1"),
            ("a=1", "a.example.org", "/xy", ""),
            ("a=1", "a.example.org", "/", ""),
            ("a=1", "example.org", "/x", ""),
            ("a=1", "b.a.example.org", "/x", ""),
            ("a=1; Path=/", "a.example.org", "/", "a=1"),
            ("a=1; path=/x/", "a.example.org", "/x", ""),
            ("a=1; path=/x/", "a.example.org", "/x/y", "a=1"),
            ("a=1; path=x", "a.example.org", "/x", "a=1"),
            ("a=1; path=/; path=/q", "a.example.org", "/", ""),
            ("a=1; Domain=.Example.org", "b.example.org", "/x", "a=1"),
            ("a=1; Domain=example.org", "example.org", "/x", "a=1"),
            ("a=1; Domain=example.org", "badexample.org", "/x", ""),
            ("a=1; Domain=a.example.org", "b.a.example.org", "/x", "a=1"),
            ("a=1; Domain=b.example.org", "b.example.org", "/x", ""),
            ("a=1; Domain=org", "a.example.org", "/x", ""),
            ("a=1; Domain=", "a.example.org", "/x", "a=1"),
            (
                "a=1; Secure; HttpOnly; SameSite=Strict",
                "a.example.org",
                "/x",
                "a=1",
            ),
            (" a = \"1 2\" ;", "a.example.org", "/x", "a=\"1 2\""),
            ("a=", "a.example.org", "/x", "a="),
            ("=1", "a.example.org", "/x", ""),
            ("a", "a.example.org", "/x", ""),
            (
                "__Host-a=1; Secure; Path=/",
                "a.example.org",
                "/",
                "__Host-a=1",
            ),
            ("__Host-a=1; Secure", "a.example.org", "/x", ""),
            ("__Host-a=1; Path=/", "a.example.org", "/", ""),
            (
                "__Host-a=1; Secure; Path=/; Domain=example.org",
                "a.example.org",
                "/",
                "",
            ),
            (
                "__secure-a=1; Secure",
                "a.example.org",
                "/x",
                "__secure-a=1",
            ),
            ("__secure-a=1", "a.example.org", "/x", ""),
        ];
        for (set, host, path, expected) in table {
            assert_eq!(
                sent(&[set], host, path, NOW),
                expected,
                "{set} {host} {path}"
            );
        }
    }

    #[test]
    fn addresses_have_no_domains() {
        let mut jar = Jar::default();
        jar.store(b"a=1; Domain=127.0.0.1", "127.0.0.1", "/", NOW);
        jar.store(b"b=1; Domain=0.0.1", "127.0.0.1", "/", NOW);
        jar.store(b"c=1", "[::1]:80", "/", NOW);
        jar.store(b"d=1; Domain=localhost", "localhost", "/", NOW);
        let mut field = |host| jar.field(host, "/", NOW).unwrap_or_default();
        assert_eq!(field("127.0.0.1:1"), "a=1");
        assert_eq!(field("x.127.0.0.1"), "");
        assert_eq!(field("[::1]"), "c=1");
        assert_eq!(
            (field("localhost"), field("x.localhost")),
            ("d=1".into(), String::new())
        );
    }

    #[test]
    fn until_when_a_cookie_is_kept() {
        let tick = Duration::from_nanos(1);
        let day = Duration::from_secs(24 * 60 * 60);
        for (set, age) in [
            ("a=1; Max-Age=10", Duration::from_secs(10)),
            (
                "a=1; max-age=10; Expires=Thu, 01 Jan 1970 00:00:01 GMT",
                Duration::from_secs(10),
            ),
            ("a=1; Expires=Fri, 02 Jan 1970 00:00:00 GMT", day),
            ("a=1; Expires=Fri, 02-Jan-1970 00:00:00 GMT", day),
            ("a=1; Max-Age=99999999999999999999", LONGEST_AGE),
            ("a=1; Expires=Fri, 31 Dec 9999 23:59:59 GMT", LONGEST_AGE),
        ] {
            let at = |now| sent(&[set], "a.example.org", "/x", now);
            assert_eq!(at(NOW + age - tick), "a=1", "{set}");
            assert_eq!(at(NOW + age), "", "{set}");
        }
        for set in ["a=1", "a=1; Max-Age=x; Expires=x", "a=1; Max-Age=+1"] {
            let ages = sent(&[set], "a.example.org", "/x", NOW + 2 * LONGEST_AGE);
            assert_eq!(ages, "a=1", "{set}");
        }
        for set in [
            "a=1; Max-Age=0",
            "a=1; Max-Age=-1",
            "a=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
        ] {
            assert_eq!(sent(&["a=0", set], "a.example.org", "/x", NOW), "", "{set}");
        }
    }

    #[test]
    fn cookies_replace_each_other_and_have_an_order() {
        let set = ["a=1", "b=1", "a=2; Path=/", "a=3", "c=1; Path=/x/y"];
        let field = sent(&set, "a.example.org", "/x/y", NOW);
        assert_eq!(field, "c=1; a=3; b=1; a=2");
        let mut jar = Jar::default();
        jar.store(b"a=1; Max-Age=5", "h", "/", NOW);
        assert_eq!(jar.value("a", NOW), Some("1"));
        assert_eq!(
            (
                jar.value("b", NOW),
                jar.value("a", NOW + Duration::from_secs(5))
            ),
            (None, None)
        );
        let long = |bytes| ["a=", &"x".repeat(bytes)].concat();
        jar.store(long(PAIR_BYTES).as_bytes(), "h", "/", NOW);
        assert_eq!(jar.value("a", NOW), Some("1"));
        jar.store(long(PAIR_BYTES - 1).as_bytes(), "h", "/", NOW);
        assert_eq!(jar.value("a", NOW).map(str::len), Some(PAIR_BYTES - 1));
    }
}
