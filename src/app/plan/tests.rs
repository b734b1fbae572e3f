//! Apps and what is wrong with them.

use http::Method;

use super::*;
use crate::app::Request;

async fn handler(_: Request) {}

/// The problems of `app`, without the columns, which are the formatter's choice.
fn problems(app: App) -> Vec<String> {
    let error = app.build().unwrap_err();
    error.problems().map(without_columns).collect()
}

fn without_columns(text: &str) -> String {
    let mut parts = text.split(file!());
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| {
        let mut places = part.splitn(3, ':');
        let (_, line) = (places.next(), places.next().unwrap());
        let column = places.next().unwrap();
        let after = column.trim_start_matches(|c: char| c.is_ascii_digit());
        text + file!() + ":" + line + after
    })
}

/// A place in this file as problems name it.
fn at(line: u32) -> String {
    format!("({}:{line})", file!())
}

#[test]
fn routes_that_exclude_each_other_are_both_named() {
    let line = line!();
    let app = App::new()
        .get("/a/{x}", handler)
        .get("/a/{y}", handler)
        .any("/b", handler)
        .any("/%62", handler)
        .mount("/a", handler)
        .mount("/a/", handler)
        .any("/a/{*z}", handler)
        .get("/a", handler);
    let at = |distance| at(line + distance);
    assert_eq!(
        problems(app),
        [
            format!(
                "GET /a/{{y}} {} takes the same requests as GET /a/{{x}} {}",
                at(3),
                at(2)
            ),
            format!(
                "any /%62 {} takes the same requests as any /b {}",
                at(5),
                at(4)
            ),
            format!(
                "any /a/{{*rest}} {} takes the same requests as any /a/{{*rest}} {}",
                at(7),
                at(6)
            ),
            format!(
                "any /a/{{*z}} {} takes the same requests as any /a/{{*rest}} {}",
                at(8),
                at(6)
            ),
        ]
    );
}

#[test]
fn every_problem_is_reported() {
    let line = line!();
    let app = App::new()
        .get("a", handler)
        .get("/{a}{b}", handler)
        .get("/{*a}/b", handler)
        .fallback(handler)
        .fallback(handler);
    let problems = problems(app);
    let starts = [
        format!("GET a {}: a route begins with `/`", at(line + 2)),
        format!(
            "any (fallback) {} takes the same requests as any (fallback) {}",
            at(line + 6),
            at(line + 5)
        ),
        format!("GET /{{a}}{{b}} {}: ", at(line + 3)),
        format!("GET /{{*a}}/b {}: ", at(line + 4)),
    ];
    assert_eq!(problems.len(), starts.len(), "{problems:?}");
    for (problem, start) in problems.iter().zip(&starts) {
        assert!(problem.starts_with(start), "{problem}");
    }
}

#[test]
fn nested_routes_that_exclude_each_other_are_named_with_where_they_were_nested() {
    let line = line!();
    let routes = || App::new().get("/{x:u64}", handler);
    let inner = || routes().fallback(handler);
    let app = App::new()
        .nest("/a", inner())
        .nest("/{p}", inner())
        .nest("/{q}", inner());
    let place = |nested: u32, distance: u32| {
        let at = |distance| format!("{}:{}", file!(), line + distance);
        format!("({}, nested at {})", at(distance), at(nested))
    };
    assert_eq!(
        problems(app),
        [
            format!(
                "GET /{{q}}/{{x:u64}} {} takes the same requests as GET /{{p}}/{{x:u64}} {}",
                place(6, 1),
                place(5, 1)
            ),
            format!(
                "any /{{q}}/(fallback) {} takes the same requests as any /{{p}}/(fallback) {}",
                place(6, 2),
                place(5, 2)
            ),
        ]
    );
}

#[test]
fn problems_of_nests_hosts_and_names() {
    let route = || App::new().get("/", handler);
    let line = line!();
    let app = App::new()
        .nest("a", route())
        .nest("/{*a}", route())
        .nest("/{a", route())
        .nest("/b", route().host("h", route()))
        .host("h", route().host("i", route()))
        .host("H", route())
        .host("h:80", route())
        .name("n")
        .get("/n", handler)
        .name("n")
        .name("m")
        .nest("/c", App::new().get("/", handler).name("m"))
        .get("/{a:u65}", handler);
    let at = |distance| at(line + distance);
    let starts = [
        format!("the nested app a {}: a route begins with `/`", at(2)),
        format!("the nested app /{{*a}} {}: a prefix", at(3)),
        format!("the nested app /{{a {}: a `{{` is never closed", at(4)),
        format!(
            "the host h {} is part of an app that is nested at {}:",
            at(5),
            file!()
        ),
        format!(
            "the host i {} is part of the app of the host h {}",
            at(6),
            at(6)
        ),
        format!("the name n {} follows nothing", at(9)),
        format!("the name m {} follows another", at(12)),
        format!("the name m {} is that of another route {}", at(13), at(12)),
        format!("GET /{{a:u65}} {}: there is no kind `u65`", at(14)),
        format!("the host H {} has an app already {}", at(7), at(6)),
        format!("the host h:80 {}: a host is a name without port", at(8)),
    ];
    let problems = problems(app);
    assert_eq!(problems.len(), starts.len(), "{problems:#?}");
    for (problem, start) in problems.iter().zip(&starts) {
        assert!(problem.starts_with(start), "{problem}\n{start}");
    }
}

#[test]
fn routes_that_live_together() {
    let app = App::new()
        .get("/", handler)
        .get("/{x}", handler)
        .post("/{y}", handler)
        .any("/{z}", handler)
        .head("/{x}", handler)
        .get("/{x}/", handler)
        .get("/a", handler)
        .get("/a%2Fb", handler)
        .get("/a/b", handler)
        .mount("/a/c", handler)
        .get("/a/c/d", handler)
        .any("/a/c", handler)
        .get("/{*rest}", handler)
        .mount("/", handler)
        .route(Method::from_bytes(b"PURGE").unwrap(), "/{x}", handler)
        .fallback(handler);
    let router = app.build().unwrap();
    let ids: Vec<_> = router.routes().map(|route| route.id.0).collect();
    assert_eq!(ids, (0..16).collect::<Vec<_>>());
}

#[test]
fn as_many_routes_as_there_are_numbers() {
    let with = |count: usize| {
        let app = (0..count - 1).fold(App::new(), |app, n| app.get(&format!("/{n}"), handler));
        app.fallback(handler).build()
    };
    let router = with(ROUTES).unwrap();
    assert_eq!(router.routes().last().unwrap().id.0 as usize, ROUTES - 1);
    assert!(with(ROUTES + 1).is_err());
}
