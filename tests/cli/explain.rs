//! `corelane explain` and what `serve` with the same options answers.

use super::support::client::Response;
use super::support::process::{CORELANE, Process};
use super::support::{Client, outside};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime};
use tempfile::TempDir;

const OPTIONS: [&str; 23] = [
    "--cache-control",
    "*.css=max-age=60",
    "--cache-control",
    "/bare/*=max-age=9",
    "--response-header",
    "/bare=X-Bare: yes",
    "--hide",
    "*.key",
    "--media-type",
    "raw=text/x-raw",
    "--response-header",
    "*.css=X-Frame-Options: DENY",
    "--redirect",
    "/old/*=/sub/* 308",
    "--redirect",
    "/bare/=/bare",
    "--error-page",
    "404=/sub/index.html",
    "--error-page",
    "400=/none.html",
    "--tar",
    "--compress",
    "gzip",
];

fn folder() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let changed = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
    let files = [
        ("a.css", "a { color: red }"),
        ("a.css.gz", "gz"),
        ("b.raw", "raw"),
        ("c.key", "key"),
        ("large.css", &"large ".repeat(1000)),
        (".env", "env"),
        ("sub/index.html", "index"),
        ("bare/x.png", "x"),
        ("plain/x.png", "x"),
    ];
    for (name, content) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(&path, content).expect("a file");
        let file = fs::File::options().write(true).open(&path).expect("a file");
        file.set_modified(changed).expect("its time");
    }
    symlink("../outside", folder.path().join("out")).expect("a link");
    folder
}

fn explained(folder: &Path, method: &str, target: &str, fields: &[&str]) -> Value {
    let mut command = Command::new(CORELANE);
    command.arg("explain").arg(target).arg(folder).args(OPTIONS);
    command.args(["--json", "--method", method]);
    for field in fields {
        command.args(["--header", field]);
    }
    serde_json::from_str(&outside::run(&mut command)).expect("JSON")
}

/// The fields that do not depend on the connection, without what changes from moment to moment.
fn lasting(fields: impl Iterator<Item = (String, String)>) -> Vec<(String, String)> {
    let is_lasting = |(name, value): &(String, String)| {
        !matches!(
            &**name,
            "date" | "server" | "connection" | "transfer-encoding"
        ) && !value.starts_with("multipart/")
            && name != "content-length"
    };
    let mut fields: Vec<_> = fields.filter(is_lasting).collect();
    fields.sort();
    for (_, value) in fields.iter_mut().filter(|(name, _)| name == "etag") {
        // It is weak for a moment after the change.
        *value = value.trim_start_matches("W/").to_owned();
    }
    fields
}

fn answered(client: &mut Client, method: &str, target: &str, fields: &[&str]) -> Response {
    let lines: String = fields.iter().map(|field| format!("{field}\r\n")).collect();
    client.send(format!(
        "{method} {target} HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n"
    ));
    client.try_response(method == "HEAD").expect("a response")
}

