//! Files opened and read on the ring.

use super::*;
use std::os::fd::OwnedFd;

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
        let file = File::open_beneath(&ring, &fd, c"file".to_owned())
            .await
            .unwrap();
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
fn nothing_above_the_folder_is_opened() {
    with_ring(RingOptions::default(), |ring| async move {
        let (folder, fd) = folder();
        std::os::unix::fs::symlink("/etc/passwd", folder.path().join("link")).unwrap();
        for (path, errno) in [
            (c"../etc/passwd", libc::EXDEV),
            (c"/etc/passwd", libc::EXDEV),
            (c"link", libc::EXDEV),
            (c"missing", libc::ENOENT),
            (c"", libc::ENOENT),
        ] {
            let error = File::open_beneath(&ring, &fd, path.to_owned())
                .await
                .unwrap_err();
            assert_eq!(error.raw_os_error(), Some(errno), "{path:?}");
        }
    });
}

#[test]
fn a_dropped_read_keeps_its_file_open() {
    with_ring(RingOptions::default(), |ring| async move {
        let (folder, fd) = folder();
        std::fs::write(folder.path().join("file"), pattern(10_000, 1)).unwrap();
        let file = File::open_beneath(&ring, &fd, c"file".to_owned())
            .await
            .unwrap();
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
