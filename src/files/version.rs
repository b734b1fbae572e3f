//! One version of a file, as the file system tells it from others. It is pure: what `fstat(2)` said,
//! and what follows from it.

use std::cmp::Ordering;
use std::time::{Duration, SystemTime};

use http::HeaderValue;
use rustix::fs::Stat;

use crate::limits::RACY_CHANGE;

/// What tells one version of a file from every other. Two that are equal have the same content, as far
/// as the file system's clock is fine enough: see [`Version::is_racy`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Version {
    device: u64,
    inode: u64,
    length: u64,
    /// When the content was changed last, in nanoseconds since 1970.
    modified_ns: i128,
    /// When content or properties were: nobody can set this time.
    changed_ns: i128,
}

/// What a later look at a file tells of the version that was seen before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is the same.
    None,
    /// It may be the same with more behind it, as a log has that is being written, or the same under
    /// other names and permissions.
    Grown,
    /// It was written to and is no longer than it was: in its midst, or at its end just now, for Linux
    /// sets the time of a write before, and the length behind it.
    Unsettled,
    /// It is another.
    Other,
}

impl Version {
    /// The version that `fstat(2)` described.
    pub fn of(stat: &Stat) -> Self {
        let time = |seconds: i64, ns| i128::from(seconds) * 1_000_000_000 + i128::from(ns);
        Self {
            device: stat.st_dev,
            inode: stat.st_ino,
            length: u64::try_from(stat.st_size).unwrap_or(0),
            modified_ns: time(stat.st_mtime, stat.st_mtime_nsec),
            changed_ns: time(stat.st_ctime, stat.st_ctime_nsec),
        }
    }

    /// Bytes of content.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// When the content was changed last, in seconds since 1970.
    pub fn modified_seconds(&self) -> i64 {
        self.modified_ns.div_euclid(1_000_000_000) as i64
    }

    /// What may have become of this version, where the file is `later` by now.
    pub fn change_to(&self, later: &Self) -> Change {
        let is_same_file = self.device == later.device && self.inode == later.inode;
        match later.length.cmp(&self.length) {
            _ if self == later => Change::None,
            _ if !is_same_file => Change::Other,
            Ordering::Less => Change::Other,
            Ordering::Equal if self.modified_ns == later.modified_ns => Change::Grown,
            Ordering::Equal => Change::Unsettled,
            Ordering::Greater => Change::Grown,
        }
    }

    /// Whether this file was written no earlier than `other`. Some programs that give a file the time
    /// of another copy its seconds alone.
    pub fn is_as_new_as(&self, other: &Self) -> bool {
        const SECOND_NS: i128 = 1_000_000_000;
        let is_whole = self.modified_ns % SECOND_NS == 0;
        let since = match is_whole {
            true => other.modified_ns - other.modified_ns.rem_euclid(SECOND_NS),
            false => other.modified_ns,
        };
        self.modified_ns >= since
    }

    /// The second of the last change, for Last-Modified; `None` before 1970.
    ///
    /// RFC 9110 §8.8.2.1: no file may claim to be younger than its response, which is dated `now` at
    /// the earliest.
    pub fn modified(&self, now: Duration) -> Option<SystemTime> {
        let seconds = u64::try_from(self.modified_ns).ok()? / 1_000_000_000;
        let seconds = seconds.min(now.as_secs());
        SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
    }

    /// Whether the second of the last change tells this version from all others (RFC 9110 §8.8.2.2):
    /// another change in that second cannot come any more, and nothing was done to the file since. Whoever
    /// set its time may have written to it as well, and before, so that other content had the same date.
    ///
    /// What was read within that second may have been changed in the rest of it. Its peer can tell by the
    /// Date of the response, and then has no validator in the date (RFC 9110 §13.1.5).
    pub fn is_dated_strongly(&self, now: Duration) -> bool {
        const SECOND_NS: i128 = 1_000_000_000;
        let second = self.modified_ns.div_euclid(SECOND_NS);
        let is_over = u64::try_from(second).is_ok_and(|second| second + 1 < now.as_secs());
        is_over && self.changed_ns.div_euclid(SECOND_NS) == second
    }

    /// Whether the file was changed so shortly before `now`, or is said to be changed after it, that
    /// another change could have the same time: file systems take it from a clock that stands still
    /// between two ticks of the kernel.
    pub fn is_racy(&self, now: Duration) -> bool {
        let settled = i128::try_from(now.saturating_sub(RACY_CHANGE).as_nanos());
        settled.is_ok_and(|settled| self.changed_ns > settled)
    }

