//! Listings that are compressed while they are sent, unpacked by the programs of others.

use super::super::compressed::{CODINGS, compressing, decoded};
use super::*;
use crate::support::outside::has;

/// More entries than are read at a time, and more bytes than are written.
const ENTRIES: usize = 3 * LISTING_SLICE_ENTRIES;

fn tree() -> Tree {
    let tree = Tree::new();
    for folder in ["many", "few", "kept"] {
        fs::create_dir(tree.root().join(folder)).expect("a folder");
    }
    for number in 0..ENTRIES {
        tree.write(OsStr::new(&format!("many/{number:06}")), b"");
    }
    for number in 0..20 {
        tree.write(OsStr::new(&format!("kept/{number:06}")), b"");
    }
    tree
}

fn serve(tree: &Tree) -> Served {
    let rule = ("/kept/*", "max-age=1, No-Transform");
    let (glob, value) = (rule.0.parse().expect("a glob"), rule.1);
    tree.serve_by(Policy {
        listing: true,
        cache_control: vec![(glob, value.parse().expect("a value"))],
        ..compressing([3, 6, 9])
    })
}

/// The fields of an answer that say of its content what decides about it.
fn said(response: &Response) -> [Option<&str>; 3] {
    ["content-encoding", "content-length", "content-type"].map(|name| response.field(name))
}

fn varies(response: &Response) -> Vec<&str> {
    let fields = response.fields.iter().filter(|(name, _)| name == "vary");
    fields.map(|(_, value)| &**value).collect()
}

#[test]
fn a_listing_comes_in_the_coding_that_its_peer_wants() {
    if !CODINGS.iter().all(|(_, program, _)| has(program)) {
        return;
    }
    let tree = tree();
    let served = serve(&tree);
    let mut client = Client::connect(served.address);
    let forms = ["format=html", "format=json", "format=html&sort=none"];
    // The short ones are compressed at once, and have a length.
    for (target, is_long) in [("/many/", true), ("/few/", false)] {
        for form in forms {
            let target = format!("{target}?{form}");
            let plain = client.ask("GET", &target, "");
            assert_eq!(said(&plain)[0], None, "{target}");
            assert_eq!(varies(&plain), ["accept", "Accept-Encoding"], "{target}");
            for (_, program, name) in CODINGS {
                let what = format!("{target} {name}");
                let field = format!("Accept-Encoding: {name}\r\n");
                let coded = client.ask("GET", &target, &field);
                if target.contains("few/?format=json") {
                    assert_eq!((said(&coded), &coded.body), (said(&plain), &plain.body));
                    continue;
                }
                assert_eq!(said(&coded)[0], Some(name), "{what}");
                assert_eq!(said(&coded)[1].is_none(), is_long, "{what}");
                assert_eq!(varies(&coded), varies(&plain), "{what}");
                assert!(coded.body.len() < plain.body.len() / 2, "{what}");
                assert!(decoded(program, &coded.body) == plain.body, "{what}");
                let head = client.ask("HEAD", &target, &field);
                assert_eq!(said(&head), said(&coded), "{what}");
                assert_eq!(varies(&head), varies(&coded), "{what}");
            }
        }
    }
}

#[test]
fn what_is_not_to_be_coded_comes_as_it_is() {
    let tree = tree();
    let served = serve(&tree);
    let mut client = Client::connect(served.address);
    let both = &["accept", "Accept-Encoding"][..];
    let table: &[(&str, &str, u16, &[&str])] = &[
        ("/many/", "identity", 200, both),
        ("/many/", "gzip;q=0, deflate", 200, both),
        // By its Cache-Control.
        ("/kept/", "gzip", 200, &["accept"]),
        // A file has nothing of it.
        ("/a.txt", "gzip", 200, &[]),
    ];
    for (target, codings, status, vary) in table {
        let fields = format!("Accept-Encoding: {codings}\r\n");
        let response = client.ask("GET", target, &fields);
        let what = format!("{target} {codings}: {response:?}");
        assert_eq!(response.status, *status, "{what}");
        assert_eq!(response.field("content-encoding"), None, "{what}");
        assert_eq!(varies(&response), *vary, "{what}");
    }
    for (fields, status) in [("If-None-Match: *\r\n", 304), ("If-Match: \"x\"\r\n", 412)] {
        let fields = format!("Accept-Encoding: gzip\r\n{fields}");
        let response = client.ask("GET", "/many/", &fields);
        assert_eq!(response.status, status, "{fields}");
        assert_eq!(response.field("content-encoding"), None, "{fields}");
        if status == 304 {
            assert_eq!(varies(&response), both);
        }
    }
    // It is an archive, whoever asks for it.
    let served = tree.serve_by(Policy {
        tar: true,
        ..compressing([3, 4, 5])
    });
    let mut client = Client::connect(served.address);
    let archive = client.ask("GET", "/few/?download=tar", "Accept-Encoding: gzip\r\n");
    assert_eq!(
        (archive.status, archive.field("content-encoding")),
        (200, None)
    );
}
