//! Latencies since the last snapshot: what the hot path writes. It is emptied into a [`Snapshot`], which
//! leaves the core; what has been is added up elsewhere.
//!
//! Memory: 64 counters of 4 bytes for each block of the scale that was ever needed, 15 KiB when all
//! were. A service's latencies lie in a few of the 60.
//!
//! [`Snapshot`]: super::Snapshot

use super::scale::{BLOCK, BLOCKS, index_of};
use crate::limits::LATENCY_MAX_NS;

/// Latencies of one kind since they were last taken.
#[derive(Debug)]
pub(super) struct Recent {
    blocks: [Option<Box<[u32; BLOCK]>>; BLOCKS],
    /// The blocks that are not all 0, a bit each.
    touched: u64,
    summary: Exact,
}

/// What is known exactly of some latencies, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Exact {
    /// A `u64` of nanoseconds is full after 21 days of 10,000 requests at a time.
    pub(super) sum_ns: u128,
    /// `u64::MAX` while there is none.
    pub(super) min_ns: u64,
    pub(super) max_ns: u64,
    /// Those above [`LATENCY_MAX_NS`].
    pub(super) overflow: u64,
}

/// Some of the counters of a histogram.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Block {
    /// Which of its blocks.
    pub(super) at: u8,
    pub(super) counts: [u32; BLOCK],
}

impl Recent {
    pub(super) const fn new() -> Recent {
        Recent {
            blocks: [const { None }; BLOCKS],
            touched: 0,
            summary: Exact::NONE,
        }
    }

    /// Records one latency.
    #[inline]
    pub(super) fn record(&mut self, ns: u64) {
        self.summary.record(ns);
        let index = index_of(ns.min(LATENCY_MAX_NS));
        let block = index / BLOCK;
        self.touched |= 1 << block;
        let counts = self.blocks[block].get_or_insert_with(|| Box::new([0; BLOCK]));
        // Full after four thousand million in one interval: no core is that fast.
        let count = &mut counts[index % BLOCK];
        *count = count.saturating_add(1);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.touched == 0
    }

    /// Moves everything behind `blocks`, and says what is known of it besides. Nothing is left but the
    /// memory.
    pub(super) fn take(&mut self, blocks: &mut Vec<Block>) -> Exact {
        let mut touched = std::mem::take(&mut self.touched);
        while touched != 0 {
            let at = touched.trailing_zeros();
            touched &= touched - 1;
            if let Some(counts) = &mut self.blocks[at as usize] {
                blocks.push(Block {
                    at: at as u8,
                    counts: **counts,
                });
                **counts = [0; BLOCK];
            }
        }
        std::mem::replace(&mut self.summary, Exact::NONE)
    }
}

impl Exact {
    /// Of no latencies.
    pub(super) const NONE: Exact = Exact {
        sum_ns: 0,
        min_ns: u64::MAX,
        max_ns: 0,
        overflow: 0,
    };

    #[inline]
    fn record(&mut self, ns: u64) {
        self.sum_ns += u128::from(ns);
        self.min_ns = self.min_ns.min(ns);
        self.max_ns = self.max_ns.max(ns);
        self.overflow += u64::from(ns > LATENCY_MAX_NS);
    }

    /// Adds what is known of others.
    pub(super) fn add(&mut self, other: &Exact) {
        self.sum_ns += other.sum_ns;
        self.min_ns = self.min_ns.min(other.min_ns);
        self.max_ns = self.max_ns.max(other.max_ns);
        self.overflow += other.overflow;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn taking_empties_it_and_keeps_the_memory() {
        let mut recent = Recent::new();
        let mut blocks = Vec::new();
        assert_eq!(recent.take(&mut blocks), Exact::NONE);
        assert!(blocks.is_empty() && recent.is_empty());
        for _ in 0..2 {
            for ns in [5, 5, 63, 64, LATENCY_MAX_NS, LATENCY_MAX_NS + 1, u64::MAX] {
                recent.record(ns);
            }
            assert!(!recent.is_empty());
            blocks.clear();
            let exact = recent.take(&mut blocks);
            assert_eq!((exact.min_ns, exact.max_ns), (5, u64::MAX));
            assert_eq!(exact.overflow, 2);
            let told: Vec<_> = blocks.iter().map(|block| block.at).collect();
            assert_eq!(told, [0, 1, (BLOCKS - 1) as u8]);
            assert_eq!((blocks[0].counts[5], blocks[0].counts[63]), (2, 1));
            assert_eq!(blocks[1].counts[0], 1);
            // All that are too long are counted like the longest.
            assert_eq!(blocks[2].counts.iter().max(), Some(&3));
            assert!(recent.is_empty());
        }
    }

    #[test]
    fn memory_is_taken_for_blocks_that_are_needed() {
        let mut recent = Recent::new();
        let needed = |recent: &Recent| recent.blocks.iter().flatten().count();
        assert_eq!(needed(&recent), 0);
        for ns in 0..BLOCK as u64 {
            recent.record(ns);
            assert_eq!(needed(&recent), 1);
        }
        recent.record(BLOCK as u64);
        assert_eq!(needed(&recent), 2);
    }
}
