//! Whether the machine lets corelane start: each decision takes what was read from the machine and
//! answers with the refusal, if any. [`Machine`] does the reading; nothing here is changed or kept.

mod machine;

use std::io;
use std::net::SocketAddr;
use std::path::Path;

use rustix::io::Errno;

use crate::failure::Failure;
use crate::limits;

pub use machine::Machine;

/// The oldest kernel, as major and minor number: `IORING_SETUP_DEFER_TASKRUN` came with 6.1.
pub const KERNEL: (u32, u32) = (6, 1);

/// The locked memory of one shard, in bytes, on this machine at the sizes of [`limits`].
pub const SHARD_LOCKED_BYTES: u64 = ring_bytes(
    limits::RING_ENTRIES as u64,
    limits::RING_COMPLETIONS as u64,
    limits::RING_BUFFERS as u64,
) + glommio_bytes(
    limits::GLOMMIO_RING_DEPTH as u64,
    limits::GLOMMIO_MEMORY_BYTES as u64,
);

/// The kernel from which the memory of rings counts as locked again, as major and minor number.
///
/// From 5.12 on only registered buffers did. Rings moved to the code that also serves memory
/// regions in 6.14, and that code charges the user; measured on 6.18.
pub const RINGS_CHARGED_SINCE: (u32, u32) = (6, 14);

/// The locked-memory limit, in bytes, below which glommio 0.9 makes no executor, whatever the
/// privileges (`Reactor::new`, `MIN_MEMLOCK_LIMIT`).
pub const GLOMMIO_MEMLOCK_BYTES: u64 = 512 * 1024;

/// The locked memory, in bytes, of the two rings that are made only to try: glommio's (two entries,
/// once in a process) and that of [`Machine::read`]. A closed ring's memory is given back later, so
/// both still count while the shards make theirs.
pub const PROBE_BYTES: u64 = 2 * ring_bytes(2, 4, 0);

/// The major and minor number in a kernel release as `uname -r` prints it: `6.1.0-18-amd64`.
pub fn kernel_version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit());
    // Digits alone fail to parse only when there are none or too many.
    let major = numbers.next()?.parse().ok()?;
    let minor = numbers.next().and_then(|digits| digits.parse().ok());
    Some((major, minor.unwrap_or(0)))
}

/// Refuses kernels older than [`KERNEL`], by what `uname -r` prints.
///
/// # Errors
/// If `release` is older, or is no version.
pub fn kernel(release: &str) -> Result<(), Failure> {
    let (major, minor) = KERNEL;
    match kernel_version(release) {
        Some(version) if version >= KERNEL => Ok(()),
        Some(_) => Err(Failure::run(
            format!("Linux {release} is too old"),
            format!("boot Linux {major}.{minor} or newer (Debian 12, Ubuntu 24.04, RHEL 10)"),
        )),
        None => Err(Failure::run(
            format!("the kernel release '{release}' is not understood"),
            format!("run on Linux {major}.{minor} or newer"),
        )),
    }
}

/// Refuses if the sysctl `kernel.io_uring_disabled` (Linux 6.6), whose text is given, forbids
/// rings: 1 to all but the privileged (see [`privileged`]), 2 to everyone.
///
/// # Errors
/// If it forbids them to this process.
pub fn io_uring_sysctl(text: &str, privileged: bool) -> Result<(), Failure> {
    match text.trim_end() {
        "2" => Err(Failure::run(
            "io_uring is disabled (kernel.io_uring_disabled = 2)",
            "run sysctl -w kernel.io_uring_disabled=0, and set it in /etc/sysctl.d",
        )),
        "1" if !privileged => Err(Failure::run(
            "io_uring is for privileged processes only (kernel.io_uring_disabled = 1)",
            "add a group of this user to kernel.io_uring_group, or set \
             kernel.io_uring_disabled to 0, with sysctl -w and in /etc/sysctl.d",
        )),
        _ => Ok(()),
    }
}

