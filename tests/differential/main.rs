//! The request parser against those of others: the same bytes to both, and every difference
//! explained.
//!
//! Messages are up to three requests in a row: valid ones, ones with faults, and ones with changed
//! octets. What is read out of them is compared: how many requests, and of each the method, the
//! target, the version, the fields, the content, and whether the connection goes on. A request that
//! is refused and one that is not complete are the same here: neither is read.
//!
//! A difference is of a class (`classes.rs`), which is recognised by the message's bytes, or it
//! fails the test. So does a request of which a class says that one side refuses it and which that
//! side reads, and a class without a difference in the fixed run that is of it alone.
//!
//! The run is the same every time. `DIFFERENTIAL_MESSAGES` sets how many messages each parser
//! gets, `DIFFERENTIAL_SEED` where the random numbers start. A long run, which is seconds for
//! hyper and minutes for h11:
//!
//! ```text
//! DIFFERENTIAL_MESSAGES=1000000 DIFFERENTIAL_SEED=2 \
//!     cargo test --release --test differential -- --nocapture
//! ```
//!
//! h11 is taken from `python3`, or from the Python that `TEST_PYTHON` names;
//! `pip install -r tests/differential/requirements.txt` brings it.

mod against_h11;
mod against_hyper;
mod classes;
mod grammar;
mod reading;
mod seen;
#[path = "../support/mod.rs"]
mod support;
mod tally;

use against_h11::H11;
use reading::Request;
use support::messages::{Message, Messages};
use support::setting;
use tally::Tally;

/// Messages for hyper if `DIFFERENTIAL_MESSAGES` is not set: a few seconds in a debug build.
const HYPER_MESSAGES: u64 = 60_000;

/// The same for h11, which takes ten times as long.
const H11_MESSAGES: u64 = 15_000;

/// The messages of this run, so many if nothing else is set.
fn messages(count: u64) -> impl Iterator<Item = Message> + Send {
    let count = setting("DIFFERENTIAL_MESSAGES").unwrap_or(count);
    let mut messages = Messages::new(setting("DIFFERENTIAL_SEED").unwrap_or(1));
    (0..count).map(move |_| messages.next())
}

/// Compares all messages, as `theirs` reads them.
fn compare(mut tally: Tally, count: u64, mut theirs: impl FnMut(&[u8]) -> Vec<Request>) {
    for message in messages(count) {
        tally.compare(&message.bytes, &theirs(&message.bytes));
    }
    tally.report();
    // Another run may be too short or unlucky to come across all of them.
    if setting("DIFFERENTIAL_MESSAGES")
        .or(setting("DIFFERENTIAL_SEED"))
        .is_none()
    {
        tally.assert_every_class_occurs();
    }
}

#[test]
fn hyper_reads_the_same() {
    let tally = Tally::new("hyper", classes::HYPER, against_hyper::retold);
    compare(tally, HYPER_MESSAGES, against_hyper::read);
}

#[test]
fn h11_reads_the_same() {
    let bytes = messages(H11_MESSAGES).map(|message| message.bytes);
    let Some(mut h11) = H11::start(bytes) else {
        return;
    };
    let tally = Tally::new("h11", classes::H11, against_h11::retold);
    compare(tally, H11_MESSAGES, |_| h11.read());
    h11.finish();
}

#[test]
fn valid_messages_are_read_whole() {
    for message in messages(HYPER_MESSAGES) {
        let Some(requests) = message.valid_requests else {
            continue;
        };
        let ours = reading::read(&message.bytes);
        let told = (ours.requests.len(), ours.refusal);
        assert_eq!(told, (requests, None), "{}", message.bytes.escape_ascii());
    }
}
