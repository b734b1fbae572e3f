//! The example `upload` keeps what curl uploads, whole or not at all.

#![cfg(feature = "multipart")]

mod support;
#[path = "examples/upload.rs"]
#[expect(dead_code, reason = "main waits for a signal")]
mod upload;

use corelane::{Running, Server};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use support::{Client, outside, wait_until};
use tempfile::TempDir;

/// The most bytes of a form.
const MOST: usize = 1 << 20;

/// The example, and the folder that it fills.
fn serve() -> (Running, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_owned();
    let server = Server::bind("127.0.0.1:0");
    let app = move |_: &_| upload::app(path.clone(), MOST as u64);
    (server.start(app).unwrap(), folder)
}

/// What curl says of the response to a form with `fields`, then its status.
fn curl(server: &Running, fields: &[&str]) -> String {
    let mut command = Command::new("curl");
    command.args(["-sS", "-w", "%{http_code}"]);
    for field in fields {
        command.args(["-F", field]);
    }
    outside::run(command.arg(format!("http://{}/", server.addresses()[0])))
}

/// The names in `folder`, and what is in the files.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let name = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
    let mut files: Vec<_> = entries
        .map(|path| (name(&path), fs::read(&path).unwrap()))
        .collect();
    files.sort();
    files
}

/// A form with one file of `bytes` bytes, and its head.
fn form(bytes: usize) -> (String, String) {
    let content = "x".repeat(bytes);
    let form = format!(
        "--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"f.bin\"\r\n\r\n\
         {content}\r\n--b--\r\n"
    );
    let head = format!(
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Type: multipart/form-data; boundary=b\r\n\
         Content-Length: {}\r\n\r\n",
        form.len()
    );
    (head, form)
}

#[test]
fn it_keeps_what_is_uploaded() {
    if !outside::has("curl") {
        return;
    }
    let (server, folder) = serve();
    let given = tempfile::tempdir().unwrap();
    let large: Vec<u8> = (0..900_000u32).map(|n| (n % 251) as u8).collect();
    fs::write(given.path().join("large.bin"), &large).unwrap();
    fs::write(given.path().join("small.txt"), "small").unwrap();
    fs::write(given.path().join("empty"), "").unwrap();
    let file = |name: &str| format!("file=@{}", given.path().join(name).display());
    let told = curl(
        &server,
        &[
            &file("large.bin"),
            "comment=none",
            &file("small.txt"),
            &file("empty"),
        ],
    );
    let expected = "large.bin: 900000 bytes\nsmall.txt: 5 bytes\nempty: 0 bytes\n200";
    assert_eq!(told, expected);
    let expected = [
        ("empty", Vec::new()),
        ("large.bin", large),
        ("small.txt", b"small".to_vec()),
    ];
    assert_eq!(
        files(folder.path()),
        expected.map(|(name, bytes)| (name.to_owned(), bytes))
    );
    // The newest of a name stays.
    fs::write(given.path().join("large.bin"), "less").unwrap();
    assert_eq!(
        curl(&server, &[&file("large.bin")]),
        "large.bin: 4 bytes\n200"
    );
    assert_eq!(fs::read(folder.path().join("large.bin")).unwrap(), b"less");
    server.stop().unwrap();
}

#[test]
fn names_stay_in_the_folder() {
    if !outside::has("curl") {
        return;
    }
    let (server, folder) = serve();
    let long = "é".repeat(200);
    let kept = "é".repeat(60);
    let names = [
        ("../../up", "up"),
        ("/etc/passwd", "passwd"),
        (r"C:\\dir\\file.txt", "file.txt"),
        (".hidden", "hidden"),
        ("a b$c", "a_b_c"),
        ("x\u{202e}y", "x_y"),
        ("Zoë.txt", "Zoë.txt"),
        (&long, &kept),
        ("..", ""),
        ("dir/", ""),
    ];
    for (name, kept) in names {
        let told = curl(&server, &[&format!("file=content;filename=\"{name}\"")]);
        let expected = match kept {
            "" => "200".to_owned(),
            kept => format!("{kept}: 7 bytes\n200"),
        };
        assert_eq!(told, expected, "{name}");
    }
    let mut expected: Vec<_> = names.map(|(_, kept)| kept).into_iter().collect();
    expected.retain(|kept| !kept.is_empty());
    expected.sort_unstable();
    let kept = files(folder.path());
    assert_eq!(
        kept.iter().map(|(name, _)| name).collect::<Vec<_>>(),
        expected
    );
    server.stop().unwrap();
}

#[test]
fn a_folder_keeps_its_name() {
    let (server, folder) = serve();
    fs::create_dir(folder.path().join("f.bin")).unwrap();
    let (head, form) = form(MOST / 2);
    let mut client = Client::connect(server.addresses()[0]);
    client.send(format!("{head}{form}"));
    let response = client.response();
    assert_eq!(
        (response.status, response.text()),
        (409, "409 Conflict: A folder has that name.\n")
    );
    assert!(folder.path().join("f.bin").is_dir());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    server.stop().unwrap();
}

#[test]
fn a_form_has_a_limit() {
    let (server, folder) = serve();
    let around = form(0).1.len();
    for (bytes, status) in [(MOST - around, 200), (MOST - around + 1, 413)] {
        let (head, form) = form(bytes);
        for is_chunked in [false, true] {
            let mut client = Client::connect(server.addresses()[0]);
            if is_chunked {
                let (head, _) = head.split_once("Content-Length").unwrap();
                let chunk = form.len();
                client.send(format!(
                    "{head}Transfer-Encoding: chunked\r\n\r\n{chunk:x}\r\n{form}\r\n0\r\n\r\n"
                ));
            } else {
                client.send(format!("{head}{form}"));
            }
            assert_eq!(client.response().status, status, "{bytes} {is_chunked}");
            let kept = files(folder.path());
            let names: Vec<_> = kept.iter().map(|(name, _)| &**name).collect();
            let expected: &[&str] = if status == 200 { &["f.bin"] } else { &[] };
            assert_eq!(names, expected, "{bytes} {is_chunked}");
            let _ = fs::remove_file(folder.path().join("f.bin"));
        }
    }
    server.stop().unwrap();
}

#[test]
fn half_a_file_has_no_name_and_does_not_stay() {
    let (server, folder) = serve();
    let (head, form) = form(MOST / 2);
    let mut client = Client::connect(server.addresses()[0]);
    client.send(format!("{head}{}", &form[..MOST / 4]));
    let is_arriving = || {
        let files = files(folder.path());
        files.len() == 1 && !files[0].1.is_empty()
    };
    wait_until("a part of the file on the disk", is_arriving);
    assert_ne!(files(folder.path())[0].0, "f.bin");
    drop(client);
    wait_until("nothing left of it", || files(folder.path()).is_empty());
    server.stop().unwrap();
}
