//! Forms with files: what is read of them, however they arrive, and their limits.

use super::{request, sent, statuses};
use corelane::app::with_body_limit;
use corelane::limits::{PART_BYTES, PART_HEAD_BYTES, PARTS};
use corelane::testing::Conversation;
use corelane::{App, Error, Request};

/// A line for each part: its name, its file's name, its media type and its content.
async fn read(mut request: Request) -> Result<String, Error> {
    let mut form = request.multipart()?;
    let mut told = String::new();
    while let Some(part) = form.next_part().await? {
        let text = |text: Option<&str>| text.unwrap_or("-").to_owned();
        let (name, file) = (text(part.name()), text(part.file_name()));
        let media_type = text(part.media_type());
        let content = part.text().await?;
        told += &format!("{name} {file} {media_type} {content:?}\n");
    }
    Ok(told)
}

/// The names alone, so that the parts are skipped.
async fn names(mut request: Request) -> Result<String, Error> {
    let mut form = request.multipart()?;
    let mut told = String::new();
    while let Some(part) = form.next_part().await? {
        told += part.name().unwrap_or("-");
    }
    Ok(told)
}

/// Accepts five bytes of each part.
async fn small(mut request: Request) -> Result<String, Error> {
    let mut form = request.multipart()?.with_part_limit(5);
    let mut bytes = 0;
    while let Some(mut part) = form.next_part().await? {
        while let Some(piece) = part.next().await? {
            bytes += piece.len();
        }
    }
    Ok(bytes.to_string())
}

/// The status and the content that answer `form` at `path`, delivered in pieces of `size`.
fn answer(path: &str, content_type: &str, form: &str, size: usize) -> (u16, String) {
    let app = App::new()
        .post("/read", with_body_limit(4 << 20, read))
        .post("/names", with_body_limit(4 << 20, names))
        .post("/small", small);
    let mut peer = Conversation::new(app).unwrap();
    let length = form.len();
    let fields = format!("Content-Type: {content_type}\r\nContent-Length: {length}\r\n");
    peer.deliver(&request("POST", path, &fields));
    form.as_bytes()
        .chunks(size)
        .for_each(|piece| peer.deliver(piece));
    let answer = sent(&mut peer);
    let (_, content) = answer.split_once("\r\n\r\n").expect("a head");
    (statuses(&answer)[0], content.to_owned())
}

const TYPE: &str = "multipart/form-data; boundary=b-o";

/// A part called `name`.
fn part(name: &str, content: &str) -> String {
    format!("--b-o\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{content}\r\n")
}

#[test]
fn parts_and_what_is_read_of_them() {
    let file = "--b-o\r\ncontent-disposition: form-data; name=\"f\"; filename=\"é.txt\"\r\n\
        Content-Type: text/html; charset=utf-8\r\n\r\n<\r\n--b-\r\n\r\n--b>\r\n";
    let cases = [
        ("--b-o--\r\n".to_owned(), ""),
        (part("a", "") + "--b-o--", "a - - \"\"\n"),
        (
            format!("preamble\r\n{}{file}--b-o--\r\nepilogue", part("a", "1")),
            "a - - \"1\"\nf é.txt text/html \"<\\r\\n--b-\\r\\n\\r\\n--b>\"\n",
        ),
        (
            "--b-o \t\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b-o--".to_owned(),
            "- - - \"x\"\n",
        ),
    ];
    for (form, expected) in cases {
        for size in [1, 2, 7, form.len()] {
            let answer = answer("/read", TYPE, &form, size);
            assert_eq!(answer, (200, expected.to_owned()), "{size} {form}");
        }
    }
    let form = [part("a", "1"), part("b", &"x".repeat(9000)), part("c", "")].concat() + "--b-o--";
    for size in [1000, form.len()] {
        assert_eq!(answer("/names", TYPE, &form, size), (200, "abc".to_owned()));
    }
}

#[test]
fn what_is_no_such_form_is_refused() {
    let whole = part("a", "1") + "--b-o--";
    let cut = |bytes| whole[..whole.len() - bytes].to_owned();
    let cases = [
        (
            "text/plain",
            whole.clone(),
            415,
            "must be multipart/form-data",
        ),
        (
            "multipart/mixed; boundary=b-o",
            whole.clone(),
            415,
            "must be",
        ),
        ("multipart/form-data", whole.clone(), 400, "no boundary"),
        (
            "multipart/form-data; boundary=",
            whole.clone(),
            400,
            "no boundary",
        ),
        (
            &format!("multipart/form-data; boundary={}", "b".repeat(71)),
            whole.clone(),
            400,
            "no boundary",
        ),
        (TYPE, String::new(), 400, "The form"),
        (TYPE, "x".to_owned(), 400, "The form"),
        (TYPE, cut(1), 400, "The form"),
        (TYPE, cut(2), 400, "The form"),
        (TYPE, cut(7), 400, "The form"),
        (TYPE, cut(9), 400, "The form"),
        (TYPE, whole[..20].to_owned(), 400, "The form"),
        (
            TYPE,
            "--b-o\r\na b: c\r\n\r\n\r\n--b-o--".to_owned(),
            400,
            "malformed",
        ),
        (
            TYPE,
            "--b-ox\r\n\r\n\r\n--b-o--".to_owned(),
            400,
            "malformed",
        ),
    ];
    for (content_type, form, status, told) in cases {
        for path in ["/read", "/names"] {
            let (got, content) = answer(path, content_type, &form, form.len().max(1));
            assert_eq!(got, status, "{content_type} {form:?} {content}");
            assert!(content.contains(told), "{form:?} {content}");
        }
    }
}

#[test]
fn parts_have_limits() {
    let form = |bytes: usize| part("a", &"x".repeat(bytes)) + &part("b", "y") + "--b-o--";
    for (path, bytes, status) in [
        ("/small", 5, 200),
        ("/small", 6, 413),
        ("/read", PART_BYTES as usize, 200),
        ("/read", PART_BYTES as usize + 1, 413),
        // What is skipped counts, too.
        ("/names", PART_BYTES as usize, 200),
        ("/names", PART_BYTES as usize + 1, 413),
    ] {
        let (got, content) = answer(path, TYPE, &form(bytes), 4096);
        assert_eq!(got, status, "{path} {bytes} {content}");
    }
    for (parts, status) in [(PARTS, 200), (PARTS + 1, 413)] {
        let form = part("a", "").repeat(parts) + "--b-o--";
        assert_eq!(answer("/names", TYPE, &form, 4096).0, status, "{parts}");
    }
}

#[test]
fn the_head_of_a_part_has_a_limit() {
    // The parser is fed once more as long as what it has is not beyond the limit.
    let head = "--b-o\r\nX: ";
    for (bytes, status) in [(PART_HEAD_BYTES, 200), (PART_HEAD_BYTES + 1, 400)] {
        let long = head.to_owned() + &"x".repeat(bytes - head.len());
        let form = long + "\r\n\r\n1\r\n--b-o--";
        let app = App::new().post("/", names);
        let mut peer = Conversation::new(app).unwrap();
        let fields = format!("Content-Type: {TYPE}\r\nContent-Length: {}\r\n", form.len());
        peer.deliver(&request("POST", "/", &fields));
        peer.deliver(&form.as_bytes()[..bytes]);
        peer.deliver(&form.as_bytes()[bytes..]);
        assert_eq!(statuses(&sent(&mut peer)), [status], "{bytes}");
    }
}
