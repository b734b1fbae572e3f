//! Holds two readings of a message together, and counts the differences by their class.

use super::classes::{Class, Kind};
use super::reading::{self, Reading, Request};
use super::seen::Seen;

/// The comparison with one other parser.
pub(crate) struct Tally {
    peer: &'static str,
    classes: &'static [Class],
    /// A request of ours, as the other parser would tell of it.
    retold: fn(Request) -> Request,
    messages: u64,
    requests: u64,
    differing: u64,
    /// For each class, the differences that are of it, and those that are of no other.
    counts: Vec<(u64, u64)>,
}

impl Tally {
    pub(crate) fn new(
        peer: &'static str,
        classes: &'static [Class],
        retold: fn(Request) -> Request,
    ) -> Self {
        let counts = vec![(0, 0); classes.len()];
        Self {
            peer,
            classes,
            retold,
            messages: 0,
            requests: 0,
            differing: 0,
            counts,
        }
    }

    /// Compares what both read out of `bytes`, up to the first request that one does not read.
    pub(crate) fn compare(&mut self, bytes: &[u8], theirs: &[Request]) {
        let ours = reading::read(bytes);
        self.messages += 1;
        for index in 0.. {
            let read = ours.requests.get(index);
            let retold = read.map(|(_, request)| (self.retold)(request.clone()));
            let start = read.map_or(ours.end, |(start, _)| *start);
            let kind = match (retold, theirs.get(index)) {
                (None, None) => break,
                (Some(one), Some(other)) => difference(&one, other),
                (None, Some(_)) => Some(Kind::OursRefuses),
                (Some(_), None) => Some(Kind::TheirsRefuses),
            };
            let seen = Seen::new(&bytes[start..]);
            for class in self.classes {
                // What a class says that a side refuses, that side never reads.
                let is_read = match class.kind {
                    Kind::OursRefuses => read.is_some(),
                    Kind::TheirsRefuses => theirs.len() > index,
                    _ => false,
                };
                assert!(
                    !(is_read && (class.is)(&seen)),
                    "{}: {:?} is not so\n{}",
                    class.name,
                    class.kind,
                    self.told(bytes, start, &ours, theirs)
                );
            }
            let Some(kind) = kind else {
                self.requests += 1;
                continue;
            };
            let of: Vec<usize> = (0..self.classes.len())
                .filter(|&place| {
                    self.classes[place].kind == kind && (self.classes[place].is)(&seen)
                })
                .collect();
            assert!(
                !of.is_empty(),
                "{kind:?}, of no known class\n{}",
                self.told(bytes, start, &ours, theirs)
            );
            self.differing += 1;
            for &place in &of {
                self.counts[place].0 += 1;
                self.counts[place].1 += u64::from(of.len() == 1);
            }
            // Otherwise they no longer stand at the same place.
            if kind != Kind::Version {
                break;
            }
        }
    }

    fn told(&self, bytes: &[u8], start: usize, ours: &Reading, theirs: &[Request]) -> String {
        let requests: Vec<_> = ours.requests.iter().map(|(_, request)| request).collect();
        format!(
            "the message: b\"{}\"\nthe request at {start}\nours: {requests:#?}, then {:?}\n{}: {theirs:#?}",
            bytes.escape_ascii(),
            ours.refusal,
            self.peer,
        )
    }

    /// Says what was counted.
    pub(crate) fn report(&self) {
        let Self {
            peer,
            messages,
            requests,
            differing,
            ..
        } = self;
        eprintln!(
            "{peer}: {messages} messages, {requests} requests read alike, {differing} differences:"
        );
        for (class, (all, alone)) in self.classes.iter().zip(&self.counts) {
            eprintln!(
                "{all:8} {alone:8} alone  {:?}: {} ({})",
                class.kind, class.name, class.why
            );
        }
    }

    /// Fails for a class that explains nothing which no other explains.
    pub(crate) fn assert_every_class_occurs(&self) {
        for (class, (_, alone)) in self.classes.iter().zip(&self.counts) {
            assert!(
                *alone > 0,
                "{}: no message differs for this alone: {:?}",
                self.peer,
                class.name
            );
        }
    }
}

/// What is different about a request that both read.
fn difference(ours: &Request, theirs: &Request) -> Option<Kind> {
    let like_theirs = Request {
        minor: theirs.minor,
        persists: theirs.persists,
        ..ours.clone()
    };
    if like_theirs != *theirs {
        return Some(Kind::Content);
    }
    match (ours.minor == theirs.minor, ours.persists == theirs.persists) {
        (true, true) => None,
        (false, true) => Some(Kind::Version),
        (true, false) => Some(Kind::Persistence),
        (false, false) => Some(Kind::Content),
    }
}
