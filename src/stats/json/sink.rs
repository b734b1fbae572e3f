//! What JSON is told to, member by member: a text, or values that something else is made of.

use serde::Serialize;
use serde_json::{Map, Value};

/// Takes the members of an object as they come, and those of what is in it.
pub(in crate::stats) trait Sink {
    /// A member of the object that is open.
    fn member(&mut self, name: &'static str, value: &impl Serialize);

    /// An item of the list that is open.
    fn item(&mut self, value: &impl Serialize);

    /// A member that is told piece by piece, until it is closed.
    fn open(&mut self, name: &'static str, kind: Nesting);

    fn close(&mut self);
}

/// What is told piece by piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::stats) enum Nesting {
    List,
    Object,
}

/// The text of an object.
#[derive(Debug)]
pub(in crate::stats) struct Text {
    /// What can be taken out of it at any time.
    pub(in crate::stats) written: Vec<u8>,
    /// Whether what comes next is the first in what is open.
    is_first: bool,
    open: Vec<Nesting>,
}

const SERIALIZES: &str = "all keys are text, and a vector takes all that is written";

impl Text {
    /// Begins behind `before`.
    pub(in crate::stats) fn behind(before: &[u8]) -> Text {
        Text {
            written: [before, b"{"].concat(),
            is_first: true,
            open: Vec::new(),
        }
    }

    /// The rest of the text, when everything was told that is in the object.
    pub(in crate::stats) fn finish(mut self) -> Vec<u8> {
        debug_assert!(self.open.is_empty());
        self.written.push(b'}');
        self.written
    }

    fn next(&mut self) {
        if !std::mem::take(&mut self.is_first) {
            self.written.push(b',');
        }
    }

    fn name(&mut self, name: &str) {
        self.next();
        self.value(&name);
        self.written.push(b':');
    }

    fn value(&mut self, value: &impl Serialize) {
        serde_json::to_writer(&mut self.written, value).expect(SERIALIZES);
    }
}

impl Sink for Text {
    fn member(&mut self, name: &'static str, value: &impl Serialize) {
        self.name(name);
        self.value(value);
    }

    fn item(&mut self, value: &impl Serialize) {
        self.next();
        self.value(value);
    }

    fn open(&mut self, name: &'static str, kind: Nesting) {
        self.name(name);
        self.written.push(match kind {
            Nesting::List => b'[',
            Nesting::Object => b'{',
        });
        self.is_first = true;
        self.open.push(kind);
    }

    fn close(&mut self) {
        self.written.push(match self.open.pop() {
            Some(Nesting::List) => b']',
            Some(Nesting::Object) | None => b'}',
        });
        self.is_first = false;
    }
}

/// The values of an object.
#[derive(Debug, Default)]
pub(in crate::stats) struct Values {
    members: Map<String, Value>,
    /// What is open, the innermost last.
    open: Vec<(&'static str, Value)>,
}

impl Values {
    /// The object, when everything was told that is in it.
    pub(in crate::stats) fn finish(self) -> Value {
        debug_assert!(self.open.is_empty());
        Value::Object(self.members)
    }

    fn insert(&mut self, name: &'static str, value: Value) {
        let members = match self.open.last_mut() {
            Some((_, Value::Object(members))) => members,
            _ => &mut self.members,
        };
        members.insert(name.to_owned(), value);
    }
}

impl Sink for Values {
    fn member(&mut self, name: &'static str, value: &impl Serialize) {
        let value = serde_json::to_value(value).expect(SERIALIZES);
        self.insert(name, value);
    }

    fn item(&mut self, value: &impl Serialize) {
        if let Some((_, Value::Array(items))) = self.open.last_mut() {
            items.push(serde_json::to_value(value).expect(SERIALIZES));
        }
    }

    fn open(&mut self, name: &'static str, kind: Nesting) {
        let value = match kind {
            Nesting::List => Value::Array(Vec::new()),
            Nesting::Object => Value::Object(Map::new()),
        };
        self.open.push((name, value));
    }

    fn close(&mut self) {
        if let Some((name, value)) = self.open.pop() {
            self.insert(name, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Everything that can be told, in all places.
    fn tell(sink: &mut impl Sink) {
        sink.open("none", Nesting::List);
        sink.close();
        sink.member("a", &"\"\n");
        sink.open("b", Nesting::Object);
        sink.open("c", Nesting::List);
        sink.item(&1);
        sink.item(&json!({ "d": [] }));
        sink.close();
        sink.member("e", &Option::<u8>::None);
        sink.close();
        sink.member("f", &2.5);
    }

    #[test]
    fn text_and_values_are_the_same() {
        let (mut text, mut values) = (Text::behind(b"data: "), Values::default());
        tell(&mut text);
        tell(&mut values);
        let text = text.finish();
        let expected = br#"data: {"none":[],"a":"\"\n","b":{"c":[1,{"d":[]}],"e":null},"f":2.5}"#;
        assert_eq!(text, expected);
        let parsed: Value = serde_json::from_slice(&text[6..]).expect("JSON");
        assert_eq!(values.finish(), parsed);
    }

    #[test]
    fn nothing_is_an_empty_object() {
        assert_eq!(Text::behind(b"").finish(), b"{}");
        assert_eq!(Values::default().finish(), json!({}));
    }
}
