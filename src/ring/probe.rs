//! Why a ring could not be set up, and what the kernel must be able to do.

use io_uring::{IoUring, Probe, opcode};
use std::io;

/// Operations that a ring submits, with the names under which `io_uring_enter(2)` knows them.
const OPERATIONS: [(u8, &str); 11] = [
    (opcode::Accept::CODE, "ACCEPT"),
    (opcode::AsyncCancel::CODE, "ASYNC_CANCEL"),
    (opcode::Close::CODE, "CLOSE"),
    (opcode::Connect::CODE, "CONNECT"),
    (opcode::OpenAt2::CODE, "OPENAT2"),
    (opcode::PollAdd::CODE, "POLL_ADD"),
    (opcode::Read::CODE, "READ"),
    (opcode::Recv::CODE, "RECV"),
    (opcode::Send::CODE, "SEND"),
    (opcode::SendMsg::CODE, "SENDMSG"),
    (opcode::Timeout::CODE, "TIMEOUT"),
];

/// Why a ring could not be set up, or ended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// `io_uring_setup(2)` failed: EPERM where it is disabled or filtered, ENOSYS where the
    /// kernel has none, EINVAL where it is older than 6.1, ENOMEM at the memlock limit, and where there is
    /// no memory even for a small ring.
    #[error("io_uring cannot be set up: {0}")]
    Setup(#[source] io::Error),
    /// The buffer ring could not be registered.
    #[error("io_uring cannot register receive buffers: {0}")]
    Buffers(#[source] io::Error),
    /// Memory or descriptors ran out.
    #[error("no memory or descriptors for the ring: {0}")]
    Memory(#[source] io::Error),
    /// The kernel's io_uring lacks an operation.
    #[error("io_uring lacks the operation {0}")]
    Operation(&'static str),
    /// The glommio executor could not be made.
    #[error("the executor cannot be made: {0}")]
    Executor(String),
    /// The ring failed while it ran.
    #[error("io_uring failed: {0}")]
    Failed(#[source] io::Error),
    /// The program's own code panicked outside of a handler.
    #[error("a shard panicked")]
    Panicked,
}

/// Checks that the kernel lets this process set up a ring like a shard's.
///
/// # Errors
/// The first thing that is missing.
pub fn probe() -> Result<(), StartError> {
    let ring: IoUring = IoUring::builder()
        .setup_single_issuer()
        .setup_defer_taskrun()
        .setup_taskrun_flag()
        .build(8)
        .map_err(StartError::Setup)?;
    let mut known = Probe::new();
    ring.submitter()
        .register_probe(&mut known)
        .map_err(StartError::Setup)?;
    match OPERATIONS
        .iter()
        .find(|(code, _)| !known.is_supported(*code))
    {
        Some((_, name)) => Err(StartError::Operation(name)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn this_machine_can_run_a_ring() {
        super::probe().unwrap();
    }
}
