//! A limit for how often one peer may ask.

use std::cell::RefCell;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use http::header::RETRY_AFTER;
use http::{HeaderValue, StatusCode};

use super::{Middleware, Next};
use crate::app::{Answer, Request, Response};

/// How many peers are remembered by default.
const PEERS: usize = 10_000;

/// Answers 429 with Retry-After to a peer that asks too often.
///
/// A peer is an IPv4 address, or the /64 network of an IPv6 address. Behind a proxy all requests
/// have the same peer: limit them there. Each core counts by itself, and the connections of a peer
/// may be on several: `N` cores let it ask up to `N` times as often.
///
/// Memory is bounded: of the 10,000 peers that asked last at least half are remembered, at about
/// 40 bytes each. One that was forgotten may ask as if it were new.
///
/// ```
/// use corelane::App;
/// use corelane::app::middleware::RateLimit;
/// use std::time::Duration;
///
/// // 100 a second, and up to 200 at once after a pause.
/// let app = App::new().wrap(RateLimit::new(100, Duration::from_secs(1)).burst(200));
/// ```
#[derive(Debug)]
pub struct RateLimit {
    interval_ns: u64,
    burst: u32,
    peers: RefCell<Peers>,
}

impl RateLimit {
    /// Up to `requests` in each time of `per`, evenly or all at once.
    ///
    /// # Panics
    /// If `requests` is 0 or `per` is too short or too long for so many: less than 1 ns or more
    /// than 500 years for each.
    pub fn new(requests: u32, per: Duration) -> RateLimit {
        let interval_ns = per.checked_div(requests).map(|each| each.as_nanos());
        match interval_ns.map(u64::try_from) {
            Some(Ok(interval_ns)) if interval_ns > 0 => RateLimit {
                interval_ns,
                burst: requests,
                peers: RefCell::new(Peers::new(PEERS)),
            },
            _ => panic!("{requests} requests in {per:?} is no rate"),
        }
    }

    /// Up to `requests` at once, instead of as many as in the whole time. At least 1.
    #[must_use]
    pub fn burst(mut self, requests: u32) -> RateLimit {
        self.burst = requests.max(1);
        self
    }

    /// Remembers up to `peers`. At least 2.
    #[must_use]
    pub fn peers(self, peers: usize) -> RateLimit {
        RateLimit {
            peers: RefCell::new(Peers::new(peers)),
            ..self
        }
    }

    /// Counts a request of `peer` at `now_ns`.
    ///
    /// # Errors
    /// For how long it has to wait if it may not ask now.
    fn admit(&self, peer: IpAddr, now_ns: u64) -> Result<(), Duration> {
        let mut peers = self.peers.borrow_mut();
        // When the peer has nothing left to make up for: the whole state of a leaky bucket.
        let free_at_ns = peers.get(key(peer)).max(now_ns);
        let full_ns = self.interval_ns.saturating_mul(u64::from(self.burst));
        let next_ns = free_at_ns.saturating_add(self.interval_ns);
        let over_ns = (next_ns - now_ns).saturating_sub(full_ns);
        let (free_at_ns, outcome) = match over_ns {
            0 => (next_ns, Ok(())),
            _ => (free_at_ns, Err(Duration::from_nanos(over_ns))),
        };
        // Who is refused has asked as well: it is not forgotten sooner for that.
        peers.set(key(peer), free_at_ns);
        outcome
    }
}

/// What counts as one peer.
fn key(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(address) => {
            let network = address.to_bits() & (u128::MAX << 64);
            IpAddr::V6(Ipv6Addr::from_bits(network))
        }
        address => address,
    }
}

/// A value for each of the peers that came last. When as many are young as may be, they become the
/// old ones, and those that were old are forgotten: no search, and never a long one at once.
#[derive(Debug)]
struct Peers {
    young: HashMap<IpAddr, u64>,
    old: HashMap<IpAddr, u64>,
    /// How many may be young.
    most: usize,
}

impl Peers {
    fn new(most: usize) -> Peers {
        Peers {
            young: HashMap::new(),
            old: HashMap::new(),
            most: (most / 2).max(1),
        }
    }