/// Whether the process passes `kernel.io_uring_disabled = 1`: it has `CAP_SYS_ADMIN`, or is in the
/// group that the sysctl `kernel.io_uring_group` names. `status` is `/proc/self/status` (proc(5)).
pub fn privileged(status: &str, io_uring_group: &str) -> bool {
    // The group is −1 where none is set, which no process is in.
    let group = io_uring_group.trim_end();
    let effective = field(status, "Gid:").split_whitespace().nth(1);
    has_capability(status, CAP_SYS_ADMIN)
        || effective == Some(group)
        || field(status, "Groups:")
            .split_whitespace()
            .any(|id| id == group)
}

/// Whether locked memory is not counted for this process: it has `CAP_IPC_LOCK`. `status` is
/// `/proc/self/status`.
pub fn memlock_exempt(status: &str) -> bool {
    has_capability(status, CAP_IPC_LOCK)
}

/// Explains why a ring could not be set up.
pub fn ring_error(error: &io::Error) -> Failure {
    let (what, mend) = match Errno::from_io_error(error) {
        Some(Errno::PERM | Errno::ACCESS) => (
            "io_uring is not permitted here, most likely by a container's seccomp filter",
            "allow io_uring_setup, io_uring_enter and io_uring_register in the seccomp profile \
             (Docker: --security-opt seccomp=PROFILE.json), and see kernel.io_uring_disabled",
        ),
        Some(Errno::NOMEM) => (
            "the memory for a ring could not be had, most likely for the locked-memory limit",
            MEMLOCK_MEND,
        ),
        Some(Errno::NOSYS) => (
            "this kernel is built without io_uring, or a sandbox hides it",
            "run on Linux 6.1 or newer with CONFIG_IO_URING=y, outside gVisor",
        ),
        Some(Errno::INVAL) => (
            "this kernel does not know the ring's set-up flags",
            "run on Linux 6.1 or newer",
        ),
        Some(Errno::MFILE) => (
            "the limit of open files is too low for the rings",
            "raise LimitNOFILE= in the systemd unit, or ulimit -n",
        ),
        Some(Errno::NFILE) => (
            "the system's limit of open files is reached",
            "raise it with sysctl -w fs.file-max=NUMBER",
        ),
        _ => {
            let what = format!("a ring could not be set up: {error}");
            return Failure::run(what, "run corelane doctor, which tries each step");
        }
    };
    Failure::run(what, mend)
}

/// Explains why `address` could not be listened on.
pub fn listen_error(address: SocketAddr, error: &io::Error) -> Failure {
    let port = address.port();
    let (what, mend) = match Errno::from_io_error(error) {
        Some(Errno::ADDRINUSE) => (
            format!("{address} is in use"),
            format!("stop what listens there (ss -ltnp 'sport = :{port}'), or choose another port"),
        ),
        Some(Errno::ACCESS) => (
            format!("port {port} is for privileged processes only"),
            "give AmbientCapabilities=CAP_NET_BIND_SERVICE in the systemd unit, or lower \
             net.ipv4.ip_unprivileged_port_start"
                .to_owned(),
        ),
        Some(Errno::ADDRNOTAVAIL) => (
            format!("no network interface has the address {}", address.ip()),
            "listen on one that ip address shows, or on 0.0.0.0 or [::]".to_owned(),
        ),
        Some(Errno::AFNOSUPPORT) => (
            format!("this machine cannot listen on {address}: IPv6 is switched off"),
            "listen on an IPv4 address, or allow IPv6".to_owned(),
        ),
        _ => (
            format!("{address} cannot be listened on: {error}"),
            "choose another address".to_owned(),
        ),
    };
    Failure::run(what, mend)
}

