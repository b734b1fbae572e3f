//! A subscriber that keeps what the log is told.

use corelane::App;
use corelane::testing::Conversation;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Level, Metadata, Subscriber};

/// An event: what it is about, and its fields, of which `message` is one.
#[derive(Debug)]
pub(crate) struct Told {
    pub(super) level: Level,
    target: String,
    pub(super) fields: BTreeMap<&'static str, String>,
}

impl Told {
    pub(crate) fn field(&self, name: &str) -> &str {
        self.fields.get(name).map_or("", String::as_str)
    }

    /// Fails the test unless it is of this level and target, and has all of these fields.
    pub(crate) fn assert(&self, level: Level, target: &str, fields: &[(&str, &str)]) {
        assert_eq!((self.level, &*self.target), (level, target), "{self:?}");
        for (name, value) in fields {
            assert_eq!(self.field(name), *value, "{name}: {self:?}");
        }
    }
}

impl Visit for Told {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let text = format!("{value:?}");
        assert!(!text.contains(char::is_control), "{field}: {text:?}");
        self.fields.insert(field.name(), text);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }
}

/// Keeps events up to a level.
struct Keeping(Level, Arc<Mutex<Vec<Told>>>);

impl Subscriber for Keeping {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("corelane") && *metadata.level() <= self.0
    }

    fn event(&self, event: &tracing::Event<'_>) {
        let mut told = Told {
            level: *event.metadata().level(),
            target: event.metadata().target().to_owned(),
            fields: BTreeMap::new(),
        };
        event.record(&mut told);
        self.1.lock().unwrap().push(told);
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

/// The events of `level` and above that come of `work`.
pub(super) fn told_at(level: Level, work: impl FnOnce()) -> Vec<Told> {
    let told = Arc::default();
    tracing::subscriber::with_default(Keeping(level, Arc::clone(&told)), work);
    std::mem::take(&mut told.lock().unwrap())
}

pub(crate) fn told(work: impl FnOnce()) -> Vec<Told> {
    told_at(Level::DEBUG, work)
}

/// The one event that comes of delivering `message` to `app`.
pub(crate) fn told_of(app: App, message: &[u8]) -> Told {
    let mut told = told(|| {
        let mut peer = Conversation::new(app).unwrap();
        peer.deliver(message);
    });
    assert_eq!(told.len(), 1, "{told:?}");
    told.remove(0)
}
