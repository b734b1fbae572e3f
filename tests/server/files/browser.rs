//! Listings in a browser: at the widths of a desktop and of a phone, light and dark. The pictures are kept
//! in the folder that the environment variable `SCREENSHOTS` names, for whoever wants to look at them.

use super::super::support::browser::Browser;
use super::*;
use std::collections::BTreeSet;

/// Names that a page has to have room for.
const NAMES: [&str; 9] = [
    "README.md",
    "a very long name of a file that somebody wrote as if it were a sentence, with commas.txt",
    "averylongnamewithoutaspaceinwhichnobodywouldknowwheretobreakitifitdidnotfit.tar.zst",
    "<img src=x onerror=alert(1)>.html",
    "\u{65e5}\u{672c}\u{8a9e}\u{306e}\u{30d5}\u{30a1}\u{30a4}\u{30eb}.txt",
    "\u{5e9}\u{5dc}\u{5d5}\u{5dd}.txt",
    "photo 1.jpg",
    "photo 2.jpg",
    "video.mp4",
];

/// A folder `bare` with files of these names and a few folders.
fn tree() -> (Tree, Served) {
    let tree = Tree::new();
    for folder in ["docs", "images from 2026", "empty"] {
        fs::create_dir(tree.root().join("bare").join(folder)).expect("a folder");
    }
    for (place, name) in NAMES.into_iter().enumerate() {
        let path = tree.root().join("bare").join(name);
        let file = fs::File::create(&path).expect("a file");
        file.set_len(37 << (place * 4)).expect("its length");
        set_changed(&path);
    }
    let served = tree.serve_by(Policy {
        listing: true,
        ..Policy::default()
    });
    (tree, served)
}

#[test]
fn a_listing_is_fit_to_be_looked_at() {
    let Some(mut browser) = Browser::start() else {
        return;
    };
    let (_tree, served) = tree();
    let own = format!("http://{}/", served.address);
    // Those of a phone lie over the page.
    let hidden = serde_json::json!({ "hidden": true });
    browser.call("Emulation.setScrollbarsHidden", hidden);
    let mut pictures = BTreeSet::new();
    for (name, width, height) in [("desktop", 1280, 800), ("phone", 360, 740)] {
        for theme in ["light", "dark"] {
            for (page, target) in [
                ("listing", "bare/"),
                ("sorted", "bare/?sort=size&order=desc"),
                ("empty", "bare/empty/"),
            ] {
                browser.look(width, height, &[("prefers-color-scheme", theme)]);
                browser.open(&format!("{own}{target}"));
                let which = format!("{page} {name} {theme}");
                let beyond = browser.evaluate(
                    "document.documentElement.scrollWidth - document.documentElement.clientWidth",
                );
                assert_eq!(beyond, 0, "{which}: pixels beyond the width");
                let clipped = browser.evaluate(
                    "[...document.querySelectorAll('h1, p, table, th, td, a')].filter(e => \
                     e.clientWidth > 0 && e.scrollWidth > e.clientWidth + 1).map(e => e.outerHTML)",
                );
                assert_eq!(clipped, serde_json::json!([]), "{which}");
                let ground =
                    browser.evaluate("getComputedStyle(document.documentElement).backgroundColor");
                let is_dark = ground == "rgb(15, 19, 22)";
                assert_eq!(is_dark, theme == "dark", "{which}: {ground}");
                let picture = browser.picture();
                // One colour alone takes less.
                assert!(picture.len() > 8192, "{which}: {} bytes", picture.len());
                if let Some(folder) = std::env::var_os("SCREENSHOTS") {
                    let path = Path::new(&folder).join(format!("{which}.png"));
                    fs::write(path, &picture).expect("a file");
                }
                assert!(pictures.insert(picture), "{which} looks like another");
            }
        }
    }
    assert_eq!(browser.complaints(), [] as [String; 0]);
    for request in browser.requests() {
        let is_own = request.starts_with(&own) && !request.contains("favicon");
        let is_inside = request.starts_with("data:") || request == "about:blank";
        assert!(is_own || is_inside, "{request}");
    }
}

#[test]
fn a_listing_is_a_table_to_who_hears_it_and_sorts_without_a_script() {
    let Some(mut browser) = Browser::start() else {
        return;
    };
    let (_tree, served) = tree();
    browser.look(360, 740, &[]);
    browser.open(&format!("http://{}/bare/", served.address));
    let nodes = browser.call("Accessibility.getFullAXTree", serde_json::json!({}));
    let nodes = nodes["nodes"].as_array().expect("a list").iter();
    let heard: Vec<String> = nodes
        .filter(|node| node["ignored"] != true)
        .map(|node| {
            let text = |of: &str| node[of]["value"].as_str().unwrap_or_default().to_owned();
            text("role") + ":" + &text("name")
        })
        .collect();
    for expected in [
        "columnheader:Name",
        "columnheader:Size",
        "columnheader:Changed",
        "rowheader:docs/",
        "rowheader:README.md",
        "cell:37 B",
        "link:The folder above",
    ] {
        assert!(
            heard.iter().any(|node| node == expected),
            "{expected}: {heard:?}"
        );
    }
    let tables = heard.iter().filter(|node| node.starts_with("table:"));
    assert_eq!(tables.count(), 1, "{heard:?}");

    for (link, query) in [
        (2, "?sort=size&order=desc"),
        (2, "?sort=size&order=asc"),
        (1, "?sort=name&order=asc"),
    ] {
        browser.evaluate(&format!(
            "document.querySelector('thead th:nth-child({link}) a').click()"
        ));
        browser.wait(&format!(
            "location.search === '{query}' && document.readyState === 'complete'"
        ));
        let sorted = browser.evaluate("document.querySelector('[aria-sort]').cellIndex + 1");
        assert_eq!(sorted, link, "{query}");
    }
}
