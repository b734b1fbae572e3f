//! `corelane explain` and what `serve` with the same options answers.

use super::support::client::Response;
use super::support::process::{CORELANE, Process, unprivileged};
use super::support::{Client, outside};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
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

const REFUSED_TARGET: &str =
    "it is no request: The request target contains a character that is not allowed there.";

fn folder() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let changed = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
    let large: String = (0..1000).map(|line| format!("large {line} ")).collect();
    let files = [
        ("a.css", "a { color: red }"),
        ("a.css.gz", "gz"),
        ("b.raw", "raw"),
        ("c.key", "key"),
        ("large.css", &large),
        (".env", "env"),
        ("sub/index.html", "index"),
        ("bare/x.png", "x"),
        ("plain/x.png", "x"),
        ("stale.css", "a { color: blue }"),
        ("stale.css.gz", "stale"),
        ("stale.css.br", ""),
    ];
    for (name, content) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(&path, content).expect("a file");
        let file = fs::File::options().write(true).open(&path).expect("a file");
        let age = Duration::from_secs(u64::from(name == "stale.css.gz"));
        file.set_modified(changed - age).expect("its time");
    }
    symlink(".env", folder.path().join("linked")).expect("a link");
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
            &[
                "If-None-Match: *",
                "If-Modified-Since: Sun, 06 Nov 1994 08:49:36 GMT",
            ],
            304,
            "the peer has this version, by if-none-match",
        ),
        (
            "GET",
            "/a.css",
            &["If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT"],
            304,
            "the peer has this version, by if-modified-since",
        ),
        (
            "GET",
            "/a.css",
            &["If-Unmodified-Since: Sun, 06 Nov 1994 08:49:36 GMT"],
            412,
            "the peer means another version, by if-unmodified-since",
        ),
        (
            "GET",
            "/a.css",
            &["If-Match: \"x\""],
            412,
            "the peer means another version, by if-match",
        ),
        (
            "GET",
            "/a.css",
            &["Range: bytes=2-5"],
            206,
            "4 bytes from 2 on, by range",
        ),
        (
            "GET",
            "/large.css",
            &["Range: bytes=0-0,5000-5001"],
            206,
            "2 parts, by range",
        ),
        (
            "GET",
            "/a.css",
            &["Range: bytes=16-"],
            416,
            "none, for it begins behind the end",
        ),
        (
            "HEAD",
            "/a.css",
            &["Range: bytes=0-1"],
            200,
            "ignored: GET alone has ranges",
        ),
        (
            "GET",
            "/a.css",
            &["Range: lines=0-1"],
            200,
            "ignored: it is malformed, of another unit than bytes, repeated, or more than 100",
        ),
        (
            "GET",
            "/a.css",
            &["Range: bytes=0-1", "If-Range: \"x\""],
            200,
            "ignored: if-range does not prove that the peer has a part of this",
        ),
        (
            "GET",
            "/large.css",
            &["Range: bytes=0-0,500-501", "Accept-Encoding: gzip"],
            200,
            "ignored: several of what is coded",
        ),
        (
            "GET",
            "/stale.css",
            &["Accept-Encoding: gzip, br"],
            200,
            "stale.css.gz: it is older than its file",
        ),
        (
            "GET",
            "/stale.css",
            &["Accept-Encoding: gzip, br"],
            200,
            "stale.css.br: it is empty",
        ),
        (
            "GET",
            "/linked",
            &[],
            200,
            "linked: a symbolic link is on the way; what hides does so by the path that is asked for",
        ),
        ("GET", "/%zz", &[], 400, REFUSED_TARGET),
        (
            "GET",
            "*",
            &[],
            400,
            "it is no request: The request target has no form that this method may use.",
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
            "gzip, by Accept-Encoding; made of the file",
        ),
        (
            "HEAD",
            "/large.css",
            &["Accept-Encoding: gzip"],
            200,
            "a core remembers it whole",
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
fn what_is_not_one_request_is_refused() {
    let folder = folder();
    for arguments in [
        &["/", "--header", "a: b\r\nc: d\r\n\r\nGET / HTTP/1.1"][..],
        &["/", "--header", "Content-Length: 1\r\n"],
        &["/", "--cores", "none"],
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
            // What they are, and how long, is known when they are asked for.
            let fields = told["fields"].as_array().expect("a list");
            let has_length = fields.iter().any(|field| field[0] == "content-length");
            assert_eq!(has_length, *status == 404, "{told}");
        }
    }
}

