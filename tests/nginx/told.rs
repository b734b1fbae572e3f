//! What a response tells, as far as both servers have to tell the same.

use std::fmt;
use std::io::Read;

use super::support::client::Response;

/// The field that rules give to the files that are the content of errors.
pub(crate) const PAGE: &str = "x-page";

#[derive(Clone)]
pub(crate) struct Told {
    pub(crate) status: u16,
    /// Of content that is a file's.
    pub(crate) length: Option<String>,
    pub(crate) media_type: Option<String>,
    pub(crate) coding: Option<String>,
    pub(crate) content_range: Option<String>,
    pub(crate) modified: Option<String>,
    pub(crate) location: Option<String>,
    pub(crate) varies: bool,
    /// The field that a rule gives to style sheets.
    pub(crate) rule: Option<String>,
    /// The content; of several parts each with its place.
    pub(crate) parts: Vec<(String, Vec<u8>)>,
    /// It is the server's own, and not compared.
    pub(crate) tag: Option<String>,
}

impl Told {
    pub(crate) fn new(response: Response) -> Self {
        let is_error = matches!(response.status, 404 | 503);
        let is_page = is_error && response.fields.iter().any(|(name, _)| name == PAGE);
        let is_content = is_page || matches!(response.status, 200 | 206);
        let owned = |name: &str| response.field(name).map(str::to_owned);
        let of_content = |name: &str| owned(name).filter(|_| is_content);
        let media_type = of_content("content-type");
        let boundary = media_type
            .as_deref()
            .and_then(|media_type| media_type.strip_prefix("multipart/byteranges; boundary="));
        let parts = match boundary {
            Some(boundary) => parts(&response.body, boundary),
            None if is_content => vec![(String::new(), response.body.clone())],
            None => Vec::new(),
        };
        let is_multipart = boundary.is_some();
        let varies = |(name, value): &(String, String)| {
            name == "vary" && value.eq_ignore_ascii_case("accept-encoding")
        };
        Self {
            status: response.status,
            // The boundary is part of it.
            length: of_content("content-length").filter(|_| !is_multipart),
            media_type: match is_multipart {
                true => Some("multipart/byteranges".to_owned()),
                false => media_type.clone(),
            },
            coding: of_content("content-encoding"),
            content_range: owned("content-range"),
            modified: owned("last-modified").filter(|_| response.status < 400),
            location: owned("location"),
            rule: owned("x-rule"),
            varies: is_content && response.fields.iter().any(varies),
            parts,
            tag: owned("etag"),
        }
    }
}

impl Told {
    /// The same as its receiver has it once it has undone the coding, which makes other octets of it each
    /// time, and as many as it likes.
    pub(crate) fn decoded(mut self) -> Self {
        if self.coding.is_some() && self.content_range.is_none() {
            self.length = None;
            for (_, content) in self.parts.iter_mut().filter(|(_, part)| !part.is_empty()) {
                let mut decoded = Vec::new();
                let mut decoder = flate2::read::GzDecoder::new(&content[..]);
                decoder.read_to_end(&mut decoded).expect("gzip");
                *content = decoded;
            }
        }
        self
    }
}

impl PartialEq for Told {
    fn eq(&self, other: &Self) -> bool {
        self.status == other.status
            && self.length == other.length
            && self.media_type == other.media_type
            && self.coding == other.coding
            && self.content_range == other.content_range
            && self.modified == other.modified
            && self.location == other.location
            && self.varies == other.varies
            && self.rule == other.rule
            && self.parts == other.parts
    }
}

impl fmt::Debug for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<_> = self
            .parts
            .iter()
            .map(|(place, part)| (place, part.len()))
            .collect();
        write!(
            f,
            "{} length {:?}, {:?} {:?}, range {:?}, modified {:?}, location {:?}, varies {}, rule {:?}, {parts:?}",
            self.status,
            self.length,
            self.media_type,
            self.coding,
            self.content_range,
            self.modified,
            self.location,
            self.varies,
            self.rule,
        )
    }
}

/// The parts of a `multipart/byteranges`: the media type and place of each, and its content.
fn parts(body: &[u8], boundary: &str) -> Vec<(String, Vec<u8>)> {
    let delimiter = format!("\r\n--{boundary}");
    // The first delimiter may stand at the very beginning.
    let body = [b"\r\n", body].concat();
    let mut parts = Vec::new();
    let mut rest = &body[..];
    while let Some(at) = find(rest, delimiter.as_bytes()) {
        let part = &rest[..at];
        if let Some(end) = find(part, b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&part[..end]).to_ascii_lowercase();
            let mut lines: Vec<&str> = head.lines().filter(|line| !line.is_empty()).collect();
            lines.sort_unstable();
            parts.push((lines.join(", "), part[end + 4..].to_vec()));
        }
        rest = &rest[at + delimiter.len()..];
    }
    parts
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes
        .windows(wanted.len())
        .position(|window| window == wanted)
}
