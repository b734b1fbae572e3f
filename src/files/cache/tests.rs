//! What is remembered, for how long, and what makes room.

use super::*;
use crate::files::Policy;
use crate::files::version::Version;
use crate::ring::{Access, Links, Opening, Ring, RingOptions, run};
use proptest::prelude::*;
use std::sync::Arc;
use std::time::Duration;

fn key(path: &str) -> Key<'_> {
    Key {
        root: 0,
        path: path.as_bytes(),
        coding: None,
    }
}

/// An entry of so many bytes in all, for a path of one byte.
fn entry(bytes: usize) -> Entry {
    let content = vec![0; bytes - ENTRY_BYTES - 2];
    let version = Version::made(1, content.len() as u64, Duration::ZERO);
    let variants = Variants::new(c"a".to_owned(), version);
    let variant = Variant {
        coding: None,
        version,
        is_made: false,
    };
    let now = Duration::ZERO;
    let representation = Representation::new(&Policy::default(), &variants, variant, None, now);
    Entry {
        variants,
        variant,
        kept: Some(Kept {
            representation,
            content: Content::Whole(content.into()),
        }),
        release: 0,
        looked_ns: Cell::new(0),
    }
}

/// An open file, of which the folder is gone.
async fn opened(ring: &Ring) -> Rc<File> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a"), "a").unwrap();
    let opening = Opening {
        access: Access::Read,
        links: Links::None,
    };
    let root = Arc::new(std::fs::File::open(folder.path()).unwrap().into());
    let file = File::open_beneath(ring, &root, c"a", opening).await;
    Rc::new(file.unwrap())
}

fn kept(cache: &Cache) -> String {
    let entries = cache.entries.borrow();
    let mut kept = String::new();
    let mut next = entries.newest;
    while let Some(place) = next {
        kept.push_str(str::from_utf8(&entries.list[place].path).unwrap());
        next = entries.list[place].older;
    }
    kept
}

#[test]
fn what_was_used_longest_ago_makes_room() {
    let cache = Cache::new(6000, true);
    assert_eq!(cache.number_root(), 0);
    for path in ["a", "b", "c"] {
        cache.insert(key(path), entry(2000));
    }
    assert_eq!(kept(&cache), "cba");
    assert!(cache.get(key("a")).is_some());
    cache.insert(key("d"), entry(2000));
    assert_eq!(kept(&cache), "dac");
    // In place of another for the same path.
    cache.insert(key("c"), entry(1500));
    assert_eq!(kept(&cache), "cda");
    assert_eq!(cache.figures().bytes, 5500);
    cache.insert(key("e"), entry(6000));
    assert_eq!(kept(&cache), "e");
    // More than there is room for is not remembered, and costs nothing else its place.
    cache.insert(key("f"), entry(6001));
    assert_eq!(kept(&cache), "e");
    cache.remove(key("e"));
    let figures = cache.figures();
    assert_eq!((figures.entries, figures.bytes), (0, 0));
}

#[test]
fn a_variant_is_remembered_beside_its_file() {
    let cache = Cache::new(6000, true);
    cache.number_root();
    let gzip = Key {
        coding: Some(ContentCoding::Gzip),
        ..key("a")
    };
    cache.insert(key("a"), entry(2000));
    assert!(cache.get(gzip).is_none());
    cache.insert(gzip, entry(3000));
    assert_eq!(cache.figures().bytes, 5000);
    let file = cache.get(key("a")).unwrap();
    let mut variant = entry(3000);
    assert!(variant.is_variant_of(file.release, &file.variants, variant.variant));
    // Of another version, another path, another release.
    let version = Version::made(2, 1, Duration::ZERO);
    let other = Variant {
        version,
        ..variant.variant
    };
    assert!(!variant.is_variant_of(file.release, &file.variants, other));
    variant.variants = Variants::new(c"b".to_owned(), version);
    assert!(!variant.is_variant_of(file.release, &file.variants, variant.variant));
    let moved = Entry {
        release: 1,
        ..entry(3000)
    };
    assert!(!moved.is_variant_of(file.release, &file.variants, moved.variant));
    cache.remove(key("a"));
    assert!(cache.get(gzip).is_some());
    cache.insert(key("b"), entry(4000));
    assert!(cache.get(gzip).is_none());
}

