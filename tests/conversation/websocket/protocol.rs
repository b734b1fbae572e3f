//! The protocol case by case (RFC 6455 §5 to §7): each delivered whole, cut in two at every byte,
//! byte by byte, and with more frames behind it.

use super::super::support::frames::{
    BINARY, CLOSE, FIN, PING, PONG, Seen, TEXT, closing, frame, header, raw,
};
use super::{Ends, FRAME_BYTES, MESSAGE_BYTES, echo, open, said};
use corelane::http::CloseReason;
use corelane::ws::{WebSocketError, code};

/// What is told of a case: what the peer sends, and what it is answered.
struct Case {
    name: &'static str,
    sent: Vec<u8>,
    answer: Vec<Seen>,
    /// The code of the Close that follows; `None` while the socket is open.
    closed: Option<u16>,
}

fn case(name: &'static str, sent: &[Vec<u8>], answer: &[Seen], closed: Option<u16>) -> Case {
    Case {
        name,
        sent: sent.concat(),
        answer: answer.to_vec(),
        closed,
    }
}

fn text(text: &str) -> Seen {
    Seen::new(TEXT, text.as_bytes())
}

fn bytes(payload: &[u8]) -> Seen {
    Seen::new(BINARY, payload)
}

fn pong(payload: &[u8]) -> Seen {
    Seen::new(PONG, payload)
}

