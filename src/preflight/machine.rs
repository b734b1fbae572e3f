//! What the machine says of itself, read once. It reads; what follows from it is decided elsewhere.

use std::fs;
use std::io;

use io_uring::IoUring;
use rustix::process::{Resource, getrlimit};

use super::{RINGS_CHARGED_SINCE, kernel, kernel_version, memlock, memlock_exempt};
use super::{io_uring_sysctl, privileged, ring_error};
use crate::cores;
use crate::failure::Failure;

/// The facts that decide whether and how well corelane runs here.
#[derive(Debug)]
pub struct Machine {
    /// The kernel's release, as `uname -r` prints it.
    pub release: String,
    /// The text of the sysctl `kernel.io_uring_disabled`; empty before Linux 6.6.
    pub io_uring_disabled: String,
    /// Whether this process passes `kernel.io_uring_disabled = 1`.
    pub privileged: bool,
    /// Why a ring with the set-up flags of a shard could not be made, if so.
    pub ring: Result<(), io::Error>,
    /// The soft limit of open files; `None` is unlimited.
    pub open_files: Option<u64>,
    /// The soft limit of locked memory in bytes; `None` is unlimited.
    pub memlock_bytes: Option<u64>,
    /// Whether locked memory is not counted for this process.
    pub memlock_exempt: bool,
    /// The sysctl `net.core.somaxconn`, which bounds every accept queue; `None` if unreadable.
    pub somaxconn: Option<u64>,
    /// The CPUs of the affinity mask, ascending.
    pub available: Vec<usize>,
    /// The CPU time that the cgroup allows, in CPUs.
    pub quota: Option<f64>,
}

impl Machine {
    /// Reads all of it, and makes a small ring to see whether that is allowed.
    pub fn read() -> Self {
        let status = read("/proc/self/status");
        let group = read("/proc/sys/kernel/io_uring_group");
        Self {
            release: rustix::system::uname()
                .release()
                .to_string_lossy()
                .into_owned(),
            io_uring_disabled: read("/proc/sys/kernel/io_uring_disabled"),
            privileged: privileged(&status, &group),
            ring: probe_ring(),
            open_files: getrlimit(Resource::Nofile).current,
            memlock_bytes: getrlimit(Resource::Memlock).current,
            memlock_exempt: memlock_exempt(&status),
            somaxconn: read("/proc/sys/net/core/somaxconn").trim_end().parse().ok(),
            available: cores::available(),
            quota: cores::cgroup_quota(),
        }
    }

    /// Refuses if `shards`, each locking `per_shard_bytes` (see [`super::ring_bytes`],
    /// [`super::glommio_bytes`]), cannot run here. The clearest reason comes first: an old kernel
    /// also fails to make the ring, and says less.
    ///
    /// # Errors
    /// A failure at run time.
    pub fn admits(&self, shards: usize, per_shard_bytes: u64) -> Result<(), Failure> {
        kernel(&self.release)?;
        io_uring_sysctl(&self.io_uring_disabled, self.privileged)?;
        self.locks(shards, per_shard_bytes)?;
        self.rings()
    }

    /// Whether the limit of locked memory suffices, as [`memlock`] decides it.
    ///
    /// # Errors
    /// If it does not.
    pub fn locks(&self, shards: usize, per_shard_bytes: u64) -> Result<(), Failure> {
        let rings_charged = kernel_version(&self.release) >= Some(RINGS_CHARGED_SINCE);
        let charged = rings_charged && !self.memlock_exempt;
        memlock(self.memlock_bytes, shards, per_shard_bytes, charged)
    }

    /// Whether a ring can be made.
    ///
    /// # Errors
    /// If not, the reason as [`ring_error`] explains it.
    pub fn rings(&self) -> Result<(), Failure> {
        self.ring.as_ref().map(|_| ()).map_err(ring_error)
    }
}

/// Empty where there is no such file: every text that is decided on has a meaning for that.
fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

fn probe_ring() -> io::Result<()> {
    IoUring::builder()
        .setup_single_issuer()
        .setup_defer_taskrun()
        .build(1)
        .map(|_: IoUring| ())
}
