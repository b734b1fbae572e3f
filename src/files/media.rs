//! The media type of a file by its name's extension. It is one table, the same on every machine: it
//! reads neither the file nor the system's own lists.
//!
//! Types are those of the IANA registry where one is registered. Text is served as UTF-8; JSON and
//! XML take no `charset` parameter (RFC 8259 §11; RFC 7303 §3.2 leaves it to the document itself).

/// The type of what is not known: a browser saves it and never runs it (RFC 9110 §8.3).
pub const UNKNOWN: &str = "application/octet-stream";

/// The media type for a file called `name` (a whole path will do), as `Content-Type` carries it;
/// [`UNKNOWN`] if the extension is not in the table or there is none. Letter case does not matter.
pub fn media_type(name: &[u8]) -> &'static str {
    let Some(extension) = extension(name) else {
        return UNKNOWN;
    };
    let mut lowered = [0_u8; LONGEST];
    let Some(lowered) = lowered.get_mut(..extension.len()) else {
        return UNKNOWN;
    };
    lowered.copy_from_slice(extension);
    lowered.make_ascii_lowercase();
    match TYPES.binary_search_by(|(extension, _)| extension.as_bytes().cmp(lowered)) {
        Ok(row) => TYPES[row].1,
        Err(_) => UNKNOWN,
    }
}

/// What follows the last dot of a file's name. A name that only begins with a dot has no extension.
pub fn extension(name: &[u8]) -> Option<&[u8]> {
    let name = name.rsplit(|&byte| byte == b'/').next().unwrap_or(name);
    let dot = memchr::memrchr(b'.', name).filter(|&dot| dot > 0)?;
    Some(&name[dot + 1..])
}

/// Length of the longest extension in the table, in bytes.
const LONGEST: usize = 11;

