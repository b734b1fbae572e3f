//! Reads what the process and its kernel say of themselves: some files of proc(5) and a clock.
//!
//! On a machine that is busy the longest take some 35 µs to be opened and 65 to be read, and neither can be cut: so each
//! begins behind a pause.

use crate::log;
use crate::stats::Surroundings;
use rustix::process::{Resource, getrlimit};
use rustix::time::{ClockId, clock_gettime};
use std::fs::{self, File};
use std::io::Read as _;

/// Room for the longest of these files, so that it is read at once.
const FILE_BYTES: usize = 16 * 1024;

/// What they say now, with a `pause` before each of them, and before what is opened is read.
pub(super) fn read(mut pause: impl FnMut()) -> Surroundings {
    let cpu = clock_gettime(ClockId::ProcessCPUTime);
    pause();
    let netstat = text("/proc/self/net/netstat", &mut pause);
    pause();
    let snmp = text("/proc/self/net/snmp", &mut pause);
    pause();
    let statm = text("/proc/self/statm", &mut pause);
    pause();
    let descriptors = fs::metadata("/proc/self/fd").map(|folder| folder.len());
    Surroundings {
        cpu_ns: cpu.tv_sec as u64 * 1_000_000_000 + cpu.tv_nsec as u64,
        resident_bytes: resident_pages(&statm)
            .map(|pages| pages * rustix::param::page_size() as u64),
        // Before Linux 6.2 it is 0, which it cannot be.
        open_descriptors: descriptors.ok().filter(|open| *open > 0),
        descriptor_limit: getrlimit(Resource::Nofile).current,
        lines_left_out: log::lines_left_out(),
        listen_overflows: counter(&netstat, "TcpExt:", "ListenOverflows"),
        listen_drops: counter(&netstat, "TcpExt:", "ListenDrops"),
        segments_sent: counter(&snmp, "Tcp:", "OutSegs"),
        segments_retransmitted: counter(&snmp, "Tcp:", "RetransSegs"),
    }
}

/// A UUID that the kernel makes at random (random(4)); empty if it makes none.
pub(super) fn new_uuid() -> String {
    let uuid = text("/proc/sys/kernel/random/uuid", || ());
    uuid.trim_end().to_owned()
}

/// Empty where there is no such file. It is opened before the `pause`, and read behind it.
fn text(path: &str, pause: impl FnOnce()) -> String {
    let mut text = String::with_capacity(FILE_BYTES);
    let file = File::open(path);
    pause();
    let read = file.and_then(|mut file| file.read_to_string(&mut text));
    read.map_or_else(|_| String::new(), |_| text)
}

/// A counter of a `group`, of which one line has the names and the next the values.
fn counter(text: &str, group: &str, name: &str) -> Option<u64> {
    let mut lines = text.lines().filter(|line| line.starts_with(group));
    let (names, values) = (lines.next()?, lines.next()?);
    let mut pairs = names.split(' ').zip(values.split(' '));
    let (_, value) = pairs.find(|(found, _)| *found == name)?;
    value.parse().ok()
}

/// The second number in `/proc/self/statm`.
fn resident_pages(statm: &str) -> Option<u64> {
    statm.split(' ').nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_stand_below_their_names() {
        let text = "IpExt: A B\nIpExt: 1 2\nTcpExt: A ListenDrops C\nTcpExt: 3 44 5\n";
        for (group, name, expected) in [
            ("TcpExt:", "ListenDrops", Some(44)),
            ("IpExt:", "A", Some(1)),
            ("TcpExt:", "A", Some(3)),
            ("IpExt:", "ListenDrops", None),
            ("UdpExt:", "A", None),
        ] {
            assert_eq!(counter(text, group, name), expected, "{group} {name}");
        }
        assert_eq!(counter("TcpExt: A\n", "TcpExt:", "A"), None);
        assert_eq!(counter("Tcp: MaxConn\nTcp: -1\n", "Tcp:", "MaxConn"), None);
        assert_eq!(resident_pages("100 20 3 1 0 5 0\n"), Some(20));
        assert_eq!(resident_pages(""), None);
    }

    #[test]
    fn this_process_is_known() {
        let mut pauses = 0;
        let before = read(|| pauses += 1);
        assert_eq!(
            pauses,
            4 + 3,
            "before each, and between opening and reading files"
        );
        assert!(before.cpu_ns > 0 && before.descriptor_limit != Some(0));
        assert!(before.resident_bytes.is_some_and(|bytes| bytes > 100_000));
        assert!(before.listen_overflows <= before.listen_drops);
        assert!(before.segments_sent.is_some() && before.segments_retransmitted.is_some());
        let after = read(|| ());
        assert!(after.cpu_ns >= before.cpu_ns && after.segments_sent >= before.segments_sent);
    }
}