fn cases() -> Vec<Case> {
    let long = vec![b'x'; FRAME_BYTES];
    let longest_text = "x".repeat(FRAME_BYTES);
    let rest = vec![b'y'; MESSAGE_BYTES - FRAME_BYTES];
    let whole: Vec<u8> = [&long[..], &rest].concat();
    let euro = "€".as_bytes();
    let mut unmasked = frame(TEXT, b"");
    unmasked.truncate(2);
    unmasked[1] = 0;
    let padded = |length: &[u8]| [&[FIN | BINARY][..], length, &[0; 4]].concat();
    vec![
        // Messages.
        case("text", &[frame(TEXT, b"Hello")], &[text("Hello")], None),
        case("no text", &[frame(TEXT, b"")], &[text("")], None),
        case(
            "bytes",
            &[frame(BINARY, &[0, 255, 1])],
            &[bytes(&[0, 255, 1])],
            None,
        ),
        case("no bytes", &[frame(BINARY, b"")], &[bytes(b"")], None),
        case(
            "125",
            &[frame(BINARY, &long[..125])],
            &[bytes(&long[..125])],
            None,
        ),
        case(
            "126",
            &[frame(BINARY, &long[..126])],
            &[bytes(&long[..126])],
            None,
        ),
        case(
            "messages in a row",
            &[frame(TEXT, b"a"), frame(BINARY, b"b"), frame(TEXT, b"c")],
            &[text("a"), bytes(b"b"), text("c")],
            None,
        ),
        case(
            "UTF-8",
            &[frame(TEXT, "κόσμε 🌍".as_bytes())],
            &[text("κόσμε 🌍")],
            None,
        ),
        case("a NUL", &[frame(TEXT, b"a\0b")], &[text("a\0b")], None),
        case(
            "a noncharacter",
            &[frame(TEXT, "\u{ffff}".as_bytes())],
            &[text("\u{ffff}")],
            None,
        ),
        // Limits.
        case(
            "a frame of the limit",
            &[frame(TEXT, &long)],
            &[text(&longest_text)],
            None,
        ),
        case(
            "a frame beyond the limit",
            &[header(FIN | BINARY, FRAME_BYTES as u64 + 1)],
            &[],
            Some(code::TOO_LARGE),
        ),
        case(
            "a fragment beyond the limit",
            &[header(BINARY, FRAME_BYTES as u64 + 1)],
            &[],
            Some(code::TOO_LARGE),
        ),
        case(
            "a message of the limit",
            &[raw(BINARY, &long), raw(FIN, &rest)],
            &[bytes(&whole)],
            None,
        ),
        case(
            "a message beyond the limit",
            &[raw(BINARY, &long), header(FIN, rest.len() as u64 + 1)],
            &[],
            Some(code::TOO_LARGE),
        ),
        case(
            "the longest length there is",
            &[padded(&[0xff, 0x7f, 255, 255, 255, 255, 255, 255, 255])],
            &[],
            Some(code::TOO_LARGE),
        ),
        // Fragments.
        case(
            "two fragments",
            &[raw(TEXT, b"Hel"), raw(FIN, b"lo")],
            &[text("Hello")],
            None,
        ),
        case(
            "empty fragments",
            &[raw(TEXT, b""), raw(0, b""), raw(0, b"a"), raw(FIN, b"")],
            &[text("a")],
            None,
        ),
        case(
            "a character in fragments",
            &[
                raw(TEXT, &euro[..1]),
                raw(0, &euro[1..2]),
                raw(FIN, &euro[2..]),
            ],
            &[text("€")],
            None,
        ),
        case(
            "control frames between fragments",
            &[
                raw(BINARY, b"a"),
                frame(PING, b"p"),
                raw(0, b"b"),
                frame(PONG, b"q"),
                frame(PING, b""),
                raw(FIN, b"c"),
            ],
            &[pong(b"p"), pong(b""), bytes(b"abc")],
            None,
        ),
        case(
            "nothing to continue",
            &[raw(FIN, b"a")],
            &[],
            Some(code::PROTOCOL),
        ),
        case(
            "nothing to continue, and more",
            &[raw(0, b"a")],
            &[],
            Some(code::PROTOCOL),
        ),
        case(
            "a message inside of another",
            &[raw(TEXT, b"a"), frame(TEXT, b"b")],
            &[],
            Some(code::PROTOCOL),
        ),
        case(
            "nothing to continue any more",
            &[raw(TEXT, b"a"), raw(FIN, b"b"), raw(FIN, b"c")],
            &[text("ab")],
            Some(code::PROTOCOL),
        ),
        // Pings and pongs.
        case("a ping", &[frame(PING, b"abc")], &[pong(b"abc")], None),
        case(
            "a ping of the limit",
            &[frame(PING, &long[..125])],
            &[pong(&long[..125])],
            None,
        ),
        case("a pong unasked", &[frame(PONG, b"abc")], &[], None),
        case(
            "a ping too long",
            &[header(FIN | PING, 126)],
            &[],
            Some(code::PROTOCOL),
        ),
        case(
            "a pong too long",
            &[header(FIN | PONG, 65_536)],
            &[],
            Some(code::PROTOCOL),
        ),
        case(
            "a ping in parts",
            &[raw(PING, b"a")],
            &[],
            Some(code::PROTOCOL),
        ),
        case(
            "a Close in parts",
            &[raw(CLOSE, b"")],
            &[],
            Some(code::PROTOCOL),
        ),
        // Text that is none.
        case(
            "not UTF-8",
            &[frame(TEXT, b"a\xff")],
            &[],
            Some(code::INVALID),
        ),
        case(
            "a surrogate",
            &[frame(TEXT, b"\xed\xa0\x80")],
            &[],
            Some(code::INVALID),
        ),
        case(
            "overlong",
            &[frame(TEXT, b"\xc0\xaf")],
            &[],
            Some(code::INVALID),
        ),
        case(
            "beyond Unicode",
            &[frame(TEXT, b"\xf4\x90\x80\x80")],
            &[],
            Some(code::INVALID),
        ),
        case(
            "half a character",
            &[frame(TEXT, &euro[..2])],
            &[],
            Some(code::INVALID),
        ),
        case(
            "half a character, then another",
            &[raw(TEXT, &euro[..2]), raw(FIN, b"a")],
            &[],
            Some(code::INVALID),
        ),
        case(
            "not UTF-8 in a fragment, before its end",
            &[raw(TEXT, b"a\xff")],
            &[],
            Some(code::INVALID),
        ),
        case(
            "not UTF-8 in half a frame",
            &[raw(FIN | TEXT, b"\xffabc")[..8].to_vec()],
            &[],
            Some(code::INVALID),
        ),
        case(
            "bytes are no text",
            &[frame(BINARY, b"\xff")],
            &[bytes(b"\xff")],
            None,
        ),
        // Frames that there are not.
        case(
            "bit 1",
            &[raw(FIN | 0x40 | TEXT, b"a")],
            &[],
            Some(code::PROTOCOL),
        ),
        case(
            "bit 2",
            &[raw(FIN | 0x20 | TEXT, b"a")],
            &[],
            Some(code::PROTOCOL),
        ),
        case(
            "bit 3",
            &[raw(FIN | 0x10 | TEXT, b"a")],
            &[],
            Some(code::PROTOCOL),
        ),
        case(
            "a bit in a ping",
            &[raw(FIN | 0x40 | PING, b"")],
            &[],
            Some(code::PROTOCOL),
        ),
        case("opcode 3", &[frame(3, b"")], &[], Some(code::PROTOCOL)),
        case("opcode 7", &[frame(7, b"a")], &[], Some(code::PROTOCOL)),
        case("opcode 11", &[frame(11, b"")], &[], Some(code::PROTOCOL)),
        case("opcode 15", &[frame(15, b"a")], &[], Some(code::PROTOCOL)),
        case("no mask", &[unmasked], &[], Some(code::PROTOCOL)),
        case(
            "125 in two bytes",
            &[padded(&[0xfe, 0, 125])],
            &[],
            Some(code::PROTOCOL),
        ),
        case(
            "65535 in eight bytes",
            &[padded(&[0xff, 0, 0, 0, 0, 0, 0, 255, 255])],
            &[],
            Some(code::PROTOCOL),
        ),
        case(
            "the top bit of a length",
            &[padded(&[0xff, 0x80, 0, 0, 0, 0, 0, 0, 0])],
            &[],
            Some(code::PROTOCOL),
        ),
        // The end.
        case(
            "Close",
            &[frame(CLOSE, &closing(1000, b""))],
            &[],
            Some(1000),
        ),
        case(
            "Close with a reason",
            &[frame(CLOSE, &closing(1001, "bye €".as_bytes()))],
            &[],
            Some(1001),
        ),
        case(
            "Close of the limit",
            &[frame(CLOSE, &closing(1000, &long[..123]))],
            &[],
            Some(1000),
        ),
        case(
            "Close too long",
            &[header(FIN | CLOSE, 126)],
            &[],
            Some(code::PROTOCOL),
        ),
        case(
            "half a code",
            &[frame(CLOSE, b"\x03")],
            &[],
            Some(code::PROTOCOL),
        ),
        case(
            "a reason that is no text",
            &[frame(CLOSE, &closing(1000, b"\xff"))],
            &[],
            Some(code::INVALID),
        ),
        case(
            "a message, then Close",
            &[frame(TEXT, b"a"), frame(CLOSE, &closing(1000, b""))],
            &[text("a")],
            Some(1000),
        ),
        case(
            "Close inside of a message",
            &[raw(TEXT, b"a"), frame(CLOSE, &closing(1000, b""))],
            &[],
            Some(1000),
        ),
    ]
}

