//! The pages of errors that are the server's own, brought about for real: by opens that fail, and by a file
//! that is never as long as it says.

use super::support::client::Response;
use super::support::outside::{has, not_run};
use super::support::process::{CORELANE, Process};
use super::support::{Client, wait_until};
use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

fn asked(address: SocketAddr, method: &str, target: &str, fields: &str) -> Response {
    let response = Client::connect(address).ask(method, target, fields);
    assert!(!response.closes(), "{response:?}");
    response
}

/// Fails the test unless `target` gets `status` with the content `page`, and HEAD the same without it.
fn assert_page(address: SocketAddr, target: &str, status: u16, page: &str) {
    for method in ["GET", "HEAD"] {
        for fields in ["", "Range: bytes=0-0\r\n", "If-None-Match: *\r\n"] {
            let response = asked(address, method, target, fields);
            let what = format!("{method} {fields}: {response:?}");
            assert_eq!(response.status, status, "{what}");
            let length = page.len().to_string();
            assert_eq!(response.field("content-length"), Some(&*length), "{what}");
            let content = if method == "HEAD" { "" } else { page };
            assert_eq!(response.text(), content, "{what}");
            assert_eq!(response.field("etag"), None, "{what}");
        }
    }
    let problem = asked(address, "GET", target, "Accept: application/json\r\n");
    let media_type = problem.field("content-type");
    assert_eq!(media_type, Some("application/problem+json"));
}

/// Replaces the file at `path` at once.
fn replace(path: &Path, content: &str) {
    let next = path.with_extension("next");
    fs::write(&next, content).expect("a file");
    fs::rename(&next, path).expect("replaced");
}

/// Fails the test unless the page at `path` for `status` of `target` is followed, and the error is as it is
/// without a page once that is gone, or is what cannot be read.
fn assert_followed(address: SocketAddr, target: &str, status: u16, path: &Path, plain: &str) {
    for content in ["<p>other", ""] {
        replace(path, content);
        wait_until("the new page", || {
            asked(address, "GET", target, "").text() == content
        });
        assert_page(address, target, status, content);
    }
    fs::remove_file(path).expect("it was there");
    wait_until("no page", || {
        asked(address, "GET", target, "").text() == plain
    });
    assert_page(address, target, status, plain);
    fs::create_dir(path).expect("a folder in its place");
    assert_page(address, target, status, plain);
}

#[test]
fn a_failing_disk_has_its_page() {
    if !has("strace") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path().join("root");
    fs::create_dir(&root).expect("a folder");
    let page = root.join("500.html");
    fs::write(&page, "<p>broken").expect("a file");
    // Opening what is called so fails, whatever it is.
    fs::write(root.join("failing"), "never read").expect("a file");
    let plain = "500 Internal Server Error\n";
    for pages in [["500=/500.html"], ["500=/failing"]] {
        let mut command = Command::new("strace");
        // The program is our child (-D), so that it ends with the test.
        command.args(["-D", "-f", "-P", "failing", "-e", "trace=openat2", "-e"]);
        command.args(["inject=openat2:error=EIO", "-o"]);
        command.arg(folder.path().join("trace")).arg("--");
        command.args([CORELANE, "serve"]).arg(&root);
        command.args(["--listen", "127.0.0.1:0", "--cores", "1"]);
        command.args(pages.map(|page| format!("--error-page={page}")));
        let mut process = Process::spawn(&mut command);
        let address = process.listening();
        if asked(address, "GET", "/failing", "").status == 200 {
            not_run("strace may not trace here");
            return;
        }
        match pages {
            ["500=/500.html"] => {
                assert_page(address, "/failing", 500, "<p>broken");
                assert_followed(address, "/failing", 500, &page, plain);
            }
            _ => assert_page(address, "/failing", 500, plain),
        }
        // Whoever runs it is told why.
        process.line("/failing cannot be read: Input/output error");
    }
}

#[test]
fn a_file_that_is_never_the_same_has_its_page() {
    /// The kernel says that it has a page of bytes, and gives a few.
    const CHANGING: &str = "/sys/devices/system/cpu/online";
    if !Path::new(CHANGING).exists() {
        not_run("/sys is not there");
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    symlink(CHANGING, folder.path().join("changing")).expect("a link");
    let page = folder.path().join("503.html");
    fs::write(&page, "<p>busy").expect("a file");
    let mut command = Command::new(CORELANE);
    command.arg("serve").arg(folder.path());
    command.args(["--listen", "127.0.0.1:0", "--cores", "1"]);
    // Its tag is made of its content, so HEAD reads it as well.
    command.args(["--symlinks", "any", "--etag", "hash"]);
    let mut process = Process::spawn(command.arg("--error-page=503=/503.html"));
    let address = process.listening();
    assert_page(address, "/changing", 503, "<p>busy");
    let plain = "503 Service Unavailable: The file is being changed.\n";
    assert_followed(address, "/changing", 503, &page, plain);
}
