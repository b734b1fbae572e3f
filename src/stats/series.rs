//! Whose latencies are told apart: routes, methods, classes of status and stages of a request.

use http::Method;

/// Whose request it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Whose(u32);

impl Whose {
    /// Of routes beyond those that are told apart.
    pub(super) const OTHER: Whose = Whose(0);
    /// No route's: refused, or nothing that any route is for.
    pub const UNMATCHED: Whose = Whose(1);
    /// The server's own: `/stats` and `/metrics`, and all that comes to an address of theirs.
    pub const STATS: Whose = Whose(2);
    /// The server's own `/healthz`.
    pub const HEALTH: Whose = Whose(3);
    /// How many are not of routes.
    const FIXED: u32 = 4;

    /// That of the route with this number in its app.
    pub const fn route(number: u16) -> Whose {
        Whose(number as u32 + Self::FIXED)
    }

    /// The number of the route, if it is one's.
    pub(super) const fn number(self) -> Option<u16> {
        match self.0.checked_sub(Self::FIXED) {
            Some(number) => Some(number as u16),
            None => None,
        }
    }

    pub(super) const fn index(self) -> usize {
        self.0 as usize
    }

    /// As many as an app with `routes` routes has.
    pub(super) const fn count(routes: usize) -> usize {
        routes + Self::FIXED as usize
    }

    /// By which method its requests are told of, if it is not a route's: a peer can send any, so it is one of few.
    pub(super) fn fixed_method(self, method: MethodIndex) -> Option<MethodIndex> {
        let is_read = [MethodIndex::GET, MethodIndex::HEAD].contains(&method);
        match self {
            Whose::STATS | Whose::HEALTH if is_read => Some(method),
            Whose::STATS | Whose::HEALTH | Whose::UNMATCHED => Some(MethodIndex::OTHER),
            _ => None,
        }
    }

    /// How the one that is not a route's is called: as no route can be, of which each has a `/` in its template.
    pub(super) const fn fixed_name(self) -> &'static str {
        match self {
            Whose::UNMATCHED => "_unmatched",
            Whose::STATS => "_stats",
            Whose::HEALTH => "_healthz",
            _ => "_other",
        }
    }
}

/// The methods that are told apart: those of RFC 9110 §9.3 and PATCH (RFC 5789), and all others as one,
/// because a peer can think of any number. The names are those of OpenTelemetry's `http.request.method`.
pub(super) const METHODS: [&str; 10] = [
    "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "CONNECT", "TRACE", "_OTHER",
];

/// A method, by its place in `METHODS`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MethodIndex(u8);

impl MethodIndex {
    pub(super) const GET: MethodIndex = MethodIndex(0);
    pub(super) const HEAD: MethodIndex = MethodIndex(1);

    /// One that is not known, or not told.
    pub const OTHER: MethodIndex = MethodIndex(METHODS.len() as u8 - 1);

    /// That of `method`.
    #[inline]
    pub fn of(method: &Method) -> MethodIndex {
        MethodIndex(match *method {
            Method::GET => return MethodIndex::GET,
            Method::HEAD => return MethodIndex::HEAD,
            Method::POST => 2,
            Method::PUT => 3,
            Method::DELETE => 4,
            Method::OPTIONS => 5,
            Method::PATCH => 6,
            Method::CONNECT => 7,
            Method::TRACE => 8,
            _ => return MethodIndex::OTHER,
        })
    }

    /// Each there is.
    #[cfg(test)]
    pub(super) fn all() -> impl Iterator<Item = MethodIndex> {
        (0..METHODS.len() as u8).map(MethodIndex)
    }

    pub(super) const fn index(self) -> usize {
        self.0 as usize
    }

    /// Its name.
    pub(super) const fn name(self) -> &'static str {
        METHODS[self.0 as usize]
    }
}

/// The classes of status, from 1xx on.
pub(super) const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// The class of `status`. RFC 9110 §15: what is outside 100 to 599 is processed like a 5xx.
#[inline]
pub(super) const fn class_of(status: u16) -> usize {
    match status / 100 {
        class @ 1..=4 => class as usize - 1,
        _ => 4,
    }
}

/// What of a request took time: all of it, and the stages that it is made of, in their order.
pub(super) const STAGES: [&str; 4] = ["queue", "head", "handler", "write"];

/// Latencies of a series: of whole requests, and of their stages.
pub(super) const KINDS: usize = 1 + STAGES.len();

/// The place of the latencies of whole requests; the stages follow.
pub(super) const WHOLE: usize = 0;

