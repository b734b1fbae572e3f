//! Which application of several a request is for, by its host.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::net::Ipv6Addr;

/// What each host leads to. A name is found in any case, with any port, and with the final dot
/// of an absolute name; an IPv6 address however it is written.
pub(super) struct Hosts<T> {
    /// By the name in lower case, sorted by [`order`].
    exact: Vec<(Box<str>, T)>,
    /// By the domain above the names, likewise.
    below: Vec<(Box<str>, T)>,
    /// IPv6 addresses, few.
    addresses: Vec<(Ipv6Addr, T)>,
}

/// A host as it is given to an app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Pattern {
    /// A name or an IPv4 address, in lower case.
    Exact(Box<str>),
    /// An IPv6 address.
    Address(Ipv6Addr),
    /// All names below this one.
    Below(Box<str>),
}

impl Pattern {
    /// Reads `written`; the error is a sentence for its author.
    pub(super) fn parse(written: &str) -> Result<Pattern, Cow<'static, str>> {
        let below = written.strip_prefix("*.");
        let name = below.unwrap_or(written).to_ascii_lowercase();
        if !name.is_ascii() {
            return Err("a host is ASCII: an international name is written as `xn--…`".into());
        }
        if below.is_none() && name.starts_with('[') {
            return match address(&name) {
                Some(address) => Ok(Pattern::Address(address)),
                None => Err("what stands in brackets is an IPv6 address, as in `[::1]`".into()),
            };
        }
        let in_name = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
        let is_name = name.chars().all(in_name) && name.split('.').all(|label| !label.is_empty());
        if !is_name {
            return Err(
                "a host is a name without port, as in `example.org` or `*.example.org`".into(),
            );
        }
        Ok(match below {
            None => Pattern::Exact(name.into()),
            Some(_) => Pattern::Below(name.into()),
        })
    }
}

impl<T> Hosts<T> {
    pub(super) fn new() -> Hosts<T> {
        Hosts {
            exact: Vec::new(),
            below: Vec::new(),
            addresses: Vec::new(),
        }
    }

    /// Adds `pattern`, which is not there yet.
    pub(super) fn insert(&mut self, pattern: Pattern, value: T) {
        let (list, name) = match pattern {
            Pattern::Exact(name) => (&mut self.exact, name),
            Pattern::Below(name) => (&mut self.below, name),
            Pattern::Address(address) => return self.addresses.push((address, value)),
        };
        let place = list.partition_point(|(other, _)| order(other, &name).is_lt());
        list.insert(place, (name, value));
    }

    /// What `host`, which may have a port, leads to: the name itself goes before the domains above
    /// it, of which the nearest does.
    pub(super) fn find(&self, host: &str) -> Option<&T> {
        let name = without_port(host);
        if name.starts_with('[') {
            let asked = address(name)?;
            let mut all = self.addresses.iter();
            return all
                .find(|(address, _)| *address == asked)
                .map(|(_, value)| value);
        }
        let name = name.strip_suffix('.').unwrap_or(name);
        let domains = name.match_indices('.').map(|(dot, _)| &name[dot + 1..]);
        find(&self.exact, name).or_else(|| {
            let mut found = domains.filter_map(|domain| find(&self.below, domain));
            found.next()
        })
    }
}

fn find<'a, T>(list: &'a [(Box<str>, T)], name: &str) -> Option<&'a T> {
    let place = list.binary_search_by(|(other, _)| order(other, name));
    place.ok().map(|place| &list[place].1)
}

/// Compares a name in lower case with one in any. Shorter ones go first.
fn order(lower: &str, name: &str) -> Ordering {
    let octets = name.bytes().map(|octet| octet.to_ascii_lowercase());
    let lengths = lower.len().cmp(&name.len());
    lengths.then_with(|| lower.bytes().cmp(octets))
}

/// The address in the brackets of `name` (RFC 3986 §3.2.2), however it is written; one with a zone is
/// none that a peer could ask for.
fn address(name: &str) -> Option<Ipv6Addr> {
    name.strip_prefix('[')?.strip_suffix(']')?.parse().ok()
}

/// RFC 3986 §3.2.2: a colon within brackets is the address's own.
fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => name,
        _ => host,
    }
}

/// The name or address in `host`, an address of IPv6 without its brackets, and its port.
pub(crate) fn split_port(host: &str) -> (&str, Option<u16>) {
    let (name, port) = match host.strip_prefix('[') {
        Some(rest) => rest.split_once(']').unwrap_or((rest, "")),
        None => match host.rfind(':') {
            Some(colon) => host.split_at(colon),
            None => (host, ""),
        },
    };
    (
        name,
        port.strip_prefix(':').and_then(|port| port.parse().ok()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_what_they_lead_to() {
        let mut hosts = Hosts::new();
        for written in [
            "Example.org",
            "*.example.org",
            "*.b.example.org",
            "www.example.org",
            "127.0.0.1",
            "[0:0::1]",
            "[2001:DB8::A]",
        ] {
            hosts.insert(Pattern::parse(written).unwrap(), written);
        }
        let cases = [
            ("example.org", Some("Example.org")),
            ("EXAMPLE.ORG:8080", Some("Example.org")),
            ("example.org:", Some("Example.org")),
            ("example.org.", Some("Example.org")),
            ("example.org.:80", Some("Example.org")),
            ("www.Example.org", Some("www.example.org")),
            ("a.example.org:1", Some("*.example.org")),
            ("a.www.example.org", Some("*.example.org")),
            ("b.example.org", Some("*.example.org")),
            ("a.b.example.org", Some("*.b.example.org")),
            ("a.c.b.example.org", Some("*.b.example.org")),
            ("127.0.0.1:80", Some("127.0.0.1")),
            ("[::1]", Some("[0:0::1]")),
            ("[::1]:80", Some("[0:0::1]")),
            ("[0:0:0:0:0:0:0:1]", Some("[0:0::1]")),
            ("[0000:0::0001]:", Some("[0:0::1]")),
            ("[::0.0.0.1]:80", Some("[0:0::1]")),
            ("[2001:db8:0:0:0:0:0:a]", Some("[2001:DB8::A]")),
            ("[2001:0DB8::a]:8080", Some("[2001:DB8::A]")),
            ("[::1%251]", None),
            ("[::1]x", None),
            ("[", None),
            ("[]", None),
            ("::1", None),
            ("[::2]:80", None),
            ("example.com", None),
            ("badexample.org", None),
            ("org", None),
            ("", None),
            (".", None),
        ];
        for (host, expected) in cases {
            assert_eq!(hosts.find(host).copied(), expected, "{host}");
        }
    }

    #[test]
    fn hosts_that_cannot_be() {
        for written in [
            "",
            "*",
            "*.",
            "a:80",
            "a/b",
            "*.*.a",
            "a.*",
            ".a",
            "a.",
            "a..b",
            "é.org",
            "*.[::1]",
            "http://a",
            "[",
            "[]",
            "[::1",
            "[::1]:80",
            "[::1%25lo]",
            "[anything]",
            "[v1.a]",
            "[127.0.0.1]",
        ] {
            assert!(Pattern::parse(written).is_err(), "{written}");
        }
    }

    #[test]
    fn hosts_are_split() {
        for (host, expected) in [
            ("example.org", ("example.org", None)),
            ("example.org:80", ("example.org", Some(80))),
            ("example.org:", ("example.org", None)),
            ("127.0.0.1:8080", ("127.0.0.1", Some(8080))),
            ("[::1]", ("::1", None)),
            ("[::1]:443", ("::1", Some(443))),
        ] {
            assert_eq!(split_port(host), expected, "{host}");
        }
    }
}
