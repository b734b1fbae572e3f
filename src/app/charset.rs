//! Content as text, by the charset that its Content-Type names. Without the feature `charset` UTF-8
//! is the only one that is known.

use std::borrow::Cow;

#[cfg(feature = "charset")]
use encoding_rs::Encoding;
use http::StatusCode;
use percent_encoding::{NON_ALPHANUMERIC, percent_decode, percent_encode};

use super::error::{Error, Result};
use super::request::Request;

/// What octets stand for which characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Charset {
    Utf8,
    #[cfg(feature = "charset")]
    Other(&'static Encoding),
}

impl Request {
    /// The charset that Content-Type names, as it was written, such as `utf-8`; names are compared
    /// without regard to case. `None` if it names none, or where [`Request::media_type`] is.
    ///
    /// [`Request::text`] and [`Request::form`] go by it.
    pub fn charset(&self) -> Option<&str> {
        self.media_type()?;
        let value = self.header("content-type")?;
        parameter(value, "charset").filter(|charset| !charset.is_empty())
    }

    /// The charset to read the content by.
    pub(super) fn known_charset(&self) -> Result<Charset> {
        match self.charset() {
            None => Ok(Charset::Utf8),
            Some(name) => Charset::named(name).ok_or_else(unknown),
        }
    }
}

impl Charset {
    fn named(name: &str) -> Option<Charset> {
        // US-ASCII is a part of UTF-8.
        let names = ["utf-8", "utf8", "us-ascii", "ascii"];
        if names.iter().any(|known| known.eq_ignore_ascii_case(name)) {
            return Some(Charset::Utf8);
        }
        #[cfg(feature = "charset")]
        if let Some(encoding) = Encoding::for_label_no_replacement(name.as_bytes()) {
            return Some(match encoding == encoding_rs::UTF_8 {
                true => Charset::Utf8,
                false => Charset::Other(encoding),
            });
        }
        None
    }

    /// The text that `octets` are; 400 where they are none.
    pub(super) fn decode(self, octets: &[u8]) -> Result<Cow<'_, str>> {
        match self {
            Charset::Utf8 => std::str::from_utf8(octets)
                .map(Cow::Borrowed)
                .map_err(|error| no_text("UTF-8").with_source(error)),
            #[cfg(feature = "charset")]
            Charset::Other(encoding) => {
                // A mark at the beginning of UTF-16 says the order of its octets (RFC 2781 §4.3).
                let decoded = match encoding.is_ascii_compatible() {
                    true => encoding.decode_without_bom_handling(octets),
                    false => {
                        let (text, _, is_malformed) = encoding.decode(octets);
                        (text, is_malformed)
                    }
                };
                match decoded {
                    (text, false) => Ok(text),
                    (_, true) => Err(no_text(encoding.name())),
                }
            }
        }
    }

    /// `form`, the content of one, as it is in UTF-8.
    pub(super) fn form(self, form: &[u8]) -> Result<Cow<'_, [u8]>> {
        if self == Charset::Utf8 {
            // Names and values end at ASCII, so that they are text if all of it is.
            let octets: Cow<'_, [u8]> = percent_decode(form).into();
            self.decode(&octets)?;
            return Ok(form.into());
        }
        if !self.has_ascii() {
            return Err(unknown());
        }
        let part = |part: &[u8]| -> Result<String> {
            let spaced: Vec<u8> = part
                .iter()
                .map(|&octet| if octet == b'+' { b' ' } else { octet })
                .collect();
            let octets: Cow<'_, [u8]> = percent_decode(&spaced).into();
            let text = self.decode(&octets)?;
            Ok(percent_encode(text.as_bytes(), NON_ALPHANUMERIC).to_string())
        };
        let pairs = form.split(|&octet| octet == b'&').map(|pair| {
            let mut sides = pair.splitn(2, |&octet| octet == b'=').map(part);
            let name = sides.next().transpose()?.unwrap_or_default();
            match sides.next().transpose()? {
                Some(value) => Ok([name, value].join("=")),
                None => Ok(name),
            }
        });
        let pairs = pairs.collect::<Result<Vec<_>>>()?;
        Ok(pairs.join("&").into_bytes().into())
    }

    /// Whether ASCII stands for itself, as the syntax of a form needs it.
    fn has_ascii(self) -> bool {
        match self {
            Charset::Utf8 => true,
            #[cfg(feature = "charset")]
            Charset::Other(encoding) => encoding.is_ascii_compatible(),
        }
    }
}