/// Extension in lower case, media type; sorted by extension. `ts` is a transport stream, as HLS
/// needs it, and not TypeScript, which no browser runs.
const TYPES: &[(&str, &str)] = &[
    ("3g2", "video/3gpp2"),
    ("3gp", "video/3gpp"),
    ("7z", "application/x-7z-compressed"),
    ("aac", "audio/aac"),
    ("adoc", "text/plain; charset=utf-8"),
    ("aif", "audio/aiff"),
    ("aiff", "audio/aiff"),
    ("apk", "application/vnd.android.package-archive"),
    ("apng", "image/apng"),
    ("asc", "application/pgp-signature"),
    ("atom", "application/atom+xml"),
    ("avi", "video/x-msvideo"),
    ("avif", "image/avif"),
    ("bmp", "image/bmp"),
    ("bz2", "application/x-bzip2"),
    ("c", "text/plain; charset=utf-8"),
    ("cc", "text/plain; charset=utf-8"),
    ("cer", "application/pkix-cert"),
    ("cfg", "text/plain; charset=utf-8"),
    ("cjs", "text/javascript; charset=utf-8"),
    ("conf", "text/plain; charset=utf-8"),
    ("cpp", "text/plain; charset=utf-8"),
    ("crt", "application/pkix-cert"),
    ("css", "text/css; charset=utf-8"),
    ("csv", "text/csv; charset=utf-8"),
    ("cur", "image/vnd.microsoft.icon"),
    ("deb", "application/vnd.debian.binary-package"),
    ("diff", "text/plain; charset=utf-8"),
    ("doc", "application/msword"),
    (
        "docx",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ),
    ("dtd", "application/xml-dtd"),
    ("eot", "application/vnd.ms-fontobject"),
    ("eps", "application/postscript"),
    ("epub", "application/epub+zip"),
    ("flac", "audio/flac"),
    ("geojson", "application/geo+json"),
    ("gif", "image/gif"),
    ("glb", "model/gltf-binary"),
    ("gltf", "model/gltf+json"),
    ("go", "text/plain; charset=utf-8"),
    ("gpx", "application/gpx+xml"),
    ("gz", "application/gzip"),
    ("h", "text/plain; charset=utf-8"),
    ("heic", "image/heic"),
    ("heif", "image/heif"),
    ("hpp", "text/plain; charset=utf-8"),
    ("htm", "text/html; charset=utf-8"),
    ("html", "text/html; charset=utf-8"),
    ("ico", "image/vnd.microsoft.icon"),
    ("ics", "text/calendar; charset=utf-8"),
    ("ini", "text/plain; charset=utf-8"),
    ("iso", "application/x-iso9660-image"),
    ("jar", "application/java-archive"),
    ("java", "text/plain; charset=utf-8"),
    ("jfif", "image/jpeg"),
    ("jpe", "image/jpeg"),
    ("jpeg", "image/jpeg"),
    ("jpg", "image/jpeg"),
    ("js", "text/javascript; charset=utf-8"),
    ("json", "application/json"),
    ("jsonl", "application/x-ndjson"),
    ("jsonld", "application/ld+json"),
    ("jxl", "image/jxl"),
    ("kml", "application/vnd.google-earth.kml+xml"),
    ("kmz", "application/vnd.google-earth.kmz"),
    ("lock", "text/plain; charset=utf-8"),
    ("log", "text/plain; charset=utf-8"),
    ("lua", "text/plain; charset=utf-8"),
    ("m2ts", "video/mp2t"),
    ("m3u", "audio/x-mpegurl"),
    ("m3u8", "application/vnd.apple.mpegurl"),
    ("m4a", "audio/mp4"),
    ("m4v", "video/mp4"),
    ("map", "application/json"),
    ("markdown", "text/markdown; charset=utf-8"),
    ("md", "text/markdown; charset=utf-8"),
    ("mid", "audio/midi"),
    ("midi", "audio/midi"),
    ("mjs", "text/javascript; charset=utf-8"),
    ("mkv", "video/matroska"),
    ("mov", "video/quicktime"),
    ("mp3", "audio/mpeg"),
    ("mp4", "video/mp4"),
    ("mpd", "application/dash+xml"),
    ("mpeg", "video/mpeg"),
    ("mpg", "video/mpeg"),
    ("ndjson", "application/x-ndjson"),
    ("obj", "model/obj"),
    ("odg", "application/vnd.oasis.opendocument.graphics"),
    ("odp", "application/vnd.oasis.opendocument.presentation"),
    ("ods", "application/vnd.oasis.opendocument.spreadsheet"),
    ("odt", "application/vnd.oasis.opendocument.text"),
    ("oga", "audio/ogg"),
    ("ogg", "audio/ogg"),
    ("ogv", "video/ogg"),
    ("opus", "audio/ogg"),
    ("otf", "font/otf"),
    ("parquet", "application/vnd.apache.parquet"),
    ("patch", "text/plain; charset=utf-8"),
    ("pdf", "application/pdf"),
    ("pem", "application/pem-certificate-chain"),
    ("pl", "text/plain; charset=utf-8"),
    ("png", "image/png"),
    ("ppt", "application/vnd.ms-powerpoint"),
    (
        "pptx",
        "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    ),
    ("properties", "text/plain; charset=utf-8"),
    ("ps", "application/postscript"),
    ("psd", "image/vnd.adobe.photoshop"),
    ("py", "text/plain; charset=utf-8"),
    ("rar", "application/vnd.rar"),
    ("rb", "text/plain; charset=utf-8"),
    ("rpm", "application/x-rpm"),
    ("rs", "text/plain; charset=utf-8"),
    ("rss", "application/rss+xml"),
    ("rst", "text/plain; charset=utf-8"),
    ("rtf", "application/rtf"),
    ("sh", "text/plain; charset=utf-8"),
    ("sig", "application/pgp-signature"),
    ("sql", "text/plain; charset=utf-8"),
    ("sqlite", "application/vnd.sqlite3"),
    ("sqlite3", "application/vnd.sqlite3"),
    ("stl", "model/stl"),
    ("svg", "image/svg+xml"),
    ("tar", "application/x-tar"),
    ("tex", "text/plain; charset=utf-8"),
    ("text", "text/plain; charset=utf-8"),
    ("tgz", "application/gzip"),
    ("tif", "image/tiff"),
    ("tiff", "image/tiff"),
    ("toml", "application/toml"),
    ("ts", "video/mp2t"),
    ("tsv", "text/tab-separated-values; charset=utf-8"),
    ("ttc", "font/collection"),
    ("ttf", "font/ttf"),
    ("txt", "text/plain; charset=utf-8"),
    ("vcf", "text/vcard; charset=utf-8"),
    ("vtt", "text/vtt; charset=utf-8"),
    ("wasm", "application/wasm"),
    ("wav", "audio/wav"),
    ("weba", "audio/webm"),
    ("webm", "video/webm"),
    ("webmanifest", "application/manifest+json"),
    ("webp", "image/webp"),
    ("woff", "font/woff"),
    ("woff2", "font/woff2"),
    ("xht", "application/xhtml+xml"),
    ("xhtml", "application/xhtml+xml"),
    ("xls", "application/vnd.ms-excel"),
    (
        "xlsx",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ),
    ("xml", "application/xml"),
    ("xsd", "application/xml"),
    ("xsl", "application/xslt+xml"),
    ("xslt", "application/xslt+xml"),
    ("xz", "application/x-xz"),
    ("yaml", "application/yaml"),
    ("yml", "application/yaml"),
    ("zip", "application/zip"),
    ("zst", "application/zstd"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_table_is_sorted_and_well_formed() {
        assert!(TYPES.is_sorted_by(|a, b| a.0 < b.0));
        let longest = TYPES.iter().map(|(extension, _)| extension.len()).max();
        assert_eq!(longest, Some(LONGEST));
        for (extension, media_type) in TYPES {
            assert_eq!(extension.to_ascii_lowercase(), *extension);
            assert!(http::HeaderValue::from_static(media_type).to_str().is_ok());
            let (_, subtype) = media_type.split_once('/').unwrap();
            assert!(!subtype.is_empty());
            // Every text type says how its bytes are read, and nothing else does.
            let says = media_type.ends_with("; charset=utf-8");
            assert_eq!(media_type.starts_with("text/"), says, "{extension}");
        }
        let main: BTreeSet<_> = TYPES
            .iter()
            .filter_map(|row| row.1.split('/').next())
            .collect();
        let expected = [
            "application",
            "audio",
            "font",
            "image",
            "model",
            "text",
            "video",
        ];
        assert_eq!(main, BTreeSet::from(expected));
    }

    #[test]
    fn names_have_types() {
        let table: &[(&[u8], &str)] = &[
            (b"index.html", "text/html; charset=utf-8"),
            (b"a/b/app.min.js", "text/javascript; charset=utf-8"),
            (b"STYLE.CSS", "text/css; charset=utf-8"),
            (b"data.json", "application/json"),
            (b"logo.svg", "image/svg+xml"),
            (b"photo.JPeG", "image/jpeg"),
            (b"app.wasm", "application/wasm"),
            (b"font.woff2", "font/woff2"),
            (b"site.webmanifest", "application/manifest+json"),
            (b"movie.mp4", "video/mp4"),
            (b"x.tar.gz", "application/gzip"),
            (b"x.7z", "application/x-7z-compressed"),
            (b"x.3g2", "video/3gpp2"),
            (b"x.zst", "application/zstd"),
            (b"a.b/.html", UNKNOWN),
            (b".html", UNKNOWN),
            (b"html", UNKNOWN),
            (b"a.html/x", UNKNOWN),
            (b"a.", UNKNOWN),
            (b"", UNKNOWN),
            (b"/", UNKNOWN),
            (b"a.unknown", UNKNOWN),
            (b"a.html ", UNKNOWN),
            (b"a.\xff", UNKNOWN),
            (b"a.webmanifestx", UNKNOWN),
            (b"a.properties", "text/plain; charset=utf-8"),
        ];
        for (name, expected) in table {
            assert_eq!(media_type(name), *expected, "{}", name.escape_ascii());
        }
    }
}
