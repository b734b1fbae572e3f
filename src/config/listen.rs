//! The address to listen on, `ADDR:PORT`: read, never looked up. A name is refused, because it may
//! mean several addresses, and another one tomorrow.

use std::net::{IpAddr, SocketAddr};

use super::Mistake;

/// Reads `text` as an IP address and a port, IPv6 in brackets. Port 0 lets the kernel choose.
///
/// # Errors
/// If it is anything else; the mend guesses what was meant.
pub fn parse(text: &str) -> Result<SocketAddr, Mistake> {
    text.parse().map_err(|_| explain(text))
}

fn explain(text: &str) -> Mistake {
    if let Ok(address) = text.trim_matches(['[', ']']).parse::<IpAddr>() {
        let with_port = SocketAddr::new(address, 8080);
        return Mistake::new(
            format!("'{text}' has no port"),
            format!("write {with_port}"),
        );
    }
    if let Ok(port) = text.parse::<u16>() {
        return Mistake::new(
            format!("'{text}' has no address"),
            format!("write 127.0.0.1:{port} for this machine alone, or 0.0.0.0:{port} for all"),
        );
    }
    let (host, port) = text.rsplit_once(':').unwrap_or((text, ""));
    match (host, port.parse::<u16>()) {
        ("" | "*", Ok(port)) => Mistake::new(
            format!("'{text}' has no address"),
            format!("write 0.0.0.0:{port} for all of IPv4, or [::]:{port} for all of IPv6"),
        ),
        (host, Ok(port)) => match host.parse::<IpAddr>() {
            Ok(address) => Mistake::new(
                format!("'{text}' has no brackets around the IPv6 address"),
                format!("write {}", SocketAddr::new(address, port)),
            ),
            Err(_) => Mistake::new(
                format!("'{text}' names a host"),
                format!("write its IP address, such as 127.0.0.1:{port}"),
            ),
        },
        _ => Mistake::new(
            format!("'{text}' is not ADDR:PORT"),
            "write an IP address and a port from 0 to 65535, such as 127.0.0.1:8080",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read() {
        for text in ["127.0.0.1:0", "0.0.0.0:65535", "[::1]:80", "[fe80::1%2]:80"] {
            assert_eq!(parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn slips_are_explained() {
        let table = [
            ("127.0.0.1", "no port", "write 127.0.0.1:8080"),
            ("::1", "no port", "write [::1]:8080"),
            ("[::1]", "no port", "write [::1]:8080"),
            ("8080", "no address", "write 127.0.0.1:8080 "),
            (":8080", "no address", "write 0.0.0.0:8080 "),
            ("*:80", "no address", "write 0.0.0.0:80 "),
            ("localhost:80", "names a host", "write its IP address"),
            ("999.0.0.1:80", "names a host", "write its IP address"),
            // Eight groups leave no doubt that the ninth is a port.
            (
                "1:2:3:4:5:6:7:8:80",
                "no brackets",
                "write [1:2:3:4:5:6:7:8]:80",
            ),
            ("127.0.0.1:65536", "not ADDR:PORT", "write an IP address"),
            ("127.0.0.1:", "not ADDR:PORT", "write an IP address"),
            (
                "http://127.0.0.1:80/",
                "not ADDR:PORT",
                "write an IP address",
            ),
            ("", "not ADDR:PORT", "write an IP address"),
        ];
        for (text, what, mend) in table {
            let mistake = parse(text).unwrap_err();
            assert!(mistake.what.contains(what), "{text}: {mistake:?}");
            assert!(mistake.mend.starts_with(mend), "{text}: {mistake:?}");
        }
    }
}
