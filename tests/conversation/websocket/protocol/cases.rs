//! What a peer may send, and what it is answered.

use super::super::super::support::frames::{
    BINARY, CLOSE, FIN, PING, PONG, Seen, TEXT, closing, frame, header, raw,
};
use super::super::{FRAME_BYTES, MESSAGE_BYTES};
use corelane::ws::code;

/// What is told of a case: what the peer sends, and what it is answered.
pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) sent: Vec<u8>,
    pub(super) answer: Vec<Seen>,
    /// The code of the Close that follows; `None` while the socket is open.
    pub(super) closed: Option<u16>,
}

fn case(name: &'static str, sent: &[Vec<u8>], answer: &[Seen], closed: Option<u16>) -> Case {
    Case {
        name,
        sent: sent.concat(),
        answer: answer.to_vec(),
        closed,
    }
}

pub(super) fn text(text: &str) -> Seen {
    Seen::new(TEXT, text.as_bytes())
}

fn bytes(payload: &[u8]) -> Seen {
    Seen::new(BINARY, payload)
}

fn pong(payload: &[u8]) -> Seen {
    Seen::new(PONG, payload)
}

pub(super) fn cases() -> Vec<Case> {
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
