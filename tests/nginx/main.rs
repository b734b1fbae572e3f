//! Files as nginx serves them: the same folder and the same requests to both, and every difference
//! explained.
//!
//! The requests are generated, the same every time: methods, paths as they are and written in odd ways,
//! codings, conditions, ranges. Where a condition names an entity tag it is that of the server which is
//! asked. What is compared stands in `told.rs`. A difference is of a class (`classes.rs`) or it fails the
//! test; so does a class without a difference. What the servers make themselves is asked for in `made.rs`, and
//! what is too much for them in `busy.rs`; `listings.rs` compares what they list, and `unreadable.rs` what they make of
//! what permissions forbid.
//!
//! `NGINX_REQUESTS` sets how many requests, `NGINX_SEED` where the random numbers start.

mod busy;
mod classes;
mod listings;
mod made;
mod pages;
mod peers;
mod requests;
#[path = "../support/mod.rs"]
mod support;
mod tally;
mod told;
mod tree;
mod unreadable;

use classes::{CLASSES, CLASSES_OF_NEIGHBOURS};
use peers::{Corelane, Nginx, Peer};
use requests::Generator;
use support::{Client, setting};
use tally::Tally;
use tree::Tree;

/// Requests if `NGINX_REQUESTS` is not set: a few seconds in a debug build.
const REQUESTS: u64 = 8_000;

#[test]
fn what_comes_through_nginx_gets_no_statistics() {
    let tree = Tree::new();
    let corelane = Corelane::start(&tree);
    let Some(nginx) = Nginx::start(&tree, corelane.address) else {
        return;
    };
    let status = |address, path: &str| {
        let mut client = Client::connect(address);
        client.get(path);
        client.response().status
    };
    for path in ["/stats", "/metrics"] {
        assert_eq!(status(corelane.address, path), 200);
        assert_eq!(status(nginx.address, &format!("/behind{path}")), 404);
        // It does not say that it is one, but speaks HTTP/1.0, or passes on the name that it was asked for.
        assert_eq!(status(nginx.address, &format!("/unsaid{path}")), 404);
        let mut client = Client::connect(nginx.address);
        let head = "HTTP/1.1\r\nHost: www.example.org\r\n\r\n";
        client.send(format!("GET /kept{path} {head}"));
        assert_eq!(client.response().status, 404);
    }
    for location in ["behind", "unsaid", "kept"] {
        assert_eq!(
            status(nginx.address, &format!("/{location}/small.txt")),
            200
        );
    }
}

#[test]
fn nginx_serves_files_alike() {
    let tree = Tree::new();
    let corelane = Corelane::start(&tree);
    let Some(nginx) = Nginx::start(&tree, corelane.address) else {
        return;
    };
    let (mut ours, mut theirs) = (Peer::new(corelane.address), Peer::new(nginx.address));
    let count = setting("NGINX_REQUESTS").unwrap_or(REQUESTS);
    let mut generator = Generator::new(setting("NGINX_SEED").unwrap_or(1));
    let classes: Vec<_> = CLASSES_OF_NEIGHBOURS.iter().chain(CLASSES).collect();
    let most = classes.len();
    let mut tally = Tally::new(classes, |told| told);
    for _ in 0..count {
        tally.compare(&generator.next(), &mut ours, &mut theirs);
    }
    tally.assert_explained(most);
}