#[test]
fn files_are_let_go_of_that_nobody_looks_at_or_that_are_deleted() {
    run(None, RingOptions::default(), |ring| async move {
        let file = opened(&ring).await;
        let open = |looked_ns| {
            let mut entry = entry(2000);
            let kept = entry.kept.take().unwrap();
            Entry {
                kept: Some(Kept {
                    content: Content::Open(Rc::clone(&file)),
                    ..kept
                }),
                looked_ns: Cell::new(looked_ns),
                ..entry
            }
        };
        let cache = Cache::new(100_000, true);
        cache.number_root();
        cache.insert(key("w"), entry(2000));
        cache.insert(key("a"), open(0));
        cache.insert(key("b"), open(1));
        let idle_ns = OPEN_FILE_IDLE.as_nanos() as u64;
        for (now_ns, left) in [(idle_ns - 1, "baw"), (idle_ns, "bw"), (idle_ns + 1, "w")] {
            cache.let_go(now_ns, |_| false);
            assert_eq!(kept(&cache), left);
        }
        assert_eq!(Rc::strong_count(&file), 1);
        cache.insert(key("a"), open(idle_ns));
        cache.insert(key("a"), entry(2000));
        cache.insert(key("b"), open(idle_ns));
        cache.let_go(idle_ns, |_| true);
        assert_eq!(kept(&cache), "aw");
        assert_eq!(Rc::strong_count(&file), 1);
        // The one used longest ago makes room for another.
        for number in 0..=OPEN_FILES {
            cache.insert(key(&number.to_string()), open(idle_ns));
        }
        assert_eq!(Rc::strong_count(&file), 1 + OPEN_FILES);
        assert!(cache.get(key("0")).is_none() && cache.get(key("1")).is_some());
        // Nobody would let go of them.
        let cache = Cache::new(100_000, false);
        cache.number_root();
        cache.insert(key("a"), open(0));
        assert_eq!(kept(&cache), "");
    })
    .unwrap();
}

#[test]
fn replicas_have_a_share_of_the_room_and_make_place_when_nobody_asks_for_them() {
    run(None, RingOptions::default(), |ring| async move {
        let file = opened(&ring).await;
        let cache = Cache::new(64_000, true);
        cache.number_root();
        let most = cache.largest_replica();
        assert_eq!(most, 16_000);
        let keep = |path: &str, bytes, looked_ns| {
            let leave = cache.replica_leave(bytes, looked_ns)?;
            let version = Version::made(1, bytes, Duration::from_secs(1));
            let replica = Replica::new(Rc::clone(&file), version, leave).unwrap();
            let kept = entry(2000).kept.take().unwrap();
            let entry = Entry {
                kept: Some(Kept {
                    content: Content::Replica(Rc::new(replica)),
                    ..kept
                }),
                looked_ns: Cell::new(looked_ns),
                ..entry(2000)
            };
            Some(cache.insert(key(path), entry))
        };
        assert!(keep("a", most + 1, 0).is_none());
        let replica_of = |entry: &Entry| match entry.content() {
            Some(Content::Replica(replica)) => Rc::clone(replica),
            _ => panic!("there is none"),
        };
        let sent = replica_of(&keep("a", most, 0).unwrap());
        assert!(keep("b", most, 1).is_some());
        assert_eq!(cache.figures().bytes, 2 * (most + 1024 + 2));
        // Both are asked for, and there is no room for another byte.
        let idle_ns = REPLICA_IDLE.as_nanos() as u64;
        assert!(keep("c", 1, idle_ns - 1).is_none());
        assert_eq!(kept(&cache), "ba");
        // One that is being sent would take its room on.
        assert!(keep("c", most, idle_ns).is_none());
        assert_eq!(kept(&cache), "ba");
        drop(sent);
        assert!(keep("c", most, idle_ns).is_some());
        assert_eq!(kept(&cache), "cb");
        assert!(Cache::new(0, true).replica_leave(1, 0).is_none());
        // So many are filled at a time, and make place when nobody does.
        for path in ["b", "c"] {
            cache.remove(key(path));
        }
        let now_ns = ring.now_ns();
        let filled: Vec<_> = (0..REPLICAS_FILLING)
            .map(|number| replica_of(&keep(&number.to_string(), 1, now_ns).unwrap()))
            .collect();
        assert!(keep("c", 1, now_ns + idle_ns - 1_000_000_000).is_none());
        assert!(filled.iter().all(|replica| replica.source().is_some()));
        assert!(keep("c", 1, now_ns + 2 * idle_ns).is_some());
        assert_eq!(kept(&cache), "c321");
        assert!(filled[0].source().is_none() && filled[1].source().is_some());
        cache.let_go(now_ns + OPEN_FILE_IDLE.as_nanos() as u64, |_| false);
        assert_eq!(kept(&cache), "c");
    })
    .unwrap();
}

