//! Files opened and read on the ring.

use super::*;
use crate::limits::QUEUED_CLOSES;
use std::os::fd::OwnedFd;
use std::pin::pin;

pub(super) const READ: Opening = Opening {
    access: Access::Read,
    links: Links::Beneath,
};

fn folder() -> (tempfile::TempDir, Arc<OwnedFd>) {
    let folder = tempfile::tempdir().unwrap();
    let fd = std::fs::File::open(folder.path()).unwrap().into();
    (folder, Arc::new(fd))
}

#[test]
fn a_file_is_read_at_any_offset() {
    with_ring(RingOptions::default(), |ring| async move {
        let (folder, fd) = folder();
        let bytes = pattern(10_000, 1);
        std::fs::write(folder.path().join("file"), &bytes).unwrap();
        let file = File::open_beneath(&ring, &fd, c"file", READ).await.unwrap();
        for (offset, len, expected) in [
            (0, 10_000, 10_000),
            (1, 100, 100),
            (9_999, 100, 1),
            (10_000, 100, 0),
            (20_000, 1, 0),
            (0, 0, 0),
        ] {
            let (outcome, buffer) = file.read_at(vec![0; len], offset).await;
            assert_eq!((outcome.unwrap(), buffer.len()), (expected, len));
            if let Some(tail) = bytes.get(offset as usize..) {
                assert_eq!(buffer[..expected], tail[..expected]);
            }
        }
        drop(file);
        settled(&ring, [0; 5]).await;
    });
}

#[test]
fn links_are_followed_as_far_as_is_asked() {
    with_ring(RingOptions::default(), |ring| async move {
        let (folder, fd) = folder();
        let link = |to: &str, name| {
            std::os::unix::fs::symlink(to, folder.path().join(name)).unwrap();
        };
        std::fs::write(folder.path().join("file"), "x").unwrap();
        link("file", "inside");
        link("/proc/self/stat", "outside");
        link("/proc/self/root", "magic");
        link("loop", "loop");
        // With no links, those beneath, and all: what comes of it.
        let table = [
            (c"file", [None, None, None]),
            (c"inside", [Some(libc::ELOOP), None, None]),
            (c"outside", [Some(libc::ELOOP), Some(libc::EXDEV), None]),
            (
                c"magic",
                [Some(libc::ELOOP), Some(libc::EXDEV), Some(libc::ELOOP)],
            ),
            (c"loop", [Some(libc::ELOOP); 3]),
            (c"missing", [Some(libc::ENOENT); 3]),
            (c"", [Some(libc::ENOENT); 3]),
        ];
        for access in [Access::Look, Access::Read] {
            for (path, errnos) in table {
                let links = [Links::None, Links::Beneath, Links::Any];
                for (links, errno) in links.into_iter().zip(errnos) {
                    let opening = Opening { access, links };
                    let opened = File::open_beneath(&ring, &fd, path, opening).await;
                    let told = opened.err().and_then(|error| error.raw_os_error());
                    assert_eq!(told, errno, "{path:?} {opening:?}");
                }
            }
            for (path, errno) in [
                (c"../etc/passwd", libc::EXDEV),
                (c"/etc/passwd", libc::EXDEV),
            ] {
                for links in [Links::None, Links::Beneath] {
                    let opening = Opening { access, links };
                    let opened = File::open_beneath(&ring, &fd, path, opening).await;
                    assert_eq!(opened.unwrap_err().raw_os_error(), Some(errno), "{path:?}");
                }
            }
        }
    });
}

#[test]
fn what_is_only_looked_at_is_not_read() {
    with_ring(RingOptions::default(), |ring| async move {
        let (folder, fd) = folder();
        std::fs::write(folder.path().join("file"), "x").unwrap();
        let opening = Opening {
            access: Access::Look,
            ..READ
        };
        let file = File::open_beneath(&ring, &fd, c"file", opening)
            .await
            .unwrap();
        let (read, _) = file.read_at(vec![0; 1], 0).await;
        assert_eq!(read.unwrap_err().raw_os_error(), Some(libc::EBADF));
        let errno = file.read_now(&mut [0], 0).unwrap_err().raw_os_error();
        assert_eq!(errno, Some(libc::EBADF));
    });
}

#[test]
fn what_is_in_memory_is_read_at_once() {
    with_ring(RingOptions::default(), |ring| async move {
        let (folder, fd) = folder();
        std::fs::write(folder.path().join("file"), pattern(10_000, 1)).unwrap();
        let file = File::open_beneath(&ring, &fd, c"file", READ).await.unwrap();
        // It has just been written, so it is in memory.
        let mut buffer = vec![0; 100];
        assert_eq!(file.read_now(&mut buffer, 9_950).unwrap(), 50);
        assert_eq!(buffer[..50], pattern(10_000, 1)[9_950..]);
        assert_eq!(file.read_now(&mut buffer, 10_000).unwrap(), 0);
    });
}

#[test]
fn a_dropped_read_keeps_its_file_open() {
    with_ring(RingOptions::default(), |ring| async move {
        let (folder, fd) = folder();
        std::fs::write(folder.path().join("file"), pattern(10_000, 1)).unwrap();
        let file = File::open_beneath(&ring, &fd, c"file", READ).await.unwrap();
        settled(&ring, [0; 5]).await;
        assert!(
            futures_lite::future::poll_once(file.read_at(vec![0; 10_000], 0))
                .await
                .is_none()
        );
        drop(file);
        // The read and its cancellation, and no close: that comes when the read has ended.
        let [ops, _, _, queued, _] = held(&ring);
        assert_eq!((ops, queued), (1, 2));
        settled(&ring, [0; 5]).await;
    });
}

/// How many descriptors of this process there are for what lies at `path`.
fn descriptors_of(path: &std::path::Path) -> usize {
    let all = std::fs::read_dir("/proc/self/fd").unwrap();
    let leads_there = |entry: &std::io::Result<std::fs::DirEntry>| {
        let link = entry.as_ref().unwrap().path();
        std::fs::read_link(link).is_ok_and(|to| to == path)
    };
    all.filter(leads_there).count()
}

#[test]
fn files_that_are_dropped_without_a_turn_pile_up_to_a_most() {
    with_ring(RingOptions::default(), |ring| async move {
        let (folder, fd) = folder();
        let path = folder.path().canonicalize().unwrap().join("file");
        std::fs::write(&path, "x").unwrap();
        for count in 1..=3 * QUEUED_CLOSES {
            // It is in memory, so nothing is waited for.
            let mut opening = pin!(File::open_beneath(&ring, &fd, c"file", READ));
            let opened = futures_lite::future::poll_once(&mut opening).await;
            drop(opened.expect("it is in memory").unwrap());
            assert_eq!(descriptors_of(&path), count.min(QUEUED_CLOSES));
        }
        // Those are closed when the ring turns, and there is room again.
        settled(&ring, [0; 5]).await;
        while descriptors_of(&path) > 0 {
            yield_now().await;
        }
        drop(File::open_beneath(&ring, &fd, c"file", READ).await.unwrap());
        assert_eq!(descriptors_of(&path), 1);
    });
}