/// A server answers to these as well.
#[test]
fn what_a_server_refuses_is_explained() {
    let folder = folder();
    let long = format!("/{}", "a".repeat(9000));
    let table: &[(&[&str], u64, &str)] = &[
        (&["no-slash"], 400, "no form that this method may use"),
        (&["/a b"], 400, "a target and a version"),
        (&["/%zz"], 400, "a character that is not allowed"),
        (&[&long], 414, "longer than this server accepts"),
        (&["/", "--header", "none"], 400, "no valid field name"),
        (&["/", "--method", "G T"], 400, "one space between"),
    ];
    for (arguments, status, why) in table {
        let mut command = Command::new(CORELANE);
        command.arg("explain").args(*arguments).arg("--json");
        command.arg("--directory").arg(folder.path());
        let told: Value = serde_json::from_str(&outside::run(&mut command)).expect("JSON");
        assert_eq!(told["status"], *status, "{arguments:?}: {told}");
        let point = &told["points"][0];
        assert_eq!(point["about"], "refused", "{told}");
        let what = point["what"].as_str().expect("text");
        assert!(what.contains(why), "{told}");
    }
}

#[test]
fn what_cannot_be_read_is_explained_as_it_is_served() {
    let folder = folder();
    let root = folder.path();
    let forbid = |name: &str, mode| {
        let mode = fs::Permissions::from_mode(mode);
        fs::set_permissions(root.join(name), mode).expect("its mode");
    };
    for name in ["noenter", "enter"] {
        fs::create_dir(root.join(name)).expect("a folder");
        fs::write(root.join(name).join("a.txt"), "a").expect("a file");
    }
    forbid("noenter", 0);
    forbid("enter", 0o311);
    forbid("a.css.gz", 0);
    forbid("b.raw", 0);
    let options = ["--listing", "on", "--cores", "1"];
    let mut serve = unprivileged(CORELANE);
    serve.arg("serve").arg(root).args(options);
    let mut serving = Process::spawn(serve.args(["--listen", "127.0.0.1:0"]));
    let line = serving.line("listening on http://");
    let address = line.rsplit("http://").next().expect("an address");
    let mut client = Client::connect(address.parse().expect("an address"));
    let coded = "Accept-Encoding: gzip";
    let table: &[(&str, &str, u16, &str)] = &[
        ("/a.css", coded, 200, "a.css.gz: permissions forbid it"),
        ("/b.raw", coded, 404, "b.raw: permissions forbid it"),
        ("/noenter", coded, 404, "permissions forbid it"),
        ("/noenter/", coded, 404, "permissions forbid it"),
        ("/noenter/a.txt", coded, 404, "permissions forbid it"),
        ("/missing", coded, 404, "nothing of that name is there"),
        ("/enter/a.txt", coded, 200, "enter/a.txt"),
        ("/", "Accept: application/json", 200, "."),
    ];
    let mut refused = Vec::new();
    for (target, field, status, why) in table {
        let response = answered(&mut client, "GET", target, &[field]);
        let mut command = unprivileged(CORELANE);
        command.args(["explain", target, "--json", "--header", field]);
        command.arg("--directory").arg(root).args(options);
        let told: Value = serde_json::from_str(&outside::run(&mut command)).expect("JSON");
        let what = format!("{target}: {told} {response:?}");
        assert_eq!(
            (response.status, &told["status"]),
            (*status, &Value::from(*status)),
            "{what}"
        );
        let points = told["points"].as_array().expect("a list");
        assert!(points.iter().any(|point| point["what"] == *why), "{what}");
        assert_eq!(response.field("content-encoding"), None, "{what}");
        match status {
            404 => refused.push(response.body),
            _ if *target == "/" => {
                let names = response.text();
                for name in ["noenter", "enter", "b.raw", "a.css.gz"] {
                    assert!(!names.contains(&format!("\"{name}")), "{name}: {names}");
                }
                assert!(names.contains("a.css"), "{names}");
            }
            _ => {}
        }
    }
    assert!(
        refused.windows(2).all(|two| two[0] == two[1]),
        "{refused:?}"
    );
    // So that it can be removed.
    forbid("noenter", 0o700);
    forbid("enter", 0o700);
}
