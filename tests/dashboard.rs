//! The dashboard in Chromium: what it shows while a server works, stalls, and is started anew.

#[path = "support/mod.rs"]
mod support;

use corelane::cores::CoreSelection;
use corelane::{App, Request, Running, Server, Shard};
use serde_json::{Value, json};
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use support::Client;
use support::browser::Browser;

/// A route whose name would be an element, and would run a script.
const HOSTILE: &str = "/<img src=x onerror=alert(1)>";
const HOSTILE_ASKED: &str = "/%3Cimg%20src=x%20onerror=alert(1)%3E";

const SIZES: [(&str, u32, u32); 2] = [("desktop", 1280, 800), ("phone", 360, 740)];
const THEMES: [&str; 2] = ["light", "dark"];
const OVERFLOWS: &str = "document.documentElement.scrollWidth > innerWidth";

fn app(_: &Shard) -> App {
    corelane::app::demo::demo()
        .get(HOSTILE, async |_: Request| "not so bad")
        .get("/hold", async |_: Request| {
            let since = Instant::now();
            while since.elapsed() < Duration::from_millis(150) {}
        })
}

fn start(address: &str) -> Running {
    let server = Server::bind(address).cores(CoreSelection::All);
    let server = server.shutdown_timeout(Duration::from_secs(10));
    server.start(app).expect("the server starts")
}

/// Asks for one thing after the other until `is_over`.
fn work(address: SocketAddr, is_over: &AtomicBool) {
    let paths = ["/plaintext", "/json", "/Ann", "/none/such", HOSTILE_ASKED];
    let mut client = Client::connect(address);
    for path in paths.iter().cycle() {
        client.get(path);
        client.response();
        if is_over.load(Ordering::Relaxed) {
            break;
        }
        // So as to leave the browser something of the machine.
        thread::park_timeout(Duration::from_millis(2));
    }
}

/// Runs `test` while `address` is asked by several.
fn under_load<T>(address: SocketAddr, test: impl FnOnce() -> T) -> T {
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| work(address, &is_over));
        }
        let told = std::panic::catch_unwind(std::panic::AssertUnwindSafe(test));
        is_over.store(true, Ordering::Relaxed);
        told.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// The figure at a path of the JSON, as the page has it.
fn figure(path: &str) -> String {
    format!("document.querySelector('[data-f$=\" {path}\"]').textContent.replaceAll(',', '')")
}

fn total(browser: &mut Browser) -> u64 {
    let told = browser.evaluate(&format!("Number({})", figure("requests.total")));
    told.as_f64().expect("a number") as u64
}

#[test]
fn it_shows_what_the_server_does_and_outlives_it() {
    let Some(mut browser) = Browser::start() else {
        return;
    };
    let browser = &mut browser;
    let running = start("127.0.0.1:0");
    let address = running.addresses()[0];
    let page = format!("http://{address}/stats?window=60s");
    browser.look(1280, 800, &[]);
    let before = under_load(address, || {
        browser.open(&page);
        moves(browser);
        holds(address, browser);
        names_are_text(browser);
        windows_change(browser);
        is_written_alike(address, browser);
        is_reachable_by_keyboard(browser);
        looks(browser);
        total(browser)
    });
    assert_eq!(browser.complaints(), Vec::<String>::new());

    running.stop().expect("no shard failed");
    // It is told by the end of the connection, and not by silence.
    browser.wait(
        "document.querySelector('[role=status]').textContent.startsWith('Stale: the connection is lost')",
    );
    let running = start(&address.to_string());
    browser.wait("document.querySelector('[role=status]').textContent === 'Live'");
    browser.wait("!document.querySelector('.anew').hidden");
    assert!(total(browser) < before, "it counts on from {before}");
    under_load(address, || moves(browser));
    // While nobody listened there was nothing to be had.
    for complaint in browser.complaints() {
        assert!(complaint.contains("net::ERR_"), "{complaint}");
    }
    for url in browser.requests() {
        let is_its_own = url.starts_with(&format!("http://{address}/stats?"));
        assert!(is_its_own || url.starts_with("data:"), "{url}");
    }
    browser.open("about:blank");
    running.stop().expect("no shard failed");
}

/// Figures and charts go on by themselves.
fn moves(browser: &mut Browser) {
    browser.wait("document.querySelector('[role=status]').textContent === 'Live'");
    let before = total(browser);
    browser.wait(&format!(
        "Number({}) > {}",
        figure("requests.total"),
        before + 10
    ));
    let edge = browser.evaluate("document.querySelector('.edge').getAttribute('d')");
    browser.wait(&format!(
        "document.querySelector('.edge').getAttribute('d') !== {edge}"
    ));
    browser.wait(
        "(heat => {
            const copy = new OffscreenCanvas(heat.width, heat.height);
            const pen = copy.getContext('2d', { willReadFrequently: true });
            pen.drawImage(heat, 0, 0);
            return pen.getImageData(0, 0, heat.width, heat.height).data.some(value => value > 0);
        })(document.querySelector('.heat canvas'))",
    );
    browser.wait("document.querySelectorAll('.curve .wave').length >= 3");
    browser.wait("document.querySelector('.summary').textContent.includes('requests a second')");
}

