//! What the two do otherwise, and why.

use super::requests::{AFTER, EQUAL, Request};
use super::told::Told;

/// Differences for one reason. The first class that is so counts.
pub(crate) struct Class {
    pub(crate) name: &'static str,
    /// Why this server does as it does.
    pub(crate) why: &'static str,
    /// Whether a difference between ours and theirs is of it.
    pub(crate) is: fn(&Request, &Told, &Told) -> bool,
    /// The value of Accept-Encoding with which nginx has to answer as ours did, where the difference is but
    /// in which variant is chosen.
    pub(crate) chosen: Option<&'static str>,
}

/// Whether the path, without its query, is one of these.
pub(crate) fn is_at(request: &Request, paths: &[&str]) -> bool {
    let path = request.target.split('?').next();
    path.is_some_and(|path| paths.contains(&path))
}

/// Whether a file was found.
fn is_of_file(told: &Told) -> bool {
    matches!(told.status, 200 | 206 | 304 | 412 | 416)
}

/// Whether an answer with content says that another coding would get another.
fn varies_by_coding(told: &Told) -> bool {
    told.varies == matches!(told.status, 200 | 206)
}

/// Whether the answer is about the file at `path` itself, which does not vary.
fn is_served_plain_at(request: &Request, ours: &Told, path: &str) -> bool {
    is_at(request, &[path]) && is_of_file(ours) && ours.coding.is_none() && !ours.varies
}

/// Files that are served in gzip to those who accept it: neighbours, and what is made.
pub(crate) const CODED: &[&str] = &[
    "/coded.css",
    "/text.css",
    "/text.json",
    "/text.html",
    "/least.css",
    "/404.html",
];

fn range(request: &Request) -> &str {
    request.field("Range").unwrap_or_default()
}

fn accepts_gzip(request: &Request) -> bool {
    request.codings.to_ascii_lowercase().contains("gzip")
}

/// Differences in what servers make themselves, before those of [`CLASSES`].
pub(crate) const CLASSES_OF_MADE: &[Class] = &[
    Class {
        name: "what becomes no smaller",
        why: "it is sent as it is",
        is: |request, ours, theirs| {
            is_at(request, &["/sub/a.css"])
                && is_of_file(ours)
                && ours.coding.is_none()
                && accepts_gzip(request)
                && (theirs.status, theirs.coding.is_some()) == (200, true)
        },
        chosen: Some(""),
    },
    Class {
        name: "the coding of an error's page",
        why: "it has none, so that it is the same for everybody",
        is: |_, ours, theirs| {
            (ours.status, theirs.status) == (404, 404)
                && ours.parts == theirs.parts
                && ours.media_type == theirs.media_type
                && (ours.coding.is_none(), ours.varies, theirs.varies) == (true, false, true)
        },
        chosen: None,
    },
];

/// Differences in what lies beside files, compressed, before those of [`CLASSES`].
pub(crate) const CLASSES_OF_NEIGHBOURS: &[Class] = &[
    Class {
        name: "a neighbour without its file",
        why: "whether a file is there does not depend on what a peer can decode",
        is: |request, ours, _| {
            ours.status == 404 && is_at(request, &["/alone.css"]) && accepts_gzip(request)
        },
        chosen: None,
    },
    Class {
        name: "a neighbour older than its file",
        why: "whoever changed the file did not compress it again",
        is: |request, ours, _| is_served_plain_at(request, ours, "/stale.css"),
        chosen: Some(""),
    },
    Class {
        name: "an empty neighbour",
        why: "it is no gzip",
        is: |request, ours, _| is_served_plain_at(request, ours, "/hollow.css"),
        chosen: Some(""),
    },
    Class {
        name: "the neighbour of an error's page",
        why: "the page has no coding, so that it is the same for everybody",
        is: |_, ours, theirs| {
            (ours.status, theirs.status) == (404, 404)
                && (ours.coding.is_none(), ours.varies, theirs.varies) == (true, false, true)
        },
        chosen: Some(""),
    },
    Class {
        name: "a neighbour of what is compressed already",
        why: "it is not looked for",
        is: |request, ours, _| is_served_plain_at(request, ours, "/photo.png"),
        chosen: Some(""),
    },
];

