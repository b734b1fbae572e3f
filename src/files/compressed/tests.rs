//! What is compressed, how often and at whose cost, and what ends it.

use super::*;
use crate::app::{Body, Request};
use crate::files::common::Common;
use crate::files::sending::Wanted;
use crate::files::{Files, cache, resolve};
use crate::http::{HeadLimits, HeadParser};
use crate::limits::CACHED_FILE_BYTES;
use crate::ring::{Access, File, Links, Opening, Ring, RingOptions, run};
use ContentCoding::Gzip;
use futures_lite::future::{block_on, poll_once, zip};
use std::ffi::CString;
use std::fs;
use std::sync::Arc;
use std::time::SystemTime;

async fn held(ring: &Ring, folder: &tempfile::TempDir, name: usize) -> Held {
    let opening = Opening {
        access: Access::Read,
        links: Links::None,
    };
    let folder = Arc::new(fs::File::open(folder.path()).unwrap().into());
    let name = CString::new(name.to_string()).unwrap();
    let file = File::open_beneath(ring, &folder, &name, opening).await;
    let file = Rc::new(file.unwrap());
    let version = resolve::version(&*file).unwrap();
    Held::new(file, version)
}

/// Text of so many bytes in files that are called by numbers.
fn folder(files: usize, bytes: usize) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in 0..files {
        fs::write(folder.path().join(name.to_string()), text(bytes)).unwrap();
    }
    folder
}

fn text(bytes: usize) -> Vec<u8> {
    (0..bytes)
        .map(|place| ((place * place) >> 7) as u8)
        .collect()
}

fn compressor(common: &Rc<Compressing>) -> Compressor {
    Compressor::new(&Policy::default(), common)
}

async fn begin(
    compressor: &Compressor,
    ring: &Ring,
    folder: &tempfile::TempDir,
    name: usize,
) -> Option<Rc<Making>> {
    let held = held(ring, folder, name).await;
    compressor.compress(held, Gzip, usize::MAX, || Some(|_: &Made| ()))
}

/// Lets other tasks run until nothing is compressed any more.
async fn until_idle(compressor: &Compressor) {
    while !compressor.making.borrow().is_empty() {
        yield_now().await;
    }
}

#[test]
fn a_version_is_compressed_once_for_all_who_ask() {
    run(None, RingOptions::default(), |ring| async move {
        let folder = folder(1, 3 * FILE_PIECE_BYTES);
        let compressor = compressor(&Rc::default());
        let both = [
            begin(&compressor, &ring, &folder, 0).await.unwrap(),
            begin(&compressor, &ring, &folder, 0).await.unwrap(),
        ];
        assert!(Rc::ptr_eq(&both[0], &both[1]));
        let [first, second] = both.each_ref().map(|making| making.wait(&ring, None));
        let (first, second) = zip(first, second).await;
        let [first, second] = [first, second].map(Option::unwrap);
        assert_eq!(
            first.content.map(|content| content.as_ptr()),
            second.content.map(|content| content.as_ptr())
        );
        assert!(first.is_settled && first.tag == second.tag);
        assert!(compressor.making.borrow().is_empty());
    })
    .unwrap();
}

#[test]
fn a_core_compresses_up_to_a_most_in_all_its_folders() {
    run(None, RingOptions::default(), |ring| async move {
        let folder = folder(COMPRESSIONS + 1, 3 * FILE_PIECE_BYTES);
        let common = Rc::default();
        let [one, other] = [(); 2].map(|()| compressor(&common));
        let mut making = Vec::new();
        for name in 0..COMPRESSIONS {
            let compressor = if name % 2 == 0 { &one } else { &other };
            making.push(begin(compressor, &ring, &folder, name).await.unwrap());
        }
        for compressor in [&one, &other] {
            assert!(
                begin(compressor, &ring, &folder, COMPRESSIONS)
                    .await
                    .is_none()
            );
        }
        // For what is under way already there is room.
        assert!(begin(&one, &ring, &folder, 0).await.is_some());
        let made = making.swap_remove(0).wait(&ring, None).await;
        assert!(made.unwrap().content.is_some());
        assert!(begin(&one, &ring, &folder, COMPRESSIONS).await.is_some());
        until_idle(&one).await;
        until_idle(&other).await;
    })
    .unwrap();
}

