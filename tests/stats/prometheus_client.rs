//! The parsers of Prometheus's client for Python, which are stricter than Prometheus is.

use super::REQUIREMENTS;
use super::asked::Asked;
use super::support::number;
use super::support::outside::python;
use serde_json::Value;
use std::io::Write;
use std::process::{Command, Stdio};

const SCRIPT: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/stats/read_with_prometheus_client.py"
);

/// What `parser` makes of `text`: families with their samples, as JSON.
fn parsed(python: &str, parser: &str, text: &str) -> Value {
    let mut script = Command::new(python)
        .args([SCRIPT, parser])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the script starts");
    let mut stdin = script.stdin.take().expect("a pipe");
    stdin.write_all(text.as_bytes()).expect("it reads");
    drop(stdin);
    let output = script.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{parser} does not take: {text}");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

#[test]
fn its_parsers_take_the_texts() {
    let Some(python) = python("prometheus-client", REQUIREMENTS) else {
        return;
    };
    let asked = Asked::new();
    let routes = asked.routes();
    for (format, parser) in [("openmetrics", "openmetrics"), ("prometheus", "text")] {
        // The routes were told when all had been counted, so this one has them as well.
        let text = asked.get(&format!("/metrics?fresh=1&per_core=1&format={format}"));
        let families = parsed(&python, parser, &text);
        let families = families.as_array().expect("a list");
        let family = |name: &str| {
            let family = families.iter().find(|family| family["name"] == name);
            family.unwrap_or_else(|| panic!("no {name}: {text}"))
        };
        let samples = family("http_server_request_duration_seconds")["samples"]
            .as_array()
            .expect("a list");
        for route in &routes {
            let of_route = samples.iter().filter(|sample| {
                let labels = &sample["labels"];
                sample["name"] == "http_server_request_duration_seconds_count"
                    && labels["http_route"] == route["route"]
                    && labels["http_request_method"] == route["method"]
            });
            let counts = of_route.map(|sample| sample["value"].as_f64().expect("a number"));
            let count = number(route, "/count") as f64;
            assert_eq!(counts.sum::<f64>(), count, "{format} {route}");
        }
        let received = family("corelane_received_bytes");
        assert_eq!(received["type"], "counter", "{format}");
        let unit = if format == "openmetrics" { "bytes" } else { "" };
        assert_eq!(received["unit"], unit, "{format}");
    }
    // It is strict: a text that was cut off is refused.
    let text = asked.get("/metrics?format=openmetrics");
    let cut = text.strip_suffix("# EOF\n").expect("the mark at the end");
    let refused = std::panic::catch_unwind(|| parsed(&python, "openmetrics", cut));
    assert!(refused.is_err());
}
