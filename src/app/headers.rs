//! The header fields of a response: a short ordered list, searched from the front.
//!
//! Names and values are proved when they are made (`HeaderName` and `HeaderValue` hold no CR, LF
//! or NUL), so nothing is left to check when they are sent.

use http::{HeaderName, HeaderValue};

/// An ordered list of header fields; a name may occur more than once.
///
/// The first field is stored inline, so that a response with a content type and nothing else
/// allocates nothing for its fields. Responses have few fields: searching a list is cheaper than
/// hashing.
#[derive(Debug, Clone, Default)]
pub struct Headers {
    first: Option<(HeaderName, HeaderValue)>,
    /// Empty whenever `first` is.
    rest: Vec<(HeaderName, HeaderValue)>,
}

impl Headers {
    /// No fields.
    pub const fn new() -> Headers {
        Headers {
            first: None,
            rest: Vec::new(),
        }
    }

    /// Sets the field `name` to `value`, in the place of the first of that name if there is one;
    /// further ones go.
    pub fn insert(&mut self, name: HeaderName, value: HeaderValue) {
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
        let before = self.len();
        self.rest.retain(|(other, _)| other != name);
        if self.first.as_ref().is_some_and(|(other, _)| other == name) {
            self.first = (!self.rest.is_empty()).then(|| self.rest.remove(0));
        }
        self.len() < before
    }

    /// The fields, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&HeaderName, &HeaderValue)> {
        self.first
            .iter()
            .chain(&self.rest)
            .map(|(name, value)| (name, value))
    }

    /// How many fields there are.
    pub fn len(&self) -> usize {
        usize::from(self.first.is_some()) + self.rest.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.first.is_none()
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

    fn sample() -> Headers {
        let mut headers = Headers::new();
        headers.append(SET_COOKIE, value("a"));
        headers.append(VARY, value("b"));
        headers.append(SET_COOKIE, value("c"));
        headers.append(VARY, value("d"));
        headers
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
            let mut headers = sample();
            headers.insert(name, value("x"));
            assert_eq!(lines(&headers), expected);
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
            let mut headers = sample();
            assert_eq!(headers.remove(&name), removed);
            assert_eq!(lines(&headers), expected);
            assert_eq!(headers.len(), expected.len());
        }
    }

    #[test]
    fn a_list_that_was_emptied_is_empty() {
        let mut headers = sample();
        assert!(headers.remove(&VARY) && headers.remove(&SET_COOKIE));
        assert!(headers.is_empty() && headers.iter().next().is_none());
        assert_eq!(headers.len(), 0);
        headers.insert(ETAG, value("x"));
        assert_eq!(headers.get(&ETAG), Some(&value("x")));
    }

    #[test]
    fn every_value_of_a_name_is_found_in_order() {
        let headers = sample();
        let values: Vec<_> = headers.get_all(&VARY).collect();
        assert_eq!(values, ["b", "d"]);
        assert_eq!(headers.get(&VARY), Some(&value("b")));
        assert!(!headers.contains(&ETAG));
    }
}
