//! What the two refuse because too much is being downloaded, and the page of that: 503.
//!
//! Each does so in its own way, this server beyond so many archives, and nginx beyond so many connections.
//! It is the only 5xx that both answer to the same state of things. What a failing disk makes 500 here,
//! that a file cannot be opened or read, is not to be had without one, and nginx answers nothing where it
//! cannot read: it has its head ready by then, and closes the connection. Where it opens a socket or a
//! device it says 500, and this server 404, for nothing is served there.

use std::net::SocketAddr;

use corelane::files::Policy;
use corelane::limits::ARCHIVES;

use super::peers::{Corelane, Nginx};
use super::support::{Client, wait_until};
use super::told::{PAGE, Told};
use super::tree::Tree;

/// More than sockets hold of what nobody reads.
const MUCH: u64 = 64 << 20;

/// What is downloaded from each, of the same folder.
const OURS: &str = "/big/?download=tar";
const THEIRS: &str = "/big/file";

const CONTENT: &str = "<p>Too many want this.</p>";

/// Fields that change nothing of an error.
const FIELDS: [&str; 6] = [
    "",
    "Accept: text/html,*/*;q=0.8\r\n",
    "Range: bytes=0-1\r\n",
    "If-None-Match: *\r\n",
    "If-Match: \"x\"\r\n",
    "Accept-Encoding: gzip\r\n",
];

fn ask(address: SocketAddr, method: &str, target: &str, fields: &str) -> Told {
    let mut client = Client::connect(address);
    Told::new(client.ask(method, target, fields))
}

/// As many who download `target` as may, of which nobody reads more than the beginning.
fn downloads(address: SocketAddr, target: &str) -> Vec<Client> {
    let begin = |_| {
        let mut client = Client::connect(address);
        client.get(target);
        let begun = client.exactly(b"HTTP/1.1 200".len()).expect("a response");
        assert_eq!(begun, b"HTTP/1.1 200");
        client
    };
    (0..ARCHIVES).map(begin).collect()
}

#[test]
fn nginx_refuses_what_is_too_much_alike() {
    let tree = Tree::new();
    std::fs::create_dir(tree.root().join("big")).expect("a folder");
    let file = std::fs::File::create(tree.root().join("big/file")).expect("a file");
    file.set_len(MUCH).expect("a length");
    std::fs::write(tree.root().join("busy.html"), CONTENT).expect("a file");
    let mut policy = Policy {
        tar: true,
        ..Policy::default()
    };
    policy.error_pages.add("503=/busy.html").expect("a page");
    let rule = format!("busy.html={PAGE}: 503");
    policy.response_headers.add(&rule).expect("a rule");
    let corelane = Corelane::start_by(&tree, policy);
    let directives = format!(
        "error_page 503 /busy.html;\n\
         location = /busy.html {{ add_header {PAGE} 503 always; }}\n\
         location = {THEIRS} {{ limit_conn connections {ARCHIVES}; }}\n"
    );
    let Some(nginx) = Nginx::start_by(&tree, &directives) else {
        return;
    };
    let (ours, theirs) = (
        downloads(corelane.address, OURS),
        downloads(nginx.address, THEIRS),
    );
    for method in ["GET", "HEAD"] {
        for fields in FIELDS {
            let ours = ask(corelane.address, method, OURS, fields);
            let theirs = ask(nginx.address, method, THEIRS, fields);
            assert_eq!(ours, theirs, "{method} {fields}");
            let length = CONTENT.len().to_string();
            let told = (ours.status, ours.length.as_ref());
            assert_eq!(told, (503, Some(&length)), "{method} {fields}");
        }
    }
    drop((ours, theirs));
    wait_until("there is room again", || {
        let is_served = |address, target| ask(address, "HEAD", target, "").status == 200;
        is_served(corelane.address, OURS) && is_served(nginx.address, THEIRS)
    });
}
