//! What becomes of paths, step by step.

use super::*;
use std::time::Duration;

const VERSION: fn() -> Version = || Version::made(1, 2, Duration::from_secs(3));

/// Decides `path` where these names lie; the others are missing. Also tells what was looked at.
fn decide(path: &str, names: &[(&str, Seen)], listing: bool) -> (Decision, Vec<String>) {
    let policy = Policy {
        listing,
        hide: vec!["*.key".parse().unwrap()],
        ..Policy::default()
    };
    decide_by(&policy, path, true, names)
}

fn decide_by(
    policy: &Policy,
    path: &str,
    is_navigation: bool,
    names: &[(&str, Seen)],
) -> (Decision, Vec<String>) {
    let mut looks = Vec::new();
    let mut step = begin(policy, path.as_bytes(), is_navigation);
    loop {
        match step {
            Step::Done(decision) => return (decision, looks),
            Step::Look(course) => {
                let name = course.relative().to_str().unwrap().to_owned();
                let seen = names.iter().find(|(other, _)| *other == name);
                looks.push(name);
                let seen = seen.map_or(Seen::Absent(Absence::Missing), |seen| seen.1);
                step = course.saw(policy, seen);
            }
        }
    }
}

#[test]
fn paths_and_what_becomes_of_them() {
    let file = |relative: &str| Decision::File {
        relative: CString::new(relative).unwrap(),
        version: VERSION(),
    };
    let folder = |relative: &str| Decision::Folder {
        relative: CString::new(relative).unwrap(),
    };
    let refuse = Decision::Refuse;
    let names = [
        ("a", Seen::File(VERSION())),
        ("d", Seen::Folder),
        ("index.html", Seen::File(VERSION())),
        ("d/index.html", Seen::File(VERSION())),
        ("e", Seen::Folder),
        ("e/index.html", Seen::Folder),
        ("f", Seen::Absent(Absence::Special)),
        ("g/index.html", Seen::Absent(Absence::Unreadable)),
    ];
    let table: &[(&str, Decision, &[&str])] = &[
        ("/", file("index.html"), &["index.html"]),
        ("/a", file("a"), &["a"]),
        ("/d", folder("d"), &["d"]),
        ("/d/", file("d/index.html"), &["d/index.html"]),
        ("/e/", refuse(Reason::NoIndex), &["e/index.html"]),
        ("/none/", refuse(Reason::NoIndex), &["none/index.html"]),
        ("/f", refuse(Reason::Absent(Absence::Special)), &["f"]),
        (
            "/g/",
            refuse(Reason::Absent(Absence::Unreadable)),
            &["g/index.html"],
        ),
        ("/none", refuse(Reason::Absent(Absence::Missing)), &["none"]),
        // Decided without a look.
        ("/%", refuse(Reason::Malformed), &[]),
        ("/../a", refuse(Reason::NoName), &[]),
        ("/.env", refuse(Reason::Hidden(Hidden::Dot)), &[]),
        (
            "/x.key",
            refuse(Reason::Hidden(Hidden::By("*.key".parse().unwrap()))),
            &[],
        ),
    ];
    for (path, decision, looks) in table {
        let (decided, looked) = decide(path, &names, false);
        assert_eq!(&decided, decision, "{path}");
        assert_eq!(&looked, looks, "{path}");
    }
}

#[test]
fn a_folder_without_an_index_is_listed_if_the_policy_says_so() {
    let names = [
        (".", Seen::Folder),
        ("d", Seen::Folder),
        ("d/index.html", Seen::File(VERSION())),
        ("e", Seen::Folder),
        ("e/index.html", Seen::Folder),
        ("g", Seen::Folder),
        ("g/index.html", Seen::Absent(Absence::Unreadable)),
        ("a", Seen::File(VERSION())),
    ];
    let listing = |relative: &str| Decision::Listing {
        relative: CString::new(relative).unwrap(),
    };
    let absent = |absence| Decision::Refuse(Reason::Absent(absence));
    let table: &[(&str, Decision, &[&str])] = &[
        ("/", listing("."), &["index.html", "."]),
        ("/e/", listing("e"), &["e/index.html", "e"]),
        (
            "/d/",
            Decision::File {
                relative: c"d/index.html".to_owned(),
                version: VERSION(),
            },
            &["d/index.html"],
        ),
        // What the index keeps to itself its folder does, too.
        ("/g/", absent(Absence::Unreadable), &["g/index.html"]),
        (
            "/none/",
            absent(Absence::Missing),
            &["none/index.html", "none"],
        ),
        (
            "/a/",
            Decision::Refuse(Reason::NoIndex),
            &["a/index.html", "a"],
        ),
        ("/.git/", Decision::Refuse(Reason::Hidden(Hidden::Dot)), &[]),
    ];
    for (path, decision, looks) in table {
        let (decided, looked) = decide(path, &names, true);
        assert_eq!(&decided, decision, "{path}");
        assert_eq!(&looked, looks, "{path}");
    }
}

