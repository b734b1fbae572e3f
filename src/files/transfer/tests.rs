use super::*;
use crate::app::BodySource;
use crate::files::parts::{FileBody, Origin};
use crate::files::replica::Leave;
use crate::permits::Permits;
use crate::ring::{Access, Links, Opening, Ring, RingOptions, run};
use futures_lite::future::poll_once;
use std::fs;
use std::future::poll_fn;
use std::io::Write;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// A file of `0123456789` of which five bytes were read; it is open to be written to, too.
async fn half_read(ring: &Ring) -> (tempfile::TempDir, fs::File, Held) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    fs::write(&path, "0123456789").unwrap();
    let written = fs::OpenOptions::new().append(true).open(&path).unwrap();
    let long_ago = SystemTime::UNIX_EPOCH + Duration::from_secs(1);
    written.set_modified(long_ago).unwrap();
    let opening = Opening {
        access: Access::Read,
        links: Links::Beneath,
    };
    let directory = Arc::new(fs::File::open(folder.path()).unwrap().into());
    let file = File::open_beneath(ring, &directory, c"log", opening).await;
    let file = Rc::new(file.unwrap());
    let version = resolve::version(&*file).unwrap();
    let (held, read) = Held::new(file, version).read(0, 5).await;
    assert_eq!(read.unwrap(), b"01234");
    (folder, written, held)
}

#[test]
fn a_write_whose_length_comes_behind_its_time_is_waited_for() {
    run(None, RingOptions::default(), |ring| async move {
        let (_folder, mut written, mut held) = half_read(&ring).await;
        written.set_modified(SystemTime::now()).unwrap();
        let sent = held.send_pages(5, 5, &mut |piece| piece.len());
        assert_eq!(sent.unwrap().unwrap(), 5);
        // From now on it goes the way on which it can wait.
        assert!(held.send_pages(5, 5, &mut |piece| piece.len()).is_none());
        let mut read = pin!(held.read(5, 5));
        assert!(poll_once(&mut read).await.is_none());
        written.write_all(b"more").unwrap();
        let (mut held, read) = read.await;
        assert_eq!(read.unwrap(), b"56789");
        assert!(held.send_pages(5, 5, &mut |piece| piece.len()).is_some());
    })
    .unwrap();
}

/// A file that is not in memory, as far as its file system drops what it holds of one.
async fn dropped(ring: &Ring, content: &[u8]) -> (tempfile::TempDir, Rc<File>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    fs::write(&path, content).unwrap();
    let opening = Opening {
        access: Access::Read,
        links: Links::Beneath,
    };
    let directory = Arc::new(fs::File::open(folder.path()).unwrap().into());
    let file = File::open_beneath(ring, &directory, c"file", opening).await;
    let file = Rc::new(file.unwrap());
    rustix::fs::fsync(&*file).unwrap();
    drop_pages(&file);
    (folder, file)
}

fn drop_pages(file: &File) {
    rustix::fs::fadvise(file, 0, None, rustix::fs::Advice::DontNeed).unwrap();
}

