//! Which media types are worth compressing. It is one table: what it does not list is sent as it is.

/// Types of which everything is, but for [`EXCEPTIONS`].
const WHOLE: &[&str] = &["text/"];

/// What the end of a type's name says of its syntax (RFC 6838 §4.2.8).
const SUFFIXES: &[&str] = &["+json", "+xml", "+yaml", "+cbor"];

const TYPES: &[&str] = &[
    "application/cbor",
    "application/javascript",
    "application/json",
    "application/json-seq",
    "application/jsonl",
    "application/mbox",
    "application/msgpack",
    "application/n-quads",
    "application/n-triples",
    "application/ndjson",
    "application/postscript",
    "application/rtf",
    "application/sql",
    "application/toml",
    "application/vnd.apple.mpegurl",
    "application/vnd.ms-fontobject",
    "application/wasm",
    "application/x-javascript",
    "application/x-ndjson",
    "application/x-sh",
    "application/x-tar",
    "application/x-www-form-urlencoded",
    "application/xml",
    "application/yaml",
    "audio/midi",
    "audio/wav",
    "font/collection",
    "font/otf",
    "font/sfnt",
    "font/ttf",
    "image/bmp",
    "image/vnd.microsoft.icon",
    "image/x-icon",
    "message/rfc822",
    "model/mtl",
    "model/obj",
    "model/stl",
    "multipart/mixed",
];

/// An event stream lasts, and would hold its encoder for as long.
const EXCEPTIONS: &[&str] = &["text/event-stream"];

/// Whether content of `media_type`, without its parameters, becomes smaller by much.
pub(crate) fn is_compressible(media_type: &str) -> bool {
    let is = |other: &&str| media_type.eq_ignore_ascii_case(other);
    let begins = |start: &&str| {
        let head = media_type.get(..start.len());
        head.is_some_and(|head| head.eq_ignore_ascii_case(start))
    };
    let ends = |end: &&str| {
        let start = media_type.len().checked_sub(end.len());
        let tail = start.and_then(|start| media_type.get(start..));
        tail.is_some_and(|tail| tail.eq_ignore_ascii_case(end))
    };
    !EXCEPTIONS.iter().any(is)
        && (WHOLE.iter().any(begins) || SUFFIXES.iter().any(ends) || TYPES.iter().any(is))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_and_whether_they_are_worth_it() {
        for media_type in [
            "text/plain",
            "TEXT/HTML",
            "text/x-anything",
            "application/json",
            "Application/Problem+JSON",
            "image/svg+xml",
            "application/wasm",
            "font/ttf",
        ] {
            assert!(is_compressible(media_type), "{media_type}");
        }
        for media_type in [
            "",
            "text",
            "text/event-stream",
            "Text/Event-Stream",
            "application/octet-stream",
            "application/zip",
            "application/gzip",
            "application/pdf",
            "image/png",
            "image/jpeg",
            "image/webp",
            "video/mp4",
            "audio/mpeg",
            "font/woff2",
            "json",
            "é",
        ] {
            assert!(!is_compressible(media_type), "{media_type}");
        }
    }
}
