//! What the rules in `tuning/` make of what a server tells, in Prometheus itself: of the first failures there are, and
//! whichever way it stores histograms.

use super::asked::Asked;
use super::prometheus::Prometheus;
use super::support::outside::has;
use super::support::{Client, wait_until};
use std::collections::BTreeSet;

/// Sends requests that fail, all of them within one second or so.
fn fail(asked: &Asked, count: usize) {
    let mut client = Client::connect(asked.address);
    for _ in 0..count {
        // RFC 9110 §9.1: a method that nothing here has.
        client.send("BREW /none/such HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(client.response().status, 501);
    }
}

#[test]
fn the_first_failures_are_an_increase() {
    if !has("prometheus") {
        return;
    }
    let asked = Asked::new();
    let jobs = [("classic", "format: [openmetrics]"), ("native", "")];
    let features = ["--enable-feature=native-histograms"];
    let prometheus = Prometheus::start(&asked, &jobs, &features);
    let by_class = r#"corelane_responses_by_class_total{http_response_status_class="5xx"}"#;
    let by_code = r#"corelane_responses_total{http_response_status_code="501"}"#;
    let by_route = r#"corelane_responses_by_route_total{http_route="_unmatched",http_response_status_class="5xx"}"#;
    let told = [by_class, by_code, by_route];
    for series in told {
        wait_until("both have scraped", || {
            prometheus.query(series, None).len() == 2
        });
        assert!(
            prometheus
                .query(series, None)
                .iter()
                .all(|(_, value)| *value == 0.0)
        );
    }
    fail(&asked, 100);
    for series in told {
        let increases = || prometheus.query(&format!("increase({series}[1m])"), None);
        wait_until("both have seen them", || {
            increases().iter().filter(|(_, value)| *value > 0.0).count() == 2
        });
    }
    // More than 1 in 100 of some 2,100 requests, and so what the alert is for.
    let recorded = prometheus.recorded();
    let rule = recorded
        .iter()
        .find(|(name, _)| name == "job:corelane_errors:ratio_rate5m");
    let (_, query) = rule.expect("a rule");
    let jobs = prometheus.query(query, None);
    assert_eq!(jobs.len(), 2, "{jobs:?}");
    assert!(jobs.iter().all(|(_, ratio)| *ratio > 0.01), "{jobs:?}");
}

#[test]
fn rules_record_whichever_way_histograms_are_stored() {
    if !has("prometheus") {
        return;
    }
    let asked = Asked::new();
    let jobs = [("classic", "format: [prometheus]"), ("native", "")];
    let features = ["--enable-feature=native-histograms"];
    let prometheus = Prometheus::start(&asked, &jobs, &features);
    let count = |job: &str| {
        let name = "http_server_request_duration_seconds";
        let (native, classic) = (
            format!("histogram_count({name}{{job=\"{job}\"}})"),
            format!("{name}_count{{job=\"{job}\"}}"),
        );
        [native, classic].map(|query| prometheus.query(&query, None).len())
    };
    wait_until("both have scraped", || {
        let ([no_native, classic], [native, no_classic]) = (count("classic"), count("native"));
        assert_eq!((no_native, no_classic), (0, 0), "each is stored in one way");
        classic > 0 && native > 0
    });
    let recorded = prometheus.recorded();
    assert!(recorded.len() > 5, "{recorded:?}");
    for (name, query) in recorded {
        // Two scrapes with requests in between, which are never missing: each scrape is one.
        wait_until(&name, || {
            let told = prometheus.query(&query, None);
            let told = told.iter().filter(|(_, value)| value.is_finite());
            let jobs: BTreeSet<_> = told.map(|(labels, _)| labels["job"].to_string()).collect();
            jobs.len() == 2
        });
    }
}
