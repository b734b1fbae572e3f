//! Networks written `ADDRESS/PREFIX`, and whether an address lies in one. It is pure arithmetic; it
//! knows nothing of interfaces or routes.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::Mistake;

/// A network: all addresses that share its leading bits (RFC 4632 §3.1, RFC 4291 §2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cidr {
    network: IpAddr,
    prefix: u8,
}

impl Cidr {
    /// Whether `address`, of the same family, lies in this network.
    pub fn contains(&self, address: IpAddr) -> bool {
        let masked = mask(address, self.prefix);
        // Different families never compare equal, whatever their bits.
        masked == self.network
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.network, self.prefix)
    }
}

/// Reads `text` as a network, or as one address, which is a network of its own. IPv4 written as
/// IPv6 (`::ffff:10.0.0.0/104`) becomes the IPv4 network that it is.
///
/// # Errors
/// If it is neither, or the address has bits set beyond the prefix: then it is not clear whether
/// the address or the prefix is the slip.
pub fn parse(text: &str) -> Result<Cidr, Mistake> {
    let (address, prefix) = text.split_once('/').unwrap_or((text, ""));
    let Ok(address) = address.parse::<IpAddr>() else {
        return Err(not_understood(text));
    };
    let whole = bits(address);
    let prefix = match prefix {
        "" if !text.contains('/') => whole,
        digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => match digits.parse() {
            Ok(prefix) if prefix <= whole => prefix,
            _ => return Err(not_understood(text)),
        },
        _ => return Err(not_understood(text)),
    };
    let network = mask(address, prefix);
    if network != address {
        return Err(Mistake::new(
            format!("'{text}' has bits beyond its prefix"),
            format!("write {network}/{prefix}"),
        ));
    }
    let network = network.to_canonical();
    // A mapped network keeps its 96 leading bits, or it would have had bits beyond its prefix.
    let prefix = prefix - (whole - bits(network));
    Ok(Cidr { network, prefix })
}

fn bits(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

/// Clears the bits beyond `prefix`; one beyond the address's own length clears none.
fn mask(address: IpAddr, prefix: u8) -> IpAddr {
    let beyond = u32::from(bits(address).saturating_sub(prefix));
    // Shifting by the whole width is not defined: the empty prefix has no bits to keep.
    match address {
        IpAddr::V4(v4) => {
            let kept = u32::MAX.checked_shl(beyond).unwrap_or(0);
            Ipv4Addr::from_bits(v4.to_bits() & kept).into()
        }
        IpAddr::V6(v6) => {
            let kept = u128::MAX.checked_shl(beyond).unwrap_or(0);
            Ipv6Addr::from_bits(v6.to_bits() & kept).into()
        }
    }
}

fn not_understood(text: &str) -> Mistake {
    Mistake::new(
        format!("'{text}' is not a network"),
        "write ADDRESS/PREFIX, such as 10.0.0.0/8 or fd00::/8",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_read_one_way_or_not_at_all() {
        let not = Err("not a network");
        let beyond = Err("has bits beyond its prefix");
        let table = [
            ("10.0.0.0/8", Ok("10.0.0.0/8")),
            ("10.1.2.3", Ok("10.1.2.3/32")),
            ("0.0.0.0/0", Ok("0.0.0.0/0")),
            ("1.2.3.4/32", Ok("1.2.3.4/32")),
            ("1.2.3.4/33", not),
            ("::/0", Ok("::/0")),
            ("::1", Ok("::1/128")),
            ("fd00::/8", Ok("fd00::/8")),
            ("::1/128", Ok("::1/128")),
            ("::1/129", not),
            ("::ffff:10.0.0.0/104", Ok("10.0.0.0/8")),
            ("::ffff:10.0.0.1", Ok("10.0.0.1/32")),
            ("::ffff:0:0/96", Ok("0.0.0.0/0")),
            ("::ffff:0:0/95", beyond),
            ("10.0.0.1/8", beyond),
            ("1.0.0.0/0", beyond),
            ("::1/127", beyond),
            ("10.0.0.0/", not),
            ("10.0.0.0/+8", not),
            ("10.0.0.0/256", not),
            ("10.0.0.0/8/8", not),
            ("10.0/8", not),
            ("010.0.0.0/8", not),
            ("localhost", not),
            ("", not),
            ("/8", not),
        ];
        for (text, expected) in table {
            match (parse(text), expected) {
                (Ok(cidr), Ok(expected)) => assert_eq!(cidr.to_string(), expected),
                (Err(got), Err(expected)) => assert!(got.what.contains(expected), "{text}"),
                (got, _) => panic!("{text}: {got:?}"),
            }
        }
    }

    #[test]
    fn a_network_holds_its_first_and_last_address_and_none_beside() {
        let table = [
            ("10.0.0.0/8", "10.0.0.0", true),
            ("10.0.0.0/8", "10.255.255.255", true),
            ("10.0.0.0/8", "9.255.255.255", false),
            ("10.0.0.0/8", "11.0.0.0", false),
            ("192.0.2.128/25", "192.0.2.127", false),
            ("192.0.2.128/25", "192.0.2.255", true),
            ("192.0.2.1", "192.0.2.2", false),
            ("0.0.0.0/0", "255.255.255.255", true),
            ("0.0.0.0/0", "::", false),
            ("::/0", "0.0.0.0", false),
            ("::/0", "ffff::", true),
            ("2001:db8::/33", "2001:db8:7fff::", true),
            ("2001:db8::/33", "2001:db8:8000::", false),
            ("::/64", "10.0.0.0", false),
        ];
        for (cidr, address, expected) in table {
            let holds = parse(cidr).unwrap().contains(address.parse().unwrap());
            assert_eq!(holds, expected, "{cidr} {address}");
        }
    }
}