#[test]
fn an_archive_is_of_a_folder_and_of_nothing_else() {
    for (query, expected) in [
        ("download=tar", true),
        ("a&download=tar&b=c", true),
        ("", false),
        ("download=tar.gz", false),
        ("xdownload=tar", false),
    ] {
        assert_eq!(asks_for_archive(query), expected, "{query}");
    }
    let policy = Policy::default();
    let saw = |path: &[u8], seen| match begin_archive(&policy, path, false) {
        Step::Look(course) => course.saw(&policy, seen),
        done => done,
    };
    let table: &[(&[u8], Seen, Decision)] = &[
        (
            b"/d/",
            Seen::Folder,
            Decision::Archive {
                relative: c"d".to_owned(),
            },
        ),
        (
            b"/",
            Seen::Folder,
            Decision::Archive {
                relative: c".".to_owned(),
            },
        ),
        (
            b"/d",
            Seen::Folder,
            Decision::Folder {
                relative: c"d".to_owned(),
            },
        ),
        (
            b"/a",
            Seen::File(VERSION()),
            Decision::File {
                relative: c"a".to_owned(),
                version: VERSION(),
            },
        ),
        (
            b"/a/",
            Seen::File(VERSION()),
            Decision::Refuse(Reason::NoIndex),
        ),
        (
            b"/d/",
            Seen::Absent(Absence::Outside),
            Decision::Refuse(Reason::Absent(Absence::Outside)),
        ),
        (
            b"/.d/",
            Seen::Folder,
            Decision::Refuse(Reason::Hidden(Hidden::Dot)),
        ),
    ];
    for (path, seen, expected) in table {
        let Step::Done(decided) = saw(path, *seen) else {
            panic!("more is looked at");
        };
        assert_eq!(&decided, expected, "{}", path.escape_ascii());
    }
}

#[test]
fn folders_have_the_first_index_that_is_there_and_pages_no_extension() {
    let policy = Policy {
        hide: ["*.key", "/hidden.html", "/secret.html"]
            .map(|glob| glob.parse().unwrap())
            .into(),
        index: [c"index.html", c"x.key", c"index.htm"]
            .map(CStr::to_owned)
            .into(),
        clean_urls: true,
        ..Policy::default()
    };
    let names = [
        ("d/index.htm", Seen::File(VERSION())),
        ("e/index.html", Seen::Folder),
        ("e/index.htm", Seen::Absent(Absence::Unreadable)),
        ("blog", Seen::Folder),
        ("blog.html", Seen::File(VERSION())),
        ("blog/index.html", Seen::File(VERSION())),
        ("docs", Seen::Folder),
        ("docs.html", Seen::Folder),
        ("hidden", Seen::Folder),
        ("kept", Seen::Folder),
        ("kept.html", Seen::Absent(Absence::Unreadable)),
        ("team.html", Seen::File(VERSION())),
        ("v1.2.html", Seen::File(VERSION())),
        ("folder.html", Seen::Folder),
        ("hidden.html", Seen::File(VERSION())),
        ("secret.html", Seen::File(VERSION())),
        ("sealed", Seen::Absent(Absence::Unreadable)),
    ];
    let file = |relative: &str| Decision::File {
        relative: CString::new(relative).unwrap(),
        version: VERSION(),
    };
    let folder = |relative: &str| Decision::Folder {
        relative: CString::new(relative).unwrap(),
    };
    let absent = |absence| Decision::Refuse(Reason::Absent(absence));
    let missing = || absent(Absence::Missing);
    let table: &[(&str, Decision, &[&str])] = &[
        ("/d/", file("d/index.htm"), &["d/index.html", "d/index.htm"]),
        (
            "/e/",
            absent(Absence::Unreadable),
            &["e/index.html", "e/index.htm"],
        ),
        (
            "/none/",
            Decision::Refuse(Reason::NoIndex),
            &["none/index.html", "none/index.htm"],
        ),
        // A page goes before a folder of its name.
        ("/blog", file("blog.html"), &["blog", "blog.html"]),
        ("/blog/", file("blog/index.html"), &["blog/index.html"]),
        ("/docs", folder("docs"), &["docs", "docs.html"]),
        ("/hidden", folder("hidden"), &["hidden"]),
        // What the page keeps to itself the folder of its name does, too.
        ("/kept", absent(Absence::Unreadable), &["kept", "kept.html"]),
        ("/team", file("team.html"), &["team", "team.html"]),
        ("/team.html", file("team.html"), &["team.html"]),
        ("/v1.2", file("v1.2.html"), &["v1.2", "v1.2.html"]),
        ("/folder", missing(), &["folder", "folder.html"]),
        ("/none", missing(), &["none", "none.html"]),
        ("/secret", missing(), &["secret"]),
        ("/sealed", absent(Absence::Unreadable), &["sealed"]),
    ];
    for (path, decision, looks) in table {
        let (decided, looked) = decide_by(&policy, path, true, &names);
        assert_eq!(&decided, decision, "{path}");
        assert_eq!(&looked, looks, "{path}");
    }
}

