//! A moment as RFC 3339 text in UTC, to the second. It parses nothing.

use std::time::{SystemTime, UNIX_EPOCH};

const DAY_SECONDS: u64 = 24 * 60 * 60;
/// The Gregorian calendar repeats after this many days, which are 400 years.
const CYCLE_DAYS: u64 = 400 * 365 + 97;

/// Writes `time` as in `2026-11-23T10:04:00Z` (RFC 3339 §5.6, `date-time`). A clock that is set
/// to before 1970 is shown as its beginning.
pub(crate) fn rfc3339(time: SystemTime) -> String {
    let seconds = time
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs();
    let (year, month, day) = date(seconds / DAY_SECONDS);
    let (hour, minute) = (seconds / 3_600 % 24, seconds / 60 % 60);
    let second = seconds % 60;
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// Year, month and day, the latter two from 1, of a number of days after 1970-01-01.
fn date(days: u64) -> (u64, u64, u64) {
    let mut year = 1970 + days / CYCLE_DAYS * 400;
    let mut rest = days % CYCLE_DAYS;
    while rest >= year_days(year) {
        rest -= year_days(year);
        year += 1;
    }
    let mut month = 1;
    while rest >= month_days(year, month) {
        rest -= month_days(year, month);
        month += 1;
    }
    (year, month, rest + 1)
}

fn year_days(year: u64) -> u64 {
    365 + u64::from(is_leap(year))
}

fn month_days(year: u64, month: u64) -> u64 {
    match month {
        2 => 28 + u64::from(is_leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// RFC 3339, appendix C.
fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn known_moments() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (DAY_SECONDS - 1, "1970-01-01T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (951_868_800, "2000-03-01T00:00:00Z"),
            (1_795_428_240, "2026-11-23T10:04:00Z"),
            (4_107_542_399, "2100-02-28T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
            (253_402_300_799, "9999-12-31T23:59:59Z"),
        ] {
            let time = UNIX_EPOCH + Duration::from_secs(seconds);
            assert_eq!(rfc3339(time), text);
        }
    }

    #[test]
    fn a_clock_before_1970_is_shown_as_1970() {
        let time = UNIX_EPOCH - Duration::from_secs(1);
        assert_eq!(rfc3339(time), "1970-01-01T00:00:00Z");
    }

    #[test]
    fn every_day_of_a_whole_cycle_agrees_with_the_date_header() {
        const MONTHS: [&str; 12] = [
            "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
        ];
        for day in 0..CYCLE_DAYS + 400 {
            let time = UNIX_EPOCH + Duration::from_secs(day * DAY_SECONDS + day % DAY_SECONDS);
            // "Sun, 06 Nov 1994 08:49:37 GMT"
            let header = httpdate::fmt_http_date(time);
            let month = MONTHS.iter().position(|name| *name == &header[8..11]);
            let expected = format!(
                "{}-{:02}-{}T{}Z",
                &header[12..16],
                month.unwrap_or(0) + 1,
                &header[5..7],
                &header[17..25],
            );
            assert_eq!(rfc3339(time), expected);
        }
    }
}
