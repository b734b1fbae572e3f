//! Files as nginx serves them: the same folder and the same requests to both, and every difference
//! explained.
//!
//! The requests are generated, the same every time: methods, paths as they are and written in odd ways,
//! codings, conditions, ranges. Where a condition names an entity tag it is that of the server which is
//! asked. What is compared stands in `told.rs`. A difference is of a class (`classes.rs`) or it fails the
//! test; so does a class without a difference.
//!
//! `NGINX_REQUESTS` sets how many requests, `NGINX_SEED` where the random numbers start.

mod classes;
mod peers;
mod requests;
#[path = "../support/mod.rs"]
mod support;
mod told;
mod tree;

use classes::CLASSES;
use peers::{Corelane, Nginx, Peer};
use requests::{Generator, Request};
use support::{Client, setting};
use told::Told;
use tree::Tree;

/// Requests if `NGINX_REQUESTS` is not set: a few seconds in a debug build.
const REQUESTS: u64 = 6_000;

/// The class of a difference. One that is but in the variant that is chosen is of its class only if nginx
/// answers as ours did when it is made to choose that, or otherwise for another reason.
fn explained(request: &Request, ours: &Told, theirs: &Told, nginx: &mut Peer) -> Option<usize> {
    let is = |class: &classes::Class| (class.is)(request, ours, theirs);
    let place = CLASSES.iter().position(is)?;
    let Some(codings) = CLASSES[place].chosen else {
        return Some(place);
    };
    let request = Request {
        codings: codings.to_owned(),
        ..request.clone()
    };
    let mut chosen = nginx.ask(&request);
    // That it has chosen is another matter, and the class's own.
    chosen.varies = ours.varies;
    let is_other =
        |class: &classes::Class| class.chosen.is_none() && (class.is)(&request, ours, &chosen);
    (*ours == chosen || CLASSES.iter().any(is_other)).then_some(place)
}

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
        // It does not say that it is one.
        assert_eq!(status(nginx.address, &format!("/unsaid{path}")), 200);
    }
    assert_eq!(status(nginx.address, "/behind/small.txt"), 200);
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
    let mut counts = vec![0_u64; CLASSES.len()];
    let mut alike = 0;
    let mut unexplained = Vec::new();
    for _ in 0..count {
        let request = generator.next();
        let (our_answer, their_answer) = (ours.ask(&request), theirs.ask(&request));
        if our_answer == their_answer {
            alike += 1;
            continue;
        }
        match explained(&request, &our_answer, &their_answer, &mut theirs) {
            Some(place) => counts[place] += 1,
            None => unexplained.push(format!(
                "{request:?}\nours: {our_answer:?}\nnginx: {their_answer:?}"
            )),
        }
    }
    eprintln!("{count} requests, {alike} answered alike; of the others:");
    for (class, count) in CLASSES.iter().zip(&counts) {
        eprintln!("{count:8} {} ({})", class.name, class.why);
    }
    let first = &unexplained[..unexplained.len().min(20)];
    assert!(
        first.is_empty(),
        "{} unexplained:\n{}",
        unexplained.len(),
        first.join("\n\n")
    );
    // Another run may be too short or unlucky to come across all of them.
    if setting("NGINX_REQUESTS")
        .or(setting("NGINX_SEED"))
        .is_none()
    {
        for (class, count) in CLASSES.iter().zip(&counts) {
            assert!(*count > 0, "no request differs for this: {}", class.name);
        }
    }
}
