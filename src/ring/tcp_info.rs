//! What the kernel knows of a TCP socket: `TCP_INFO` of tcp(7).

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};

/// How many connections wait on a listening TCP socket to be accepted, and how many may: what
/// `TCP_INFO` says of one in its fields for unacknowledged and selectively acknowledged segments.
///
/// # Errors
/// The socket is no TCP socket.
pub fn accept_queue(socket: BorrowedFd<'_>) -> io::Result<(u32, u32)> {
    let info = tcp_info(socket.as_raw_fd())?;
    Ok((info.tcpi_unacked, info.tcpi_sacked))
}

/// How long ago the last segment with data came to a connected TCP socket, or it was connected if there was none, in
/// milliseconds, whether that was read or not. The kernel counts it in ticks.
///
/// # Errors
/// The socket is no TCP socket.
pub(super) fn silence_ms(socket: RawFd) -> io::Result<u32> {
    Ok(tcp_info(socket)?.tcpi_last_data_recv)
}

fn tcp_info(socket: RawFd) -> io::Result<libc::tcp_info> {
    // SAFETY: the structure is plain numbers, for which zeros are valid.
    let mut info: libc::tcp_info = unsafe { std::mem::zeroed() };
    let mut bytes = size_of_val(&info) as libc::socklen_t;
    // SAFETY: the kernel writes at most `bytes` bytes at `info`, both of which outlive the call; a
    // descriptor that is none is an error.
    let result = unsafe {
        libc::getsockopt(
            socket,
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            (&raw mut info).cast(),
            &raw mut bytes,
        )
    };
    match result {
        0 => Ok(info),
        _ => Err(io::Error::last_os_error()),
    }
}
