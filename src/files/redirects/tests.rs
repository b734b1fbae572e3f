//! What redirects are, where they lead, and which are refused.

use super::rule::split;
use super::*;
use crate::app::normal_path;
use crate::limits::REDIRECT_BYTES;
use proptest::prelude::*;
use std::collections::HashSet;

fn rules(texts: &[&str]) -> Result<Redirects, RedirectsError> {
    let parse = |text: &&str| {
        text.parse()
            .unwrap_or_else(|error| panic!("{text}: {error}"))
    };
    Redirects::new(texts.iter().map(parse).collect())
}

/// Where a request for `target` is sent, below `mount`.
fn location(redirects: &Redirects, mount: &str, target: &str) -> Option<String> {
    let (path, query) = split(target, '?');
    let path = normal_path(path);
    let found = redirects.find(path.strip_prefix('/')?)?;
    Some(found.location(mount, query))
}

#[test]
fn where_rules_lead() {
    let redirects = rules(&[
        "/old=/new",
        "/old/=/new/ 301",
        "/caf%C3%A9 1=/tea",
        "/100%25=/all",
        "/q=/r?own#part",
        "/f=/g#part",
        "/host=https://example.org",
        "/host/slash=HTTP://example.org:81/ 308",
        "/blog/*=https://blog.example/*",
        "/blog/2020/*=/archive/* 307",
        "/blog/2020/first=/first",
        "/shop/*=/closed.html",
        "/deep/er/*=/*",
        "/tagged/*=/t/*?by=tag",
        "/=/home/",
    ])
    .unwrap();
    let table = [
        ("/old", "/new"),
        ("/old?a=b&c", "/new?a=b&c"),
        ("/old?", "/new?"),
        ("/%6Fld", "/new"),
        ("/old/", "/new/"),
        ("/caf%c3%a9%201", "/tea"),
        ("/100%25", "/all"),
        ("/q", "/r?own#part"),
        ("/q?theirs", "/r?own#part"),
        ("/f?theirs", "/g?theirs#part"),
        ("/host", "https://example.org"),
        ("/host?a", "https://example.org?a"),
        ("/host/slash", "HTTP://example.org:81/"),
        ("/blog/", "https://blog.example/"),
        ("/blog/a/b.html?c", "https://blog.example/a/b.html?c"),
        ("/blog/a/", "https://blog.example/a/"),
        ("/blog/2020", "https://blog.example/2020"),
        ("/blog/2020/", "/archive/"),
        ("/blog/2020/second", "/archive/second"),
        ("/blog/2020/first", "/first"),
        ("/blog/2020/first/", "/archive/first/"),
        ("/shop/a/b?c", "/closed.html?c"),
        ("/deep/er/a", "/a"),
        ("/tagged/x?y", "/t/x?by=tag"),
        ("/", "/home/"),
        ("/?a", "/home/?a"),
    ];
    for (target, expected) in table {
        let to = location(&redirects, "", target);
        assert_eq!(to.as_deref(), Some(expected), "{target}");
        let to = location(&redirects, "/mount", target).unwrap();
        match expected.strip_prefix('/') {
            Some(_) => assert_eq!(to, format!("/mount{expected}"), "{target}"),
            None => assert_eq!(to, expected, "{target}"),
        }
    }
    for target in [
        "/new", "/blog", "/shop", "/deep/x", "/deep/er", "/a", "/OLD", "/q/", "/old%2F",
    ] {
        assert_eq!(location(&redirects, "", target), None, "{target}");
    }
}

