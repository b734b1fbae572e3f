//! The access log of the program: a line for each request, where it was told to write them.

use super::support::Client;
use super::support::process::{CORELANE, Process};
use std::process::Command;

#[test]
fn each_request_is_a_line_at_the_end_of_the_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("access.log");
    std::fs::write(&file, "before\n").expect("a file");
    for command in ["demo", "serve"] {
        let path = file.to_str().expect("text");
        let arguments = [command, "--listen", "127.0.0.1:0", "--access-log", path];
        let mut process = Process::start(arguments);
        let mut client = Client::connect(process.listening());
        client.send("GET /none/a HTTP/1.1\r\nHost: a\r\nUser-Agent: b\\\r\n\r\n");
        assert_eq!(client.response().status, 404);
        client.send("GET /\n");
        assert_eq!(client.response().status, 400);
        process.signal("TERM");
        assert_eq!(process.end().code, Some(0));
    }
    let text = std::fs::read_to_string(&file).expect("text");
    let lines: Vec<_> = text.lines().collect();
    assert_eq!((lines.len(), lines[0]), (5, "before"), "{text}");
    for pair in lines[1..].chunks(2) {
        assert!(pair[0].starts_with("127.0.0.1 - - ["), "{text}");
        assert!(
            pair[0].contains(r#"] "GET /none/a HTTP/1.1" 404 "#),
            "{text}"
        );
        assert!(pair[0].ends_with(r#" "-" "b\\""#), "{text}");
        assert!(pair[1].contains(r#"] "-" 400 "#), "{text}");
    }
}

#[test]
fn a_place_or_format_that_is_none_is_refused() {
    let table = [
        (["--access-log", "/none/access.log"], "cannot be opened"),
        (
            ["--access-log-format", "apache"],
            "'apache' is not a format",
        ),
    ];
    for (arguments, what) in table {
        let common = ["demo", "--listen", "127.0.0.1:0"];
        let output = Command::new(CORELANE).args(common).args(arguments).output();
        let output = output.expect("it starts");
        let told = String::from_utf8(output.stderr).expect("text");
        assert_eq!(output.status.code(), Some(2), "{told}");
        assert!(told.contains(what), "{told}");
    }
}
