//! The header fields of a response: a short ordered list, searched from the front.
//!
//! Names and values are proved when they are made (`HeaderName` and `HeaderValue` hold no CR, LF
//! or NUL), so nothing is left to check when they are sent.

use std::rc::Rc;

use http::{HeaderName, HeaderValue};

use crate::http::field_lines;

/// An ordered list of header fields; a name may occur more than once.
///
/// The first field is stored inline, so that a response with a content type and nothing else
/// allocates nothing for its fields. Responses have few fields: searching a list is cheaper than
/// hashing.
#[derive(Debug, Clone, Default)]
pub struct Headers {
    /// What stands before all others, and other lists have as well.
    common: Option<Rc<Common>>,
    first: Option<(HeaderName, HeaderValue)>,
    /// Empty whenever `first` is.
    rest: Vec<(HeaderName, HeaderValue)>,
}

/// Fields that several lists have in common.
#[derive(Debug)]
struct Common {
    fields: Vec<(HeaderName, HeaderValue)>,
    /// As they are sent.
    lines: Vec<u8>,
}

impl Headers {
    /// No fields.
    pub const fn new() -> Headers {
        Headers {
            common: None,
            first: None,
            rest: Vec::new(),
        }
    }

    /// These fields, for many responses: clones of it share them, and they are written once. Where the
    /// encoder decides about one of them for each response, it is the list as it was.
    pub(crate) fn shared(mut self) -> Headers {
        let Some(lines) = field_lines(self.iter()) else {
            return self;
        };
        self.make_own();
        let fields = self.first.into_iter().chain(self.rest).collect();
        Headers {
            common: Some(Rc::new(Common { fields, lines })),
            ..Headers::new()
        }
    }

    /// The fields that are written already, as they are sent, and those behind them.
    pub(crate) fn written(&self) -> (&[u8], impl Iterator<Item = (&HeaderName, &HeaderValue)>) {
        let common = self.common.as_deref();
        let lines = common.map_or(&[][..], |common| &common.lines);
        let others = self.first.iter().chain(&self.rest);
        (lines, others.map(|(name, value)| (name, value)))
    }

    /// Makes all fields its own, so that they can be changed.
    fn make_own(&mut self) {
        if let Some(common) = self.common.take() {
            let behind = std::mem::take(self);
            self.extend(common.fields.iter().cloned());
            self.extend(behind.first.into_iter().chain(behind.rest));
        }
    }

    /// Sets the field `name` to `value`, in the place of the first of that name if there is one;
    /// further ones go.
    pub fn insert(&mut self, name: HeaderName, value: HeaderValue) {
        self.make_own();
        let mut fields = self.first.iter_mut().chain(&mut self.rest);
        let Some((_, first)) = fields.find(|(other, _)| *other == name) else {
            return self.append(name, value);
        };
        *first = value;
        let is_name = |(other, _): &(HeaderName, HeaderValue)| *other == name;
        let mut seen = self.first.as_ref().is_some_and(is_name);
        self.rest
            .retain(|field| !is_name(field) || !std::mem::replace(&mut seen, true));
    }

    /// Adds a field after all others, whether or not its name occurs already.
    pub fn append(&mut self, name: HeaderName, value: HeaderValue) {
        match self.first {
            None => self.first = Some((name, value)),
            Some(_) => self.rest.push((name, value)),
        }
    }

    /// The value of the first field called `name`.
    pub fn get(&self, name: &HeaderName) -> Option<&HeaderValue> {
        self.iter()
            .find(|(other, _)| *other == name)
            .map(|(_, value)| value)
    }

    /// The values of all fields called `name`, in order.
    pub fn get_all<'a>(&'a self, name: &'a HeaderName) -> impl Iterator<Item = &'a HeaderValue> {
        self.iter()
            .filter(move |(other, _)| *other == name)
            .map(|(_, value)| value)
    }

    /// Whether a field is called `name`.
    pub fn contains(&self, name: &HeaderName) -> bool {
        self.get(name).is_some()
    }

    /// Removes every field called `name`; whether there was one.
    pub fn remove(&mut self, name: &HeaderName) -> bool {
        if !self.contains(name) {
            return false;
        }
        self.make_own();
        self.rest.retain(|(other, _)| other != name);
        if self.first.as_ref().is_some_and(|(other, _)| other == name) {
            self.first = (!self.rest.is_empty()).then(|| self.rest.remove(0));
        }
        true
    }