    fn get(&self, peer: IpAddr) -> u64 {
        let known = self.young.get(&peer).or_else(|| self.old.get(&peer));
        known.copied().unwrap_or(0)
    }

    fn set(&mut self, peer: IpAddr, value: u64) {
        if self.young.len() >= self.most && !self.young.contains_key(&peer) {
            // The memory of the old ones serves again.
            std::mem::swap(&mut self.young, &mut self.old);
            self.young.clear();
        }
        self.young.insert(peer, value);
    }
}

impl Middleware for RateLimit {
    fn call(&self, request: Request, next: Next) -> Answer {
        let now_ns = u64::try_from(request.time().now().as_nanos()).unwrap_or(u64::MAX);
        match self.admit(request.peer().ip(), now_ns) {
            Ok(()) => next.run(request),
            Err(wait) => {
                let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
                Answer::ready(
                    Response::error(StatusCode::TOO_MANY_REQUESTS, "")
                        .with_header(RETRY_AFTER, HeaderValue::from(seconds)),
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND_NS: u64 = 1_000_000_000;

    fn peer(number: u32) -> IpAddr {
        std::net::Ipv4Addr::from_bits(number).into()
    }

    #[test]
    fn a_burst_and_then_the_rate() {
        let limit = RateLimit::new(2, Duration::from_secs(1)).burst(3);
        let wait = |halves: u64| Err(Duration::from_millis(500 * halves));
        let table = [
            (0, vec![Ok(()), Ok(()), Ok(()), wait(1), wait(1)]),
            (SECOND_NS / 2, vec![Ok(()), wait(1)]),
            (3 * SECOND_NS, vec![Ok(()), Ok(()), Ok(()), wait(1)]),
        ];
        for (now_ns, outcomes) in table {
            for outcome in outcomes {
                assert_eq!(limit.admit(peer(1), now_ns), outcome, "{now_ns}");
            }
        }
        assert_eq!(limit.admit(peer(2), 0), Ok(()));
    }

    #[test]
    fn who_is_one_peer() {
        let table = [
            ("1.2.3.4", "::ffff:1.2.3.4", true),
            ("1.2.3.4", "1.2.3.5", false),
            ("2001:db8::1", "2001:db8::ffff:0:0:2", true),
            ("2001:db8::1", "2001:db8:0:1::1", false),
        ];
        for (one, other, is_same) in table {
            let keys = [one, other].map(|text| key(text.parse().unwrap()));
            assert_eq!(keys[0] == keys[1], is_same, "{one} {other}");
        }
    }

    #[test]
    fn memory_is_bounded_and_who_asks_on_is_remembered() {
        let limit = RateLimit::new(1, Duration::from_secs(1000)).peers(100);
        assert_eq!(limit.admit(peer(0), 0), Ok(()));
        for number in 1..10_000 {
            assert_eq!(limit.admit(peer(number), 0), Ok(()));
            let peers = limit.peers.borrow();
            assert!(peers.young.len() + peers.old.len() <= 100);
        }
        for number in 9_950..10_000 {
            assert!(limit.admit(peer(number), 0).is_err(), "{number}");
        }
        assert_eq!(limit.admit(peer(0), 0), Ok(()));
    }

    #[test]
    fn who_is_refused_is_remembered() {
        let limit = RateLimit::new(1, Duration::from_secs(1000)).peers(4);
        assert_eq!(limit.admit(peer(0), 0), Ok(()));
        for number in 1..100 {
            assert_eq!(limit.admit(peer(number), 0), Ok(()));
            let wait = Err(Duration::from_secs(1000));
            assert_eq!(limit.admit(peer(0), 0), wait, "{number}");
        }
    }

    #[test]
    fn what_is_no_rate_is_told_at_once() {
        for (requests, per) in [
            (0, Duration::from_secs(1)),
            (2, Duration::from_nanos(1)),
            (1, Duration::MAX),
        ] {
            assert!(std::panic::catch_unwind(|| RateLimit::new(requests, per)).is_err());
        }
    }
}
