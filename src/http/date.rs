//! Dates as HTTP writes them, from and to times that are given: nothing here reads a clock.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// 9999-12-31T23:59:59Z: the last second that four digits of a year can name.
const LAST_SECOND: u64 = 253_402_300_799;

/// A date in the one form that is sent, IMF-fixdate (RFC 9110 §5.6.7):
/// `Sun, 06 Nov 1994 08:49:37 GMT`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct HttpDate([u8; 29]);

impl HttpDate {
    /// The date of a time in whole seconds since 1970-01-01T00:00:00Z.
    ///
    /// Times after the year 9999 are written as its last second.
    pub fn from_unix_seconds(seconds: u64) -> Self {
        let time = UNIX_EPOCH + Duration::from_secs(seconds.min(LAST_SECOND));
        let mut text = [b' '; 29];
        for (place, octet) in text.iter_mut().zip(httpdate::fmt_http_date(time).bytes()) {
            *place = octet;
        }
        Self(text)
    }

    /// The 29 octets of the date.
    #[inline]
    pub fn as_bytes(&self) -> &[u8; 29] {
        &self.0
    }

    /// The date as text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// Reads a date in any of the three forms that RFC 9110 §5.6.7 has a recipient accept.
    ///
    /// `None` if it is none of them or names no real second from 1970 to 9999. A condition with
    /// such a date is ignored (RFC 9110 §13.1.3).
    pub fn parse(value: &[u8]) -> Option<SystemTime> {
        httpdate::parse_http_date(std::str::from_utf8(value).ok()?).ok()
    }
}

impl fmt::Display for HttpDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for HttpDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HttpDate({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_become_dates() {
        for (seconds, date) in [
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
            (1_709_164_800, "Thu, 29 Feb 2024 00:00:00 GMT"),
            (LAST_SECOND, "Fri, 31 Dec 9999 23:59:59 GMT"),
            (LAST_SECOND + 1, "Fri, 31 Dec 9999 23:59:59 GMT"),
            (u64::MAX, "Fri, 31 Dec 9999 23:59:59 GMT"),
        ] {
            assert_eq!(HttpDate::from_unix_seconds(seconds).to_string(), date);
        }
    }

    #[test]
    fn dates_become_seconds() {
        let cases: &[(&[u8], Option<u64>)] = &[
            (b"Sun, 06 Nov 1994 08:49:37 GMT", Some(784_111_777)),
            (b"Sunday, 06-Nov-94 08:49:37 GMT", Some(784_111_777)),
            (b"Sun Nov  6 08:49:37 1994", Some(784_111_777)),
            (b"Fri, 31 Dec 9999 23:59:59 GMT", Some(LAST_SECOND)),
            (b"Sun, 06 Nov 1994 08:49:37 +0000", None),
            (b"Sun, 31 Feb 1994 08:49:37 GMT", None),
            (b"Sun, 06 Nov 1994 08:49:60 GMT", None),
            (b"Thu, 01 Jan 1960 00:00:00 GMT", None),
            (b"784111777", None),
            (b"", None),
            (b"\xff", None),
        ];
        for &(text, seconds) in cases {
            let expected = seconds.map(|seconds| UNIX_EPOCH + Duration::from_secs(seconds));
            assert_eq!(HttpDate::parse(text), expected, "{}", text.escape_ascii());
        }
    }
}