#[test]
fn whoever_leaves_or_waits_no_longer_costs_the_others_nothing() {
    run(None, RingOptions::default(), |ring| async move {
        let folder = folder(1, 3 * FILE_PIECE_BYTES);
        let compressor = compressor(&Rc::default());
        let making = begin(&compressor, &ring, &folder, 0).await.unwrap();
        let [mut first, mut second] = [(); 2].map(|()| Box::pin(making.wait(&ring, None)));
        assert!(poll_once(&mut first).await.is_none());
        assert!(poll_once(&mut second).await.is_none());
        assert_eq!(making.waiting.get(), 2);
        drop(first);
        assert!(making.wait(&ring, Some(Duration::ZERO)).await.is_none());
        assert_eq!(making.waiting.get(), 1);
        assert!(second.await.unwrap().content.is_some());
        assert_eq!(making.waiting.get(), 0);
        // What is over is not waited for.
        assert!(making.wait(&ring, Some(Duration::ZERO)).await.is_some());
    })
    .unwrap();
}

#[test]
fn it_is_made_to_its_end_and_kept_where_all_have_left() {
    run(None, RingOptions::default(), |ring| async move {
        let folder = folder(COMPRESSIONS, 3 * FILE_PIECE_BYTES);
        let compressor = compressor(&Rc::default());
        let kept = Rc::new(Cell::new(0));
        for name in 0..COMPRESSIONS {
            let count = Rc::clone(&kept);
            let keep = move |made: &Made| {
                assert!(made.content.is_some());
                count.set(count.get() + 1);
            };
            let held = held(&ring, &folder, name).await;
            let making = compressor.compress(held, Gzip, usize::MAX, || Some(keep));
            let making = making.unwrap();
            let mut waiting = Box::pin(making.wait(&ring, None));
            assert!(poll_once(&mut waiting).await.is_none());
        }
        until_idle(&compressor).await;
        assert_eq!(kept.get(), COMPRESSIONS);
        // And there is room for others.
        assert!(begin(&compressor, &ring, &folder, 0).await.is_some());
        until_idle(&compressor).await;
    })
    .unwrap();
}

#[test]
fn while_the_core_drains_only_what_is_waited_for_goes_on() {
    run(None, RingOptions::default(), |ring| async move {
        let folder = folder(2, 3 * FILE_PIECE_BYTES);
        let common = Rc::default();
        let compressor = compressor(&common);
        let [wanted, left] = [
            begin(&compressor, &ring, &folder, 0).await.unwrap(),
            begin(&compressor, &ring, &folder, 1).await.unwrap(),
        ];
        let mut wait = Box::pin(wanted.wait(&ring, None));
        assert!(poll_once(&mut wait).await.is_none());
        common.drain();
        assert!(wait.await.unwrap().content.is_some());
        assert!(left.wait(&ring, None).await.is_none());
        until_idle(&compressor).await;
    })
    .unwrap();
}

#[test]
fn what_nobody_keeps_goes_on_while_it_is_waited_for() {
    run(None, RingOptions::default(), |ring| async move {
        let folder = folder(2, 3 * FILE_PIECE_BYTES);
        let compressor = compressor(&Rc::default());
        let begin = async |name| {
            let held = held(&ring, &folder, name).await;
            let making = compressor.compress(held, Gzip, usize::MAX, || None::<fn(&Made)>);
            making.unwrap()
        };
        let wanted = begin(0).await;
        let mut wait = Box::pin(wanted.wait(&ring, None));
        assert!(poll_once(&mut wait).await.is_none());
        let left = begin(1).await;
        let mut leaving = Box::pin(left.wait(&ring, None));
        assert!(poll_once(&mut leaving).await.is_none());
        drop(leaving);
        assert!(left.wait(&ring, Some(Duration::ZERO)).await.is_none());
        while compressor.making.borrow().len() > 1 {
            yield_now().await;
        }
        // It has not come to its end.
        assert_eq!(left.outcome.get().map(Option::is_none), Some(true));
        assert!(wait.await.unwrap().content.is_some());
    })
    .unwrap();
}