#[cold]
fn unknown() -> Error {
    let message = "The charset of the content is not one that is read here.";
    Error::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message)
}

#[cold]
fn no_text(charset: &str) -> Error {
    let message = format!("The content is not {charset} text.");
    Error::new(StatusCode::BAD_REQUEST, message)
}

/// The value of the parameter `name` of a field like Content-Type (RFC 9110 §5.6.6), without quotes.
fn parameter<'a>(value: &'a str, name: &str) -> Option<&'a str> {
    let (_, mut rest) = value.split_once(';')?;
    loop {
        rest = rest.trim_start_matches([' ', '\t', ';']);
        let (other, behind) = rest.split_once('=')?;
        let (found, behind) = match behind.strip_prefix('"') {
            // Within quotes a `;` ends nothing.
            Some(quoted) => quoted.split_once('"')?,
            None => {
                let end = behind.find(';').unwrap_or(behind.len());
                let (found, behind) = behind.split_at(end);
                (found.trim_end_matches([' ', '\t']), behind)
            }
        };
        if other.eq_ignore_ascii_case(name) {
            return Some(found);
        }
        rest = behind;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_of_media_types() {
        let table = [
            ("text/plain", None),
            ("text/plain;", None),
            ("text/plain; charset=utf-8", Some("utf-8")),
            ("text/plain ;\tCHARSET=\"Latin 1\" ; x=y", Some("Latin 1")),
            ("text/plain; x=\"; charset=a\"; charset=b", Some("b")),
            ("text/plain; x=y;; charset=a ; charset=b", Some("a")),
            ("text/plain; xcharset=a", None),
            ("text/plain; charset", None),
            ("text/plain; charset=", Some("")),
            ("text/plain; charset=\"a", None),
        ];
        for (value, expected) in table {
            assert_eq!(parameter(value, "charset"), expected, "{value}");
        }
    }

    #[test]
    fn utf_8_is_always_known() {
        for name in ["utf-8", "UTF8", "us-ascii", "ASCII"] {
            assert_eq!(Charset::named(name), Some(Charset::Utf8));
        }
        for name in ["", "utf-9", "iso-2022-kr", "replacement"] {
            assert_eq!(Charset::named(name), None);
        }
        assert_eq!(Charset::Utf8.decode("é".as_bytes()).unwrap(), "é");
        let error = Charset::Utf8.decode(b"\xe9").unwrap_err();
        assert_eq!(error.status(), 400);
        let form = Charset::Utf8.form(b"a=%C3%A9&b=+").unwrap();
        assert_eq!(&*form, b"a=%C3%A9&b=+");
        for form in [&b"a=%C3&b=%A9"[..], b"a=\xe9"] {
            assert_eq!(Charset::Utf8.form(form).unwrap_err().status(), 400);
        }
    }

    #[cfg(feature = "charset")]
    #[test]
    fn other_charsets() {
        let table: [(&str, &[u8], Option<&str>); 8] = [
            ("iso-8859-1", b"\xe9\x80", Some("é€")),
            ("Windows-1252", b"\xef\xbb\xbf", Some("ï»¿")),
            ("shift_jis", b"\x96\xd8", Some("木")),
            ("shift_jis", b"\x96", None),
            ("utf-16le", b"\x28\x67", Some("木")),
            ("utf-16", b"\xfe\xff\x67\x28", Some("木")),
            ("utf-16", b"\x28", None),
            ("gb18030", b"\xc4\xbe", Some("木")),
        ];
        for (name, octets, text) in table {
            let charset = Charset::named(name).unwrap();
            assert_eq!(charset.decode(octets).ok().as_deref(), text, "{name}");
        }
        let latin = Charset::named("latin1").unwrap();
        let form = latin.form(b"n\xe9%E9=+%26&b&c==").unwrap();
        assert_eq!(&*form, b"n%C3%A9%C3%A9=%20%26&b&c=%3D");
        let wide = Charset::named("utf-16").unwrap();
        assert_eq!(wide.form(b"a=1").unwrap_err().status(), 415);
        let japanese = Charset::named("shift_jis").unwrap();
        assert_eq!(japanese.form(b"a=%96").unwrap_err().status(), 400);
    }
}
