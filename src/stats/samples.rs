//! What the tests of several formats are given to write.

use std::time::{Duration, UNIX_EPOCH};

use proptest::prelude::*;

use crate::limits::{LATENCY_MAX_NS, STALL_THRESHOLD};

use super::{Build, ServerInfo, Surroundings};

/// A latency: one of a few buckets, one from all over the scale, or one that lies beyond it almost certainly.
pub(super) fn latency() -> impl Strategy<Value = u64> {
    prop_oneof![0..300_u64, 0..2 * LATENCY_MAX_NS, any::<u64>()]
}

/// A server of 2 cores that started at 0 on the ring's clock.
pub(super) fn server() -> ServerInfo {
    ServerInfo {
        name: "corelane",
        version: "0.1.0",
        build: Build {
            revision: "v0.1.0-3-gabcdef",
            rustc: "1.95.0",
            target: "x86_64-unknown-linux-gnu",
            profile: "release",
        },
        pid: 42,
        instance: "2f1a".to_owned(),
        started_at: UNIX_EPOCH + Duration::from_secs(1_000),
        started_ns: 0,
        cores: 2,
        stall_threshold: STALL_THRESHOLD,
        kernel: "6.1.0".to_owned(),
        busy_poll: false,
        receive_buffers: 4_096,
    }
}

/// A process on a kernel that tells everything but how many descriptors are open.
pub(super) fn surroundings() -> Surroundings {
    Surroundings {
        cpu_ns: 1_500_000_000,
        resident_bytes: Some(8_192),
        open_descriptors: None,
        descriptor_limit: Some(1_024),
        lines_left_out: 3,
        listen_overflows: Some(4),
        listen_drops: Some(5),
        segments_sent: Some(600),
        segments_retransmitted: Some(7),
    }
}
