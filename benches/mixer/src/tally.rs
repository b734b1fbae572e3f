//! What was counted: times with their percentiles, and bytes by client.

use std::fmt;
use std::time::Duration;

/// Times, in order once they are complete.
pub struct Latencies(Vec<u64>);

impl Latencies {
    pub fn of(mut times_ns: Vec<u64>) -> Latencies {
        times_ns.sort_unstable();
        Latencies(times_ns)
    }

    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// The time that so many percent do not pass; zero where there is none.
    pub fn percentile(&self, percent: f64) -> Duration {
        let last = self.0.len().saturating_sub(1) as f64;
        let at = (last * percent / 100.0).round() as usize;
        Duration::from_nanos(self.0.get(at).copied().unwrap_or(0))
    }
}

impl fmt::Display for Latencies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.len())?;
        for percent in [50.0, 99.0, 100.0] {
            let milliseconds = self.percentile(percent).as_secs_f64() * 1e3;
            write!(f, " | {milliseconds:.2} ms")?;
        }
        Ok(())
    }
}

/// The bytes that each client of a kind has moved.
#[derive(Default)]
pub struct Tally(pub Vec<u64>);

impl Tally {
    pub fn least_bytes(&self) -> u64 {
        self.0.iter().copied().min().unwrap_or(0)
    }

    /// In all, and by second of `window`.
    pub fn shown(&self, window: Duration) -> String {
        let megabytes = self.0.iter().sum::<u64>() as f64 / 1e6;
        format!("{megabytes:.0} | {:.0}", megabytes / window.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_times_that_were_measured() {
        let latencies = Latencies::of((1..=101).rev().collect());
        for (percent, ns) in [(0.0, 1), (50.0, 51), (99.0, 100), (100.0, 101)] {
            assert_eq!(latencies.percentile(percent), Duration::from_nanos(ns));
        }
        assert_eq!(Latencies::of(Vec::new()).percentile(50.0), Duration::ZERO);
    }
}
