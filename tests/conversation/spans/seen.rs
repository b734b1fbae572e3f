//! A subscriber that keeps what it sees.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;

/// The fields of a span or an event.
#[derive(Clone, Debug, Default)]
pub(super) struct Fields(BTreeMap<&'static str, String>);

impl Fields {
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name(), value.to_owned());
    }
}

/// The message of an event, and the paths of the spans that it is in.
pub(super) type Told = (String, Vec<String>);

/// What the subscriber saw.
#[derive(Clone, Default)]
pub(super) struct Seen {
    /// The paths of spans that were opened, and not closed.
    open: Arc<Mutex<Vec<String>>>,
    closed: Arc<Mutex<Vec<Fields>>>,
    events: Arc<Mutex<Vec<Told>>>,
}

fn path(fields: &Fields) -> String {
    fields.get("url.path").unwrap_or_default().to_owned()
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Seen {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        self.open.lock().unwrap().push(path(&fields));
        context.span(id).unwrap().extensions_mut().insert(fields);
    }

    fn on_record(&self, id: &Id, record: &Record<'_>, context: Context<'_, S>) {
        let span = context.span(id).unwrap();
        record.record(span.extensions_mut().get_mut::<Fields>().unwrap());
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let scope = context.event_scope(event).into_iter().flatten();
        let spans = scope.map(|span| path(span.extensions().get::<Fields>().unwrap()));
        let message = fields.get("message").unwrap_or_default().to_owned();
        self.events.lock().unwrap().push((message, spans.collect()));
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let fields = context
            .span(&id)
            .unwrap()
            .extensions_mut()
            .remove::<Fields>()
            .unwrap();
        self.open
            .lock()
            .unwrap()
            .retain(|open| *open != path(&fields));
        self.closed.lock().unwrap().push(fields);
    }
}

impl Seen {
    /// Runs `work` under a subscriber for `level` and above.
    pub(super) fn at(level: Level, work: impl FnOnce(&Seen)) {
        let seen = Seen::default();
        let filter = LevelFilter::from_level(level);
        let subscriber = tracing_subscriber::registry().with(seen.clone().with_filter(filter));
        tracing::subscriber::with_default(subscriber, || work(&seen));
    }

    pub(super) fn closed(&self) -> Vec<Fields> {
        std::mem::take(&mut self.closed.lock().unwrap())
    }

    pub(super) fn open(&self) -> Vec<String> {
        self.open.lock().unwrap().clone()
    }

    pub(super) fn events(&self) -> Vec<Told> {
        std::mem::take(&mut self.events.lock().unwrap())
    }
}