/// A stall is told with its route.
fn holds(address: SocketAddr, browser: &mut Browser) {
    let mut client = Client::connect(address);
    client.get("/hold");
    client.response();
    browser.wait(
        "[...document.querySelectorAll('[data-rows=stalls] tr')]
            .some(row => row.textContent.includes('GET') && row.textContent.includes('/hold'))",
    );
}

fn names_are_text(browser: &mut Browser) {
    let names = "[...document.querySelectorAll('[data-rows=routes] .name')]";
    browser.wait(&format!(
        "{names}.some(name => name.textContent === {})",
        json!(HOSTILE)
    ));
    assert_eq!(
        browser.evaluate("document.querySelector('img')"),
        Value::Null
    );
}

/// The row of `/hold`, which is asked for no more, as the server writes it and as the script does.
fn is_written_alike(address: SocketAddr, browser: &mut Browser) {
    let mut client = Client::connect(address);
    client.get("/stats?format=html");
    let response = client.response();
    let page = response.text();
    let (_, routes) = page.split_once("data-rows=\"routes\"").expect("routes");
    let rows: Vec<_> = routes.split("<tr>").collect();
    let row = rows.iter().find(|row| row.contains(">/hold<"));
    let (row, _) = row.and_then(|row| row.split_once("</tr>")).expect("a row");
    let cells = row
        .split('<')
        .filter_map(|part| Some(part.split_once('>')?.1));
    let cells: Vec<_> = cells.filter(|text| !text.is_empty()).collect();
    assert_eq!(cells.len(), 9, "{row}");
    browser.wait(&format!(
        "[...document.querySelectorAll('[data-rows=routes] tr')]
            .some(row => JSON.stringify([...row.cells].map(cell => cell.textContent)) === {})",
        json!(json!(cells).to_string())
    ));
}

fn windows_change(browser: &mut Browser) {
    let current = "document.querySelector('#windows tr[aria-current] th').textContent";
    for window in ["1s", "10s", "total"] {
        browser.evaluate(&format!(
            "document.querySelector('[data-window=\"{window}\"]').click()"
        ));
        browser.wait(&format!("{current} === '{window}'"));
        let marked = "document.querySelector('nav [aria-current]').dataset.window";
        assert_eq!(browser.evaluate(marked), window);
        assert!(
            browser
                .evaluate("location.search")
                .as_str()
                .is_some_and(|query| query.contains(window))
        );
    }
}

fn is_reachable_by_keyboard(browser: &mut Browser) {
    browser.evaluate("document.activeElement.blur(); 0");
    browser.press("Tab", 9);
    assert_eq!(browser.evaluate("document.activeElement.className"), "skip");
    let outline = "getComputedStyle(document.activeElement).outlineStyle";
    assert_eq!(browser.evaluate(outline), "solid");
    // Every second of the charts can be had as text.
    browser.evaluate("document.querySelector('.scrub input').focus(); 0");
    let told = browser.evaluate("document.querySelector('.scrub output').textContent");
    browser.press("ArrowLeft", 37);
    browser.wait(&format!(
        "document.querySelector('.scrub output').textContent !== {told}
            && document.activeElement.getAttribute('aria-valuetext')
                === document.querySelector('.scrub output').textContent"
    ));
    browser.press("End", 35);

    let tree = browser.call("Accessibility.getFullAXTree", json!({}));
    let nodes = tree["nodes"].as_array().expect("a list");
    let named = |role: &str| -> Vec<&str> {
        let of_role = nodes.iter().filter(|node| node["role"]["value"] == role);
        of_role
            .filter(|node| node["ignored"] != true)
            .map(|node| node["name"]["value"].as_str().unwrap_or_default())
            .collect()
    };
    for role in ["main", "banner", "contentinfo", "navigation"] {
        assert_eq!(named(role).len(), 1, "{role}");
    }
    for role in ["image", "table", "slider", "navigation", "region"] {
        let names = named(role);
        assert!(!names.is_empty(), "{role}");
        assert!(
            names.iter().all(|name| !name.is_empty()),
            "{role}: {names:?}"
        );
    }
    assert!(named("heading").len() >= 8);
}

