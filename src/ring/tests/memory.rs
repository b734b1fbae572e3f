//! Memory with a descriptor is written once, then nobody changes it.

use super::*;
use crate::limits::QUEUED_CLOSES;
use rustix::fs::{fstat, ftruncate};
use rustix::io::Errno;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::os::unix::fs::MetadataExt;

#[test]
fn it_is_read_as_it_was_written() {
    with_ring(RingOptions::default(), |ring| async move {
        let memory = Memory::new(&ring, 1 << 20).unwrap();
        assert_eq!(memory.read(0, 10).unwrap(), b"");
        let content = pattern(300_000, 1);
        let (first, rest) = content.split_at(100_001);
        memory.write(first, 0).unwrap();
        memory.write(rest, first.len() as u64).unwrap();
        assert!(memory.read(0, content.len()).unwrap() == content);
        assert_eq!(memory.read(299_990, 20).unwrap(), &content[299_990..]);
    });
}

#[test]
fn once_it_is_sealed_nobody_writes_to_it() {
    with_ring(RingOptions::default(), |ring| async move {
        let memory = Memory::new(&ring, 1 << 20).unwrap();
        memory.write(b"as it was", 0).unwrap();
        memory.seal().unwrap();
        let error = memory.write(b"other", 0).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EPERM));
        for length in [0, 100] {
            assert_eq!(ftruncate(&memory, length), Err(Errno::PERM));
        }
        let path = format!("/proc/self/fd/{}", memory.as_fd().as_raw_fd());
        let other = std::fs::File::options().write(true).open(path);
        let error = other.unwrap().write_all(b"other").unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EPERM));
        assert_eq!(memory.read(0, 100).unwrap(), b"as it was");
    });
}

#[test]
fn it_is_sealed_while_a_socket_still_has_its_pages_and_outlives_them_there() {
    with_ring(RingOptions::default(), |ring| async move {
        let (stream, mut peer) = pair(&ring);
        let content = pattern(100_000, 1);
        let memory = Memory::new(&ring, 1 << 20).unwrap();
        memory.write(&content, 0).unwrap();
        let sent = stream.try_send_file(&memory, 0, content.len()).unwrap();
        assert!(sent > 0);
        memory.seal().unwrap();
        drop(memory);
        settled(&ring, [0, 1, 0, 0, 0]).await;
        let received = on_thread(&ring, move || {
            let mut received = vec![0; sent];
            peer.read_exact(&mut received).unwrap();
            received
        });
        assert!(received.await == content[..sent]);
    });
}

#[test]
fn all_of_it_is_given_back_whether_or_not_the_ring_turns_again() {
    for turns in [true, false] {
        let (told, given) = std::sync::mpsc::channel();
        with_ring(RingOptions::default(), move |ring| async move {
            // More than the ring closes of other files at a time.
            let all: Vec<_> = (0..2 * QUEUED_CLOSES)
                .map(|_| Memory::new(&ring, 1).unwrap())
                .collect();
            let of = |memory: &Memory| {
                memory.write(b"a", 0).unwrap();
                (memory.as_fd().as_raw_fd(), fstat(memory).unwrap().st_ino)
            };
            let given: Vec<_> = all.iter().map(of).collect();
            drop(all);
            if turns {
                let is_open = || given.iter().any(is_open);
                until(&ring, "their descriptors are closed", || !is_open()).await;
            }
            told.send(given).unwrap();
        });
        assert!(!given.recv().unwrap().iter().any(is_open));
    }
}

/// Whether the descriptor is still one of that inode.
fn is_open((fd, inode): &(RawFd, u64)) -> bool {
    let found = std::fs::metadata(format!("/proc/self/fd/{fd}"));
    found.is_ok_and(|found| found.ino() == *inode)
}