/// Delivers the pieces, and says what was answered, how the program's socket ended, and the
/// connection's reason, once its peer has left.
fn answered(pieces: &[&[u8]]) -> (Vec<Seen>, Vec<Option<WebSocketError>>, Option<CloseReason>) {
    let ends = Ends::default();
    let mut peer = open(echo(&ends), "/echo");
    for piece in pieces {
        peer.deliver(piece);
    }
    let seen = said(&mut peer);
    let is_closed = seen.last().is_some_and(|last| last.opcode == CLOSE);
    assert_eq!(peer.is_shut(), is_closed);
    if is_closed {
        peer.close();
    }
    assert_eq!(peer.in_flight(), 0);
    let ends = ends.borrow().clone();
    (seen, ends, peer.ended())
}

/// Holds what was answered against the case.
fn hold(case: &Case, pieces: &[&[u8]], how: &str) {
    let told = || format!("{} {how}", case.name);
    let (mut seen, ends, reason) = answered(pieces);
    if let Some(code) = case.closed {
        let close = seen
            .pop()
            .unwrap_or_else(|| panic!("{}: no answer", told()));
        assert_eq!(close.code(), Some(code), "{}: {close:?}", told());
        let by_peer = ends == [None];
        let expected = match by_peer {
            true => CloseReason::Completed,
            false => CloseReason::Refused,
        };
        assert_eq!(reason, Some(expected), "{}", told());
        let refused =
            matches!(ends[..], [Some(WebSocketError::Refused { code: told, .. })] if told == code);
        assert!(by_peer || refused, "{}: {ends:?}", told());
    } else {
        assert_eq!((reason, ends.len()), (None, 0), "{}", told());
    }
    assert_eq!(seen, case.answer, "{}", told());
}

#[test]
fn every_case_however_it_comes() {
    for case in cases() {
        let sent = &case.sent[..];
        hold(&case, &[sent], "whole");
        for cut in 1..sent.len() {
            let (first, second) = sent.split_at(cut);
            hold(&case, &[first, second], &format!("cut at {cut}"));
        }
        let bytes: Vec<_> = sent.chunks(1).collect();
        hold(&case, &bytes, "byte by byte");
        // What follows is answered, unless it comes behind the end.
        let followed = [sent, &frame(TEXT, b"after")].concat();
        let mut with_more = Case {
            sent: followed.clone(),
            ..case
        };
        if with_more.closed.is_none() {
            with_more.answer.push(text("after"));
        }
        hold(&with_more, &[&followed], "followed");
        for cut in 1..followed.len() {
            let (first, second) = followed.split_at(cut);
            hold(
                &with_more,
                &[first, second],
                &format!("followed, cut at {cut}"),
            );
        }
    }
}

#[test]
fn codes_that_may_be_sent_and_those_that_may_not() {
    let allowed = [
        1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000,
        4999,
    ];
    let refused = [
        0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535,
    ];
    for sent in allowed {
        let (seen, ends, reason) = answered(&[&frame(CLOSE, &closing(sent, b""))]);
        assert_eq!((seen[0].code(), ends), (Some(sent), vec![None]), "{sent}");
        assert_eq!(reason, Some(CloseReason::Completed));
    }
    for sent in refused {
        let (seen, ends, reason) = answered(&[&frame(CLOSE, &closing(sent, b""))]);
        assert_eq!(
            (seen[0].code(), ends.len()),
            (Some(code::PROTOCOL), 1),
            "{sent}"
        );
        assert_eq!(reason, Some(CloseReason::Refused));
    }
    // Without a code there is none to give back.
    let (seen, ends, _) = answered(&[&frame(CLOSE, b"")]);
    assert_eq!((seen, ends), (vec![Seen::new(CLOSE, b"")], vec![None]));
}
