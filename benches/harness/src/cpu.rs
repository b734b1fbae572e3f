//! The CPU time of a process, its children and all their threads, from `/proc/*/task/*/schedstat`.

use std::collections::BTreeMap;
use std::fs;

/// CPU time at one moment, in nanoseconds, by thread id.
pub struct CpuTime(BTreeMap<u32, u64>);

/// What was spent between two moments.
#[derive(Clone, Copy)]
pub struct Spent {
    /// CPU time, in nanoseconds.
    pub ns: u64,
    /// Threads that ended in between: what they spent since the start is missing.
    pub threads_ended: usize,
}

impl CpuTime {
    /// Reads the time that the process `id` and its descendants have spent until now.
    pub fn of(id: u32) -> CpuTime {
        let mut threads = BTreeMap::new();
        for process in family(id) {
            for thread in numbered(&format!("/proc/{process}/task")) {
                let file = format!("/proc/{process}/task/{thread}/schedstat");
                // A thread may end between the listing and the reading.
                if let Some(ns) = fs::read_to_string(file).ok().and_then(|text| run_ns(&text)) {
                    threads.insert(thread, ns);
                }
            }
        }
        CpuTime(threads)
    }

    /// What was spent from `self` to `later`, a reading of the same process.
    pub fn until(&self, later: &CpuTime) -> Spent {
        let before = |thread| self.0.get(thread).copied().unwrap_or(0);
        let ns = later.0.iter().map(|(thread, ns)| ns - before(thread)).sum();
        let threads_ended = self
            .0
            .keys()
            .filter(|thread| !later.0.contains_key(thread))
            .count();
        Spent { ns, threads_ended }
    }
}

/// The process `id` and all its descendants that live now.
pub fn family(id: u32) -> Vec<u32> {
    let parents: Vec<(u32, u32)> = numbered("/proc")
        .filter_map(|process| {
            let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
            Some((process, parent(&stat)?))
        })
        .collect();
    let mut family = vec![id];
    let mut index = 0;
    while let Some(&member) = family.get(index) {
        family.extend(
            parents
                .iter()
                .filter(|(_, parent)| *parent == member)
                .map(|(id, _)| id),
        );
        index += 1;
    }
    family
}

/// proc(5), `/proc/PID/stat`: the fourth value is the parent; the second, in parentheses, may hold
/// anything.
fn parent(stat: &str) -> Option<u32> {
    stat.rsplit_once(')')?
        .1
        .split_ascii_whitespace()
        .nth(1)?
        .parse()
        .ok()
}

/// The kernel's `sched-stats` document: the first value is the time on the CPU, in nanoseconds.
fn run_ns(schedstat: &str) -> Option<u64> {
    schedstat.split_ascii_whitespace().next()?.parse().ok()
}

fn numbered(folder: &str) -> impl Iterator<Item = u32> {
    fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_kernel_lines() {
        assert_eq!(parent("17 (a) b (c)) S 4 17 17 0"), Some(4));
        assert_eq!(parent("17 (sh"), None);
        assert_eq!(run_ns("306873536 76231200 95\n"), Some(306_873_536));
        assert_eq!(run_ns(""), None);
    }

    #[test]
    fn counts_new_threads_whole_and_ended_ones_not() {
        let earlier = CpuTime(BTreeMap::from([(1, 100), (2, 50)]));
        let later = CpuTime(BTreeMap::from([(1, 160), (3, 7)]));
        let spent = earlier.until(&later);
        assert_eq!((spent.ns, spent.threads_ended), (67, 1));
    }

    #[test]
    fn a_process_is_its_own_family() {
        let id = std::process::id();
        assert!(family(id).contains(&id));
        assert!(!CpuTime::of(id).0.is_empty());
    }
}
