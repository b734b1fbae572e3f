//! The futures-io traits, alone and mixed with the stream's own methods.

use super::*;
use futures_lite::future::poll_once;
use futures_lite::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, io};
use std::io::ErrorKind;
use std::net::Shutdown;

const BYTES: usize = 10 << 20;

#[test]
fn ten_mebibytes_make_the_round() {
    with_ring(RingOptions::default(), |ring| async move {
        let (stream, peer) = pair(&ring);
        let (bytes, expected) = (pattern(BYTES, 1), pattern(BYTES, 1));
        let mut writing = peer.try_clone().unwrap();
        let writer = std::thread::spawn(move || {
            writing.write_all(&bytes).unwrap();
            writing.shutdown(Shutdown::Write).unwrap();
        });
        let mut reading = peer;
        let reader = std::thread::spawn(move || {
            let mut received = Vec::new();
            reading.read_to_end(&mut received).unwrap();
            received
        });
        let (from, mut to) = io::split(stream);
        assert_eq!(io::copy(from, &mut to).await.unwrap(), BYTES as u64);
        to.close().await.unwrap();
        writer.join().unwrap();
        assert!(reader.join().unwrap() == expected);
        drop(to);
        settled(&ring, [0; 5]).await;
    });
}

#[test]
fn two_streams_of_one_ring_exchange_ten_mebibytes() {
    with_listener(|ring, listener, address| async move {
        let mut ours = Stream::connect(&ring, address).await.unwrap();
        let mut theirs = listener.accept().await.unwrap();
        let sending = async {
            ours.write_all(&pattern(BYTES, 2)).await.unwrap();
            ours.close().await.unwrap();
        };
        let receiving = async {
            let mut all = Vec::new();
            theirs.read_to_end(&mut all).await.unwrap();
            assert!(all == pattern(BYTES, 2));
        };
        futures_lite::future::zip(sending, receiving).await;
        drop((ours, theirs, listener));
        settled(&ring, [0; 5]).await;
    });
}

#[test]
fn lines_are_read() {
    with_ring(RingOptions::default(), |ring| async move {
        let (mut stream, mut peer) = pair(&ring);
        peer.write_all(b"one\ntwo\nrest").unwrap();
        drop(peer);
        let mut line = String::new();
        for expected in ["one\n", "two\n"] {
            line.clear();
            stream.read_line(&mut line).await.unwrap();
            assert_eq!(line, expected);
        }
        // What was shown but not consumed is what the stream's own method has next.
        assert!(stream.has_received());
        assert_eq!(&stream.receive().await.unwrap().unwrap()[..], b"rest");
        assert!(stream.receive().await.unwrap().is_none());
        assert_eq!(stream.read(&mut [0; 4]).await.unwrap(), 0);
    });
}

#[test]
fn a_send_waits_for_the_write_before_it() {
    with_ring(RingOptions::default(), |ring| async move {
        let (mut stream, mut peer) = pair(&ring);
        shrink(&stream, &peer);
        let reader = std::thread::spawn(move || {
            let mut received = Vec::new();
            peer.read_to_end(&mut received).unwrap();
            received
        });
        let mut expected = Vec::new();
        for round in 0..50 {
            let (written, sent) = (pattern(60_000, round), pattern(30_000, 1000 + round));
            stream.write_all(&written).await.unwrap();
            stream.send_all(sent.clone().into()).await.unwrap();
            expected.extend([written, sent].concat());
        }
        stream.write_all(b"end").await.unwrap();
        stream.shutdown(Shutdown::Write).await.unwrap();
        expected.extend(b"end");
        let received = on_thread(&ring, move || reader.join().unwrap()).await;
        assert!(received == expected);
    });
}

#[test]
fn nothing_is_written_after_a_send_that_was_given_up() {
    with_ring(RingOptions::default(), |ring| async move {
        let (mut stream, peer) = pair(&ring);
        shrink(&stream, &peer);
        assert!(
            poll_once(stream.send_all(vec![0; 8 << 20].into()))
                .await
                .is_none()
        );
        let error = stream.write(b"more").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    });
}

#[test]
fn a_failed_write_is_told_to_the_next_and_ends_the_stream() {
    with_ring(RingOptions::default(), |ring| async move {
        let (mut stream, peer) = pair(&ring);
        stream.shutdown(Shutdown::Write).await.unwrap();
        assert_eq!(stream.write(b"lost").await.unwrap(), 4);
        assert!(stream.flush().await.is_err());
        let error = stream.write(b"more").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
        drop(peer);
    });
}

/// What tokio's own helpers make of a stream, without a runtime.
#[cfg(feature = "tokio-io")]
#[test]
fn tokios_traits_carry_the_same_bytes() {
    use std::future::poll_fn;
    use std::pin::Pin;
    use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
    with_ring(RingOptions::default(), |ring| async move {
        let (mut stream, mut peer) = pair(&ring);
        let echo = std::thread::spawn(move || {
            let mut received = Vec::new();
            peer.read_to_end(&mut received).unwrap();
            peer.write_all(&received).unwrap();
        });
        let bytes = pattern(300_000, 4);
        let mut left = &bytes[..];
        while !left.is_empty() {
            let taken = poll_fn(|cx| AsyncWrite::poll_write(Pin::new(&mut stream), cx, left));
            left = &left[taken.await.unwrap()..];
        }
        let flushed = poll_fn(|cx| AsyncWrite::poll_flush(Pin::new(&mut stream), cx));
        flushed.await.unwrap();
        let shut = poll_fn(|cx| AsyncWrite::poll_shutdown(Pin::new(&mut stream), cx));
        shut.await.unwrap();
        let mut received = Vec::new();
        loop {
            // Smaller than what a receive brings, so that it is taken in pieces.
            let mut space = [0; 1000];
            let mut buffer = ReadBuf::new(&mut space);
            let read = poll_fn(|cx| AsyncRead::poll_read(Pin::new(&mut stream), cx, &mut buffer));
            read.await.unwrap();
            if buffer.filled().is_empty() {
                break;
            }
            received.extend_from_slice(buffer.filled());
        }
        assert!(received == bytes);
        echo.join().unwrap();
    });
}
