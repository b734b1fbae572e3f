//! The page as it is written, and that it is all that it says it is.

use super::super::samples::{server, surroundings};
use super::super::{
    AcceptQueue, Answered, FileCache, MethodIndex, Outside, Ran, Recorder, RouteName, Surroundings,
    Times, Totals, Whose, Window,
};
use super::*;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::Method;
use sha2::{Digest, Sha256};

const SECOND: u64 = 1_000_000_000;
const HOSTILE: &str = "/<script>alert(\"1\")</script>&'";

/// Two cores, of which the first has all that can be told.
fn view() -> View {
    let mut totals = Totals::new(&[0, 3], &["peer_closed"], 0);
    totals.tell_time(0, server().started_at);
    totals.know_routes(0, vec![RouteName::new(None, HOSTILE)]);
    let mut recorder = Recorder::new(0, &["peer_closed"]);
    recorder.know_routes(&[RouteName::new(None, HOSTILE)]);
    for ns in [5_000, 10_000] {
        let answered = Answered {
            whose: Whose::route(0),
            method: MethodIndex::of(&Method::GET),
            status: 200,
            times: Times::default(),
        };
        recorder.request(&answered, ns);
    }
    recorder.held(Whose::route(0), MethodIndex::of(&Method::GET), SECOND);
    recorder.turned(SECOND, SECOND);
    recorder.file_cache(FileCache {
        hits: 3,
        misses: 1,
        entries: 1,
        bytes: 500,
    });
    recorder.ran_in_stall(Ran {
        cpu_ns: SECOND,
        run_delay_ns: Some(0),
    });
    recorder.ran(1);
    let _ = totals.keep(recorder.snapshot(SECOND));
    totals.surround(Surroundings {
        open_descriptors: Some(12),
        ..surroundings()
    });
    let outside = Outside {
        accept_queue: Some(AcceptQueue::of([(9, 128)])),
        run_delay_ns: None,
    };
    totals.see(0, outside);
    totals.end_second(SECOND);
    totals.merge(2 * SECOND)
}

fn written(view: &View, selection: &Selection) -> String {
    let server = server();
    let mut page = Page::new(view, selection, &server, 3 * SECOND);
    while page.next() {}
    page.finish()
}

/// What stands between two texts, each time.
fn between<'a>(text: &'a str, before: &str, after: &str) -> Vec<&'a str> {
    let parts = text.split(before).skip(1);
    parts
        .filter_map(|part| Some(part.split_once(after)?.0))
        .collect()
}

#[test]
fn the_figures_of_the_request_stand_in_it() {
    let page = written(&view(), &Selection::default());
    for text in [
        r#"<dd data-f="time latency.p50_ns">5.02 µs</dd>"#,
        r#"<dd data-f="count requests.total">2</dd>"#,
        r#"<dd data-f="share file_cache.hit_ratio">75.0 %</dd>"#,
        r#"<tr><th scope="row">60s</th><td>2</td>"#,
        r#"<tr><th scope="row">0</th><td>2</td>"#,
        // Of the other core nothing is known, and nothing took no time.
        r#"<tr><th scope="row">3</th><td>0</td><td>–</td><td>–</td><td>–</td><td>–</td><td>–</td><td>0</td><td>0</td><td>–</td>"#,
        r#"<td>9</td><td>128</td>"#,
        r#"<tr><th scope="row">200</th><td>2</td></tr>"#,
        r#"<tr><th scope="row">1970-01-01T00:16:41Z</th>"#,
    ] {
        let tables = page.split_once("<script>").expect("a script").0;
        assert!(tables.contains(text), "{text}\n{tables}");
    }
    // The template of each row is still there for the script, and once.
    assert_eq!(
        page.matches("<template>").count(),
        PAGE.matches("<template>").count()
    );
    let (_, end) = page.split_at(page.len() - 100);
    assert!(end.ends_with("</script>\n</body>\n</html>\n"), "{end}");
}

#[test]
fn names_of_routes_are_text() {
    let page = written(&view(), &Selection::default());
    assert!(!page.contains(HOSTILE) && !page.contains("alert(\""));
    let escaped = "/&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&amp;&#39;";
    // As a route, and in its stall.
    assert_eq!(page.matches(escaped).count(), 2);
}

#[test]
fn the_script_takes_text_for_text() {
    for markup in [
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
    ] {
        assert!(!SCRIPT.contains(markup), "{markup}");
    }
}

/// Those that figures are written by: `human::told` takes any other for text.
const KINDS: [&str; 9] = [
    "text", "count", "rate", "time", "ms", "span", "bytes", "share", "factor",
];

