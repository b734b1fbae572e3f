//! What `[files]` proves to be.

use super::*;
use crate::config::Config;
use crate::config::raw::RawConfig;
use crate::files::policy::{EntityTags, Symlinks};
use crate::http::ContentCoding;
use crate::limits::{COMPRESSION_WAIT, FILE_FIELD_RULES};
use http::HeaderValue;
use std::ffi::CStr;
use std::path::Path;

fn files(text: &str) -> Result<Policy, Vec<String>> {
    let shown = |failure: &Failure| failure.to_string();
    let raw = RawConfig::parse(Path::new("c.toml"), &format!("[files]\n{text}"))
        .map_err(|failure| vec![shown(&failure)])?;
    Config::try_from(raw)
        .map(|config| config.files)
        .map_err(|faults| faults.iter().map(shown).collect())
}

#[test]
fn everything_written_is_taken() {
    assert_eq!(files(""), Ok(Policy::default()));
    let text = r#"
        symlinks = "never"
        dot_files = "serve"
        hide = ["*.bak", "/private"]
        etag = "hash"
        cache_control = ["/assets/**=public, max-age=31536000, immutable", "*.html=no-cache"]
        precompressed = "br, gz"
        compress = "off"
        index = ["index.html, index.htm", "default.htm"]
        clean_urls = true
        fallback = "/app/a%20b.html"
        listing = true
        tar = true
        sendfile = true
        cache = "1MiB"
        response_headers = ["*.html=X-A: b=c", "/**=X-B: d"]
        redirects = ["/old=/new", "/a/*=https://example.org/* 301"]
        error_pages = ["404=/404.html", "503=/busy.html"]
        media_types = [".MD=text/plain", "log=text/plain;charset=utf-8"]
    "#;
    let value = HeaderValue::from_static;
    let glob = |text: &str| text.parse().unwrap();
    let mut response_headers = HeaderRules::default();
    response_headers.add("*.html=X-A: b=c").unwrap();
    response_headers.add("/**=X-B: d").unwrap();
    let mut error_pages = ErrorPages::default();
    error_pages.add("404=/404.html").unwrap();
    error_pages.add("503=/busy.html").unwrap();
    let expected = Policy {
        symlinks: Symlinks::Never,
        dot_files: true,
        hide: vec![glob("*.bak"), glob("/private")],
        entity_tags: EntityTags::Hash,
        cache_control: vec![
            (
                glob("/assets/**"),
                value("public, max-age=31536000, immutable"),
            ),
            (glob("*.html"), value("no-cache")),
        ],
        response_headers,
        redirects: Redirects::new(vec![
            "/old=/new".parse().unwrap(),
            "/a/*=https://example.org/* 301".parse().unwrap(),
        ])
        .unwrap(),
        error_pages,
        media_types: [
            ("md".into(), value("text/plain")),
            ("log".into(), value("text/plain;charset=utf-8")),
        ]
        .into(),
        precompressed: vec![ContentCoding::Brotli, ContentCoding::Gzip],
        compress: Vec::new(),
        compression_wait: COMPRESSION_WAIT,
        index: [c"index.html", c"index.htm", c"default.htm"]
            .map(CStr::to_owned)
            .into(),
        clean_urls: true,
        fallback: Some(c"app/a b.html".to_owned()),
        listing: true,
        tar: true,
        sendfile: true,
        cache_bytes: 1 << 20,
    };
    assert_eq!(files(text), Ok(expected));
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    let table = [
        (
            "symlinks = 'some'",
            "c.toml:2:12: files.symlinks: 'some' does not say",
        ),
        ("dot_files = 'x'", "c.toml:2:13: files.dot_files: 'x' does"),
        ("etag = 'md5'", "c.toml:2:8: files.etag: 'md5' is nothing"),
        ("hide = '['", "c.toml:2:8: files.hide: the glob '[' has a"),
        (
            "cache_control = '*.css'",
            "c.toml:2:17: files.cache_control: '*.css' has no =",
        ),
        (
            "cache_control = '[=a'",
            "c.toml:2:17: files.cache_control: the glob '['",
        ),
        (
            "cache_control = 'a= b'",
            "c.toml:2:17: files.cache_control: ' b' cannot",
        ),
        (
            "cache_control = 'a='",
            "c.toml:2:17: files.cache_control: '' cannot",
        ),
        (
            "response_headers = '*.css'",
            "c.toml:2:20: files.response_headers: '*.css' is not of the form",
        ),
        (
            "response_headers = ['*=X-A: b', '[=X-A: b']",
            "c.toml:2:33: files.response_headers: '[=X-A: b' has a glob that has",
        ),
        (
            "response_headers = ['*=Link: </a>', '*=Link: </b>']",
            "c.toml:2:37: files.response_headers: '*=Link: </b>' gives link, as a rule before it",
        ),
        (
            "response_headers = ['/**=Link: </a>', '*.css=X-A: b', '*.css=Link: </b>']",
            "c.toml:2:55: files.response_headers: '*.css=Link: </b>' is never met: /** gives link \
             to all of these files before it; leave it out, or write what is particular before",
        ),
        (
            "cache_control = ['*.css=a', '*.htm*=no-cache', '/a/*.html=max-age=5']",
            "c.toml:2:48: files.cache_control: '/a/*.html=max-age=5' is never met: *.htm* has a \
             value for all of these files before it; leave it out, or write what is particular",
        ),
        (
            "cache_control = ['*.css=a', '*.css=b']",
            "c.toml:2:29: files.cache_control: '*.css=b' is never met: *.css has",
        ),
        (
            "media_types = ['md=a/b', 'MD=a/c']",
            "c.toml:2:26: files.media_types: 'MD=a/c' gives a media type to what has one; keep",
        ),
        (
            "index = ['a,b', 'c,a']",
            "c.toml:2:17: files.index: 'c,a' names a file that is named before; name it once",
        ),
        (
            "response_headers = '*=Cache-Control: no-store'",
            "c.toml:2:20: files.response_headers: '*=Cache-Control: no-store' gives \
             cache-control, which is the server's; give it a rule of its own",
        ),
        (
            "redirects = '/a'",
            "c.toml:2:13: files.redirects: '/a' has no =; write FROM=TO, such as",
        ),
        (
            "redirects = ['/a=/b', '/b=/c?d', '/c=/a 301']",
            "c.toml:2:14: files.redirects: '/a=/b' leads back to itself by way of '/c=/a 301'; have \
             one on the way lead elsewhere",
        ),
        (
            "redirects = '/a=/a'",
            "c.toml:2:13: files.redirects: '/a=/a' leads back to itself; have one on",
        ),
        (
            "redirects = ['/x=/y', '/a/=/b', '/b/=/a']",
            "c.toml:2:33: files.redirects: '/b/=/a' leads back to itself if folders lie on the way \
             by way of '/a/=/b'; a folder is sent to its path with a slash: have one lead to a file",
        ),
        (
            "redirects = ['/a=/b', '/a=/c']",
            "c.toml:2:23: files.redirects: '/a=/c' is about a path that another rule is about, \
             '/a=/b'; keep one",
        ),
        (
            "error_pages = '/404.html'",
            "c.toml:2:15: files.error_pages: '/404.html' is not of the form",
        ),
        (
            "error_pages = ['404=/a', '403=/b']",
            "c.toml:2:26: files.error_pages: '403=/b' has a status that no file is refused \
             with; write 400, 404, 500 or 503",
        ),
        (
            "error_pages = ['404=/a', '404=/b']",
            "c.toml:2:26: files.error_pages: '404=/b' is about a status that has a page",
        ),
        (
            "error_pages = '404=/a/'",
            "c.toml:2:15: files.error_pages: '404=/a/' does not name a file",
        ),
        (
            "media_types = 'md'",
            "c.toml:2:15: files.media_types: 'md' gives",
        ),
        (
            "media_types = 'a.b=x/y'",
            "c.toml:2:15: files.media_types: 'a.b=x/y' gives",
        ),
        (
            "media_types = 'md=text'",
            "c.toml:2:15: files.media_types: 'md=text' gives",
        ),
        (
            "precompressed = 'gzip'",
            "c.toml:2:17: files.precompressed: 'gzip' does not say",
        ),
        (
            "precompressed = 'gz,br,gz'",
            "c.toml:2:17: files.precompressed: 'gz,br,gz' does not say",
        ),
        (
            "precompressed = ''",
            "c.toml:2:17: files.precompressed: '' does not say",
        ),
        (
            "index = 'a,b/c'",
            "c.toml:2:9: files.index: 'b/c' cannot be the name",
        ),
        ("index = ['']", "c.toml:2:10: files.index: '' cannot be"),
        ("index = '..'", "c.toml:2:9: files.index: '..' cannot be"),
        (
            "fallback = 'index.html'",
            "c.toml:2:12: files.fallback: 'index.html' is not the path",
        ),
        (
            "fallback = '/a/'",
            "c.toml:2:12: files.fallback: '/a/' is not the path",
        ),
        (
            "listing = 'on'",
            "c.toml:2:11: invalid type: string \"on\", expected a boolean",
        ),
        (
            "cache = '1MB'",
            "c.toml:2:9: files.cache: '1MB' is not a size",
        ),
        ("nothing = 1", "c.toml:2:1: unknown field `nothing`"),
    ];
    for (text, start) in table {
        let faults = files(text).unwrap_err();
        assert_eq!(faults.len(), 1, "{faults:?}");
        assert!(faults[0].starts_with(start), "{text}: {faults:?}");
    }
}