/// A browser takes `\` for `/`, and `//host` for another host (RFC 3986 §4.2).
#[test]
fn no_peer_chooses_the_host() {
    let redirects = rules(&["/a/*=/*", "/b/*=https://example.org/*", "/c=/d"]).unwrap();
    let table = [
        ("/a//evil.example", None),
        ("/a/%2Fevil.example", None),
        ("/a/%2F%2Fevil.example", None),
        ("/a/..//evil.example", None),
        ("/a/../x", None),
        ("/a/%2e%2e/x", None),
        ("/a/./x", None),
        ("/a/%00", None),
        ("/a/\\evil.example", Some("/%5Cevil.example")),
        ("/a/%5Cevil.example", Some("/%5Cevil.example")),
        ("/a/x%0D%0ASet-Cookie: y", Some("/x%0D%0ASet-Cookie:%20y")),
        ("/a/%09/evil.example", Some("/%09/evil.example")),
        ("/a/@evil.example", Some("/@evil.example")),
        ("/a/%E9", Some("/%E9")),
        ("/a/é", Some("/%C3%A9")),
        ("/a/%2541", Some("/%2541")),
        (
            "/b/@evil.example",
            Some("https://example.org/@evil.example"),
        ),
        ("/b/:81", Some("https://example.org/:81")),
        ("/b//x", None),
        ("/c?\r\nSet-Cookie: x", Some("/d?%0D%0ASet-Cookie:%20x")),
        ("/c?#x", Some("/d?%23x")),
        ("/c?//evil.example", Some("/d?//evil.example")),
    ];
    for (target, expected) in table {
        let to = location(&redirects, "", target);
        assert_eq!(to.as_deref(), expected, "{target}");
    }
}

#[test]
fn what_is_no_rule() {
    use RedirectError::{Form, From, Star, Status, To};
    let table = [
        ("", Form),
        ("/a", Form),
        ("=/b", From),
        ("a=/b", From),
        ("//a=/b", From),
        ("/a/../b=/c", From),
        ("/a?b=/c", From),
        ("/a#b=/c", From),
        ("/%zz=/b", From),
        ("/%00=/b", From),
        ("/a*=/b", Star),
        ("/*/a=/b", Star),
        ("/a/**=/b", Star),
        ("*=/b", Star),
        ("/a=/b/*", Star),
        ("/a/*=/b*", Star),
        ("/a/*=/*/b", Star),
        ("/a/*=https://*.example/*", Star),
        ("/a=", To),
        ("/a=b", To),
        ("/a=//example.org", To),
        ("/a=/\\example.org", To),
        ("/a=\\\\example.org", To),
        ("/a=/../b", To),
        ("/a=/b//c", To),
        ("/a=/é", To),
        ("/a=/%zz", To),
        ("/a=/b?%z", To),
        ("/a=/b#%", To),
        ("/a=/b#c#d", To),
        ("/a=/b\r\nX: y", Status),
        ("/a=/b\tc", To),
        ("/a=https:/example.org", To),
        ("/a=https://", To),
        ("/a=https:///b", To),
        ("/a/*=https://*", To),
        ("/a=https://user:pw@example.org/", To),
        ("/a=https://exa\\mple.org/", To),
        ("/a=https://example.org:x/", To),
        ("/a=https://example.org/../b", To),
        ("/a=javascript:alert(1)", To),
        ("/a=ftp://example.org/", To),
        ("/a=/b 200", Status),
        ("/a=/b 303", Status),
        ("/a=/b 0301", Status),
        ("/a=/b ", Status),
        ("/a=/b 301 ", Status),
        ("/a=/b c", Status),
    ];
    for (text, error) in table {
        assert_eq!(text.parse::<RedirectRule>(), Err(error), "{text:?}");
    }
}

#[test]
fn the_status_is_302_unless_it_is_written() {
    let table = [
        ("/a=/b", 302),
        ("/a=/b 301", 301),
        ("/a=/b  302", 302),
        ("/a=/b 307", 307),
        ("/a=/b 308", 308),
    ];
    for (text, status) in table {
        let rule: RedirectRule = text.parse().unwrap();
        assert_eq!(rule.status().as_u16(), status);
        assert_eq!(rule.as_str(), text);
    }
}

