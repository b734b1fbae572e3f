//! What must hold for a whole connection, whatever the peer sends and however it is delivered:
//! every answer belongs to the request at its place, nothing is said that nobody asked for, and
//! the connection ends when the peer falls silent.

use crate::delivery::pieces;
use crate::transcript::{Transcript, app};
use corelane::http::CloseReason;
use corelane::testing::Conversation;
use std::time::Duration;

/// Long enough for every deadline of an idle or stuck connection, one after the other.
const PATIENCE: Duration = Duration::from_secs(200);

/// The first octet chooses how the rest is delivered and how the peer takes what it is sent.
pub(crate) fn connection(input: &[u8]) {
    let Some((&choice, bytes)) = input.split_first() else {
        return;
    };
    let transcript = Transcript::of(bytes);
    let sent = |pieces: &[&[u8]], room, ending| {
        let peer = Conversation::new(app()).expect("one route");
        talk(peer, pieces, &[room], ending).0
    };
    transcript.check(&sent(&[bytes], usize::MAX, Ending::Silence));
    let pieces = pieces(choice, bytes);
    let room = [usize::MAX, 1, 7, 4096][usize::from(choice / 4 % 4)];
    if choice.is_multiple_of(2) {
        transcript.check(&sent(&pieces, room, Ending::Silence));
    } else {
        transcript.check_closed(&sent(&pieces, room, Ending::Close));
    }
}

/// What the peer does when it has sent everything.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Ending {
    Silence,
    Close,
}

/// Everything that is sent to a `peer` which sends `pieces` and takes at most as many bytes at once
/// as `rooms` say in turn, and how that ends.
pub(crate) fn talk(
    mut peer: Conversation,
    pieces: &[&[u8]],
    rooms: &[usize],
    ending: Ending,
) -> (Vec<u8>, CloseReason) {
    let mut sent = Vec::new();
    let mut rooms = rooms.iter().copied().cycle();
    take(&mut peer, &mut rooms, &mut sent);
    for piece in pieces {
        peer.deliver(piece);
        take(&mut peer, &mut rooms, &mut sent);
    }
    if ending == Ending::Close {
        peer.close();
        take(&mut peer, &mut rooms, &mut sent);
    }
    let step = Duration::from_secs(1);
    let mut waited = Duration::ZERO;
    loop {
        if let Some(reason) = peer.ended() {
            assert_eq!(peer.in_flight(), 0, "requests are left: {peer:?}");
            return (sent, reason);
        }
        assert!(waited < PATIENCE, "it does not end: {peer:?}");
        peer.pass(step);
        take(&mut peer, &mut rooms, &mut sent);
        waited += step;
    }
}

/// Takes what was sent, and makes room for more until no more comes.
fn take(peer: &mut Conversation, rooms: &mut impl Iterator<Item = usize>, sent: &mut Vec<u8>) {
    loop {
        rooms
            .next()
            .into_iter()
            .for_each(|room| peer.set_room(room));
        let more = peer.take_sent();
        if more.is_empty() {
            return;
        }
        sent.extend(more);
    }
}