/// Refuses a locked-memory limit (`RLIMIT_MEMLOCK`, the soft one, in bytes; `None` is unlimited)
/// that `shards` of `per_shard_bytes` each do not fit below.
///
/// glommio's own least limit holds always. What the shards lock counts only where the kernel
/// charges rings to the user and the process is not exempt: `charged` (see
/// [`RINGS_CHARGED_SINCE`], [`memlock_exempt`]). It counts for all processes of the user together,
/// so that enough here may still be too little: then [`ring_error`] says so.
///
/// # Errors
/// If the limit is too low; the mend names one that is not.
pub fn memlock(
    limit_bytes: Option<u64>,
    shards: usize,
    per_shard_bytes: u64,
    charged: bool,
) -> Result<(), Failure> {
    let locked = (shards as u64)
        .saturating_mul(per_shard_bytes)
        .saturating_add(PROBE_BYTES);
    let needed = match charged {
        true => locked.max(GLOMMIO_MEMLOCK_BYTES),
        false => GLOMMIO_MEMLOCK_BYTES,
    };
    match limit_bytes {
        Some(limit) if limit < needed => {
            let (limit, needed) = (limit / 1024, needed.div_ceil(1024));
            let plural = if shards == 1 { "" } else { "s" };
            Err(Failure::run(
                format!(
                    "the locked-memory limit of {limit} KiB is too low for {shards} core{plural}, \
                     which need {needed} KiB"
                ),
                MEMLOCK_MEND,
            ))
        }
        _ => Ok(()),
    }
}

/// The locked memory that one ring is charged, in bytes: `entries` of 64 bytes on the submission
/// side; `completions` of 16 bytes, an index of 4 bytes for each entry and the ring's header; and
/// `buffers` entries of 16 bytes in a provided-buffer ring. Each part fills whole pages.
///
/// Measured on 6.18 as the smallest limit with which the ring is made: 268 KiB for 2048 and 8192,
/// 16 KiB for 128 and 256, and 16 KiB more with 1024 buffers.
pub const fn ring_bytes(entries: u64, completions: u64, buffers: u64) -> u64 {
    const PAGE: u64 = 4096;
    const HEADER: u64 = 64;
    (entries * 64).next_multiple_of(PAGE)
        + (HEADER + completions * 16 + entries * 4).next_multiple_of(PAGE)
        + (buffers * 16).next_multiple_of(PAGE)
}

/// The locked memory that one glommio 0.9 executor is charged, in bytes, made with these
/// `ring_depth` and `io_memory` (in bytes).
///
/// It has three rings (`Reactor::new`: main, poll and latency), whose completion side is twice the
/// depth, and registers its memory, at least 64 KiB, with each. It does without the registration if
/// that fails; but where it succeeds, the rings made later have so much less left. Measured on 6.18:
/// two executors of 128 and 64 KiB, each with a ring of 2048 and 8192, need 1024 KiB, not less,
/// glommio's own trial ring included.
pub const fn glommio_bytes(ring_depth: u64, io_memory: u64) -> u64 {
    let memory = if io_memory < 65536 { 65536 } else { io_memory };
    3 * (ring_bytes(ring_depth, 2 * ring_depth, 0) + memory.next_multiple_of(4096))
}

/// Refuses a folder to serve that is missing, is not a folder, or may not be entered.
///
/// # Errors
/// An operator's failure that names the path and says which.
pub fn folder(path: &Path) -> Result<(), Failure> {
    let shown = path.display();
    let (what, mend) = match path.metadata() {
        Ok(metadata) if metadata.is_dir() => return Ok(()),
        Ok(_) => (
            format!("{shown} is not a folder"),
            "name the folder that the file lies in",
        ),
        Err(error) if error.kind() == io::ErrorKind::NotFound => (
            format!("the folder {shown} does not exist"),
            "create it, or name another",
        ),
        Err(error) => (
            format!("the folder {shown} cannot be used: {error}"),
            "make it readable for this user, or name another",
        ),
    };
    Err(Failure::operator(what, mend))
}

const MEMLOCK_MEND: &str = "set LimitMEMLOCK=infinity in the systemd unit, or raise ulimit -l \
                            (/etc/security/limits.d; Docker: --ulimit memlock=-1)";

// capabilities(7), by bit number.
const CAP_IPC_LOCK: u32 = 14;
const CAP_SYS_ADMIN: u32 = 21;

fn has_capability(status: &str, capability: u32) -> bool {
    u64::from_str_radix(field(status, "CapEff:").trim(), 16)
        .is_ok_and(|set| set & (1 << capability) != 0)
}

/// What follows `name` on its line; empty if there is none.
fn field<'a>(status: &'a str, name: &str) -> &'a str {
    let mut values = status.lines().filter_map(|line| line.strip_prefix(name));
    values.next().unwrap_or_default()
}

#[cfg(test)]
mod tests;
