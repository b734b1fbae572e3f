//! What lies in a folder, as nginx lists it: the same entries, but for those that this server does not serve.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use corelane::files::Policy;
use serde_json::Value;

use super::peers::{Corelane, Nginx};
use super::requests::EQUAL;
use super::support::Client;
use super::tree::Tree;

/// What nginx lists, and this server does not: what leads out of the folder, which a request would not be
/// served either.
const NOT_SERVED: &[&str] = &["outside.txt", "up"];

/// What this server lists, since it serves it, and nginx does not: it leaves out all names with a dot.
const SERVED: &str = ".well-known";

/// The entries at `target`, by their names: whether each is a folder, its bytes if it is a file, and whether it
/// was changed when the files were.
fn entries(
    address: SocketAddr,
    target: &str,
    list: impl Fn(&Value) -> &Value,
    changed: [&str; 2],
) -> BTreeMap<String, (bool, Option<u64>, bool)> {
    let mut client = Client::connect(address);
    let response = client.ask("GET", target, "Accept: application/json\r\n");
    assert_eq!(response.status, 200, "{target}");
    // Names are octets, and nginx writes them as they are.
    let text = String::from_utf8_lossy(&response.body);
    let told: Value = serde_json::from_str(&text).expect("JSON");
    let entry = |entry: &Value| {
        let text = |member: &str| entry[member].as_str().expect("text").to_owned();
        // nginx calls a folder so.
        let is_folder = matches!(&*text("type"), "folder" | "directory");
        let bytes = entry["size"].as_u64().filter(|_| !is_folder);
        let [member, time] = changed;
        let is_changed = text(member) == time && !is_folder;
        (text("name"), (is_folder, bytes, is_changed))
    };
    let entries = list(&told).as_array().expect("a list");
    entries.iter().map(entry).collect()
}

#[test]
fn nginx_lists_alike() {
    let tree = Tree::new();
    let policy = Policy {
        listing: true,
        index: Vec::new(),
        ..Policy::default()
    };
    let corelane = Corelane::start_by(&tree, policy);
    let directives = "location / { autoindex on; autoindex_format json; index none; }\n";
    let Some(nginx) = Nginx::start_by(&tree, directives) else {
        return;
    };
    for target in ["/", "/sub/", "/sub%20dir/", "/bare/", "/linked/"] {
        let rfc3339 = ["modified", "1994-11-06T08:49:37Z"];
        let mut ours = entries(corelane.address, target, |told| &told["entries"], rfc3339);
        let mut theirs = entries(nginx.address, target, |told| told, ["mtime", EQUAL]);
        if target == "/" {
            assert!(ours.remove(SERVED).is_some());
            for name in NOT_SERVED {
                assert!(theirs.remove(*name).is_some(), "{name}");
            }
        }
        assert!(!ours.is_empty(), "{target}");
        assert_eq!(ours, theirs, "{target}");
    }
}
