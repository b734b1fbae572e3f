//! Memory with a descriptor is written once, then nobody changes it.

use super::*;
use rustix::fs::{fstat, ftruncate};
use rustix::io::Errno;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::MetadataExt;

#[test]
fn it_is_read_as_it_was_written() {
    with_ring(RingOptions::default(), |ring| async move {
        let memory = Memory::new(&ring).unwrap();
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
        let memory = Memory::new(&ring).unwrap();
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
        let memory = Memory::new(&ring).unwrap();
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
fn it_is_given_back() {
    with_ring(RingOptions::default(), |ring| async move {
        let memory = Memory::new(&ring).unwrap();
        memory.write(b"a", 0).unwrap();
        let inode = fstat(&memory).unwrap().st_ino;
        let fd = memory.as_fd().as_raw_fd();
        drop(memory);
        let path = format!("/proc/self/fd/{fd}");
        let is_open = || std::fs::metadata(&path).is_ok_and(|found| found.ino() == inode);
        until(&ring, "its descriptor is closed", || !is_open()).await;
    });
}
