//! Who asks for statistics: a request from a loopback address is this machine's own, unless a proxy on this machine
//! may have sent it for somebody else.

use crate::app::split_port;
use crate::config::StatsAccess;
use crate::http::RequestHead;
use http::Version;
use std::net::IpAddr;

/// Whether somebody else may be behind the request. It is told by any of these:
///
/// - a field by which proxies say so ([`StatsAccess::FORWARDED`]);
/// - HTTP/1.0, which nginx before 1.29.7 speaks to the servers behind it unless it is told otherwise, and
///   without any such field; what asks on the machine itself speaks HTTP/1.1;
/// - a host that nobody writes who is on this machine: a proxy that keeps the Host field passes on the name that
///   the service has, and a browser names that of a page which had its own name lead here (DNS rebinding).
///
/// A proxy that speaks HTTP/1.1 and names the address behind it as host is not told from this machine.
pub(super) fn may_be_for_others(head: &RequestHead) -> bool {
    let mut fields = StatsAccess::FORWARDED.iter();
    fields.any(|name| head.field(name).is_some())
        || head.version() == Version::HTTP_10
        || !head.host().is_some_and(is_here)
}

/// Whether `host`, which may have a port, is this machine to itself: an address that leads to loopback, or a
/// name that no public one can be, with a single label or below `localhost` (RFC 6761 §6.3).
fn is_here(host: &str) -> bool {
    let (name, _) = split_port(host);
    if let Ok(address) = name.parse::<IpAddr>() {
        let address = address.to_canonical();
        return address.is_loopback() || address.is_unspecified();
    }
    let labels = name.strip_suffix('.').unwrap_or(name);
    let last = labels.rsplit('.').next().unwrap_or(labels);
    !labels.contains('.') || last.eq_ignore_ascii_case("localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_of_this_machine() {
        for host in [
            "localhost",
            "LocalHost:80",
            "localhost.:80",
            "node1",
            "app.localhost",
            "a.LOCALHOST:8080",
            "127.0.0.1",
            "127.9.9.9:80",
            "0.0.0.0:8080",
            "[::1]",
            "[::1]:80",
            "[::]:80",
            "[::ffff:127.0.0.1]:80",
        ] {
            assert!(is_here(host), "{host}");
        }
        for host in [
            "example.org",
            "node1.example.org:80",
            "localhost.example.org",
            "notlocalhost.org",
            "a.localhostess",
            "10.0.0.1",
            "192.0.2.1:80",
            "127.0.0.1.example.org",
            "[2001:db8::1]",
            "[::ffff:10.0.0.1]:80",
            "[v1.a]",
        ] {
            assert!(!is_here(host), "{host}");
        }
    }
}