#[test]
fn a_name_is_looked_at_as_it_is_or_not_at_all() {
    let policy = Policy {
        hide: vec!["*.key".parse().unwrap()],
        index: vec![c"index.html".to_owned()],
        clean_urls: true,
        fallback: Some(c"app.html".to_owned()),
        ..Policy::default()
    };
    let dot = || Err(Reason::Hidden(Hidden::Dot));
    let table: &[(&[u8], Result<CString, Reason>)] = &[
        (b"a/b%41.txt", Ok(c"a/b%41.txt".to_owned())),
        (b".well-known/x", Ok(c".well-known/x".to_owned())),
        (b"a/../b", Err(Reason::NoName)),
        (b"/a", Err(Reason::NoName)),
        (b"", Err(Reason::NoName)),
        (b".env", dot()),
        (b"a/.git/config", dot()),
        (
            b"x.key",
            Err(Reason::Hidden(Hidden::By("*.key".parse().unwrap()))),
        ),
    ];
    for (name, expected) in table {
        assert_eq!(&named(&policy, name), expected, "{}", name.escape_ascii());
    }
}

#[test]
fn navigations_fall_back_and_nothing_else_does() {
    let policy = Policy {
        hide: vec!["/private".parse().unwrap()],
        fallback: Some(c"app.html".to_owned()),
        ..Policy::default()
    };
    let names = [
        ("app.html", Seen::File(VERSION())),
        ("a", Seen::File(VERSION())),
        ("d", Seen::Folder),
        ("sealed", Seen::Absent(Absence::Unreadable)),
        ("out", Seen::Absent(Absence::Outside)),
    ];
    for path in [
        "/none",
        "/none/deep/er",
        "/none/",
        "/a.b/c",
        // What is not there cannot be told from what may not be seen.
        "/sealed",
        "/out",
        "/private",
        "/private/x",
        "/.env",
        "/d/",
    ] {
        let fallback = Decision::Fallback {
            relative: c"app.html".to_owned(),
            version: VERSION(),
        };
        assert_eq!(decide_by(&policy, path, true, &names).0, fallback, "{path}");
        let decided = decide_by(&policy, path, false, &names).0;
        assert!(matches!(decided, Decision::Refuse(_)), "{path}");
        // The fallback itself may be gone.
        let (decided, looked) = decide_by(&policy, path, true, &names[1..]);
        assert!(matches!(decided, Decision::Refuse(_)), "{path}");
        assert_eq!(looked.last().map(String::as_str), Some("app.html"));
    }
    for path in ["/x.js", "/none/x.png", "/v1.2", "/..", "//", "/%"] {
        let decided = decide_by(&policy, path, true, &names).0;
        assert!(
            matches!(decided, Decision::Refuse(_)),
            "{path}: {decided:?}"
        );
    }
    let decided = decide_by(&policy, "/a", true, &names).0;
    assert!(matches!(decided, Decision::File { .. }));
    let decided = decide_by(&policy, "/d", true, &names).0;
    assert!(matches!(decided, Decision::Folder { .. }));
}

#[test]
fn an_index_may_be_hidden_and_its_folder_not() {
    let mut policy = Policy {
        hide: vec!["*.html".parse().unwrap(), "?".parse().unwrap()],
        ..Policy::default()
    };
    let begun = begin(&policy, b"/", false);
    assert!(matches!(
        begun,
        Step::Done(Decision::Refuse(Reason::NoIndex))
    ));
    policy.listing = true;
    let Step::Look(course) = begin(&policy, b"/", false) else {
        panic!("nothing is looked at");
    };
    assert_eq!(course.relative(), c".");
}

#[test]
fn every_reason_but_a_malformed_path_looks_the_same() {
    let absences = [
        Absence::Missing,
        Absence::Link,
        Absence::Outside,
        Absence::Unreadable,
        Absence::Special,
    ];
    let mut reasons: Vec<_> = absences.map(Reason::Absent).into();
    reasons.extend([
        Reason::NoName,
        Reason::NoIndex,
        Reason::Hidden(Hidden::Dot),
        Reason::Hidden(Hidden::By("a".parse().unwrap())),
    ]);
    for reason in &reasons {
        assert_eq!(reason.status(), StatusCode::NOT_FOUND, "{reason}");
    }
    assert_eq!(Reason::Malformed.status(), StatusCode::BAD_REQUEST);
    // They are told apart by words.
    reasons.sort_by_key(Reason::to_string);
    assert!(reasons.is_sorted_by(|a, b| a.to_string() < b.to_string()));
}
