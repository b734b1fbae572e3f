//! What every coding holds. That others read what is encoded here, and the reverse, is held by
//! `tests/server/codings.rs`.

use fastrand::Rng;

use super::*;
use crate::limits::SPARE_ENCODERS;

/// What Python makes of `zlib.compress(b"hello hello hello")`.
const ZLIB: &[u8] = b"\x78\x9c\xcb\x48\xcd\xc9\xc9\x57\xc8\x40\x90\x00\x3a\x2e\x06\x7d";

/// The codings that there are encoders for.
fn encodable() -> impl Iterator<Item = ContentCoding> {
    ContentCoding::ALL
        .into_iter()
        .filter(|&coding| can_encode(coding))
}

/// Content that repeats itself, as text does, with some that does not.
fn content(random: &mut Rng, bytes: usize) -> Vec<u8> {
    let words: Vec<Vec<u8>> = (0..50)
        .map(|_| (0..random.usize(1..12)).map(|_| random.u8(..)).collect())
        .collect();
    let mut content = Vec::new();
    while content.len() < bytes {
        content.extend_from_slice(&words[random.usize(..words.len())]);
    }
    content.truncate(bytes);
    content
}

/// `content` encoded at once.
fn encoded(coding: ContentCoding, content: &[u8]) -> Vec<u8> {
    let mut output = Vec::new();
    let mut encoder = Spares::default().take(coding).unwrap();
    encoder.encode(content, Step::Finish, &mut output).unwrap();
    output
}

/// Decodes `input`, given in pieces of `piece` bytes, into `room` bytes at a time.
fn decode(
    decoder: &mut dyn Decode,
    input: &[u8],
    piece: usize,
    room: usize,
) -> Result<Vec<u8>, Malformed> {
    let mut content = Vec::new();
    for mut input in input.chunks(piece) {
        loop {
            let mut output = Vec::with_capacity(room);
            let taken = decoder.decode(input, &mut output)?;
            assert!(output.capacity() == room, "the output has grown");
            input = &input[taken..];
            content.extend_from_slice(&output);
            if output.len() < room {
                if input.is_empty() {
                    break;
                }
                assert!(taken > 0 || !output.is_empty(), "no progress");
            }
        }
    }
    Ok(content)
}

/// Decodes all of `input`, or says what is wrong with it: that it is malformed, or not whole.
fn decoded(coding: ContentCoding, input: &[u8], piece: usize, room: usize) -> Option<Vec<u8>> {
    let mut decoder = decoder(coding).unwrap();
    let content = decode(&mut *decoder, input, piece, room).ok()?;
    decoder.is_complete().then_some(content)
}

#[test]
fn what_is_encoded_in_any_steps_is_decoded_in_any_pieces() {
    let mut random = Rng::with_seed(1);
    for coding in encodable() {
        let spares = Spares::default();
        for bytes in [0, 1, 100, 5_000, 200_000] {
            let content = content(&mut random, bytes);
            // The second time it is a spare that encodes.
            for _ in 0..2 {
                let mut encoder = spares.take(coding).unwrap();
                let mut output = Vec::new();
                let mut left = &content[..];
                while !left.is_empty() {
                    let (piece, rest) = left.split_at(random.usize(..=left.len().min(70_000)));
                    let step = [Step::More, Step::Flush][random.usize(..2)];
                    encoder.encode(piece, step, &mut output).unwrap();
                    left = rest;
                }
                encoder.encode(&[], Step::Finish, &mut output).unwrap();
                spares.give_back(coding, encoder);
                let (piece, room) = (random.usize(1..9_000), random.usize(1..9_000));
                let decoded = decoded(coding, &output, piece, room);
                assert!(decoded.as_ref() == Some(&content), "{coding:?} {bytes}");
            }
        }
    }
}

#[test]
fn what_was_flushed_can_be_read() {
    for coding in encodable() {
        let mut encoder = Spares::default().take(coding).unwrap();
        let mut decoder = decoder(coding).unwrap();
        for event in ["data: 1\n\n", "data: 2\n\n", "data: 3\n\n"] {
            let mut output = Vec::new();
            encoder
                .encode(event.as_bytes(), Step::Flush, &mut output)
                .unwrap();
            let read = decode(&mut *decoder, &output, 10, 100).unwrap();
            assert_eq!(read, event.as_bytes(), "{coding:?}");
            assert!(!decoder.is_complete());
        }
    }
}

#[test]
fn what_is_not_whole_or_more_than_that_is_not_taken() {
    for coding in encodable() {
        let whole = encoded(coding, &content(&mut Rng::with_seed(2), 3_000));
        for end in 0..whole.len() {
            assert_eq!(
                decoded(coding, &whole[..end], 999, 999),
                None,
                "{coding:?} {end}"
            );
        }
        assert!(decoded(coding, &whole, 999, 999).is_some());
        let behind = [&whole[..], b"behind"].concat();
        for piece in [1, whole.len(), behind.len()] {
            assert_eq!(decoded(coding, &behind, piece, 999), None, "{coding:?}");
        }
    }
}

