//! A message taken apart by its line ends and separators alone, for recognising what is odd about
//! it. It refuses nothing, and shares no code with the parser.

use super::grammar;

/// The first request in some bytes, as far as it can be made out.
pub(crate) struct Seen<'a> {
    /// Lines without content before the request line.
    pub(crate) empty_lines: usize,
    /// Every line of the head, with its line end: of the empty lines before it, the request line,
    /// the fields, and the empty line.
    pub(crate) lines: Vec<&'a [u8]>,
    pub(crate) method: &'a [u8],
    pub(crate) target: &'a [u8],
    pub(crate) version: &'a [u8],
    /// Field lines as name and value, and what has no colon as a name alone.
    pub(crate) fields: Vec<(&'a [u8], &'a [u8])>,
    /// Chunk lines without their line ends; none where the body is not chunked.
    pub(crate) chunk_lines: Vec<&'a [u8]>,
    /// Lines of the trailer section, with their line ends, to the empty line.
    pub(crate) trailers: Vec<&'a [u8]>,
}

impl<'a> Seen<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        let mut rest = bytes;
        let mut lines = Vec::new();
        let mut empty_lines = 0;
        let mut request_line: &[u8] = b"";
        let mut fields = Vec::new();
        while let Some(line) = take_line(&mut rest) {
            lines.push(line);
            let content = without_end(line);
            match (content.is_empty(), request_line.is_empty()) {
                (true, true) => empty_lines += 1,
                (true, false) => break,
                (false, true) => request_line = content,
                (false, false) => fields.push(split_field(content)),
            }
        }
        let mut parts = request_line.splitn(3, |&octet| octet == b' ');
        let mut part = || parts.next().unwrap_or_default();
        let mut seen = Self {
            empty_lines,
            lines,
            method: part(),
            target: part(),
            version: part(),
            fields,
            chunk_lines: Vec::new(),
            trailers: Vec::new(),
        };
        if !seen.codings().is_empty() {
            seen.see_chunks(rest);
        }
        seen
    }

    fn see_chunks(&mut self, mut rest: &'a [u8]) {
        while let Some(line) = take_line(&mut rest) {
            let line = without_end(line);
            self.chunk_lines.push(line);
            let digits = grammar::hex_digits(line);
            let text = std::str::from_utf8(&line[..digits]).unwrap_or_default();
            match usize::from_str_radix(text, 16) {
                Ok(0) => break,
                // The data, and CR LF.
                Ok(size) => rest = rest.get(size.saturating_add(2)..).unwrap_or_default(),
                Err(_) => return,
            }
        }
        while let Some(line) = take_line(&mut rest) {
            self.trailers.push(line);
            if without_end(line).is_empty() {
                return;
            }
        }
    }

    /// The values of the fields with this name.
    pub(crate) fn values(&self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        let fields = self.fields.iter();
        let same = fields.filter(move |field| field.0.eq_ignore_ascii_case(name.as_bytes()));
        same.map(|field| field.1)
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.values(name).next().is_some()
    }

    /// The members of the list that all fields with this name make, empty ones included.
    pub(crate) fn members(&self, name: &str) -> Vec<&'a [u8]> {
        let lists = self
            .values(name)
            .map(|list| list.split(|&octet| octet == b','));
        lists.flatten().map(trim).collect()
    }

    /// The transfer codings that are named.
    pub(crate) fn codings(&self) -> Vec<&'a [u8]> {
        self.members("transfer-encoding")
    }

    pub(crate) fn is_http_10(&self) -> bool {
        self.version == b"HTTP/1.0"
    }
}

/// Takes a line with its LF from the front of `rest`; none if there is no LF.
fn take_line<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let end = rest.iter().position(|&octet| octet == b'\n')? + 1;
    let (line, after) = rest.split_at(end);
    *rest = after;
    Some(line)
}

/// A line without its LF or CR LF.
pub(crate) fn without_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// The name and the value of a field line.
pub(crate) fn split_field(line: &[u8]) -> (&[u8], &[u8]) {
    let Some(colon) = line.iter().position(|&octet| octet == b':') else {
        return (line, b"");
    };
    (&line[..colon], trim(&line[colon + 1..]))
}

/// `octets` without spaces and tabs around them.
pub(crate) fn trim(octets: &[u8]) -> &[u8] {
    let is_text = |octet: &u8| !matches!(octet, b' ' | b'\t');
    match (
        octets.iter().position(is_text),
        octets.iter().rposition(is_text),
    ) {
        (Some(first), Some(last)) => &octets[first..=last],
        _ => b"",
    }
}
