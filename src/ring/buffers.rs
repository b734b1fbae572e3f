//! The pool of receive buffers that the kernel fills, and the leases on them.
//!
//! One mapping holds the buffer ring (`IORING_REGISTER_PBUF_RING`, Linux 5.19) and the buffers
//! behind it. The kernel takes a buffer when bytes arrive, so a connection that waits holds none.
//! A filled buffer is a [`Lease`] until it is dropped and so given back.
//!
//! The pool starts small, because the kernel hands buffers out in turn and a small set stays in
//! the cache; it grows when the kernel runs out ([`Pool::grow`]) up to its fixed size. Close to
//! that size the pool is *scarce*: bytes that would wait in a queue are then copied to the heap,
//! so that no number of slow connections can keep a fast one from receiving.

use super::Shared;
use crate::limits::RING_BUFFER_BYTES;
use io_uring::types::BufRingEntry;
use std::cell::Cell;
use std::io;
use std::ops::Deref;
use std::ptr::NonNull;
use std::rc::Rc;
use std::sync::atomic::{AtomicU16, Ordering};

/// The one buffer group of a ring.
pub(super) const GROUP: u16 = 0;

/// Buffers that a new pool offers to the kernel.
const INITIAL_BUFFERS: u16 = 256;

/// The buffers of one ring, and which of them the kernel may fill.
#[derive(Debug)]
pub(super) struct Pool {
    memory: Mapping,
    capacity: u16,
    /// Buffers that exist for the kernel; the first this many of the mapping.
    grown: Cell<u16>,
    /// Of these, the ones the kernel may not fill now: queued bytes and leases.
    held: Cell<u16>,
    /// The ring's tail as last published.
    tail: Cell<u16>,
}

impl Pool {
    /// Maps a pool of at most `capacity` buffers (a power of two up to 32,768).
    pub(super) fn new(capacity: u16) -> io::Result<Self> {
        assert!(capacity.is_power_of_two() && capacity <= 1 << 15);
        let bytes = ring_bytes(capacity) + usize::from(capacity) * RING_BUFFER_BYTES;
        let pool = Self {
            memory: Mapping::new(bytes)?,
            capacity,
            grown: Cell::new(0),
            held: Cell::new(0),
            tail: Cell::new(0),
        };
        pool.extend_to(INITIAL_BUFFERS.min(capacity));
        Ok(pool)
    }

    /// Address of the buffer ring, for registration; page-aligned.
    pub(super) fn ring_address(&self) -> u64 {
        self.memory.start.as_ptr() as u64
    }

    /// Entries of the buffer ring.
    pub(super) fn capacity(&self) -> u16 {
        self.capacity
    }

    /// The kernel handed out buffer `id`: it is ours until it is recycled.
    pub(super) fn take(&self) {
        self.held.set(self.held.get() + 1);
    }

    /// Gives buffer `id` back to the kernel.
    pub(super) fn recycle(&self, id: u16) {
        self.held.set(self.held.get() - 1);
        self.offer(id);
        self.publish();
    }

    /// Doubles what the kernel may fill. False when the pool has its full size.
    pub(super) fn grow(&self) -> bool {
        let grown = self.grown.get();
        if grown == self.capacity {
            return false;
        }
        self.extend_to((grown * 2).min(self.capacity));
        true
    }

    /// Buffers that the kernel may fill now.
    pub(super) fn free(&self) -> u16 {
        self.grown.get() - self.held.get()
    }

    /// Whether waiting bytes should leave the pool: it cannot grow and a quarter of it is left.
    pub(super) fn is_scarce(&self) -> bool {
        self.grown.get() == self.capacity && self.free() < self.capacity / 4
    }

    /// Buffers that queued bytes and leases hold.
    pub(super) fn held(&self) -> u16 {
        self.held.get()
    }

    /// Bytes of memory behind the buffers offered so far.
    pub(super) fn bytes(&self) -> usize {
        usize::from(self.grown.get()) * RING_BUFFER_BYTES
    }

