//! A request that is over as one line of text. What peers sent is escaped, so that none can end a
//! line, begin another, or move the cursor of whoever reads it.

use std::fmt::{self, Display, Write};
use std::time::UNIX_EPOCH;

use http::Version;
use http::header::{REFERER, USER_AGENT};

use super::Access;
use crate::http::HttpDate;
use crate::printable::is_plain;

/// How [`Access::line`] is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessFormat {
    /// The Common Log Format: peer, date, request line, status, [bytes sent](Access::sent_bytes).
    ///
    /// ```text
    /// 192.0.2.7 - - [09/Sep/2001:01:46:40 +0000] "GET /?a=1 HTTP/1.1" 200 143
    /// ```
    ///
    /// The date is that of [`Access::began_at`], in UTC. `-` stands for what there is not; so it does
    /// for identity and user, which are not known. Octets that are not printable ASCII are written as
    /// `\xhh`, and quotes and backslashes behind a backslash.
    Common,
    /// The same, and Referer and User-Agent behind it.
    Combined,
    /// A JSON object. What there is not is left out.
    ///
    /// ```text
    /// {"began_at_ms":1000000000000,"duration_ns":52000,"peer":"192.0.2.7:4711","method":"GET",
    ///  "target":"/?a=1","protocol":"HTTP/1.1","host":"example.org","route":"/","status":200,
    ///  "received_bytes":57,"sent_bytes":143,"ended":"sent","request_id":"…","referer":"…",
    ///  "user_agent":"…"}
    /// ```
    ///
    /// It is one line. `began_at_ms` counts from 1970. Control characters, and those that turn the
    /// direction of reading, are escaped; U+FFFD stands for what is not UTF-8.
    Json,
}

/// A line to be displayed.
pub(super) struct Line<'a> {
    pub(super) access: &'a Access<'a>,
    pub(super) format: AccessFormat,
}

impl Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.format {
            AccessFormat::Common => common(f, self.access),
            AccessFormat::Combined => {
                common(f, self.access)?;
                for name in [REFERER, USER_AGENT] {
                    let value = self.access.header_bytes(name).unwrap_or(b"-");
                    write!(f, " \"{}\"", Quoted(value))?;
                }
                Ok(())
            }
            AccessFormat::Json => json(f, self.access),
        }
    }
}

fn common(f: &mut fmt::Formatter<'_>, access: &Access<'_>) -> fmt::Result {
    match access.peer() {
        Some(peer) => write!(f, "{}", peer.ip())?,
        None => f.write_char('-')?,
    }
    let began_at = access.began_at().duration_since(UNIX_EPOCH);
    let date = HttpDate::from_unix_seconds(began_at.unwrap_or_default().as_secs());
    // `Sun, 06 Nov 1994 08:49:37 GMT`
    let date = date.as_str();
    let (day, month, year, time) = (&date[5..7], &date[8..11], &date[12..16], &date[17..25]);
    write!(f, " - - [{day}/{month}/{year}:{time} +0000] \"")?;
    match (access.method(), access.target(), access.version()) {
        (Some(method), Some(target), Some(version)) => {
            write!(
                f,
                "{method} {} {}",
                Quoted(target.as_bytes()),
                protocol(version)
            )?;
        }
        _ => f.write_char('-')?,
    }
    f.write_str("\" ")?;
    match access.status() {
        Some(status) => write!(f, "{}", status.as_u16())?,
        None => f.write_char('-')?,
    }
    write!(f, " {}", access.sent_bytes())
}

fn json(f: &mut fmt::Formatter<'_>, access: &Access<'_>) -> fmt::Result {
    let began_at = access.began_at().duration_since(UNIX_EPOCH);
    let began_at_ms = began_at.unwrap_or_default().as_millis();
    let duration_ns = access.duration().as_nanos();
    write!(
        f,
        "{{\"began_at_ms\":{began_at_ms},\"duration_ns\":{duration_ns}"
    )?;
    text(f, "peer", access.peer())?;
    text(f, "method", access.method())?;
    text(f, "target", access.target())?;
    text(f, "protocol", access.version().map(protocol))?;
    text(f, "host", access.host())?;
    text(f, "route", access.route())?;
    if let Some(status) = access.status() {
        write!(f, ",\"status\":{}", status.as_u16())?;
    }
    let (received_bytes, sent_bytes) = (access.received_bytes(), access.sent_bytes());
    write!(
        f,
        ",\"received_bytes\":{received_bytes},\"sent_bytes\":{sent_bytes}"
    )?;
    text(f, "ended", Some(access.ended().as_str()))?;
    text(f, "request_id", access.request_id())?;
    for (key, name) in [("referer", REFERER), ("user_agent", USER_AGENT)] {
        let value = access.header_bytes(name);
        text(f, key, value.map(String::from_utf8_lossy))?;
    }
    f.write_char('}')
}

/// A member of a JSON object behind others, if it has a value.
fn text(f: &mut fmt::Formatter<'_>, key: &str, value: Option<impl Display>) -> fmt::Result {
    let Some(value) = value else { return Ok(()) };
    write!(f, ",\"{key}\":\"")?;
    write!(InJson(f), "{value}")?;
    f.write_char('"')
}

fn protocol(version: Version) -> &'static str {
    match version {
        Version::HTTP_10 => "HTTP/1.0",
        _ => "HTTP/1.1",
    }
}

/// Octets between the quotes of a Common Log Format.
struct Quoted<'a>(&'a [u8]);

impl Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for &octet in self.0 {
            match octet {
                b'"' | b'\\' => write!(f, "\\{}", char::from(octet))?,
                b' '..=b'~' => f.write_char(char::from(octet))?,
                _ => write!(f, "\\x{octet:02x}")?,
            }
        }
        Ok(())
    }
}

/// Text between the quotes of a JSON string (RFC 8259 §7).
struct InJson<'a, 'b>(&'a mut fmt::Formatter<'b>);

impl Write for InJson<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            match c {
                '"' | '\\' => write!(self.0, "\\{c}")?,
                c if is_plain(c) => self.0.write_char(c)?,
                c => {
                    for unit in c.encode_utf16(&mut [0; 2]) {
                        write!(self.0, "\\u{unit:04x}")?;
                    }
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn octets_between_quotes() {
        let table: [(&[u8], &str); 5] = [
            (b"/a?b=c~", "/a?b=c~"),
            (b"\"\\", "\\\"\\\\"),
            (b"\r\n\t\0\x1b[2J\x7f", "\\x0d\\x0a\\x09\\x00\\x1b[2J\\x7f"),
            ("é\u{202e}".as_bytes(), "\\xc3\\xa9\\xe2\\x80\\xae"),
            (b"\xff", "\\xff"),
        ];
        for (octets, shown) in table {
            assert_eq!(Quoted(octets).to_string(), shown);
        }
    }

    #[test]
    fn json_is_read_as_it_was_and_is_printable() {
        struct Of(&'static str);
        impl Display for Of {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_char('{')?;
                f.write_str("\"first\":0")?;
                text(f, "it", Some(self.0))?;
                text(f, "none", None::<&str>)?;
                f.write_char('}')
            }
        }
        for sent in [
            "plain é 木",
            "\"\\/",
            "\r\n\t\0\u{1b}\u{7f}\u{9b}",
            "\u{2028}\u{202e}\u{2066}",
        ] {
            let line = Of(sent).to_string();
            assert!(line.chars().all(is_plain), "{line}");
            let read: serde_json::Value = serde_json::from_str(&line).unwrap();
            assert_eq!(read, serde_json::json!({"first": 0, "it": sent}));
        }
    }
}
