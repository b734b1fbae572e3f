//! How long the pieces are that work is cut into, between which a thread can pause.

use crate::cpu_ns;

/// Runs of the same work: the machine makes a piece of one longer, and never shorter.
pub const RUNS: usize = 5;

/// What each piece of some work takes in CPU time: the least of the runs that were measured.
#[derive(Default)]
pub struct Pieces {
    since_ns: u64,
    at: usize,
    least_ns: Vec<u64>,
}

impl Pieces {
    /// A run begins, with the first piece.
    pub fn begin(&mut self) {
        self.at = 0;
    }

    /// A piece begins behind something that is no part of the work.
    pub fn go_on(&mut self) {
        self.since_ns = cpu_ns();
    }

    /// A piece ends, and the next begins.
    pub fn rest(&mut self) {
        let took_ns = cpu_ns() - self.since_ns;
        match self.least_ns.get_mut(self.at) {
            Some(least_ns) => *least_ns = took_ns.min(*least_ns),
            None => self.least_ns.push(took_ns),
        }
        self.at += 1;
        self.since_ns = cpu_ns();
    }

    pub fn longest_ns(&self) -> u64 {
        self.least_ns.iter().copied().max().unwrap_or(0)
    }
}
