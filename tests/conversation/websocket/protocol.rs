//! The protocol case by case (RFC 6455 §5 to §7): each delivered whole, cut in two at every byte,
//! byte by byte, and with more frames behind it.

mod cases;

use self::cases::{Case, cases, text};
use super::super::support::frames::{CLOSE, Seen, TEXT, closing, frame};
use super::{Ends, echo, open, said};
use corelane::http::CloseReason;
use corelane::ws::{WebSocketError, code};

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
