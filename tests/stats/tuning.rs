//! What `tuning/` gives Prometheus and Grafana: they take it, its rules do what they should, and each metric
//! that it asks for is one that a server tells.

use super::asked::Asked;
use super::support::Client;
use super::support::outside::{has, run};
use super::support::process::Process;
use serde_json::Value;
use std::collections::BTreeSet;
use std::process::Command;

const TUNING: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tuning");
const RULES: &str = include_str!("../../tuning/corelane.rules.yml");
const RULES_TESTS: &str = include_str!("../../tuning/corelane.rules.test.yml");
const README: &str = include_str!("../../tuning/README.md");
const GRAFANA: &str = include_str!("../../tuning/grafana.json");

fn promtool(arguments: &[&str]) {
    let mut command = Command::new("promtool");
    run(command.args(arguments).current_dir(TUNING));
}

#[test]
fn prometheus_takes_the_configuration_and_its_rules_do_what_they_should() {
    if !has("promtool") {
        return;
    }
    promtool(&["check", "config", "prometheus.yml"]);
    promtool(&["check", "rules", "corelane.rules.yml"]);
    promtool(&["test", "rules", "corelane.rules.test.yml"]);
    for line in RULES.lines() {
        let name = line.trim_start().trim_start_matches("- ");
        let name = name
            .strip_prefix("alert: ")
            .or_else(|| name.strip_prefix("record: "));
        if let Some(name) = name {
            assert!(RULES_TESTS.contains(name), "no test of {name}");
        }
    }
}

/// The panels, those in rows included.
fn panels(dashboard: &Value) -> Vec<&Value> {
    let panels = dashboard["panels"].as_array().expect("a list").iter();
    panels
        .flat_map(|panel| {
            let inside = panel["panels"].as_array().into_iter().flatten();
            std::iter::once(panel).chain(inside)
        })
        .collect()
}

/// What the dashboard asks Prometheus, with Grafana's variables filled in.
fn queries(dashboard: &Value) -> Vec<String> {
    let targets = panels(dashboard)
        .into_iter()
        .flat_map(|panel| panel["targets"].as_array().into_iter().flatten());
    let annotations = dashboard["annotations"]["list"].as_array().expect("a list");
    targets
        .chain(annotations)
        .map(|asked| asked["expr"].as_str().expect("a query"))
        .map(|query| {
            query
                .replace("$__rate_interval", "5m")
                .replace("$__interval", "1m")
                .replace("$job", ".*")
                .replace("$instance", ".*")
        })
        .collect()
}

/// The names of metrics in `text`: words that begin as ours do, and recorded ones by their colons.
fn names(text: &str) -> BTreeSet<&str> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    let is_ours = |word: &&str| {
        let starts = ["corelane_", "http_server_", "process_"];
        word.contains(":corelane_") || starts.iter().any(|start| word.starts_with(start))
    };
    text.split(|c| !is_name(c)).filter(is_ours).collect()
}

/// The names of labels that queries in `text` ask for.
fn labels(text: &str) -> BTreeSet<&str> {
    let inside = |open: &str, close: char| -> Vec<&str> {
        let parts = text.split(open).skip(1);
        let lists = parts.filter_map(|rest| rest.split(close).next());
        lists.flat_map(|list| list.split(',')).collect()
    };
    let matched = inside("{", '}');
    let matched = matched
        .into_iter()
        .filter_map(|one| Some(one.split_once('=')?.0.trim_end_matches('!')));
    let grouped = [inside("by (", ')'), inside("on (", ')')].concat();
    let all = matched.chain(grouped).map(str::trim);
    all.filter(|label| !label.is_empty()).collect()
}

/// Labels that Prometheus adds, and in tests of rules its alerts have.
const PROMETHEUS_LABELS: [&str; 4] = ["job", "instance", "alertname", "alertstate"];

#[test]
fn each_metric_and_each_label_that_is_asked_for_is_told() {
    let asked = Asked::new();
    asked.routes();
    let target = "/metrics?fresh=1&per_core=1";
    let mut text = asked.get(target);
    // The demo serves no files.
    let mut files = Process::start(["serve", TUNING, "--listen", "127.0.0.1:0"]);
    let mut client = Client::connect(files.listening());
    client.get(target);
    text.push_str(client.response().text());
    let told: BTreeSet<_> = text
        .lines()
        .filter_map(|line| match line.strip_prefix("# TYPE ") {
            // A native histogram is called as its family.
            Some(family) => family.strip_suffix(" histogram"),
            None => line.split(['{', ' ']).next(),
        })
        .collect();
    let recorded: BTreeSet<_> = RULES
        .lines()
        .filter_map(|line| line.trim_start().strip_prefix("- record: "))
        .collect();
    let dashboard: Value = serde_json::from_str(GRAFANA).expect("JSON");
    let queries = queries(&dashboard).join("\n");
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let told_labels: BTreeSet<_> = text
        .split("=\"")
        .filter_map(|before| before.rsplit(|c| !is_name(c)).next())
        .chain(PROMETHEUS_LABELS)
        .collect();
    for (what, text) in [
        ("rules", RULES),
        ("tests of the rules", RULES_TESTS),
        ("dashboard", &queries),
    ] {
        let labels = labels(text);
        assert!(labels.len() > 4, "{what}: {labels:?}");
        let unknown: Vec<_> = labels.difference(&told_labels).collect();
        assert!(unknown.is_empty(), "{what}: {unknown:?}");
    }
    for (what, text, least) in [
        ("rules", RULES, 10),
        ("tests of the rules", RULES_TESTS, 10),
        ("dashboard", &queries, 10),
        ("what is written of them", README, 4),
    ] {
        let names = names(text);
        assert!(names.len() > least, "{what}: {names:?}");
        let unknown: Vec<_> = names
            .iter()
            .filter(|name| !told.contains(*name) && !recorded.contains(*name))
            .collect();
        assert!(unknown.is_empty(), "{what}: {unknown:?}");
    }
}

#[test]
fn the_dashboard_is_whole() {
    let dashboard: Value = serde_json::from_str(GRAFANA).expect("JSON");
    let panels = panels(&dashboard);
    let ids: BTreeSet<_> = panels.iter().map(|panel| panel["id"].as_u64()).collect();
    assert_eq!(
        ids.len(),
        panels.len(),
        "each panel has a number of its own"
    );
    let place = |panel: &Value, name: &str| panel["gridPos"][name].as_u64().expect("a place");
    let mut taken = BTreeSet::new();
    for panel in &panels {
        let title = panel["title"].as_str().expect("a title");
        assert!(
            panel["type"] == "row" || !panel["targets"].is_null(),
            "{title}"
        );
        let [x, y, w, h] = ["x", "y", "w", "h"].map(|name| place(panel, name));
        assert!(x + w <= 24, "{title}");
        for cell in (x..x + w).flat_map(|x| (y..y + h).map(move |y| (x, y))) {
            assert!(taken.insert(cell), "{title} lies on another panel");
        }
    }
    if !has("promtool") {
        return;
    }
    // Prometheus understands each query.
    let rules = queries(&dashboard).into_iter().enumerate();
    let rules = rules.map(|(number, query)| {
        let query = serde_json::to_string(&query).expect("text");
        format!("  - {{record: 'query:{number}', expr: {query}}}\n")
    });
    let text = format!(
        "groups:\n- name: queries\n  rules:\n{}",
        rules.collect::<String>()
    );
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("queries.yml");
    std::fs::write(&file, text).expect("a file");
    promtool(&["check", "rules", file.to_str().expect("text")]);
}
