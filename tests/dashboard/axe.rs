//! [axe-core](https://github.com/dequelabs/axe-core), which looks for what would keep people from using a page:
//! contrasts, names, roles, the order of headings. Its script comes with a package for Python.

use super::support::browser::Browser;
use super::support::outside::{python, run};
use super::{HOSTILE_ASKED, SIZES, THEMES, get, start};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::process::Command;

/// The package that has the script, of the version that `.ci/run` installs.
const PACKAGE: &str = "axe_playwright_python";
const REQUIREMENTS: &str = include_str!("requirements.txt");

/// Where it is, without what the package would need to be run itself.
fn script(python: &str) -> String {
    let find = format!(
        "from importlib.util import find_spec; \
         print(find_spec('{PACKAGE}').submodule_search_locations[0])"
    );
    let folder = run(Command::new(python).args(["-c", &find]));
    let script = Path::new(folder.trim()).join("axe.min.js");
    fs::read_to_string(script).expect("the package has the script")
}

/// What it finds: each rule that is broken, and where.
const FINDINGS: &str = "axe.run(document).then(told => told.violations.flatMap(rule =>
    rule.nodes.map(node => `${rule.id}: ${node.html}: ${node.failureSummary}`)))";

#[test]
fn it_finds_nothing_to_mend() {
    let Some(python) = python(&PACKAGE.replace('_', "-"), REQUIREMENTS) else {
        return;
    };
    let Some(mut browser) = Browser::start() else {
        return;
    };
    let script = script(&python);
    let running = start("127.0.0.1:0");
    let address = running.addresses()[0];
    for path in ["/plaintext", "/none/such", "/hold", HOSTILE_ASKED] {
        get(address, path);
    }
    // It adds a style of its own to measure with.
    browser.call("Page.setBypassCSP", json!({ "enabled": true }));
    for (name, width, height) in SIZES {
        for theme in THEMES {
            browser.look(width, height, &[("prefers-color-scheme", theme)]);
            browser.open(&format!("http://{address}/stats?window=total"));
            browser.wait("document.querySelectorAll('[data-rows=stalls] td').length > 1");
            browser.wait("document.querySelectorAll('.curve .wave').length > 0");
            browser.evaluate(&format!("{script}; typeof axe"));
            let findings = findings(&mut browser);
            assert_eq!(findings, json!([]), "{name} {theme}");
        }
    }
    // What was told last can be read when the server is gone.
    running.stop().expect("no shard failed");
    browser.wait("document.querySelector('[role=status]').textContent.startsWith('Stale')");
    for theme in THEMES {
        browser.look(1280, 800, &[("prefers-color-scheme", theme)]);
        assert_eq!(findings(&mut browser), json!([]), "stale {theme}");
    }
}

fn findings(browser: &mut Browser) -> Value {
    let asked = json!({ "expression": FINDINGS, "awaitPromise": true, "returnByValue": true });
    browser.call("Runtime.evaluate", asked)["result"]["value"].take()
}