#[test]
fn rules_that_cannot_be_together() {
    let twice = |with| Conflict::Twice { with };
    let by = |by| Conflict::Loop { by };
    let folder = |by| Conflict::FolderLoop { by };
    let table: &[(&[&str], usize, Conflict)] = &[
        (&["/a=/b", "/a=/c"], 1, twice(0)),
        (&["/x=/y", "/a=/b", "/%61=/c"], 2, twice(1)),
        (&["/a/*=/b", "/a/*=/c/*"], 1, twice(0)),
        (&["/a=/a"], 0, by(0)),
        (&["/a=/%61?b#c"], 0, by(0)),
        (&["/a=/b", "/b=/a"], 0, by(1)),
        (&["/x=/a", "/a=/b", "/b=/c", "/c=/a"], 1, by(3)),
        (&["/a/*=/a/b/*"], 0, by(0)),
        (&["/a/*=/a/b"], 0, by(0)),
        (&["/a/*=/a/index.html"], 0, by(0)),
        (&["/*=/*"], 0, by(0)),
        (&["/*=/a/*"], 0, by(0)),
        (&["/*=/a"], 0, by(0)),
        (&["/a/*=/b/*", "/b/*=/a/*"], 0, by(1)),
        (&["/a/*=/b/c/*", "/b/*=/a/*"], 0, by(1)),
        (&["/a/*=/b/*", "/b/x=/a/x"], 1, by(0)),
        (&["/b/x=/a/x", "/a/*=/b/*"], 0, by(1)),
        // With `/a/x/` alone, and what lies below it.
        (&["/a/*=/b/*", "/b/x/*=/a/x/*"], 1, by(0)),
        // Folders are sent on to their paths with a slash.
        (&["/a/=/b", "/b/=/a"], 1, folder(0)),
        (&["/x=/y", "/b/=/a", "/a/=/b"], 2, folder(1)),
        (&["/a/=/b", "/b/=/c", "/c/=/a"], 2, folder(0)),
        // The folder is on the way to the loop, and not on it.
        (&["/s=/f", "/f/=/a", "/a=/b", "/b=/a"], 2, by(3)),
    ];
    for &(texts, place, why) in table {
        assert_eq!(
            rules(texts),
            Err(RedirectsError { place, why }),
            "{texts:?}"
        );
    }
    let table: &[&[&str]] = &[
        &["/a=/a/"],
        &["/a=/b", "/a/*=/b/*", "/a/=/c"],
        &["/a=https://example.org/a"],
        &["/*=https://example.org/*"],
        &["/a/b/*=/a/*", "/a/*=/*"],
        &["/*=/a", "/a=https://example.org/"],
        &["/a=/b", "/b=/c", "/c=/d", "/e=/b"],
        &["/a/*=/b/*", "/b/x/*=/a/*"],
        &["/docs/=/docs.html"],
        &["/docs/=/docs", "/docs=/docs/index.html"],
        &["/docs/=/docs"],
        &["/a/=/b", "/b/=/c"],
        &["/a=/b", "/b/=/c"],
        &["/a/*=/b", "/b/x=/a/x"],
        &["/=/en/"],
        // What is below a folder may be one, but of any name.
        &["/a/*=/b/*", "/b/=/c"],
    ];
    for texts in table {
        assert!(rules(texts).is_ok(), "{texts:?}: {:?}", rules(texts));
    }
}

#[test]
fn rules_have_a_most_of_bytes_and_of_number() {
    let rule = |bytes: usize| format!("/a=/{}", "b/".repeat(bytes)[..bytes - 4].to_owned());
    assert_eq!(rule(REDIRECT_BYTES).len(), REDIRECT_BYTES);
    assert!(rule(REDIRECT_BYTES).parse::<RedirectRule>().is_ok());
    let longer = rule(REDIRECT_BYTES + 1).parse::<RedirectRule>();
    assert_eq!(longer, Err(RedirectError::TooLong));
    // One chain of all is the most to prove.
    let chain = |count: usize| {
        let rule = |n: usize| format!("/{n}=/{}", n + 1).parse().unwrap();
        Redirects::new((0..count).map(rule).collect())
    };
    assert!(chain(REDIRECTS).is_ok());
    let place = REDIRECTS;
    let why = Conflict::TooMany;
    assert_eq!(chain(REDIRECTS + 1), Err(RedirectsError { place, why }));
}

#[test]
fn nothing_is_met_without_rules() {
    let redirects = Redirects::new(Vec::new()).unwrap();
    assert!(redirects.is_empty());
    assert_eq!(redirects.find(""), None);
    assert_eq!(redirects.find("a/b"), None);
}

