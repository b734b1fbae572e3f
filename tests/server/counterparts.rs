//! Clients that others wrote.

use super::app::Served;
use super::support::outside::{has, run};
use super::support::{Client, assert_adds_up, fresh_stats, number};
use std::net::SocketAddr;
use std::process::Command;

const CURL: [&str; 6] = [
    "--silent",
    "--show-error",
    "--max-time",
    "30",
    "--noproxy",
    "*",
];

pub(crate) fn curl(served: &Served, arguments: &[&str]) -> String {
    let base = format!("http://{}", served.address);
    let arguments = arguments
        .iter()
        .map(|argument| argument.replace("BASE", &base));
    run(Command::new("curl").args(CURL).args(arguments))
}

#[test]
fn curl_speaks_every_way_it_can() {
    if !has("curl") {
        return;
    }
    let served = Served::new();
    let folder = tempfile::tempdir().expect("a folder");
    let upload = folder.path().join("upload");
    std::fs::write(&upload, "uploaded".repeat(10_000)).expect("a file");
    let upload = upload.to_str().expect("text");
    let whole = "uploaded".repeat(10_000);
    let told = "%{http_code} %{num_connects} %{http_version}";
    let table: [(&[&str], String); 12] = [
        (&["BASE/"], "Hello, Anonymous".into()),
        (
            &["BASE/plaintext", "BASE/json"],
            "Hello, World!{\"message\":\"Hello, World!\"}".into(),
        ),
        (&["--http1.1", "BASE/you"], "Hello, you".into()),
        (&["--http1.0", "BASE/you"], "Hello, you".into()),
        (&["--http1.0", "BASE/stream/3"], "\0\u{1}\u{2}".into()),
        (&["--data", "a=b&c=d", "BASE/echo"], "a=b&c=d".into()),
        // curl waits for an invitation before it sends this much.
        (
            &[
                "--data-binary",
                "@UPLOAD",
                "-H",
                "Expect: 100-continue",
                "BASE/collect",
            ],
            whole.clone(),
        ),
        (
            &["--request", "POST", "-T", "UPLOAD", "BASE/echo"],
            whole.clone(),
        ),
        (
            &[
                "--request",
                "POST",
                "-T",
                "UPLOAD",
                "-H",
                "Transfer-Encoding: chunked",
                "BASE/echo",
            ],
            whole,
        ),
        (
            &["--head", "-o", "/dev/null", "-w", told, "BASE/plaintext"],
            "200 1 1.1".into(),
        ),
        (
            &["-o", "/dev/null", "-w", told, "BASE/none/such"],
            "404 1 1.1".into(),
        ),
        // The second request goes over the connection of the first.
        (
            &[
                "-o",
                "/dev/null",
                "BASE/a",
                "-o",
                "/dev/null",
                "-w",
                "%{num_connects},",
                "BASE/b",
            ],
            "1,0,".into(),
        ),
    ];
    for (arguments, expected) in &table {
        let arguments: Vec<_> = arguments
            .iter()
            .map(|argument| argument.replace("UPLOAD", upload))
            .collect();
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        assert_eq!(&curl(&served, &arguments), expected, "{arguments:?}");
    }
}

#[test]
fn wrk_finds_nothing_wrong() {
    if !has("wrk") {
        return;
    }
    let served = Served::new();
    for path in ["plaintext", "stream/20000"] {
        let url = format!("http://{}/{path}", served.address);
        let report =
            run(Command::new("wrk").args(["-t1", "-c64", "-d1s", "--timeout", "30s", &url]));
        assert!(!report.contains("Socket errors"), "{report}");
        assert!(!report.contains("Non-2xx"), "{report}");
    }
    let stats = fresh_stats(served.address);
    assert_adds_up(&stats);
    assert!(number(&stats, "/status/2xx") > 64, "{stats}");
    Client::connect(served.address).assert_alive();
}

const PYTHON: &str = r#"
import http.client, json, sys, urllib.error, urllib.request
host, port = sys.argv[1], int(sys.argv[2])
connection = http.client.HTTPConnection(host, port, timeout=30)
socket = None
for n in range(100):
    connection.request("GET", f"/n{n}")
    response = connection.getresponse()
    assert (response.status, response.read()) == (200, b"Hello, n%d" % n)
    socket = socket or connection.sock
    assert connection.sock is socket, "a new connection"
connection.request("POST", "/echo", body=iter([b"a" * 70000, b"b"]), encode_chunked=True,
                   headers={"Transfer-Encoding": "chunked"})
assert connection.getresponse().read() == b"a" * 70000 + b"b"
connection.request("HEAD", "/plaintext")
response = connection.getresponse()
assert (response.read(), response.headers["Content-Length"]) == (b"", "13")
connection.request("GET", "/stream/1000000")
assert len(connection.getresponse().read()) == 1000000
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
base = f"http://{host}:{port}"
assert json.load(opener.open(base + "/json", timeout=30)) == {"message": "Hello, World!"}
assert opener.open(base + "/echo", data=b"x" * 100, timeout=30).read() == b"x" * 100
try:
    opener.open(base + "/none/such", timeout=30)
    raise AssertionError("found")
except urllib.error.HTTPError as error:
    assert error.code == 404
"#;

#[test]
fn python_clients() {
    if !has("python3") {
        return;
    }
    let served = Served::new();
    let SocketAddr::V4(address) = served.address else {
        unreachable!("bound so")
    };
    let (host, port) = (address.ip().to_string(), address.port().to_string());
    run(Command::new("python3").args(["-c", PYTHON, &host, &port]));
}

#[test]
fn a_rust_client() {
    let served = Served::new();
    let base = format!("http://{}", served.address);
    let config = ureq::Agent::config_builder().timeout_global(Some(super::support::PATIENCE));
    let agent: ureq::Agent = config.proxy(None).build().into();
    for n in 0..50 {
        let mut response = agent
            .get(format!("{base}/n{n}"))
            .call()
            .expect("a response");
        let text = response.body_mut().read_to_string().expect("text");
        assert_eq!(text, format!("Hello, n{n}"));
    }
    let content = "c".repeat(100_000);
    let mut response = agent
        .post(format!("{base}/echo"))
        .send(&content)
        .expect("a response");
    assert_eq!(response.body_mut().read_to_string().expect("text"), content);
    let missing = agent.get(format!("{base}/none/such")).call();
    assert!(matches!(missing, Err(ureq::Error::StatusCode(404))));
    // Kept alive: all of it went over one connection.
    assert_eq!(
        number(&fresh_stats(served.address), "/connections/accepted_total"),
        2
    );
}