#[test]
fn at_the_end_nothing_is_left_under_way() {
    run(None, RingOptions::default(), |ring| async move {
        let folder = folder(COMPRESSIONS, 3 * FILE_PIECE_BYTES);
        let common = Rc::default();
        let compressor = compressor(&common);
        for name in 0..COMPRESSIONS {
            begin(&compressor, &ring, &folder, name).await.unwrap();
        }
        while common.turns.came() == 0 {
            yield_now().await;
        }
        common.drain();
        common.end().await;
        assert!(compressor.making.borrow().is_empty());
        drop(compressor);
        assert_eq!(Rc::strong_count(&common), 1);
        // And it is not waited for again.
        common.end().await;
    })
    .unwrap();
}

#[test]
fn what_was_replaced_meanwhile_is_not_settled() {
    use std::os::unix::fs::MetadataExt;
    run(None, RingOptions::default(), |ring| async move {
        let folder = folder(1, FILE_PIECE_BYTES);
        let [path, next] = ["0", "next"].map(|name| folder.path().join(name));
        let changed = |path| {
            let seen = fs::metadata(path).unwrap();
            (seen.ctime(), seen.ctime_nsec())
        };
        // The clock of the file system goes in steps.
        fs::write(&next, "next").unwrap();
        while changed(&next) == changed(&path) {
            fs::write(&next, "next").unwrap();
        }
        let compressor = compressor(&Rc::default());
        let making = begin(&compressor, &ring, &folder, 0).await.unwrap();
        // All of it is read.
        while compressor.common.turns.came() == 0 {
            yield_now().await;
        }
        fs::rename(next, path).unwrap();
        let made = making.wait(&ring, None).await.unwrap();
        assert!(made.content.is_some() && !made.is_settled);
    })
    .unwrap();
}

#[test]
fn a_file_that_was_replaced_while_it_was_waited_for_is_not_remembered() {
    run(None, RingOptions::default(), |ring| async move {
        let folder = tempfile::tempdir().unwrap();
        let [path, next] = ["a.css", "next"].map(|name| folder.path().join(name));
        // What is kept open, and not read.
        fs::write(&path, text(2 * CACHED_FILE_BYTES)).unwrap();
        let common = Common::new(1 << 20);
        let policy = Policy {
            compress: vec![(Gzip, 1)],
            compression_wait: Duration::from_millis(1),
            ..Policy::default()
        };
        let files = Files::sharing(&ring, folder.path(), policy, &common).unwrap();
        let served = &files.0;
        let head = b"GET /a.css HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: gzip\r\n\r\n";
        let head = HeadParser::default().parse(head, &HeadLimits::default());
        let nobody = ([0; 4], 0).into();
        let request = Request::new(head.unwrap().unwrap().0, Body::Empty, nobody);
        let wanted = Wanted {
            request: &request,
            name: b"a.css",
        };
        let release = served.root.release(ring.now_ns());
        let version = || resolve::version(fs::File::open(&path).unwrap()).unwrap();
        while version().is_racy(served.message_time()) {
            yield_now().await;
        }
        let ask = || {
            let relative = c"a.css".to_owned();
            served.file(&release, wanted, relative, version(), ring.now_ns())
        };
        let key = cache::Key {
            root: served.number,
            path: wanted.name,
            coding: None,
        };
        // Nothing is compressed until this is dropped.
        let turn = common.compressing.turns.take().await;
        ask().await.ok().unwrap();
        assert!(served.cache.get(key).is_some());
        served.cache.remove(key);
        let mut asked = Box::pin(ask());
        let is_waiting = || {
            let making = served.compressor.making.borrow();
            making.values().any(|making| making.waiting.get() > 0)
        };
        while !is_waiting() {
            assert!(poll_once(&mut asked).await.is_none());
            yield_now().await;
        }
        fs::write(&next, "another").unwrap();
        fs::rename(&next, &path).unwrap();
        asked.await.ok().unwrap();
        assert!(served.cache.get(key).is_none());
        // Nor is what is made of it.
        drop(turn);
        common.compressing.end().await;
        assert!(served.cache.get(key).is_none());
    })
    .unwrap();
}