/// Where there is that folder a rule would lead back to it, by its own address.
#[test]
fn rules_spare_a_folder_that_they_lead_back_to() {
    // The rules, the place of the one that spares one, and the folder.
    let table: &[(&[&str], usize, &str)] = &[
        (&["/docs/=/docs"], 0, "docs"),
        (&["/docs/=/%64ocs?a#b 308"], 0, "docs"),
        (&["/caf%C3%A9/=/caf%c3%a9"], 0, "caf\u{e9}"),
        (&["/a/b/=/a/b"], 0, "a/b"),
        (&["/a/*=/a"], 0, "a"),
        (&["/a=/b", "/b/=/a"], 1, "b"),
        (&["/b/=/a", "/a=/b"], 0, "b"),
        (&["/x=/a", "/a=/b", "/b/=/c", "/c=/a"], 2, "b"),
        (&["/x/*=/y/*", "/y/q/=/x/q"], 1, "y/q"),
        (&["/=/en", "/en/*=/*"], 1, "en"),
        (&["/en/*=/*", "/=/en"], 0, "en"),
        (&["/a=/b", "/b/*=/c/*", "/c/=/a"], 1, "b"),
    ];
    for &(texts, place, folder) in table {
        let redirects = rules(texts).unwrap_or_else(|error| panic!("{texts:?}: {error:?}"));
        for (number, rule) in redirects.rules.iter().enumerate() {
            let found = redirects.find(&rule.from).unwrap();
            let expected = (number == place).then_some(folder);
            assert_eq!(found.spared(), expected, "{texts:?} {number}");
        }
    }
    // It would lead elsewhere from there.
    let redirects = rules(&["/a=/b/b", "/b/*=/*"]).unwrap();
    assert_eq!(redirects.find("b/").unwrap().spared(), None);
    // What lies below it goes where the rule leads.
    let redirects = rules(&["/a/*=/a"]).unwrap();
    let below = redirects.find("a/x").unwrap();
    assert_eq!(
        (below.spared(), below.location("", None)),
        (None, "/a".to_owned())
    );
}

/// Follows redirects from `path` where these folders are, and no others, and tells how often; `None` if
/// there is no end.
fn redirects_until_the_end(
    redirects: &Redirects,
    folders: &HashSet<String>,
    path: &str,
    spares: bool,
) -> Option<usize> {
    let mut target = path.to_owned();
    for count in 0..1000 {
        let found = redirects.find(&target[1..]);
        let is_spared = |found: &Redirected<'_>| {
            let spared = found.spared().map(|folder| format!("/{folder}"));
            spares && spared.is_some_and(|folder| folders.contains(&folder))
        };
        target = match found.filter(|found| !is_spared(found)) {
            Some(found) => found.location("", None),
            None if folders.contains(&target) => target + "/",
            None => return Some(count),
        };
    }
    None
}

proptest! {
    #[test]
    fn rules_that_are_together_have_an_end(
        texts in prop::collection::vec(("(/[ab]){0,2}(/|/\\*)?", "(/[ab]){0,2}(/|/\\*)?"), 1..5),
        folders in prop::collection::hash_set("(/[ab]){1,3}", 0..14),
        path in "(/[ab]){1,4}/?",
    ) {
        let parsed = texts.iter().filter_map(|(from, to)| format!("{from}={to}").parse().ok());
        if let Ok(redirects) = Redirects::new(parsed.collect()) {
            let end = redirects_until_the_end(&redirects, &folders, &path, true);
            prop_assert!(end.is_some(), "{texts:?} {path}");
            for rule in &redirects.rules {
                let Some(spared) = redirects.find(&rule.from).and_then(|found| found.spared) else {
                    continue;
                };
                // Nothing else could be done about it.
                let only = HashSet::from([format!("/{spared}")]);
                let path = format!("/{spared}/");
                let end = redirects_until_the_end(&redirects, &only, &path, false);
                prop_assert_eq!(end, None, "{:?} {}", texts, spared);
            }
        }
    }

    #[test]
    fn a_location_stays_where_its_rule_leads(
        path in r"([a/.%\\:@?# 25eF]|\PC){0,24}",
        query in prop::option::of(r"\PC{0,12}"),
    ) {
        let redirects = rules(&["/a/*=https://example.org/*", "/a/a/*=/*", "/a/a/a/*=/b/*"]);
        let redirects = redirects.unwrap();
        for start in ["/a/", "/a/a/", "/a/a/a/"] {
            let normal = format!("{start}{path}");
            let normal = normal_path(&normal);
            let Some(found) = redirects.find(&normal[1..]) else { continue };
            let location = found.location("", query.as_deref());
            prop_assert!(location.bytes().all(|byte| byte.is_ascii_graphic()));
            let own = location.strip_prefix("https://example.org").unwrap_or(&location);
            prop_assert!(own.starts_with('/') && !own.starts_with("//"));
            prop_assert!(!own.contains('\\'));
        }
    }
}