#[test]
fn members_and_frames_may_follow_one_another() {
    for (coding, is_allowed) in [
        (ContentCoding::Gzip, true),
        (ContentCoding::Brotli, false),
        (ContentCoding::Zstd, true),
    ] {
        if can_encode(coding) {
            let two = [encoded(coding, b"one, "), encoded(coding, b"two")].concat();
            let whole = is_allowed.then(|| b"one, two".to_vec());
            for piece in [1, two.len()] {
                assert_eq!(decoded(coding, &two, piece, 4), whole, "{coding:?}");
            }
        }
    }
}

#[test]
fn deflate_is_the_format_of_zlib() {
    let read = decoded(ContentCoding::Deflate, ZLIB, 5, 5);
    assert_eq!(read.as_deref(), Some(&b"hello hello hello"[..]));
    // Bare DEFLATE is not.
    let bare = &ZLIB[2..ZLIB.len() - 4];
    assert_eq!(decoded(ContentCoding::Deflate, bare, 5, 5), None);
    let two = [ZLIB, ZLIB].concat();
    assert_eq!(decoded(ContentCoding::Deflate, &two, 5, 5), None);
}

#[test]
fn spares_are_few() {
    let coding = ContentCoding::Gzip;
    let spares = Spares::default();
    let taken: Vec<_> = (0..=SPARE_ENCODERS)
        .map(|_| spares.take(coding).unwrap())
        .collect();
    for (back, encoder) in taken.into_iter().enumerate() {
        assert_eq!(spares.waiting(coding), back.min(SPARE_ENCODERS));
        spares.give_back(coding, encoder);
    }
    assert_eq!(spares.waiting(coding), SPARE_ENCODERS);
}

#[test]
fn an_encoder_that_was_given_up_midway_begins_anew() {
    let mut random = Rng::with_seed(3);
    let coders =
        encodable().flat_map(|coding| Levels::range(coding).map(move |level| (coding, level)));
    for (coding, level) in coders {
        let mut levels = Levels::default();
        levels.set(coding, level);
        let spares = Spares::new(levels);
        for step in [Step::More, Step::Flush] {
            let mut encoder = spares.take(coding).unwrap();
            let secret = content(&mut random, 50_000);
            encoder.encode(&secret, step, &mut Vec::new()).unwrap();
            spares.give_back(coding, encoder);
            let mut output = Vec::new();
            let mut encoder = spares.take(coding).unwrap();
            encoder.encode(b"next", Step::Finish, &mut output).unwrap();
            assert_eq!(
                decoded(coding, &output, 10, 10).as_deref(),
                Some(&b"next"[..]),
                "{coding:?} at level {level} after {step:?}"
            );
            spares.give_back(coding, encoder);
        }
    }
}

/// Streams with octets exchanged, left out and put in are decoded or refused, in bounded steps.
#[test]
fn mutated_streams_do_no_harm() {
    let rounds = std::env::var("FUZZ_ITERATIONS").map_or(500, |n| n.parse().unwrap());
    let mut random = Rng::with_seed(4);
    for coding in ContentCoding::ALL
        .into_iter()
        .filter(|&coding| can_decode(coding))
    {
        let whole = match can_encode(coding) {
            true => encoded(coding, &content(&mut random, 2_000)),
            false => ZLIB.to_vec(),
        };
        for _ in 0..rounds {
            let mut bytes = whole.clone();
            for _ in 0..random.usize(1..6) {
                let at = random.usize(..bytes.len());
                match random.u8(..4) {
                    0 => drop(bytes.remove(at)),
                    1 => bytes.insert(at, random.u8(..)),
                    2 => bytes[at] ^= 1 << random.u8(..8),
                    _ => bytes[at] = random.u8(..),
                }
            }
            let (piece, room) = (random.usize(1..600), random.usize(1..600));
            let mut decoder = decoder(coding).unwrap();
            // A stream of some KB may hold much more, of which this much is read.
            let mut content = 0;
            'stream: for mut input in bytes.chunks(piece) {
                while content < 100_000 {
                    let mut output = Vec::with_capacity(room);
                    let Ok(taken) = decoder.decode(input, &mut output) else {
                        break 'stream;
                    };
                    assert!(output.len() <= room && taken <= input.len());
                    content += output.len();
                    input = &input[taken..];
                    if output.len() < room && (input.is_empty() || taken == 0) {
                        break;
                    }
                }
            }
        }
    }
}
