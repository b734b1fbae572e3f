//! What is known of the process and of the kernel beneath it. It reads nothing itself.

/// The process and its kernel at one moment. What the kernel does not tell is `None`.
///
/// The kernel's counters are those of the network namespace, since that was made: other programs in it are
/// counted, too.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// CPU time that the process has had, in nanoseconds.
    pub cpu_ns: u64,
    /// Memory that it occupies.
    pub resident_bytes: Option<u64>,
    /// Descriptors that it has open, which Linux tells since 6.2.
    pub open_descriptors: Option<u64>,
    /// How many it may have.
    pub descriptor_limit: Option<u64>,
    /// Lines of logs that were left out because they were written too slowly.
    pub lines_left_out: u64,
    /// Connections that were complete and found an accept queue full (`ListenOverflows` of proc(5)).
    pub listen_overflows: Option<u64>,
    /// Those, and whatever else was dropped before it was accepted (`ListenDrops`).
    pub listen_drops: Option<u64>,
    /// TCP segments sent, without those sent again (`OutSegs`).
    pub segments_sent: Option<u64>,
    /// TCP segments sent again (`RetransSegs`).
    pub segments_retransmitted: Option<u64>,
}