    /// The first `len` bytes of buffer `id`.
    ///
    /// The caller holds the buffer (between [`Pool::take`] and [`Pool::recycle`]), so the kernel
    /// does not write to it, and `len` is what the kernel said it wrote.
    pub(super) fn bytes_of(&self, id: u16, len: u32) -> &[u8] {
        assert!(id < self.capacity && len as usize <= RING_BUFFER_BYTES);
        // SAFETY: the range lies in the mapping by the assertion, which lives as long as `self`;
        // it was zeroed by the kernel when mapped; and while the buffer is held nobody writes it.
        unsafe { std::slice::from_raw_parts(self.buffer(id), len as usize) }
    }

    /// Never unmaps the memory: the kernel may still write to it.
    pub(super) fn leak(&mut self) {
        self.memory.leaked = true;
    }

    fn extend_to(&self, buffers: u16) {
        for id in self.grown.get()..buffers {
            self.offer(id);
        }
        self.grown.set(buffers);
        self.publish();
    }

    /// Writes the ring entry of buffer `id` at the tail, not yet visible to the kernel.
    fn offer(&self, id: u16) {
        let index = self.tail.get() & (self.capacity - 1);
        // SAFETY: the ring's `capacity` entries stand at the start of the mapping, and the entry
        // at our tail is not read by the kernel before `publish` moves the tail past it: at most
        // `capacity` buffers exist, so the tail never laps the kernel's head. Fields are written
        // one by one because the tail shares the first entry's reserved bytes.
        unsafe {
            let entry = &mut *self
                .memory
                .start
                .cast::<BufRingEntry>()
                .as_ptr()
                .add(index.into());
            entry.set_addr(self.buffer(id) as u64);
            entry.set_len(RING_BUFFER_BYTES as u32);
            entry.set_bid(id);
        }
        self.tail.set(self.tail.get().wrapping_add(1));
    }

    fn publish(&self) {
        // SAFETY: the tail is a u16 inside the mapping, aligned, and the kernel only reads it.
        // Release orders the entries written before it, as io_uring(7) asks.
        unsafe {
            let tail = BufRingEntry::tail(self.memory.start.cast::<BufRingEntry>().as_ptr());
            AtomicU16::from_ptr(tail.cast_mut()).store(self.tail.get(), Ordering::Release);
        }
    }

    fn buffer(&self, id: u16) -> *mut u8 {
        let offset = ring_bytes(self.capacity) + usize::from(id) * RING_BUFFER_BYTES;
        // SAFETY: `id` is below the capacity that the mapping was sized for.
        unsafe { self.memory.start.as_ptr().add(offset) }
    }
}

/// Bytes of the buffer ring, rounded up to whole pages so that buffers are page-aligned.
fn ring_bytes(capacity: u16) -> usize {
    (usize::from(capacity) * size_of::<BufRingEntry>()).next_multiple_of(4096)
}

/// An anonymous private mapping; untouched pages cost nothing.
#[derive(Debug)]
struct Mapping {
    start: NonNull<u8>,
    bytes: usize,
    leaked: bool,
}

impl Mapping {
    fn new(bytes: usize) -> io::Result<Self> {
        // SAFETY: a new anonymous mapping aliases nothing; the result is checked below.
        let start = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                bytes,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start = NonNull::new(start.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self {
            start,
            bytes,
            leaked: false,
        })
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        if self.leaked {
            return;
        }
        // SAFETY: exactly the range that `new` mapped. Dropping `Shared` closed the ring that used
        // it before, or had it leaked, so the kernel writes here no more.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.bytes) };
    }
}

/// Bytes that arrived and have not been looked at.
#[derive(Debug)]
pub(super) struct Chunk {
    pub(super) bytes: ChunkBytes,
    /// When their completion was reaped, on the ring's clock, or they came if that was long before.
    pub(super) arrived_ns: u64,
}

