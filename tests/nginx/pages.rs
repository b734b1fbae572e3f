//! Pages by their clean URLs, and the fallback, which nginx has by `try_files`.

use corelane::files::Policy;

use super::classes::CLASSES;
use super::peers::{Corelane, Nginx, Peer};
use super::requests::{Generator, Request};
use super::support::setting;
use super::tally::Tally;
use super::told::Told;
use super::tree::{CHANGED, Tree, set_changed};

/// Requests if `NGINX_REQUESTS` is not set: about a second in a debug build.
const REQUESTS: u64 = 1_000;

/// What static exporters write: the pages below `blog.html` are in `blog/`.
const PAGES: &[&str] = &[
    "blog.html",
    "blog/post.html",
    "both.html",
    "both/index.html",
    "docs/index.html",
    "v1.2.html",
];

const PATHS: &[&str] = &[
    "/",
    "/index",
    "/index.html",
    "/blog",
    "/blog?a=b",
    "/blog/",
    "/blog.html",
    "/blog/post",
    "/blog/post/",
    "/blog/none",
    "/both",
    "/both/",
    "/docs",
    "/docs?a=b",
    "/docs/",
    "/docs/index",
    "/v1.2",
    "/small",
    "/small.txt",
    "/bare",
    "/none",
];

fn tree() -> Tree {
    let tree = Tree::new();
    for page in PAGES {
        let path = tree.root().join(page);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(&path, format!("the page {page}")).expect("a file");
        set_changed(&path, CHANGED);
    }
    tree
}

#[test]
fn nginx_finds_pages_alike() {
    let tree = tree();
    let corelane = Corelane::start_by(
        &tree,
        Policy {
            clean_urls: true,
            ..Policy::default()
        },
    );
    let directives = "location / { try_files $uri $uri.html $uri/ =404; }\n";
    let Some(nginx) = Nginx::start_by(&tree, directives) else {
        return;
    };
    let (mut ours, mut theirs) = (Peer::new(corelane.address), Peer::new(nginx.address));
    let seed = setting("NGINX_SEED").unwrap_or(1);
    let mut generator = Generator::with_paths(seed, PATHS, &["/blog/../both", "/blog//post"]);
    let mut tally = Tally::new(CLASSES.iter().collect(), |told| told);
    for _ in 0..setting("NGINX_REQUESTS").unwrap_or(REQUESTS) {
        tally.compare(&generator.next(), &mut ours, &mut theirs);
    }
    tally.assert_explained(0);
}

#[test]
fn nginx_falls_back_alike() {
    let tree = tree();
    let corelane = Corelane::start_by(
        &tree,
        Policy {
            clean_urls: true,
            fallback: Some(c"blog.html".to_owned()),
            ..Policy::default()
        },
    );
    let directives = "location / { try_files $uri $uri.html $uri/ /blog.html; }\n";
    let Some(nginx) = Nginx::start_by(&tree, directives) else {
        return;
    };
    let (mut ours, mut theirs) = (Peer::new(corelane.address), Peer::new(nginx.address));
    let told = |told: &Told| (told.status, told.media_type.clone(), told.parts.clone());
    let mut ask = |target: &str, accept: &str| {
        let request = Request {
            method: "GET".to_owned(),
            target: target.to_owned(),
            codings: String::new(),
            fields: vec![("Accept", accept.to_owned())],
        };
        (ours.ask(&request), theirs.ask(&request))
    };
    for target in ["/none", "/none/deep", "/docs/", "/both", "/blog/none", "/"] {
        let (ours, theirs) = ask(target, "text/html,*/*;q=0.8");
        assert_eq!(told(&ours), told(&theirs), "{target}");
        assert_eq!(ours.status, 200, "{target}");
    }
    // nginx has it for whatever is missing: a page in place of a picture or of data hides that.
    for (target, accept) in [("/none.png", "text/html"), ("/none", "application/json")] {
        let (ours, theirs) = ask(target, accept);
        assert_eq!((ours.status, theirs.status), (404, 200), "{target}");
    }
}
