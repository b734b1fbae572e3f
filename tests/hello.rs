//! The example `hello` answers what the Python program beside it answers, and is no longer.

mod support;

use corelane::testing::TestClient;
use std::path::PathBuf;
use std::process::Command;
use support::outside;
use support::process::Process;

const RUST: &str = include_str!("examples/hello.rs");
const PYTHON: &str = include_str!("examples/hello.py");

/// Serves the application of `hello.py` on a free port, which it tells as ours do.
const SERVE: &str = "
import socket, sys
from aiohttp import web
from hello import app
listening = socket.create_server(('127.0.0.1', 0))
told = 'listening on http://127.0.0.1:%d' % listening.getsockname()[1]
web.run_app(app, sock=listening, print=lambda _: print(told, file=sys.stderr, flush=True))
";

/// The example, which is built along with the tests.
fn example() -> Process {
    let mut path = std::env::current_exe().unwrap();
    path.pop();
    let path: PathBuf = path.with_file_name("examples").join("hello");
    assert!(path.exists(), "{path:?} is missing: cargo build --examples");
    Process::spawn(Command::new(path).arg("127.0.0.1:0"))
}

/// The response to each of a few requests: its status, and what it holds if it is a greeting.
fn answers(server: &mut Process) -> Vec<(String, u16, Option<String>, String)> {
    let mut client = TestClient::connect(server.listening());
    let requests = [
        ("GET", "/"),
        ("GET", "/Zo%C3%AB"),
        ("GET", "/a%20b%26c?d=e"),
        ("GET", "/100%25"),
        ("HEAD", "/x"),
        ("GET", "/a/b"),
        ("GET", "/a/"),
        ("POST", "/"),
        ("DELETE", "/x"),
    ];
    let answer = |(method, target): (&str, &str)| {
        let answer = client.request(method.parse().unwrap(), target).send();
        let (status, media_type) = (answer.status(), answer.header("content-type"));
        // What is said of an error is each server's own.
        let (media_type, text) = match status.is_success() {
            true => (media_type.map(str::to_owned), answer.text().to_owned()),
            false => (None, String::new()),
        };
        (
            format!("{method} {target}"),
            status.as_u16(),
            media_type,
            text,
        )
    };
    requests.into_iter().map(answer).collect()
}

#[test]
fn it_greets() {
    let mut server = example();
    let greetings = answers(&mut server);
    let said: Vec<_> = greetings.iter().map(|(_, _, _, text)| &**text).collect();
    let expected = [
        "Hello, Anonymous",
        "Hello, Zoë",
        "Hello, a b&c",
        "Hello, 100%",
    ];
    assert_eq!(said[..4], expected);
    server.signal("TERM");
    assert_eq!(server.end().code, Some(0));
}

#[test]
fn it_answers_what_the_python_program_answers() {
    let requirements = include_str!("examples/requirements.txt");
    let Some(python) = outside::python("aiohttp", requirements) else {
        return;
    };
    let examples = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/examples");
    let mut command = Command::new(python);
    let mut other = Process::spawn(command.args(["-Bc", SERVE]).current_dir(examples));
    assert_eq!(answers(&mut example()), answers(&mut other));
}

#[test]
fn it_is_no_longer_than_the_python_program() {
    let code = |text: &str, comment: &str| {
        let lines = text.lines().map(str::trim);
        let is_code = |line: &&str| !line.is_empty() && !line.starts_with(comment);
        lines.filter(is_code).count()
    };
    assert!(code(RUST, "//") <= code(PYTHON, "#"));
    assert!(RUST.lines().count() <= PYTHON.lines().count());
}
