//! The receive buffers that are lent to the kernel through a provided-buffer ring (kernel 5.19).

use std::alloc::{Layout, alloc_zeroed, handle_alloc_error};
use std::io;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU16, Ordering};

use io_uring::IoUring;
use io_uring::types::BufRingEntry;

/// How many buffers there are; a power of two, as the kernel asks.
const COUNT: u16 = 4096;

/// The size of each: a pipelined batch of requests fits.
const BUFFER_BYTES: usize = 4096;

/// The alignment of the ring that the kernel asks for.
const PAGE_BYTES: usize = 4096;

/// All buffers and the ring that lends them. It is never freed: it lives as long as the process,
/// because the kernel may write to it as long as the process does.
pub struct Buffers {
    ring: NonNull<BufRingEntry>,
    memory: NonNull<u8>,
    tail: u16,
}

impl Buffers {
    /// The group that receive operations name.
    pub const GROUP: u16 = 0;

    /// Registers the buffers with `ring` and lends all of them to the kernel.
    ///
    /// # Errors
    /// The kernel's refusal, such as on kernels older than 5.19.
    pub fn register(ring: &IoUring) -> io::Result<Buffers> {
        let entries = pages(usize::from(COUNT) * size_of::<BufRingEntry>()).cast();
        let memory = pages(usize::from(COUNT) * BUFFER_BYTES);
        let address = entries.as_ptr() as u64;
        // SAFETY: `entries` is page-aligned, holds COUNT entries, and is never freed.
        unsafe {
            ring.submitter()
                .register_buf_ring_with_flags(address, COUNT, Self::GROUP, 0)?
        };
        let mut buffers = Buffers {
            ring: entries,
            memory,
            tail: 0,
        };
        for id in 0..COUNT {
            buffers.give_back(id);
        }
        buffers.publish();
        Ok(buffers)
    }

    /// The first `length` bytes of a buffer that a completion just handed over.
    #[must_use]
    pub fn filled(&self, id: u16, length: usize) -> &[u8] {
        assert!(id < COUNT && length <= BUFFER_BYTES);
        // SAFETY: the assertion keeps it inside `memory`, which was zeroed at first; the kernel does
        // not write to a buffer between its completion and `give_back`, which needs `&mut self`.
        unsafe { std::slice::from_raw_parts(self.start(id).as_ptr(), length) }
    }

    /// Puts a buffer back; the kernel sees it after `publish`.
    pub fn give_back(&mut self, id: u16) {
        assert!(id < COUNT);
        let address = self.start(id).as_ptr() as u64;
        // SAFETY: the index is below COUNT; the kernel reads entries only below the published tail,
        // and at most COUNT buffers are ever out, so this entry is not one it may be reading.
        let entry = unsafe { self.ring.add(usize::from(self.tail & (COUNT - 1))).as_mut() };
        entry.set_addr(address);
        entry.set_len(BUFFER_BYTES as u32);
        entry.set_bid(id);
        self.tail = self.tail.wrapping_add(1);
    }

    /// Shows the kernel every buffer that was given back.
    pub fn publish(&self) {
        // SAFETY: the tail is an aligned u16 inside the ring's first entry, shared with the kernel
        // and written only here, atomically.
        let tail =
            unsafe { AtomicU16::from_ptr(BufRingEntry::tail(self.ring.as_ptr()).cast_mut()) };
        tail.store(self.tail, Ordering::Release);
    }

    fn start(&self, id: u16) -> NonNull<u8> {
        // SAFETY: callers checked that `id` is below COUNT, so the offset stays inside `memory`.
        unsafe { self.memory.add(usize::from(id) * BUFFER_BYTES) }
    }
}

/// Zeroed, page-aligned memory of `bytes` > 0.
fn pages(bytes: usize) -> NonNull<u8> {
    let layout = Layout::from_size_align(bytes, PAGE_BYTES).expect("a small, page-aligned layout");
    // SAFETY: the layout's size is not zero.
    NonNull::new(unsafe { alloc_zeroed(layout) }).unwrap_or_else(|| handle_alloc_error(layout))
}
