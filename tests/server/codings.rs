//! Content codings and the programs of others: what they decode of this server's, and what this server
//! decodes of theirs.

use super::app::Served;
use super::support::outside::{has, not_run, run};
use corelane::app::middleware::{Compression, Decompression};
use corelane::{App, Body, IntoResponse, Request, Shard};
use futures_lite::stream;
use std::fmt::Write as _;
use std::io;
use std::path::Path;
use std::process::Command;

/// Text that repeats itself as text does.
fn text() -> String {
    let mut random = fastrand::Rng::with_seed(7);
    let mut text = String::new();
    for line in 0..4_000 {
        let _ = writeln!(text, "{line}: {:x} and {}", random.u32(..), random.u8(..));
    }
    text
}

fn app(_: &Shard) -> App {
    App::new()
        .wrap(Compression::new())
        .wrap(Decompression::new())
        .get("/text", async |_| text())
        .get("/lines", async |_| {
            let lines: Vec<String> = text().lines().map(|line| format!("{line}\n")).collect();
            let body = Body::from_stream(stream::iter(lines.into_iter().map(io::Result::Ok)));
            let text = "".into_response();
            text.with_body(body)
        })
        .post("/echo", async |mut request: Request| request.text().await)
}

/// The codings that are spoken.
fn codings() -> Vec<&'static str> {
    let mut codings = vec!["gzip"];
    codings.extend(cfg!(feature = "compression-br").then_some("br"));
    codings.extend(cfg!(feature = "compression-zstd").then_some("zstd"));
    codings
}

fn curl(served: &Served, path: &str, arguments: &[&str]) -> String {
    let mut command = Command::new("curl");
    command.args([
        "--silent",
        "--show-error",
        "--fail",
        "--max-time",
        "30",
        "--noproxy",
        "*",
    ]);
    command.arg(format!("http://{}{path}", served.address));
    run(command.args(arguments))
}

#[test]
fn curl_decodes_every_coding() {
    if !has("curl") {
        return;
    }
    let able = run(Command::new("curl").arg("--version"));
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("content");
    let file = file.to_str().expect("text");
    let served = Served::with(app);
    let text = text();
    for coding in codings() {
        let library = match coding {
            "br" => "brotli",
            "gzip" => "libz",
            other => other,
        };
        if !able.contains(library) {
            not_run(&format!("curl was built without {library}"));
            continue;
        }
        let accept = format!("Accept-Encoding: {coding}");
        for path in ["/text", "/lines"] {
            let decoded = curl(&served, path, &["--compressed", "-H", &accept]);
            assert!(decoded == text, "{coding} {path}");
            let told = "%header{content-encoding} %{size_download}";
            let told = curl(&served, path, &["-o", file, "-w", told, "-H", &accept]);
            let (name, bytes) = told.split_once(' ').expect("two words");
            assert_eq!(name, coding);
            let bytes: usize = bytes.parse().expect("a number");
            assert!(bytes * 2 < text.len(), "{coding} {path}: {bytes}");
        }
    }
}

/// A program that encodes a file to its standard output.
fn encoded_by(program: &str, file: &Path) -> Option<Vec<u8>> {
    has(program).then(|| {
        let output = Command::new(program).arg("-c").arg(file).output();
        let output = output.expect("it can be run");
        assert!(output.status.success(), "{program}: {output:?}");
        output.stdout
    })
}

#[test]
fn what_command_line_tools_encode_is_decoded() {
    if !has("curl") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let (plain, coded) = (folder.path().join("plain"), folder.path().join("coded"));
    let text = text();
    std::fs::write(&plain, &text).expect("a file");
    let served = Served::with(app);
    for coding in codings() {
        let program = if coding == "br" { "brotli" } else { coding };
        let Some(content) = encoded_by(program, &plain) else {
            continue;
        };
        std::fs::write(&coded, content).expect("a file");
        let file = format!("@{}", coded.display());
        let field = format!("Content-Encoding: {coding}");
        for framing in ["X: length", "Transfer-Encoding: chunked"] {
            let arguments = ["--data-binary", &file, "-H", &field, "-H", framing];
            let echoed = curl(&served, "/echo", &arguments);
            assert!(echoed == text, "{coding}, {framing}");
        }
    }
}

const PYTHON: &str = r#"
import gzip, http.client, sys, zlib
connection = http.client.HTTPConnection(sys.argv[1], timeout=30)
connection.request("GET", "/text", headers={"Accept-Encoding": "identity"})
text = connection.getresponse().read()
for path in "/text", "/lines":
    connection.request("GET", path, headers={"Accept-Encoding": "gzip"})
    response = connection.getresponse()
    assert response.headers["Content-Encoding"] == "gzip"
    assert response.headers["Vary"] == "Accept-Encoding"
    assert gzip.decompress(response.read()) == text
for coding, encode in ("gzip", gzip.compress), ("deflate", zlib.compress):
    for level in range(10):
        connection.request("POST", "/echo", encode(text, level), {"Content-Encoding": coding})
        response = connection.getresponse()
        assert (response.status, response.read()) == (200, text), (coding, level)
connection.request("POST", "/echo", gzip.compress(bytes(1 << 30 >> 4)), {"Content-Encoding": "gzip"})
assert connection.getresponse().status == 413
"#;

#[test]
fn python_agrees_on_gzip_and_deflate() {
    if !has("python3") {
        return;
    }
    let served = Served::with(app);
    let address = served.address.to_string();
    run(Command::new("python3").args(["-c", PYTHON, &address]));
}

#[test]
fn plain_requests_are_answered_while_much_is_compressed() {
    let served = Served::with(|shard| {
        app(shard)
            .get("/much", async |_| text().repeat(10))
            .get("/", async |_| "Hello")
    });
    let much = served.address;
    let encoding = std::thread::spawn(move || {
        let mut client = corelane::testing::TestClient::connect(much);
        let answer = client.get("/much").header("accept-encoding", "gzip").send();
        assert_eq!(answer.header("content-encoding"), Some("gzip"));
    });
    let mut client = corelane::testing::TestClient::connect(served.address);
    let mut answered = 0;
    while !encoding.is_finished() {
        assert_eq!(client.get("/").send().text(), "Hello");
        answered += 1;
    }
    encoding.join().expect("it was compressed");
    // A few can be answered before it begins and behind it: 900 KB are some thirty slices.
    assert!(answered > 10, "{answered}");
}
