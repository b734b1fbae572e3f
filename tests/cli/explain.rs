//! `corelane explain` and what `serve` with the same options answers: what is asked for by the tables of each
//! subject (`conditions`, `files`, `folders`, `refused`) gets the same from both, for the reason that is told; and so
//! does each kind of path under other policies, with each kind of field (`kinds`).

mod conditions;
mod files;
mod folders;
mod kinds;
mod refused;

use super::support::client::Response;
use super::support::process::{CORELANE, Process};
use super::support::{Client, outside};
use serde_json::Value;
use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime};
use tempfile::TempDir;

/// A method, a target, fields, the status, and one thing of what is told.
type Case<'a> = (&'a str, &'a str, &'a [&'a str], u16, &'a str);

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

fn explained(
    folder: &Path,
    options: &[&str],
    method: &str,
    target: &str,
    fields: &[&str],
) -> Value {
    let mut command = Command::new(CORELANE);
    command.arg("explain").arg(target).arg(folder).args(options);
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

/// A folder that is served and explained with the same options.
struct Both<'a> {
    folder: &'a Path,
    options: &'a [&'a str],
    address: SocketAddr,
    client: Client,
    _serving: Process,
}

impl<'a> Both<'a> {
    fn start(folder: &'a Path, options: &'a [&'a str]) -> Self {
        let arguments = ["serve", "--listen", "127.0.0.1:0", "--cores", "1"];
        let root = folder.to_str().expect("text");
        let arguments = arguments.into_iter().chain(options.iter().copied());
        let mut serving = Process::start(arguments.chain([root]));
        let line = serving.line("listening on http://");
        let address = line.rsplit("http://").next().expect("an address");
        let address = address.parse().expect("an address");
        Self {
            folder,
            options,
            address,
            client: Client::connect(address),
            _serving: serving,
        }
    }

    /// What both say, which is the same.
    fn ask(&mut self, method: &str, target: &str, fields: &[&str]) -> (Value, Response) {
        let told = explained(self.folder, self.options, method, target, fields);
        let response = answered(&mut self.client, method, target, fields);
        let what = format!("{method} {target} {fields:?}: {told} {response:?}");
        assert_eq!(told["status"], response.status, "{what}");
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
        // A client whose request was refused is on a connection that closes.
        if response.closes() {
            self.client = Client::connect(self.address);
        }
        (told, response)
    }
}

/// Asks both for each of `table`, and compares what they say.
fn assert_alike(table: &[Case<'_>]) {
    let folder = folder();
    let mut both = Both::start(folder.path(), &OPTIONS);
    for (method, target, fields, status, why) in table {
        let (told, response) = both.ask(method, target, fields);
        let what = format!("{method} {target} {fields:?}: {told} {response:?}");
        assert_eq!(response.status, *status, "{what}");
        let points = told["points"].as_array().expect("a list");
        assert!(
            points.iter().any(|point| point["what"] == *why),
            "{why}: {what}"
        );
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