    /// The entity tag made of length, time and inode; weak while the version [is
    /// racy](Version::is_racy) (RFC 9110 §8.8.1). The time is that which nobody can set: with the other, a file
    /// whose time is set back behind a change of the same length would keep the tag of what it was.
    pub fn entity_tag(&self, now: Duration) -> Option<HeaderValue> {
        let Self {
            length,
            changed_ns,
            inode,
            ..
        } = self;
        let weakness = if self.is_racy(now) { "W/" } else { "" };
        HeaderValue::try_from(format!("{weakness}\"{length:x}-{changed_ns:x}-{inode:x}\"")).ok()
    }
}

#[cfg(test)]
impl Version {
    /// A version for tests: its inode, its length, and the time of its change.
    pub(crate) fn made(inode: u64, length: u64, changed: Duration) -> Self {
        let changed_ns = changed.as_nanos() as i128;
        Self {
            device: 1,
            inode,
            length,
            modified_ns: changed_ns,
            changed_ns,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(1_000_000);

    #[test]
    fn a_tag_is_weak_until_the_clock_has_moved_on() {
        let at = |changed| Version::made(5, 16, changed).entity_tag(NOW).unwrap();
        let settled = NOW - RACY_CHANGE;
        assert_eq!(
            at(settled),
            format!("\"10-{:x}-5\"", settled.as_nanos()).as_str()
        );
        let racy = settled + Duration::from_nanos(1);
        assert_eq!(
            at(racy),
            format!("W/\"10-{:x}-5\"", racy.as_nanos()).as_str()
        );
        assert!(at(NOW + NOW).to_str().unwrap().starts_with("W/"));
        // Its time was set back.
        let version = Version::made(5, 16, settled);
        let again = Version {
            changed_ns: version.changed_ns + 1,
            ..version
        };
        assert_ne!(version.entity_tag(NOW + NOW), again.entity_tag(NOW + NOW));
    }

    #[test]
    fn a_file_is_as_new_as_another_by_the_second_if_it_has_no_finer_time() {
        let at = |ns| Version::made(1, 1, Duration::from_nanos(ns));
        let table = [
            (2_500_000_000, 2_500_000_000, true),
            (2_499_999_999, 2_500_000_000, false),
            (2_500_000_001, 2_500_000_000, true),
            (2_000_000_000, 2_500_000_000, true),
            (2_000_000_001, 2_500_000_000, false),
            (1_000_000_000, 2_000_000_000, false),
        ];
        for (ours, theirs, expected) in table {
            assert_eq!(at(ours).is_as_new_as(&at(theirs)), expected, "{ours}");
        }
    }

    #[test]
    fn no_file_is_younger_than_its_response() {
        let modified = |changed| {
            let modified = Version::made(1, 1, changed).modified(NOW);
            modified.and_then(|time| time.duration_since(SystemTime::UNIX_EPOCH).ok())
        };
        assert_eq!(modified(NOW + NOW), Some(NOW));
        let before = Duration::from_millis(5_999);
        assert_eq!(modified(before), Some(Duration::from_secs(5)));
        let long_ago = Version {
            modified_ns: -1,
            ..Version::made(1, 1, NOW)
        };
        assert_eq!(long_ago.modified(NOW), None);
    }

    #[test]
    fn a_date_is_strong_once_its_second_is_over() {
        let is_strong = |changed| Version::made(1, 1, changed).is_dated_strongly(NOW);
        assert!(is_strong(NOW - Duration::from_secs(2)));
        assert!(!is_strong(NOW - Duration::from_secs(1)));
        assert!(!is_strong(NOW + NOW));
        let version = Version::made(1, 1, Duration::from_millis(2_500));
        for (changed_ns, expected) in [
            (1_999_999_999, false),
            (2_000_000_000, true),
            (2_999_999_999, true),
            // Its time was set, or something else was done to it.
            (3_000_000_000, false),
        ] {
            let version = Version {
                changed_ns,
                ..version
            };
            assert_eq!(version.is_dated_strongly(NOW), expected, "{changed_ns}");
        }
    }

    #[test]
    fn what_became_of_a_version_is_told_by_its_file() {
        let version = Version::made(1, 10, NOW);
        let renamed = Version {
            changed_ns: version.changed_ns + 1,
            ..version
        };
        let table = [
            (version, Change::None),
            (renamed, Change::Grown),
            (Version::made(1, 11, NOW + NOW), Change::Grown),
            (Version::made(1, 10, NOW + NOW), Change::Unsettled),
            (Version::made(1, 9, NOW), Change::Other),
            (Version::made(2, 11, NOW), Change::Other),
            (Version::made(2, 10, NOW), Change::Other),
        ];
        for (later, change) in table {
            assert_eq!(version.change_to(&later), change, "{later:?}");
        }
    }
}
