//! The limits that can be configured, by name: what each counts, its range, and where it stands in
//! [`Limits`]. What must hold between them is not here.

use super::{CONNECTIONS, LimitError, Limits};
use std::fmt;
use std::time::Duration;

/// What a limit counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    Bytes,
    Count,
    /// A number, or none for no limit, which is `u64::MAX`.
    CountOrNone,
    /// Nanoseconds.
    Time,
    /// Nanoseconds, or none for no limit, which is `u64::MAX`.
    TimeOrNone,
}

/// One limit: its name and range, and where it stands in [`Limits`].
#[derive(Debug)]
pub(crate) struct Limit {
    pub(crate) name: &'static str,
    pub(crate) unit: Unit,
    pub(super) least: u64,
    pub(crate) most: u64,
    slot: fn(&mut Limits) -> Slot<'_>,
}

/// The place of a limit's value, by its type.
enum Slot<'a> {
    Size(&'a mut usize),
    Wide(&'a mut u64),
    Optional(&'a mut Option<u64>),
    Time(&'a mut Duration),
    OptionalTime(&'a mut Option<Duration>),
}

pub(super) const GIB: u64 = 1 << 30;
pub(super) const MILLISECOND_NS: u64 = 1_000_000;
pub(super) const DAY_NS: u64 = 24 * 60 * 60 * 1_000 * MILLISECOND_NS;

/// Every limit that can be configured.
pub(crate) static LIMITS: [Limit; 20] = {
    use Slot::{Optional, OptionalTime, Size, Time, Wide};
    const fn bytes(name: &'static str, least: u64, most: u64, slot: Place) -> Limit {
        limit(name, Unit::Bytes, least, most, slot)
    }
    const fn time(name: &'static str, slot: Place) -> Limit {
        limit(name, Unit::Time, MILLISECOND_NS, DAY_NS, slot)
    }
    [
        // The shortest is `GET / HTTP/1.1`.
        bytes("request_line_bytes", 16, GIB, |l| {
            Size(&mut l.head.request_line_bytes)
        }),
        bytes("field_section_bytes", 17, GIB, |l| {
            Size(&mut l.head.field_section_bytes)
        }),
        // Every request has a Host.
        limit("field_lines", Unit::Count, 1, 10_000, |l| {
            Size(&mut l.head.field_lines)
        }),
        bytes("body_bytes", 0, 1 << 50, |l| Wide(&mut l.body_bytes)),
        // 16 digits and CR LF.
        bytes("chunk_line_bytes", 18, GIB, |l| {
            Size(&mut l.chunk_line_bytes)
        }),
        bytes("chunk_excess_bytes", 18, GIB, |l| {
            Size(&mut l.chunk_excess_bytes)
        }),
        // The empty line that every trailer section has.
        bytes("trailer_bytes", 2, GIB, |l| Size(&mut l.trailer_bytes)),
        time("head_timeout", |l| Time(&mut l.head_timeout)),
        time("idle_timeout", |l| Time(&mut l.idle_timeout)),
        time("body_timeout", |l| Time(&mut l.body_timeout)),
        bytes("body_rate_bytes", 0, GIB, |l| Wide(&mut l.body_rate_bytes)),
        time("write_timeout", |l| Time(&mut l.write_timeout)),
        bytes("write_rate_bytes", 0, GIB, |l| {
            Wide(&mut l.write_rate_bytes)
        }),
        limit(
            "handler_timeout",
            Unit::TimeOrNone,
            MILLISECOND_NS,
            u64::MAX,
            |l| OptionalTime(&mut l.handler_timeout),
        ),
        time("linger_timeout", |l| Time(&mut l.linger_timeout)),
        bytes("linger_bytes", 0, GIB, |l| Size(&mut l.linger_bytes)),
        bytes("unread_body_bytes", 0, GIB, |l| {
            Wide(&mut l.unread_body_bytes)
        }),
        limit(
            "requests_per_connection",
            Unit::CountOrNone,
            1,
            u64::MAX,
            |l| Optional(&mut l.requests_per_connection),
        ),
        limit("connections", Unit::Count, 1, CONNECTIONS as u64, |l| {
            Size(&mut l.connections)
        }),
        limit("pipelined_requests", Unit::Count, 1, 1 << 16, |l| {
            Size(&mut l.pipelined_requests)
        }),
    ]
};

type Place = fn(&mut Limits) -> Slot<'_>;

const fn limit(name: &'static str, unit: Unit, least: u64, most: u64, slot: Place) -> Limit {
    Limit {
        name,
        unit,
        least,
        most,
        slot,
    }
}

impl Limit {
    /// The limit of this name, if there is one.
    pub(crate) fn named(name: &str) -> Option<&'static Self> {
        LIMITS.iter().find(|limit| limit.name == name)
    }

    /// Its value in `limits`; one that is too large to tell is `u64::MAX`.
    pub(crate) fn value(&self, limits: &Limits) -> u64 {
        let mut copy = *limits;
        match (self.slot)(&mut copy) {
            Slot::Size(size) => *size as u64,
            Slot::Wide(wide) => *wide,
            Slot::Optional(optional) => optional.unwrap_or(u64::MAX),
            Slot::Time(time) => nanoseconds(*time),
            Slot::OptionalTime(time) => time.map_or(u64::MAX, nanoseconds),
        }
    }

    /// Sets it in `limits`, whether it is in its range or not.
    pub(crate) fn set(&self, limits: &mut Limits, value: u64) {
        match (self.slot)(limits) {
            Slot::Size(size) => *size = usize::try_from(value).unwrap_or(usize::MAX),
            Slot::Wide(wide) => *wide = value,
            Slot::Optional(optional) => *optional = Some(value).filter(|value| *value < u64::MAX),
            Slot::Time(time) => *time = Duration::from_nanos(value),
            Slot::OptionalTime(time) => {
                *time = Some(value)
                    .filter(|value| *value < u64::MAX)
                    .map(Duration::from_nanos);
            }
        }
    }

    /// Makes sure that it is in its range.
    pub(crate) fn prove(&self, limits: &Limits) -> Result<(), LimitError> {
        let value = self.value(limits);
        if (self.least..=self.most).contains(&value) {
            return Ok(());
        }
        let shown = |value| self.unit.shown(value);
        let (than, bound) = if value < self.least {
            ("less", self.least)
        } else {
            ("more", self.most)
        };
        Err(LimitError {
            name: self.name,
            other: None,
            what: format!("{} is {than} than {}", shown(value), shown(bound)),
            mend: format!(
                "give it a value from {} to {}",
                shown(self.least),
                shown(self.most)
            ),
        })
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

impl Unit {
    /// A value as it is written in a configuration.
    pub(crate) fn shown(self, value: u64) -> impl fmt::Display {
        let units: &[(u64, &str)] = match self {
            Self::Count => &[],
            Self::CountOrNone | Self::TimeOrNone if value == u64::MAX => return "none".to_owned(),
            Self::CountOrNone => &[],
            Self::Bytes => &[(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")],
            Self::Time | Self::TimeOrNone => &[
                (3_600_000 * MILLISECOND_NS, "h"),
                (1_000 * MILLISECOND_NS, "s"),
                (MILLISECOND_NS, "ms"),
                (1, "ns"),
            ],
        };
        let whole = |(size, _): &&(u64, &str)| {
            value.is_multiple_of(*size) && (value > 0 || *size == MILLISECOND_NS)
        };
        match units.iter().find(whole) {
            Some((size, unit)) => format!("{}{unit}", value / size),
            None => value.to_string(),
        }
    }
}