    /// The fields, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&HeaderName, &HeaderValue)> {
        let common = self.common.as_deref();
        let common = common.map_or(&[][..], |common| &common.fields);
        let fields = common.iter().chain(&self.first).chain(&self.rest);
        fields.map(|(name, value)| (name, value))
    }

    /// How many fields there are.
    pub fn len(&self) -> usize {
        self.iter().count()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }
}

impl Extend<(HeaderName, HeaderValue)> for Headers {
    /// Adds fields after all others, as [`Headers::append`] does.
    fn extend<I: IntoIterator<Item = (HeaderName, HeaderValue)>>(&mut self, fields: I) {
        for (name, value) in fields {
            self.append(name, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use http::header::{ALLOW, ETAG, SET_COOKIE, VARY};

    use super::*;

    fn value(text: &'static str) -> HeaderValue {
        HeaderValue::from_static(text)
    }

    /// The fields as text, in order.
    fn lines(headers: &Headers) -> Vec<String> {
        headers
            .iter()
            .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
            .collect()
    }

    /// The same fields: none of them shared, and each number of the first ones.
    fn samples() -> impl Iterator<Item = Headers> {
        (0..=5).map(|shared| {
            let fields = [
                (SET_COOKIE, "a"),
                (VARY, "b"),
                (SET_COOKIE, "c"),
                (VARY, "d"),
            ];
            let mut headers = Headers::new();
            for (index, (name, text)) in fields.into_iter().enumerate() {
                if index == shared {
                    headers = headers.shared().clone();
                }
                headers.append(name, value(text));
            }
            match shared {
                4 => headers.shared(),
                _ => headers,
            }
        })
    }

    #[test]
    fn an_insert_takes_the_first_place_of_its_name() {
        let cases = [
            (SET_COOKIE, vec!["set-cookie: x", "vary: b", "vary: d"]),
            (VARY, vec!["set-cookie: a", "vary: x", "set-cookie: c"]),
            (
                ETAG,
                vec![
                    "set-cookie: a",
                    "vary: b",
                    "set-cookie: c",
                    "vary: d",
                    "etag: x",
                ],
            ),
        ];
        for (name, expected) in cases {
            for mut headers in samples() {
                headers.insert(name.clone(), value("x"));
                assert_eq!(lines(&headers), expected);
            }
        }
    }

    #[test]
    fn a_removal_keeps_the_order_of_the_others() {
        let cases = [
            (SET_COOKIE, true, vec!["vary: b", "vary: d"]),
            (VARY, true, vec!["set-cookie: a", "set-cookie: c"]),
            (
                ALLOW,
                false,
                vec!["set-cookie: a", "vary: b", "set-cookie: c", "vary: d"],
            ),
        ];
        for (name, removed, expected) in cases {
            for mut headers in samples() {
                assert_eq!(headers.remove(&name), removed);
                assert_eq!(lines(&headers), expected);
                assert_eq!(headers.len(), expected.len());
            }
        }
    }

    #[test]
    fn a_list_that_was_emptied_is_empty() {
        for mut headers in samples() {
            assert!(headers.remove(&VARY) && headers.remove(&SET_COOKIE));
            assert!(headers.is_empty() && headers.iter().next().is_none());
            assert_eq!(headers.len(), 0);
            headers.insert(ETAG, value("x"));
            assert_eq!(headers.get(&ETAG), Some(&value("x")));
        }
    }

    #[test]
    fn every_value_of_a_name_is_found_in_order() {
        for headers in samples() {
            let values: Vec<_> = headers.get_all(&VARY).collect();
            assert_eq!(values, ["b", "d"]);
            assert_eq!(headers.get(&VARY), Some(&value("b")));
            assert!(!headers.contains(&ETAG));
        }
    }

    #[test]
    fn what_is_shared_stays_as_it_is_when_a_clone_of_it_is_changed() {
        let mut headers = Headers::new();
        headers.append(ETAG, value("a"));
        let shared = headers.shared();
        let mut changed = shared.clone();
        changed.append(VARY, value("b"));
        let (written, own) = changed.written();
        assert_eq!((written, own.count()), (&b"\r\nEtag: a"[..], 1));
        changed.insert(ETAG, value("c"));
        let (written, own) = changed.written();
        assert_eq!((written, own.count()), (&b""[..], 2));
        assert_eq!(lines(&changed), ["etag: c", "vary: b"]);
        assert_eq!(lines(&shared), ["etag: a"]);
    }
}