/// Differences in all else.
pub(crate) const CLASSES: &[Class] = &[
    Class {
        name: "dot segments",
        why: "a file has one path, which a client resolves before it sends (RFC 3986 §5.2.4)",
        is: |request, ours, _| {
            let path = request.target.replace("%2e", ".").replace("%2f", "/");
            ours.status == 404 && path.split('/').any(|name| matches!(name, "." | ".."))
        },
        chosen: None,
    },
    Class {
        name: "empty segments",
        why: "a file has one path, and nothing merges slashes (RFC 3986 §3.3)",
        is: |request, ours, _| ours.status == 404 && request.target.contains("//"),
        chosen: None,
    },
    Class {
        name: "encoded slashes",
        why: "an encoded slash is data, and no name has one (RFC 3986 §2.2)",
        is: |request, ours, _| {
            ours.status == 404 && is_at(request, &["/sub%2fa.css", "/sub%2Fa.css"])
        },
        chosen: None,
    },
    Class {
        name: "dot-files",
        why: "they are hidden unless they are asked to be served",
        is: |request, ours, _| ours.status == 404 && is_at(request, &["/.env"]),
        chosen: None,
    },
    Class {
        name: "links out of the root",
        why: "they are not followed unless they are asked to be",
        is: |request, ours, _| {
            ours.status == 404 && is_at(request, &["/outside.txt", "/up", "/up/secret.txt"])
        },
        chosen: None,
    },
    Class {
        name: "octets that no target has",
        why: "a client encodes them (RFC 3986 §2), and who forwards them as they are is not always \
              understood alike",
        is: |request, ours, _| {
            let is_none = |octet: u8| !octet.is_ascii() || matches!(octet, b'"' | b'\\');
            ours.status == 400 && request.target.bytes().any(is_none)
        },
        chosen: None,
    },
    Class {
        name: "folders without an index",
        why: "what is not served is not told apart from what is not there",
        is: |request, ours, theirs| {
            (ours.status, theirs.status) == (404, 403) && is_at(request, &["/bare/", "/blog/"])
        },
        chosen: None,
    },
    Class {
        name: "If-Unmodified-Since that is no date",
        why: "it is ignored (RFC 9110 §13.1.4)",
        is: |request, ours, theirs| {
            let is_no_date = request.field("If-Unmodified-Since") == Some("yesterday");
            is_no_date && ours.status != 412 && theirs.status == 412
        },
        chosen: None,
    },
    Class {
        name: "If-Unmodified-Since beside If-Match",
        why: "it is ignored (RFC 9110 §13.1.4)",
        is: |request, ours, theirs| {
            let fields = ["If-Match", "If-Unmodified-Since"];
            let has_both = fields.iter().all(|name| request.field(name).is_some());
            has_both && ours.status != 412 && theirs.status == 412
        },
        chosen: None,
    },
    Class {
        name: "If-Modified-Since beside If-None-Match",
        why: "it is ignored (RFC 9110 §13.1.3)",
        is: |request, ours, theirs| {
            let fields = ["If-None-Match", "If-Modified-Since"];
            let has_both = fields.iter().all(|name| request.field(name).is_some());
            has_both && (ours.status == 304) != (theirs.status == 304)
        },
        chosen: None,
    },
    Class {
        name: "If-Modified-Since after the last change",
        why: "the file was not changed since (RFC 9110 §13.1.3); nginx takes that date alone",
        is: |request, ours, theirs| {
            request.field("If-Modified-Since") == Some(AFTER)
                && ours.status == 304
                && theirs.status != 304
        },
        chosen: None,
    },
    Class {
        name: "ranges of HEAD",
        why: "GET alone has ranges (RFC 9110 §14.2)",
        is: |request, ours, theirs| {
            request.method == "HEAD"
                && !range(request).is_empty()
                && ours.status == 200
                && matches!(theirs.status, 206 | 416)
        },
        chosen: None,
    },
    Class {
        name: "a rule's field where no range can be met",
        why: "416 is an error, and errors have none of the file's fields; of nginx's, all but this",
        is: |_, ours, theirs| {
            (ours.status, theirs.status) == (416, 416)
                && ours.rule.is_none()
                && theirs.rule.is_some()
        },
        chosen: None,
    },
    Class {
        name: "ranges that are none",
        why: "they are ignored (RFC 9110 §14.2)",
        is: |request, ours, theirs| {
            matches!(range(request), "bytes=9-5" | "bytes=a-b" | "bytes=")
                && (ours.status, theirs.status) == (200, 416)
        },
        chosen: None,
    },
    Class {
        name: "an empty member of a list of ranges",
        why: "it is skipped (RFC 9110 §5.6.1.2)",
        is: |request, ours, theirs| {
            range(request) == "bytes=0-1," && (ours.status, theirs.status) == (206, 416)
        },
        chosen: None,
    },
    Class {
        name: "numbers beyond 64 bits",
        why: "they are numbers, and a range may end behind the file (RFC 9110 §14.1.2)",
        is: |request, ours, theirs| {
            range(request).contains("99999999999999999999999")
                && matches!(ours.status, 200 | 206)
                && theirs.status == 416
        },
        chosen: None,
    },
    Class {
        name: "several ranges that lie close together",
        why: "they are sent as one, in less bytes (RFC 9110 §15.3.7.2)",
        is: |request, ours, theirs| {
            range(request).contains(',')
                && ours.status == 206
                && ours.parts.len() < theirs.parts.len()
                && request.method == "GET"
        },
        chosen: None,
    },
    Class {
        name: "several ranges that come to more than the file",
        why: "what they have in common is sent once (RFC 9110 §14.2, §15.3.7.2)",
        is: |request, ours, theirs| {
            range(request).contains(',') && (ours.status, theirs.status) == (206, 200)
        },
        chosen: None,
    },
    Class {
        name: "ranges of an empty file",
        why: "it has no first byte (RFC 9110 §15.5.17)",
        is: |request, ours, theirs| {
            is_at(request, &["/empty.txt"])
                && !range(request).is_empty()
                && (ours.status, theirs.status) == (416, 200)
        },
        chosen: None,
    },
    Class {
        name: "ranges of coded content",
        why: "they are of what is sent, coding and all (RFC 9110 §14); nginx has none there",
        is: |request, ours, theirs| {
            is_at(request, CODED)
                && accepts_gzip(request)
                && !range(request).is_empty()
                && matches!(ours.status, 206 | 416)
                && theirs.status == 200
                && theirs.coding.is_some()
        },
        chosen: None,
    },
    Class {
        name: "no coding with a greater weight than gzip",
        why: "it is what the peer would rather have (RFC 9110 §12.5.3)",
        is: |request, ours, _| {
            is_at(request, CODED)
                && request.codings == "gzip;q=0.5, identity"
                && is_of_file(ours)
                && varies_by_coding(ours)
                && ours.coding.is_none()
        },
        chosen: Some(""),
    },
    Class {
        name: "a wildcard for codings",
        why: "it is gzip as well (RFC 9110 §12.5.3)",
        is: |request, ours, theirs| {
            is_at(request, CODED)
                && request.codings == "*"
                && is_of_file(ours)
                && varies_by_coding(ours)
                && theirs.coding.is_none()
        },
        chosen: Some("gzip"),
    },
    Class {
        name: "If-Range with a date that all variants have",
        why: "it does not tell one from another (RFC 9110 §13.1.5, §8.8.2.2)",
        is: |request, ours, theirs| {
            request.field("If-Range") == Some(EQUAL)
                && is_at(request, CODED)
                && ours.status == 200
                && theirs.status != 200
        },
        chosen: None,
    },
    Class {
        name: "If-Range with a date that was set",
        why: "whoever sets the time of a file may have written to it before, in a version of the same date \
              (RFC 9110 §13.1.5, §8.8.2.2)",
        is: |request, ours, theirs| {
            request.field("If-Range") == Some(EQUAL)
                && ours.status == 200
                && matches!(theirs.status, 206 | 416)
        },
        chosen: None,
    },
];