#[test]
fn what_is_explained_is_what_is_served() {
    let folder = folder();
    let arguments = ["serve", "--listen", "127.0.0.1:0", "--cores", "1"];
    let root = folder.path().to_str().expect("text");
    let mut serving = Process::start(arguments.into_iter().chain(OPTIONS).chain([root]));
    let line = serving.line("listening on http://");
    let address = line.rsplit("http://").next().expect("an address");
    let mut client = Client::connect(address.parse().expect("an address"));
    let table: &[(&str, &str, &[&str], u16, &str)] = &[
        ("GET", "/a.css", &[], 200, "max-age=60, by *.css"),
        (
            "GET",
            "/a.css",
            &["Accept-Encoding: gzip"],
            200,
            "gzip, by Accept-Encoding",
        ),
        (
            "GET",
            "/a.css",
            &["If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT"],
            304,
            "x-frame-options: DENY, by *.css",
        ),
        (
            "HEAD",
            "/a.css",
            &["Accept-Encoding: br"],
            200,
            "none, by Accept-Encoding",
        ),
        (
            "GET",
            "/a.css",
            &["If-None-Match: *"],
            304,
            "a.css.gz: a file of 2 bytes",
        ),
        (
            "GET",
            "/a.css",
            &["If-Match: \"x\""],
            412,
            "a.css: a file of 16 bytes",
        ),
        (
            "GET",
            "/a.css",
            &["Range: bytes=0-1"],
            206,
            "a.css.br: missing",
        ),
        (
            "GET",
            "/a.css",
            &["Range: bytes=0-0,-1"],
            206,
            "a core remembers it whole",
        ),
        (
            "GET",
            "/a.css",
            &["Range: bytes=16-"],
            416,
            "a.css.zst: missing",
        ),
        (
            "GET",
            "/large.css",
            &["Accept-Encoding: gzip"],
            200,
            "gzip, by Accept-Encoding; made of the file, if that is done in time and makes it smaller",
        ),
        (
            "HEAD",
            "/large.css",
            &["Accept-Encoding: gzip"],
            200,
            "a core remembers what is made of it, if that has at most 67106780 bytes; else the file is sent as it is",
        ),
        (
            "HEAD",
            "/a.css",
            &[],
            200,
            "not remembered: HEAD gets no content",
        ),
        ("GET", "/b.raw", &[], 200, "text/x-raw, by a rule"),
        (
            "GET",
            "/sub/",
            &[],
            200,
            "text/html; charset=utf-8, by the program's table",
        ),
        (
            "GET",
            "/sub?a=b",
            &[],
            301,
            "to the folder with a slash behind it",
        ),
        ("GET", "/bare/", &["Accept: application/json"], 200, "bare"),
        ("GET", "/bare/?download=tar", &[], 200, "bare, as tar"),
        ("GET", "/bare/", &["If-Match: \"x\""], 412, "bare"),
        (
            "HEAD",
            "/bare/",
            &["If-None-Match: *"],
            304,
            "none by /bare/=/bare: a folder is there, to which /bare would lead back",
        ),
        (
            "GET",
            "/bare/?download=tar",
            &[],
            200,
            "max-age=9, by /bare/*",
        ),
        ("HEAD", "/bare/", &[], 200, "x-bare: yes, by /bare"),
        (
            "GET",
            "/plain/",
            &["Accept: text/html"],
            200,
            "no-cache, as no rule matches",
        ),
        (
            "GET",
            "/plain/?download=tar",
            &[],
            200,
            "no-store, as no rule matches",
        ),
        ("GET", "/b.raw", &[], 200, "no rule matches"),
        ("GET", "/c.key", &[], 404, "it is hidden by *.key"),
        ("GET", "/.env", &[], 404, "a name begins with a dot"),
        (
            "GET",
            "/out",
            &[],
            404,
            "out: a symbolic link leads out of the root",
        ),
        ("GET", "/none", &["Accept: text/html"], 404, "none: missing"),
        ("GET", "/none", &["Range: bytes=0-0"], 404, "sub/index.html"),
        ("HEAD", "/none", &[], 404, "sub/index.html"),
        (
            "GET",
            "/none",
            &["Accept: application/json"],
            404,
            "none: missing",
        ),
        (
            "GET",
            "/%00",
            &[],
            400,
            "none: none.html cannot be read, and the error is written without it",
        ),
        ("GET", "/../x", &[], 404, "no file can have such a name"),
        (
            "HEAD",
            "/old/a%20b?c=d",
            &[],
            308,
            "to /sub/a%20b?c=d, by /old/*=/sub/* 308",
        ),
        ("POST", "/a.css", &[], 405, "only GET and HEAD are served"),
        ("OPTIONS", "*", &[], 204, "only GET and HEAD are served"),
        (
            "GET",
            "/healthz",
            &[],
            200,
            "answers itself: whether it serves, for all",
        ),
        (
            "POST",
            "/healthz",
            &[],
            405,
            "answers itself: whether it serves, for all",
        ),
        (
            "OPTIONS",
            "/metrics",
            &[],
            204,
            "answers itself: its statistics, for those admitted, such as peers on this machine",
        ),
        ("GET", "/stats", &["Via: 1.1 x"], 404, "stats: missing"),
    ];
    for (method, target, fields, status, why) in table {
        let told = explained(folder.path(), method, target, fields);
        let response = answered(&mut client, method, target, fields);
        let what = format!("{method} {target} {fields:?}: {told} {response:?}");
        assert_eq!(told["status"], *status, "{what}");
        assert_eq!(response.status, *status, "{what}");
        let pair = |field: &Value| {
            let text = |place: usize| field[place].as_str().expect("text").to_owned();
            (text(0), text(1))
        };
        let told_fields = told["fields"].as_array().expect("a list");
        assert_eq!(
            lasting(told_fields.iter().map(pair)),
            lasting(response.fields.iter().cloned()),
            "{what}"
        );
        let points = told["points"].as_array().expect("a list");
        assert!(
            points.iter().any(|point| point["what"] == *why),
            "{why}: {what}"
        );
        // A client whose request was refused is on a connection that closes.
        if response.closes() {
            client = Client::connect(address.parse().expect("an address"));
        }
    }
}

#[test]
fn people_read_lines() {
    let folder = folder();
    let mut command = Command::new(CORELANE);
    command.args(["explain", "/a.css"]).arg(folder.path());
    let text = outside::run(&mut command);
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("GET /a.css"));
    for line in [
        "look          a.css: a file of 16 bytes",
        "file          a.css",
        "200 OK",
        "content-length: 16",
    ] {
        assert!(text.lines().any(|other| other == line), "{line}: {text}");
    }
}

#[test]
fn what_is_no_request_is_refused() {
    let folder = folder();
    for arguments in [
        &["no-slash"][..],
        &["/a b"],
        &["/%zz"],
        &["/", "--header", "none"],
        &["/", "--header", "a: b\r\nc: d\r\n\r\nGET / HTTP/1.1"],
        &["/", "--method", "G T"],
    ] {
        let mut command = Command::new(CORELANE);
        command
            .arg("explain")
            .args(arguments)
            .arg("--directory")
            .arg(folder.path());
        let output = command.output().expect("it runs");
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {output:?}");
    }
}

#[test]
fn statistics_are_explained_where_they_are() {
    let folder = folder();
    let table: &[(&[&str], u64)] = &[
        (&[], 200),
        (&["--no-stats"], 404),
        (&["--stats-listen", "127.0.0.1:9"], 404),
    ];
    for (options, status) in table {
        for target in ["/stats", "/metrics"] {
            let mut command = Command::new(CORELANE);
            command.arg("explain").arg(target).arg(folder.path());
            command.args(*options).arg("--json");
            let told: Value = serde_json::from_str(&outside::run(&mut command)).expect("JSON");
            assert_eq!(told["status"], *status, "{options:?} {target}: {told}");
        }
    }
}
