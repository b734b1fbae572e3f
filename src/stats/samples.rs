//! What the tests of several formats are given to write.

use std::time::{Duration, UNIX_EPOCH};

use super::{Build, ServerInfo, Surroundings};

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