/// Where a chunk lies.
#[derive(Debug)]
pub(super) enum ChunkBytes {
    /// In a buffer of the pool.
    Pooled { id: u16, len: u32 },
    /// Copied out of it, because the pool was scarce. Boxed twice, because every socket has
    /// room for a chunk and this is rare.
    Copied(Box<Box<[u8]>>),
}

impl ChunkBytes {
    pub(super) fn copied(bytes: &[u8]) -> Self {
        Self::Copied(Box::new(bytes.into()))
    }
}

/// Received bytes, on loan from the ring's buffer pool.
///
/// The buffer goes back to the kernel when the lease is dropped. A lease that has to wait for
/// something slow should be [settled](Lease::settle) first.
#[derive(Debug)]
pub struct Lease {
    shared: Rc<Shared>,
    bytes: ChunkBytes,
    consumed: u32,
    arrived_ns: u64,
}

impl Lease {
    pub(super) fn new(shared: Rc<Shared>, chunk: Chunk) -> Self {
        Self {
            shared,
            bytes: chunk.bytes,
            arrived_ns: chunk.arrived_ns,
            consumed: 0,
        }
    }

    /// Drops the first `bytes` bytes from view.
    ///
    /// # Panics
    /// When fewer are left.
    pub fn consume(&mut self, bytes: usize) {
        assert!(bytes <= self.len());
        self.consumed += bytes as u32;
    }

    /// When the completion that delivered these bytes was reaped, on the ring's clock
    /// ([`Ring::now_ns`](super::Ring::now_ns)), in nanoseconds. If the core was held before that for 10 ms or longer, and
    /// they came by TCP, when the last of them came, as far as the kernel's ticks tell.
    pub fn arrived_ns(&self) -> u64 {
        self.arrived_ns
    }

    /// Copies the rest to the heap, so that a wait holds no pool buffer, which others may need and
    /// for which the pool would have to grow.
    pub fn settle(&mut self) {
        if matches!(self.bytes, ChunkBytes::Pooled { .. }) {
            let copy = ChunkBytes::copied(self);
            self.shared
                .release(&std::mem::replace(&mut self.bytes, copy));
            self.consumed = 0;
        }
    }
}

impl Deref for Lease {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        let bytes = match &self.bytes {
            ChunkBytes::Pooled { id, len } => self.shared.pool.bytes_of(*id, *len),
            ChunkBytes::Copied(bytes) => bytes,
        };
        &bytes[self.consumed as usize..]
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.shared.release(&self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_are_taken_and_given_back() {
        let pool = Pool::new(512).unwrap();
        assert_eq!((pool.free(), pool.held()), (256, 0));
        pool.take();
        assert_eq!((pool.free(), pool.held()), (255, 1));
        assert_eq!(pool.bytes_of(0, 4096), [0; 4096]);
        pool.recycle(0);
        assert_eq!((pool.free(), pool.held()), (256, 0));
    }

    #[test]
    fn the_pool_grows_to_its_capacity_and_no_further() {
        let pool = Pool::new(1024).unwrap();
        assert!(pool.grow());
        assert_eq!(pool.free(), 512);
        assert!(pool.grow());
        assert_eq!(pool.free(), 1024);
        assert!(!pool.grow());
        assert_eq!(pool.bytes(), 1024 * RING_BUFFER_BYTES);
    }

    #[test]
    fn scarce_below_a_quarter_of_the_full_pool() {
        let pool = Pool::new(256).unwrap();
        for _ in 0..192 {
            pool.take();
        }
        assert!(!pool.is_scarce());
        pool.take();
        assert!(pool.is_scarce());
    }

    #[test]
    fn the_tail_wraps_around() {
        let pool = Pool::new(2).unwrap();
        for round in 0..200_000_u32 {
            pool.take();
            pool.recycle((round % 2) as u16);
        }
        assert_eq!(pool.free(), 2);
    }

    #[test]
    #[should_panic(expected = "assertion failed")]
    fn a_length_beyond_the_buffer_is_caught() {
        Pool::new(2)
            .unwrap()
            .bytes_of(0, RING_BUFFER_BYTES as u32 + 1);
    }
}