/// When a request reached which stage, in nanoseconds on one clock.
///
/// ```text
/// arrived ──queue──▶ begun ──head──▶ parsed ──handler──▶ handled ──write──▶ sent
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Times {
    /// The completion that delivered the last byte of its head was reaped, or ought to have been.
    pub arrived_ns: u64,
    /// Its head began to be parsed; if it came with the one before it, that had been handled.
    pub begun_ns: u64,
    /// Its head was parsed.
    pub parsed_ns: u64,
    /// Its handler had a response.
    pub handled_ns: u64,
}

impl Times {
    /// Nothing but its arrival is known.
    pub const fn arrived(arrived_ns: u64) -> Times {
        Times {
            arrived_ns,
            begun_ns: 0,
            parsed_ns: 0,
            handled_ns: 0,
        }
    }

    /// The latency of the whole, and those of the stages, which add up to it, when the last byte of the
    /// response was sent at `sent_ns`.
    #[inline]
    pub(super) fn latencies(&self, sent_ns: u64) -> [u64; KINDS] {
        // Each is at least the one before, so that no part is lost where a clock is behind another.
        let begun = self.begun_ns.max(self.arrived_ns);
        let parsed = self.parsed_ns.max(begun);
        let handled = self.handled_ns.max(parsed);
        let sent = sent_ns.max(handled);
        [
            sent - self.arrived_ns,
            begun - self.arrived_ns,
            parsed - begun,
            handled - parsed,
            sent - handled,
        ]
    }
}

/// One request, as its connection tells of it when it is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answered {
    /// Whose it is.
    pub whose: Whose,
    /// Its method.
    pub method: MethodIndex,
    /// The status of its response; 0 while it has none.
    pub status: u16,
    /// When it was where.
    pub times: Times,
}

impl Answered {
    /// Whether the other is counted in the same place.
    #[inline]
    pub(super) fn is_like(&self, other: &Answered) -> bool {
        (self.whose, self.method, self.status) == (other.whose, other.method, other.status)
    }

    /// A request of which nothing is known, and that has no response yet.
    pub const fn unmatched(times: Times) -> Answered {
        Answered {
            whose: Whose::UNMATCHED,
            method: MethodIndex::OTHER,
            status: 0,
            times,
        }
    }
}

/// One series: the requests of one route with one method that were answered with one class of status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Series {
    pub(super) whose: Whose,
    pub(super) method: MethodIndex,
    pub(super) class: u8,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_add_up_to_the_whole_whatever_the_clocks_say() {
        let table = [
            // arrived, begun, parsed, handled, sent
            ([10, 12, 15, 30, 100], [90, 2, 3, 15, 70]),
            // The turn's clock is behind the one that was read in it.
            ([10, 12, 15, 30, 20], [20, 2, 3, 15, 0]),
            // Nothing but the arrival is known.
            ([10, 0, 0, 0, 14], [4, 0, 0, 0, 4]),
            ([10, 5, 20, 15, 25], [15, 0, 10, 0, 5]),
        ];
        for ([arrived_ns, begun_ns, parsed_ns, handled_ns, sent_ns], expected) in table {
            let times = Times {
                arrived_ns,
                begun_ns,
                parsed_ns,
                handled_ns,
            };
            let latencies = times.latencies(sent_ns);
            assert_eq!(latencies, expected);
            assert_eq!(latencies[1..].iter().sum::<u64>(), latencies[WHOLE]);
        }
    }

    #[test]
    fn classes() {
        for (status, class) in [(100, 0), (199, 0), (200, 1), (404, 3), (599, 4)] {
            assert_eq!(class_of(status), class, "{status}");
        }
        for status in [0, 99, 600, u16::MAX] {
            assert_eq!(class_of(status), 4, "{status}");
        }
    }

    #[test]
    fn methods_have_the_names_of_their_places() {
        for name in METHODS {
            let method: Method = name.parse().expect("a token");
            assert_eq!(MethodIndex::of(&method).name(), name);
        }
        assert_eq!(
            MethodIndex::of(&Method::from_bytes(b"BREW").expect("a token")).name(),
            "_OTHER"
        );
    }

    #[test]
    fn routes_are_numbered_behind_what_is_fixed() {
        for number in [0, 7, u16::MAX] {
            assert_eq!(Whose::route(number).number(), Some(number));
        }
        for fixed in [Whose::OTHER, Whose::UNMATCHED, Whose::STATS, Whose::HEALTH] {
            assert_eq!(fixed.number(), None);
            assert!(fixed.index() < Whose::count(0));
        }
        assert_eq!(Whose::route(0).index(), Whose::count(0));
    }
}
