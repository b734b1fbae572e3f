//! Whose part a request is, as its peer tells: W3C Trace Context, the field `traceparent`.

use std::fmt;

use crate::app::Request;

/// The trace that a request is a part of, from its `traceparent` field
/// (<https://www.w3.org/TR/trace-context/>).
///
/// It displays as that field. [`Spans`](super::Spans) puts it into the extensions of the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceParent {
    /// The trace; never 0.
    pub trace_id: u128,
    /// The span of the peer that sent the request; never 0.
    pub parent_id: u64,
    /// Bit 0 says that the peer may have recorded the trace.
    pub flags: u8,
}

/// The length of the field in version 00, in bytes.
const LENGTH: usize = 55;

impl TraceParent {
    /// The one of `request`, if it has one field of that name, and that is well-formed.
    pub fn of(request: &Request) -> Option<TraceParent> {
        let mut fields = request.head().field_values("traceparent");
        match (fields.next(), fields.next()) {
            (Some(field), None) => TraceParent::parse(field),
            _ => None,
        }
    }

    /// What `field` says; `None` if it is malformed. Of later versions it reads what version 00 has.
    pub fn parse(field: &[u8]) -> Option<TraceParent> {
        let (known, rest) = field.split_at_checked(LENGTH)?;
        let parts = [&known[..2], &known[3..35], &known[36..52], &known[53..]];
        let are_split = [2, 35, 52].iter().all(|&at| known[at] == b'-');
        let [version, trace_id, parent_id, flags] = parts.map(hexadecimal);
        let (version, trace_id) = (version?, trace_id?);
        let parent_id = u64::try_from(parent_id?).ok()?;
        let is_version = match version {
            0 => rest.is_empty(),
            0xff => false,
            _ => rest.first().is_none_or(|&octet| octet == b'-'),
        };
        (are_split && is_version && trace_id != 0 && parent_id != 0).then_some(TraceParent {
            trace_id,
            parent_id,
            flags: u8::try_from(flags?).ok()?,
        })
    }
}

/// Small letters alone, and no sign.
fn hexadecimal(digits: &[u8]) -> Option<u128> {
    digits.iter().try_fold(0, |number: u128, &digit| {
        let digit = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some(number << 4 | u128::from(digit))
    })
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let TraceParent {
            trace_id,
            parent_id,
            flags,
        } = self;
        write!(f, "00-{trace_id:032x}-{parent_id:016x}-{flags:02x}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIELD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn fields_are_read_strictly() {
        let table = [
            (FIELD.to_owned(), true),
            (FIELD.replacen("00-", "cc-", 1), true),
            (FIELD.replacen("00-", "cc-", 1) + "-more", true),
            (FIELD.replacen("00-", "cc-", 1) + "more", false),
            (FIELD.replacen("00-", "ff-", 1), false),
            (FIELD.to_owned() + "-more", false),
            (FIELD[1..].to_owned(), false),
            (FIELD.to_uppercase(), false),
            (FIELD.replace("00f067aa0ba902b7", &"0".repeat(16)), false),
            (
                FIELD.replace("4bf92f3577b34da6a3ce929d0e0e4736", &"0".repeat(32)),
                false,
            ),
            (FIELD.replace("-01", "-0g"), false),
            (FIELD.replace("-01", "-+1"), false),
            (FIELD.replace('-', "_"), false),
            (FIELD.replace("-01", "_01"), false),
            (String::new(), false),
        ];
        for (field, is_read) in table {
            let read = TraceParent::parse(field.as_bytes());
            assert_eq!(read.is_some(), is_read, "{field}");
            if let Some(read) = read {
                assert_eq!(read.to_string(), FIELD, "{field}");
            }
        }
        let read = TraceParent::parse(FIELD.as_bytes()).unwrap();
        assert_eq!((read.trace_id >> 96, read.flags), (0x4bf9_2f35, 1));
        assert_eq!(read.parent_id, 0x00f0_67aa_0ba9_02b7);
    }
}
