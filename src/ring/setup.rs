//! Setting a ring up: in its usual size, or smaller where the kernel has no memory for that.

use crate::limits::{RING_COMPLETIONS, RING_ENTRIES};
use io_uring::IoUring;
use std::io;

/// Submission and completion entries of a ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Size {
    entries: u32,
    completions: u32,
}

/// What a ring has.
pub(super) const USUAL: Size = Size {
    entries: RING_ENTRIES,
    completions: RING_COMPLETIONS,
};

/// What it has at the least. Where memory is charged to a control group Linux (measured on 6.18) wants each of
/// the two parts of a ring in one piece, which it may not have for a while though there is memory: when
/// others have just filled it. Pieces of 32 KiB it always finds (`PAGE_ALLOC_COSTLY_ORDER`), and no part of
/// this size is larger. Where a turn brings more completions than there is room for, the kernel keeps the
/// rest until the next.
const SMALL: Size = Size {
    entries: 512,
    completions: 1024,
};

/// The most that the kernel always finds in one piece, in bytes.
const PIECE_BYTES: u32 = 8 * 4096;

const _: () = assert!(SMALL.entries * 64 <= PIECE_BYTES);
// A completion, an index for each submission, and a page for all else.
const _: () = assert!(SMALL.completions * 16 + SMALL.entries * 4 + 4096 <= PIECE_BYTES);
const _: () = assert!(SMALL.entries <= USUAL.entries && SMALL.completions <= USUAL.completions);

/// A ring for the calling thread, and its size.
///
/// # Errors
/// Those of `io_uring_setup(2)` and `mmap(2)`: ENOMEM where there is no memory even for a small one.
pub(super) fn set_up() -> io::Result<(IoUring, Size)> {
    first_that_fits(build)
}

fn build(size: Size) -> io::Result<IoUring> {
    IoUring::builder()
        .dontfork()
        .setup_single_issuer()
        .setup_defer_taskrun()
        .setup_taskrun_flag()
        .setup_submit_all()
        .setup_clamp()
        .setup_cqsize(size.completions)
        .build(size.entries)
}

/// What is built in the usual size, or in the small one where there is no memory for that.
fn first_that_fits<T>(build: impl Fn(Size) -> io::Result<T>) -> io::Result<(T, Size)> {
    let sized = |size| build(size).map(|built| (built, size));
    sized(USUAL).or_else(|error| match error.raw_os_error() {
        Some(libc::ENOMEM) => sized(SMALL),
        _ => Err(error),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_smaller_ring_is_set_up_where_there_is_no_memory_and_for_no_other_reason() {
        let table: [(&[i32], Result<Size, i32>); 4] = [
            (&[], Ok(USUAL)),
            (&[libc::ENOMEM], Ok(SMALL)),
            (&[libc::ENOMEM, libc::ENOMEM], Err(libc::ENOMEM)),
            (&[libc::EPERM], Err(libc::EPERM)),
        ];
        for (errors, expected) in table {
            let errors = std::cell::RefCell::new(errors.iter());
            let build = |_| match errors.borrow_mut().next() {
                Some(&error) => Err(io::Error::from_raw_os_error(error)),
                None => Ok(()),
            };
            let outcome = first_that_fits(build);
            let told = outcome.map(|((), size)| size);
            let told = told.map_err(|error| error.raw_os_error().unwrap());
            assert_eq!(told, expected);
            assert!(errors.borrow().as_slice().is_empty());
        }
    }
}