/// Its looks: in both themes, on a phone and on a desk. What cannot be asserted is left to be looked at
/// in the folder for temporary files of tests.
fn looks(browser: &mut Browser) {
    let mut pictures = Vec::new();
    for (name, width, height) in SIZES {
        let mut backgrounds = Vec::new();
        for theme in THEMES {
            browser.look(width, height, &[("prefers-color-scheme", theme)]);
            // Drawn for this width and in these colours: on the frame behind the next.
            browser.wait(&format!(
                "innerWidth === {width} && matchMedia('(prefers-color-scheme: {theme})').matches
                    && Math.abs(document.querySelector('.rate svg').viewBox.baseVal.width
                        - document.querySelector('.rate').clientWidth) < 1"
            ));
            assert_eq!(browser.evaluate(OVERFLOWS), false, "{name} {theme}");
            backgrounds.push(
                browser.evaluate("getComputedStyle(document.documentElement).backgroundColor"),
            );
            let picture = browser.picture();
            let path = Path::new(env!("CARGO_TARGET_TMPDIR"));
            fs::write(path.join(format!("dashboard-{name}-{theme}.png")), &picture)
                .expect("the picture is kept");
            pictures.push(picture);
        }
        assert_ne!(backgrounds[0], backgrounds[1], "{name}");
    }
    // A picture of one colour is much smaller.
    assert!(pictures.iter().all(|picture| picture.len() > 50_000));
    let motion = [("prefers-reduced-motion", "reduce")];
    browser.look(1280, 800, &motion);
    let transition = "getComputedStyle(document.querySelector('.tiles')).transitionDuration";
    browser.wait(&format!("{transition} === '0s'"));
}

/// As if there were a hundred million times as many requests.
const MANY_MORE: &str = "
    const Real = EventSource;
    window.EventSource = class extends Real {
        set onmessage(take) {
            super.onmessage = event => {
                const stats = JSON.parse(event.data);
                for (const told of stats.charts.windows) told.count *= 1e8;
                take({ data: JSON.stringify(stats) });
            };
        }
    };";

/// The labels of charts that lie on others.
const OVERLAPS: &str = "[...document.querySelectorAll('.chart')].flatMap(chart => {
    const labels = [...chart.querySelectorAll('text')];
    return labels.filter((label, i) => labels.slice(i + 1).some(other => {
        const [a, b] = [label, other].map(text => text.getBoundingClientRect());
        return a.left < b.right && b.left < a.right && a.top + 2 < b.bottom - 2 && b.top + 2 < a.bottom - 2;
    })).map(label => label.textContent);
})";

#[test]
fn labels_of_charts_keep_clear_of_each_other() {
    let Some(mut browser) = Browser::start() else {
        return;
    };
    let running = start("127.0.0.1:0");
    let address = running.addresses()[0];
    Client::connect(address).assert_alive();
    let script = json!({ "source": MANY_MORE });
    browser.call("Page.addScriptToEvaluateOnNewDocument", script);
    for (name, width, height) in SIZES {
        browser.look(width, height, &[]);
        browser.open(&format!("http://{address}/stats?format=html&window=total"));
        let last = "[...document.querySelectorAll('.curve text')].at(-1)?.textContent";
        browser.wait(&format!("{last}.startsWith('99.999999')"));
        assert_eq!(browser.evaluate(OVERLAPS), json!([]), "{name}");
        let labels = browser.evaluate("document.querySelectorAll('.curve text').length");
        assert!(labels.as_u64() > Some(5), "{name}: {labels}");
    }
    assert_eq!(browser.complaints(), Vec::<String>::new());
    drop(browser);
    running.stop().expect("no shard failed");
}

#[test]
fn without_a_script_it_is_read() {
    let Some(mut browser) = Browser::start() else {
        return;
    };
    let running = start("127.0.0.1:0");
    let address = running.addresses()[0];
    Client::connect(address).assert_alive();
    let disabled = json!({ "value": true });
    browser.call("Emulation.setScriptExecutionDisabled", disabled);
    browser.look(360, 740, &[]);
    browser.open(&format!("http://{address}/stats?fresh=1"));
    assert_eq!(total(&mut browser), 1);
    let routes = "document.querySelector('[data-rows=routes]').innerText";
    let routes = browser.evaluate(routes);
    assert!(
        routes
            .as_str()
            .is_some_and(|text| text.contains("/plaintext")),
        "{routes}"
    );
    let drawn =
        "[...document.querySelectorAll('.drawn')].every(part => part.offsetParent === null)";
    assert_eq!(browser.evaluate(drawn), true);
    let note = "document.querySelector('noscript').innerText";
    assert!(
        browser
            .evaluate(note)
            .as_str()
            .is_some_and(|note| note.contains("as of this request"))
    );
    assert_eq!(browser.evaluate(OVERFLOWS), false);
    assert_eq!(browser.complaints(), Vec::<String>::new());
    drop(browser);
    running.stop().expect("no shard failed");
}