#[test]
fn every_figure_is_one_of_the_json() {
    let selection = Selection {
        charts: true,
        window: Window::Second,
        ..Selection::default()
    };
    let (view, server) = (view(), server());
    let mut json = Json::new(&view, selection, &server, 3 * SECOND);
    let mut values = Values::default();
    while json.next(&mut values) {}
    let document = values.finish();
    let mut told = 0;
    let mut check = |part: &str, scope: &Value| {
        for asked in between(part, "data-f=\"", "\"") {
            let (kind, path) = asked.split_once(' ').expect("a kind and a path");
            let value = at_path(scope, path);
            assert!(!value.is_null(), "{path} in {scope}");
            assert_eq!(
                kind == "text",
                value.is_string() || path == "server.pid",
                "{asked}"
            );
            assert!(KINDS.contains(&kind), "{asked}");
            told += 1;
        }
    };
    let mut rest = PAGE;
    while let Some((before, behind)) = rest.split_once("data-rows=\"") {
        check(before, &document);
        let (path, behind) = behind.split_once('"').expect("a path");
        let (row, behind) = behind.split_once("</template>").expect("a template");
        let rows = rows(&document, path);
        let first = rows.first();
        let first = first.unwrap_or_else(|| panic!("{path} in {document}"));
        check(row, &row_at(&document, path, *first));
        rest = behind;
    }
    check(rest, &document);
    assert_eq!(told, PAGE.matches("data-f=").count());
}

#[test]
fn its_style_and_its_script_are_those_that_the_policy_names() {
    for (directive, text) in [("style-src", STYLE), ("script-src", SCRIPT)] {
        let hash = BASE64_STANDARD.encode(Sha256::digest(text));
        let source = format!("{directive} 'sha256-{hash}'; ");
        assert!(POLICY.contains(&source), "{source}\n{POLICY}");
        // They end where they do, and not before.
        assert!(!text.contains("</"), "{directive}");
    }
    assert!(!PAGE.contains("style="), "the policy forbids it");
}

/// So many cores and routes, of which each has been asked for more often than the one before, and stalls.
fn crowded(cores: usize, routes: u16) -> View {
    let cores: Vec<usize> = (0..cores).collect();
    let mut totals = Totals::new(&cores, &["peer_closed"], 0);
    let name = |number| RouteName::new(None, &format!("/<{number}>/{}", "&".repeat(20)));
    let names: Vec<_> = (0..routes).map(name).collect();
    let mut recorder = Recorder::new(0, &["peer_closed"]);
    recorder.know_routes(&names);
    totals.know_routes(0, names);
    for number in 0..routes {
        let answered = Answered {
            whose: Whose::route(number),
            method: MethodIndex::of(&Method::DELETE),
            status: 200 + number % 400,
            times: Times::default(),
        };
        for _ in 0..=number {
            recorder.request(&answered, 12_345_678);
        }
        recorder.held(Whose::route(number), MethodIndex::of(&Method::GET), SECOND);
        recorder.turned(SECOND, SECOND);
    }
    recorder.ran(1);
    let _ = totals.keep(recorder.snapshot(SECOND));
    totals.surround(surroundings());
    totals.end_second(SECOND);
    totals.merge(2 * SECOND)
}

#[test]
fn it_never_grows_beyond_its_bound() {
    const LEFT_OUT: &str = " more, which the JSON has</td></tr>";
    for (cores, routes) in [(2, 60), (64, 8), (1_024, 8), (1_024, 60), (1, 1)] {
        let page = written(&crowded(cores, routes), &Selection::default());
        let told = format!("{cores} cores, {routes} routes: {} bytes", page.len());
        assert!(page.len() <= DASHBOARD_BYTES, "{told}");
        // What of a table is not there is told.
        for (path, count) in [("cores", cores), ("routes", routes.into())] {
            let table = between(&page, &format!("data-rows=\"{path}\""), "</tbody>");
            let (_, rows) = table[0].split_once("</template>").expect("a template");
            let left_out: usize = between(rows, ">and ", LEFT_OUT)
                .iter()
                .map(|count| count.parse::<usize>().expect("a number"))
                .sum();
            let told_of = rows.matches("<tr>").count() - rows.matches(LEFT_OUT).count();
            assert_eq!(told_of + left_out, count, "{path} of {told}");
            assert!(told_of >= count.min(8), "{path} of {told}");
        }
        // What was asked for most is there in any case.
        let most = format!("/&lt;{}&gt;/", routes - 1);
        assert!(page.contains(&most), "{told}");
        assert!(page.ends_with("</script>\n</body>\n</html>\n"), "{told}");
    }
    let page = written(&crowded(2, 16), &Selection::default());
    assert!(!page.contains(LEFT_OUT));
}

#[test]
fn it_is_whole() {
    let page = written(&view(), &Selection::default());
    // No address in it leads elsewhere; the one of SVG is a name.
    let outside = page.replace("http://www.w3.org/2000/svg", "");
    assert!(!outside.contains("http:") && !outside.contains("https:") && !outside.contains("url("));
}