#[test]
fn a_replica_is_let_go_of_with_the_file_that_it_is_filled_from() {
    run(None, RingOptions::default(), |ring| async move {
        let file = opened(&ring).await;
        let cache = Cache::new(64_000, true);
        cache.number_root();
        let keep = |path: &str| {
            let version = Version::made(1, 1, Duration::from_secs(1));
            let leave = cache.replica_leave(1, 0).unwrap();
            let replica = Rc::new(Replica::new(Rc::clone(&file), version, leave).unwrap());
            let kept = entry(2000).kept.take().unwrap();
            let content = Content::Replica(Rc::clone(&replica));
            let entry = Entry {
                kept: Some(Kept { content, ..kept }),
                ..entry(2000)
            };
            cache.insert(key(path), entry);
            replica
        };
        let (filled, whole) = (keep("a"), keep("b"));
        let version = whole.version();
        whole.fill(version, 0, b"w");
        cache.let_go(0, |_| false);
        assert_eq!(kept(&cache), "ba");
        cache.let_go(0, |_| true);
        // What is whole keeps no file open.
        assert_eq!(kept(&cache), "b");
        assert!(filled.source().is_none() && !filled.is_whole());
        assert_eq!(Rc::strong_count(&file), 1);
        assert_eq!(cache.figures().bytes, (entry_bytes(c"a") + 1) as u64);
    })
    .unwrap();
}

#[test]
fn there_is_room_for_what_is_made_beside_its_file() {
    let cache = Cache::new(6000, true);
    cache.number_root();
    let room = cache.room(c"a");
    assert_eq!(room, 6000 - 2 * (ENTRY_BYTES + 2));
    let gzip = Key {
        coding: Some(ContentCoding::Gzip),
        ..key("a")
    };
    for (more, is_kept) in [(0, true), (1, false)] {
        cache.insert(key("a"), entry(ENTRY_BYTES + 2));
        cache.insert(gzip, entry(ENTRY_BYTES + 2 + room + more));
        assert_eq!(cache.get(key("a")).is_some(), is_kept);
    }
    assert_eq!(Cache::new(2 * ENTRY_BYTES, true).room(c"a"), 0);
    assert_eq!(Cache::new(0, true).room(c"a"), 0);
}

#[test]
fn an_entry_is_believed_for_a_while_and_in_its_release() {
    let entry = entry(2000);
    let most = FILE_FRESHNESS.as_nanos() as u64;
    assert!(entry.is_fresh(0, most - 1));
    assert!(!entry.is_fresh(0, most));
    assert!(!entry.is_fresh(1, 0));
}

proptest! {
    #[test]
    fn the_order_and_the_bytes_stay_true(
        steps in prop::collection::vec((0..3_u8, "[a-e]", 1100..4000_usize), 1..60),
    ) {
        let cache = Cache::new(8000, true);
        cache.number_root();
        for (step, path, bytes) in steps {
            match step {
                0 => drop(cache.insert(key(&path), entry(bytes))),
                1 => drop(cache.get(key(&path))),
                _ => cache.remove(key(&path)),
            }
            let entries = cache.entries.borrow();
            let bytes: usize = entries.list.iter().map(|(_, place)| place.entry.bytes()).sum();
            prop_assert_eq!(bytes, entries.bytes);
            prop_assert!(bytes <= 8000);
            prop_assert_eq!(entries.places[0][0].len(), entries.list.len());
            drop(entries);
            prop_assert_eq!(kept(&cache).len(), cache.entries.borrow().list.len());
        }
    }
}
