//! The example `site` does what others rely on: it echoes, serves a folder, and takes its arguments.

#[path = "examples/site.rs"]
#[expect(dead_code, reason = "main waits for a signal")]
mod site;

use corelane::Server;
use corelane::testing::TestClient;
use std::fs;

#[test]
fn it_echoes_and_serves_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("index.html"), "<p>index").unwrap();
    fs::create_dir(folder.path().join("sub")).unwrap();
    fs::write(folder.path().join("sub/a.txt"), "a".repeat(100_000)).unwrap();
    let path = folder.path().to_str().unwrap().to_owned();
    let server = Server::bind("127.0.0.1:0").start(move |_shard| site::app(&path));
    let server = server.unwrap();
    let mut client = TestClient::connect(server.addresses()[0]);
    for (path, status, text) in [
        ("/", 200, "<p>index"),
        ("/index.html", 200, "<p>index"),
        ("/sub/a.txt", 200, &"a".repeat(100_000)),
        ("/none", 404, "404 Not Found\n"),
        ("/echo", 405, "405 Method Not Allowed\n"),
    ] {
        let answer = client.get(path).send();
        assert_eq!((answer.status().as_u16(), answer.text()), (status, text));
    }
    let large = "x".repeat(2 << 20);
    for content in ["", "hello", &large] {
        let request = client.post("/echo").header("content-type", "text/x");
        let answer = request.body(content.to_owned()).send();
        assert_eq!(answer.status().as_u16(), 200);
        assert_eq!(answer.header("content-type"), Some("text/x"));
        assert!(answer.text() == content);
    }
    drop(client);
    server.stop().unwrap();
}

#[test]
fn it_takes_a_folder_and_an_address() {
    let table = [
        ("DIR", Some(("DIR", "127.0.0.1:8080"))),
        ("DIR --listen 127.0.0.1:0", Some(("DIR", "127.0.0.1:0"))),
        ("--listen [::1]:80 DIR", Some(("DIR", "[::1]:80"))),
        ("", None),
        ("DIR --listen", None),
        ("--listen 127.0.0.1:0", None),
        ("DIR OTHER", None),
        ("DIR --other", None),
    ];
    for (line, expected) in table {
        let given = line.split_whitespace().map(str::to_owned);
        let arguments = site::arguments(given).ok();
        let arguments = arguments
            .as_ref()
            .map(|(dir, at)| (dir.as_str(), at.as_str()));
        assert_eq!(arguments, expected, "{line}");
    }
}
