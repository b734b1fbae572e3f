use super::page::{STYLE, push_size};
use super::*;
use crate::files::entries::Kind;
use crate::files::path::segment_href;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use proptest::prelude::*;
use sha2::{Digest, Sha256};

fn asked(query: &str, accept: &str) -> Result<Asked, String> {
    Asked::parse(query, std::iter::once(accept.as_bytes()))
}

fn entry(name: &[u8], kind: Kind, length: u64) -> Entry<'_> {
    Entry {
        name,
        kind,
        is_link: false,
        length,
        modified: 784_111_777,
    }
}

/// A listing of `entries` as `query` asks for it.
fn written(query: &str, relative: &CStr, entries: &[Entry<'_>]) -> String {
    written_by(query, relative, entries, false)
}

fn written_by(query: &str, relative: &CStr, entries: &[Entry<'_>], has_archive: bool) -> String {
    let asked = asked(query, "*/*").unwrap();
    let mut all = Entries::default();
    entries.iter().for_each(|entry| all.push(entry));
    let mut writer = Writer::new(asked, has_archive);
    let place = Place::new("/m%20", relative);
    let mut out = String::new();
    writer.begin(&place, &mut out);
    writer.wait(&mut out);
    writer.head(&place, asked.order, Some(&all), &mut out);
    for entry in entries {
        writer.entry(entry, &mut out);
    }
    writer.end(&mut out);
    out
}

#[test]
fn the_query_and_the_accept_fields_ask() {
    let order = |key, is_descending| Order { key, is_descending };
    let table = [
        ("", "*/*", Format::Html, order(Key::Name, false)),
        ("", "application/json", Format::Json, Order::default()),
        ("", "image/png", Format::Html, Order::default()),
        (
            "",
            "application/json, text/html;q=0.5",
            Format::Json,
            Order::default(),
        ),
        (
            "format=html",
            "application/json",
            Format::Html,
            Order::default(),
        ),
        (
            "format=json&sort=size&order=desc&x=y",
            "",
            Format::Json,
            order(Key::Size, true),
        ),
        ("sort=time", "", Format::Html, order(Key::Time, false)),
        ("sort=none", "", Format::Html, order(Key::None, false)),
    ];
    for (query, accept, format, order) in table {
        let asked = asked(query, accept).unwrap();
        assert_eq!((asked.format, asked.order), (format, order), "{query}");
    }
    for query in ["sort=x", "order=up", "format=xml"] {
        let why = asked(query, "").unwrap_err();
        assert!(why.starts_with(query.split('=').next().unwrap()), "{why}");
    }
}

#[test]
fn json_is_read_back() {
    let entries = [
        entry(b"a:b", Kind::Folder, 4096),
        entry(b"\"\\\n\xff</script>\xc3\xa9", Kind::File, 12),
    ];
    let text = written("format=json&order=desc", c"x/y\"", &entries);
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    let expected = serde_json::json!({
        "path": "/m /x/y\"/",
        "sort": "name",
        "order": "desc",
        "entries": [
            {
                "name": "a:b",
                "href": "./a:b/",
                "type": "folder",
                "modified": "1994-11-06T08:49:37Z",
            },
            {
                "name": "\"\\\n\u{fffd}</script>\u{e9}",
                "href": "./%22%5C%0A%FF%3C%2Fscript%3E%C3%A9",
                "type": "file",
                "size": 12,
                "modified": "1994-11-06T08:49:37Z",
            },
        ],
    });
    assert_eq!(value, expected);
    let empty = written("format=json", c".", &[]);
    let value: serde_json::Value = serde_json::from_str(&empty).unwrap();
    assert_eq!(value["entries"], serde_json::json!([]));
    assert_eq!(value["path"], "/m /");
}

#[test]
fn names_in_a_page_are_text_and_exact_links() {
    let entries = [
        entry(b"<b>", Kind::Folder, 0),
        entry(b"\"'&\xff\t", Kind::File, 2048),
        entry("invoice\u{202e}fdp.exe".as_bytes(), Kind::File, 0),
    ];
    let page = written("", c"<i>", &entries);
    for part in [
        "<title>/m /&lt;i&gt;/</title>",
        "<a href=\"../\"><bdi>/m /</bdi></a>",
        "<bdi aria-current=\"page\">&lt;i&gt;</bdi>",
        "<p>1 folder, 2 files, 2.0 KiB",
        "<a href=\"../\" rel=\"up\"",
        "<th scope=\"row\" class=\"folder\"><a href=\"./%3Cb%3E/\"><bdi>&lt;b&gt;/</bdi></a>",
        "<a href=\"./%22&#39;&amp;%FF%09\"><bdi>&quot;&#39;&amp;\u{fffd}\\t</bdi></a>",
        "<bdi>invoice\\u{202e}fdp.exe</bdi>",
        "<td title=\"2048 bytes\">2.0 KiB</td>",
        "<time datetime=\"1994-11-06T08:49:37Z\">1994-11-06<span> 08:49</span></time>",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert!(written("", c".", &[]).contains("Nothing is here."));
}

#[test]
fn the_heads_of_columns_sort() {
    let table = [
        (
            "",
            " aria-sort=\"ascending\"><a href=\"?sort=name&amp;order=desc\">Name",
            "<th scope=\"col\"><a href=\"?sort=size&amp;order=desc\">Size",
        ),
        (
            "sort=size&order=desc&format=html",
            " aria-sort=\"descending\"><a href=\"?format=html&amp;sort=size&amp;order=asc\">Size",
            "<th scope=\"col\"><a href=\"?format=html&amp;sort=name&amp;order=asc\">Name",
        ),
        (
            "sort=time",
            " aria-sort=\"ascending\"><a href=\"?sort=time&amp;order=desc\">Changed",
            "<th scope=\"col\"><a href=\"?sort=name&amp;order=asc\">Name",
        ),
    ];
    for (query, sorted, other) in table {
        let page = written(query, c".", &[]);
        assert!(page.contains(sorted), "{query}: {page}");
        assert!(page.contains(other), "{query}: {page}");
        assert_eq!(
            page.matches("aria-sort=").count(),
            1 + STYLE.matches("aria-sort=").count()
        );
        // Every link of a page asks for what the page is able to answer.
        for link in page.split("href=\"?").skip(1) {
            let query = link.split('"').next().unwrap().replace("&amp;", "&");
            assert!(asked(&query, "").is_ok(), "{query}");
        }
    }
    assert!(!written("sort=none", c".", &[]).contains("<th scope=\"col\" aria-sort"));
}

#[test]
fn sizes_have_a_unit() {
    let table = [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (10_188, "9.9 KiB"),
        (102_348, "99.9 KiB"),
        (102_400, "100 KiB"),
        (1_048_063, "1023 KiB"),
        (1_048_064, "1.0 MiB"),
        (5 << 30, "5.0 GiB"),
        (u64::MAX, "16.0 EiB"),
    ];
    for (bytes, expected) in table {
        let mut size = String::new();
        push_size(bytes, &mut size);
        assert_eq!(size, expected);
    }
}

#[test]
fn times_beyond_the_format_are_its_ends() {
    assert_eq!(time(-1), "1970-01-01T00:00:00Z");
    assert_eq!(time(i64::MAX), "9999-12-31T23:59:59Z");
}

#[test]
fn the_policy_lets_the_style_through() {
    let hash = BASE64_STANDARD.encode(Sha256::digest(STYLE));
    assert!(
        POLICY.contains(&format!("style-src 'sha256-{hash}'; ")),
        "{hash}"
    );
    assert!(written("", c".", &[]).contains(&format!("<style>{STYLE}</style>")));
}

proptest! {
    #[test]
    fn a_link_leads_to_its_name(name in prop::collection::vec(1..=255_u8, 1..20)) {
        use super::super::path::{Located, locate};
        prop_assume!(!name.contains(&b'/') && name != b"." && name != b"..");
        let href = segment_href(&name, false);
        let located = locate(href.strip_prefix('.').unwrap().as_bytes());
        let relative = std::ffi::CString::new(name.clone()).unwrap();
        prop_assert_eq!(located, Ok(Located::File { relative }));
        let text = written("format=json", c".", &[entry(&name, Kind::File, 1)]);
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(value["entries"][0]["href"].as_str(), Some(&*href));
        let lossless = String::from_utf8_lossy(&name);
        prop_assert_eq!(value["entries"][0]["name"].as_str(), Some(&*lossless));
    }
}

#[test]
fn a_page_has_a_link_to_the_archive_if_there_is_one() {
    let link = "<a href=\"?download=tar\">";
    for (query, expected) in [("", true), ("sort=none", true), ("format=json", false)] {
        assert_eq!(written_by(query, c".", &[], true).contains(link), expected);
        assert!(!written(query, c".", &[]).contains(link));
    }
}
