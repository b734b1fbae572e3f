//! Where a panic began, from the panic hook, which knows it, to whoever catches the panic and tells
//! of it. Without [`hook`], which the program alone sets, nothing is known here.

use crate::limits::LOG_TEXT_BYTES;
use crate::printable::Printable;
use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::PanicHookInfo;

/// A panic, as far as its hook knows it.
#[derive(Clone, Debug)]
pub(crate) struct Noted {
    /// `FILE:LINE:COLUMN`.
    pub(crate) place: String,
    pub(crate) message: String,
}

// A hook can leave word for its thread in no other way. It is written when something panics, and
// each thread has its own.
thread_local! {
    static IS_CAUGHT: Cell<bool> = const { Cell::new(false) };
    static NOTED: RefCell<Option<Noted>> = const { RefCell::new(None) };
}

/// Panics of this thread are caught, and told by whoever catches them.
pub(crate) fn are_caught() {
    IS_CAUGHT.set(true);
}

/// A panic hook that writes nothing itself: standard error may be a pipe that nobody reads, and the
/// panic may be a handler's, whose core must go on. Panics that nobody will tell of become events.
pub(crate) fn hook(info: &PanicHookInfo<'_>) {
    let noted = Noted {
        place: info.location().map(ToString::to_string).unwrap_or_default(),
        message: message(info.payload()),
    };
    if IS_CAUGHT.get() {
        NOTED.replace(Some(noted));
    } else {
        super::panicked_elsewhere(&noted);
    }
}

/// What was noted of the last panic of this thread, if that has not been told.
pub(crate) fn take_noted() -> Option<Noted> {
    NOTED.take()
}

/// What a panic says for itself.
pub(crate) fn message(payload: &(dyn Any + Send)) -> String {
    let text = match payload.downcast_ref::<&'static str>() {
        Some(text) => text,
        None => payload.downcast_ref::<String>().map_or("", String::as_str),
    };
    Printable::within(LOG_TEXT_BYTES, text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::{catch_unwind, set_hook, take_hook};

    #[test]
    fn whoever_catches_a_panic_learns_where_it_began() {
        let before = take_hook();
        set_hook(Box::new(hook));
        let caught = std::thread::spawn(|| {
            are_caught();
            assert!(catch_unwind(|| panic!("a\n{}", 1)).is_err());
            (take_noted(), take_noted())
        });
        let uncaught = std::thread::spawn(|| {
            assert!(catch_unwind(|| panic!("a")).is_err());
            take_noted()
        });
        let (caught, uncaught) = (caught.join(), uncaught.join());
        set_hook(before);
        let (first, second) = caught.expect("no other panic");
        let noted = first.expect("a note");
        assert_eq!(noted.message, r"a\n1");
        assert!(noted.place.contains("src/log/panic.rs:"), "{noted:?}");
        assert!(second.is_none() && uncaught.expect("no other panic").is_none());
    }
}
