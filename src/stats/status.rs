//! How often each status code was sent; not what a code means.

/// One counter for each code from 100 to 599, and one for those outside.
const CODES: usize = 500;
const FIRST_CODE: usize = 100;
const INVALID: usize = CODES;

/// Codes that a server has sent before long, its own among them, and those by which it fails: they are told of from the
/// start. A counter that appears with its first response has not grown by it for whoever takes differences.
const USUAL: [u16; 32] = [
    200, 201, 202, 204, 206, 301, 302, 303, 304, 307, 308, 400, 401, 403, 404, 405, 408, 409, 410,
    412, 413, 414, 415, 416, 422, 429, 431, 500, 501, 502, 503, 504,
];

/// Responses by status code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusCounts {
    counts: Box<[u64; CODES + 1]>,
}

impl StatusCounts {
    pub(super) fn new() -> StatusCounts {
        StatusCounts {
            counts: Box::new([0; CODES + 1]),
        }
    }

    /// Counts so many responses.
    #[inline]
    pub(super) fn record(&mut self, status: u16, count: u64) {
        // A code below the first wraps to a slot far beyond the last.
        let slot = usize::from(status).wrapping_sub(FIRST_CODE);
        self.counts[slot.min(INVALID)] += count;
    }

    /// Becomes a copy of `source` without allocating.
    pub(super) fn copy_from(&mut self, source: &StatusCounts) {
        *self.counts = *source.counts;
    }

    #[cfg(test)]
    pub(super) fn memory(&self) -> *const u64 {
        self.counts.as_ptr()
    }

    /// Changes each count by that of `other`.
    pub(super) fn change(&mut self, other: &StatusCounts, change: impl Fn(&mut u64, u64)) {
        for (count, by) in self.counts.iter_mut().zip(other.counts.iter()) {
            change(count, *by);
        }
    }

    /// Responses of each class, from 1xx to 5xx. Their sum is the number of responses.
    ///
    /// RFC 9110 §15: a client processes a response with a code outside 100 to 599 as if it had a
    /// 5xx, so that is where these are counted.
    pub fn classes(&self) -> [u64; 5] {
        let mut classes = [0; 5];
        for (slot, count) in self.counts.iter().enumerate() {
            classes[(slot / 100).min(4)] += count;
        }
        classes
    }

    /// The valid codes that were sent at least once, in ascending order, each with its count.
    pub fn codes(&self) -> impl Iterator<Item = (u16, u64)> + '_ {
        self.all().filter(|&(_, count)| count > 0)
    }

    /// The same with those that are usual, sent or not.
    pub(super) fn usual_codes(&self) -> impl Iterator<Item = (u16, u64)> + '_ {
        self.all()
            .filter(|(code, count)| *count > 0 || USUAL.contains(code))
    }

    fn all(&self) -> impl Iterator<Item = (u16, u64)> + '_ {
        (FIRST_CODE as u16..).zip(self.counts[..CODES].iter().copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_code_has_its_class_and_each_valid_one_its_count() {
        for (status, class, listed) in [
            (0, 4, false),
            (99, 4, false),
            (100, 0, true),
            (199, 0, true),
            (200, 1, true),
            (304, 2, true),
            (499, 3, true),
            (500, 4, true),
            (599, 4, true),
            (600, 4, false),
            (u16::MAX, 4, false),
        ] {
            let mut counts = StatusCounts::new();
            counts.record(status, 1);
            counts.record(status, 1);
            let mut classes = [0; 5];
            classes[class] = 2;
            assert_eq!(counts.classes(), classes, "{status}");
            let codes: Vec<_> = counts.codes().collect();
            let expected = if listed { vec![(status, 2)] } else { vec![] };
            assert_eq!(codes, expected, "{status}");
        }
    }

    #[test]
    fn usual_codes_are_there_from_the_start() {
        let mut counts = StatusCounts::new();
        let told: Vec<_> = counts.usual_codes().collect();
        assert_eq!(told, USUAL.map(|code| (code, 0)));
        for status in [599, 500, 100, 599, 600] {
            counts.record(status, 1);
        }
        let told: Vec<_> = counts.usual_codes().collect();
        assert!(told.is_sorted(), "{told:?}");
        assert_eq!(told.len(), USUAL.len() + 2);
        for counted in [(100, 1), (200, 0), (500, 1), (599, 2)] {
            assert!(told.contains(&counted), "{counted:?}");
        }
    }

    #[test]
    fn codes_come_in_order_and_add_up() {
        let mut counts = StatusCounts::new();
        let mut other = StatusCounts::new();
        for status in [404, 200, 700, 200] {
            counts.record(status, 1);
            other.record(status, 1);
        }
        counts.change(&other, |count, more| *count += more);
        assert_eq!(counts.codes().collect::<Vec<_>>(), [(200, 4), (404, 2)]);
        assert_eq!(counts.classes(), [0, 4, 0, 2, 2]);
    }
}