/// A rule that is none makes no gap among the others.
#[test]
fn redirects_are_proved_one_by_one_and_together() {
    let faults = files("redirects = ['/a', '/b=/c', '/d=/e 9', '/b=/f']").unwrap_err();
    let told: Vec<_> = faults.iter().map(|fault| &fault[..12]).collect();
    assert_eq!(
        told,
        ["c.toml:2:14:", "c.toml:2:29:", "c.toml:2:40:"],
        "{faults:?}"
    );
}

#[test]
fn rules_for_fields_have_a_most() {
    let list = |count: usize| {
        let rules: Vec<_> = (0..count).map(|n| format!("'*=X-{n}: a'")).collect();
        format!("response_headers = [{}]", rules.join(","))
    };
    assert!(files(&list(FILE_FIELD_RULES)).is_ok());
    let faults = files(&list(FILE_FIELD_RULES + 1)).unwrap_err();
    assert_eq!(faults.len(), 1);
    assert!(faults[0].contains("is one rule more than"), "{faults:?}");
}

#[test]
#[cfg(all(feature = "compression-br", feature = "compression-zstd"))]
fn codings_have_levels() {
    use ContentCoding::{Brotli, Gzip, Zstd};
    let table: &[(&str, &[(ContentCoding, u8)])] = &[
        ("on", &[(Zstd, 3), (Brotli, 4), (Gzip, 5)]),
        ("off", &[]),
        ("gzip", &[(Gzip, 5)]),
        ("br:6, zstd:9,gzip:1", &[(Brotli, 6), (Zstd, 9), (Gzip, 1)]),
    ];
    for (text, expected) in table {
        let policy = files(&format!("compress = '{text}'")).unwrap();
        assert_eq!(policy.compress, *expected, "{text}");
    }
    for (text, start) in [
        ("gz", "'gz' does not say in what"),
        ("gzip,gzip", "'gzip,gzip' does not say"),
        ("deflate", "'deflate' does not say"),
        ("", "'' does not say"),
        (
            "gzip:0",
            "'gzip:0' has no level of gzip for files that are asked for; write one from 1 to 9",
        ),
        ("gzip:10", "'gzip:10' has no level"),
        ("zstd:10", "'zstd:10' has no level"),
        ("br:7", "'br:7' has no level"),
        ("br:x", "'br:x' has no level"),
    ] {
        let faults = files(&format!("compress = '{text}'")).unwrap_err();
        let start = format!("c.toml:2:12: files.compress: {start}");
        assert_eq!(faults.len(), 1, "{faults:?}");
        assert!(faults[0].starts_with(&start), "{text}: {faults:?}");
    }
}

#[test]
#[cfg(feature = "compression")]
fn what_is_made_of_files_needs_memory_for_it() {
    let faults = files("compress = 'gzip'\ncache = 0").unwrap_err();
    assert_eq!(faults.len(), 1, "{faults:?}");
    assert!(faults[0].contains("files.compress: there is no memory for files"));
    for text in [
        "compress = 'off'\ncache = 0",
        "compress = 'gzip'\ncache = '1KiB'",
    ] {
        assert!(files(text).is_ok(), "{text}");
    }
}