#[test]
fn what_the_disk_has_to_give_is_sent_whole_and_in_order() {
    run(None, RingOptions::default(), |ring| async move {
        let words = (3 * FILE_TURN_BYTES + 5 * LEAST_STEP_BYTES) as u32 / 4;
        let content: Vec<u8> = (0..words).flat_map(u32::to_ne_bytes).collect();
        let ways = [
            (Way::Pages, false),
            (Way::Pages, true),
            (Way::Copies(Copied::default()), false),
        ];
        for (way, is_dropped_again) in ways {
            let (_folder, file) = dropped(&ring, &content).await;
            let version = resolve::version(&*file).unwrap();
            let held = Held::new(Rc::clone(&file), version);
            let mut body = pin!(FileBody::part(
                Origin::Held(held, None),
                1..content.len() as u64,
                way
            ));
            let mut got = Vec::new();
            loop {
                let sent = body.as_mut().send_from_file(&mut |piece| {
                    let begin = got.len();
                    got.resize(begin + piece.len(), 0);
                    match piece {
                        FilePiece::Pages { file, offset, .. } => {
                            let read = rustix::io::pread(file, &mut got[begin..], offset);
                            assert_eq!(read, Ok(piece.len()));
                        }
                        FilePiece::Copy(content) => got[begin..].copy_from_slice(content),
                    }
                    piece.len()
                });
                if let Some(sent) = sent {
                    sent.unwrap();
                    continue;
                }
                let piece = poll_fn(|cx| body.as_mut().poll_data(cx)).await;
                let Some(piece) = piece else { break };
                got.extend_from_slice(&piece.unwrap());
                if is_dropped_again {
                    drop_pages(&file);
                }
            }
            assert!(got == content[1..]);
        }
    })
    .unwrap();
}

#[test]
fn pages_are_in_memory_until_they_are_dropped() {
    run(None, RingOptions::default(), |ring| async move {
        let bytes = 4 * FILE_TURN_BYTES;
        let (_folder, file) = dropped(&ring, &vec![7; bytes]).await;
        // To read a byte without waiting may have the kernel begin to read ahead, so this is asked first.
        if file.is_cached(0, bytes) {
            eprintln!("not tested: this file system holds files in memory");
            return;
        }
        read_exactly(&file, 0, bytes).await.unwrap();
        assert!(file.is_cached(0, bytes));
        assert!(file.is_cached(4095, 2));
        let middle = (bytes / 2) as u64;
        rustix::fs::fadvise(&*file, middle, None, rustix::fs::Advice::DontNeed).unwrap();
        assert!(!file.is_cached(0, bytes));
        assert!(file.is_cached(0, bytes / 4));
    })
    .unwrap();
}

#[test]
fn a_write_that_makes_nothing_longer_is_a_change() {
    run(None, RingOptions::default(), |ring| async move {
        let (_folder, written, held) = half_read(&ring).await;
        written.set_modified(SystemTime::now()).unwrap();
        let (_, read) = held.read(5, 5).await;
        assert!(is_change(&read.unwrap_err()));
    })
    .unwrap();
}

#[test]
fn what_was_sent_of_a_replica_is_held_against_the_file_that_goes_on() {
    run(None, RingOptions::default(), |ring| async move {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let of = |byte, bytes| [vec![b'h'; 2000], vec![byte; bytes]].concat();
        let content = of(b'a', 18_000);
        fs::write(&path, &content).unwrap();
        let opening = Opening {
            access: Access::Read,
            links: Links::Beneath,
        };
        let directory = Arc::new(fs::File::open(folder.path()).unwrap().into());
        let file = File::open_beneath(&ring, &directory, c"file", opening).await;
        let file = Rc::new(file.unwrap());
        let version = resolve::version(&*file).unwrap();
        let leave = Leave {
            bytes: Permits::new(1).take().unwrap(),
            filling: Permits::new(1).take().unwrap(),
        };
        let replica = Rc::new(Replica::new(file, version, leave).unwrap());
        replica.fill(version, 0, &content[..10_000]);
        let origin = Origin::of(&replica).sampled(0).await.unwrap();
        let way = Way::Copies(Copied::default());
        let mut body = pin!(FileBody::part(origin, 0..20_000, way));
        let sent = body.as_mut().send_from_file(&mut |piece| {
            assert!(matches!(piece, FilePiece::Pages { offset: 0, .. }));
            piece.len()
        });
        assert!(matches!(sent, Some(Ok(()))));
        // It is longer, and the same where the response began.
        fs::write(&path, of(b'b', 30_000)).unwrap();
        let sent = body
            .as_mut()
            .send_from_file(&mut |_| panic!("of another version"));
        assert!(matches!(sent, Some(Err(_))), "{sent:?}");
    })
    .unwrap();
}