#[test]
fn nothing_is_made_of_two_versions() {
    run(None, RingOptions::default(), |ring| async move {
        let folder = folder(1, 3 * FILE_PIECE_BYTES);
        let path = folder.path().join("0");
        let long_ago = SystemTime::UNIX_EPOCH;
        let set = |content: Option<&[u8]>| {
            if let Some(content) = content {
                fs::write(&path, content).unwrap();
            }
            let file = fs::File::options().write(true).open(&path).unwrap();
            file.set_modified(long_ago).unwrap();
        };
        set(None);
        let compressor = compressor(&Rc::default());
        let making = begin(&compressor, &ring, &folder, 0).await.unwrap();
        // Its first piece is read, and of that a slice compressed.
        while compressor.common.turns.came() == 0 {
            yield_now().await;
        }
        set(Some(b"another"));
        assert!(making.wait(&ring, None).await.is_none());
        assert!(compressor.making.borrow().is_empty());
        // The other one is no smaller.
        let making = begin(&compressor, &ring, &folder, 0).await.unwrap();
        let made = making.wait(&ring, None).await.unwrap();
        assert!(made.is_settled && made.content.is_none());
    })
    .unwrap();
}

#[test]
fn an_encoder_that_panics_is_not_the_end_of_the_core() {
    let made = block_on(outcome(async { panic!("an encoder") })).unwrap();
    assert!(made.content.is_none() && made.is_settled);
    let failed = outcome(async { Err(io::ErrorKind::OutOfMemory.into()) });
    assert!(block_on(failed).is_none());
}

#[test]
fn what_there_is_no_room_for_is_given_up() {
    run(None, RingOptions::default(), |ring| async move {
        let folder = folder(1, 3 * FILE_PIECE_BYTES);
        let compressor = compressor(&Rc::default());
        let made = async |room_bytes| {
            let held = held(&ring, &folder, 0).await;
            let making = compressor.compress(held, Gzip, room_bytes, || Some(|_: &Made| ()));
            making.unwrap().wait(&ring, None).await.unwrap().content
        };
        let content = made(usize::MAX).await.unwrap();
        assert_eq!(made(content.len()).await, Some(content.clone()));
        assert_eq!(made(content.len() - 1).await, None);
    })
    .unwrap();
}

#[test]
fn no_level_is_higher_than_those_of_files() {
    let codings = [
        (ContentCoding::Brotli, 11),
        (ContentCoding::Zstd, 19),
        (Gzip, 9),
    ];
    let policy = Policy {
        compress: codings.to_vec(),
        ..Policy::default()
    };
    let compressor = Compressor::new(&policy, &Rc::default());
    let levels = codings.map(|(coding, _)| compressor.levels.of(coding));
    assert_eq!(levels, [FILE_BROTLI_LEVEL, FILE_ZSTD_LEVEL, 9]);
    let table = [
        (Gzip, 5, 1),
        (Gzip, 6, 2),
        (ContentCoding::Zstd, 3, 1),
        (ContentCoding::Brotli, 4, 2),
        (ContentCoding::Brotli, 5, 4),
    ];
    for (coding, level, expected) in table {
        assert_eq!(parts(coding, level), expected, "{coding:?} {level}");
    }
}

#[test]
fn there_is_one_slice_between_two_turns_of_the_ring() {
    run(None, RingOptions::default(), |ring| async move {
        let folder = folder(COMPRESSIONS, 3 * FILE_PIECE_BYTES);
        let common = Rc::<Compressing>::default();
        let compressor = compressor(&common);
        let most = Rc::new(Cell::new(0));
        let (observed, most_seen) = (Rc::clone(&common), Rc::clone(&most));
        let before = Cell::new(0);
        ring.observe_turns(move |_| {
            let slices = observed.slices.get();
            most_seen.set(most_seen.get().max(slices - before.replace(slices)));
        });
        for name in 0..COMPRESSIONS {
            begin(&compressor, &ring, &folder, name).await.unwrap();
        }
        until_idle(&compressor).await;
        assert_eq!(most.get(), 1);
        let least = COMPRESSIONS * (3 * FILE_PIECE_BYTES / FILE_CODING_BYTES);
        // What comes of them is joined in turns as well.
        assert!(common.slices.get() > least as u64);
    })
    .unwrap();
}
