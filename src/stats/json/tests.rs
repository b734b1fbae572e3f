//! The JSON contract: the text for known figures, and every name with its type.

use std::time::{Duration, UNIX_EPOCH};

use serde_json::Value;

use super::super::{Recorder, Totals};
use super::*;

const REASONS: &[&str] = &["peer_closed", "head_timeout"];
const SECOND: u64 = 1_000_000_000;

fn server(cores: usize) -> ServerInfo {
    ServerInfo {
        name: "corelane",
        version: "0.1.0",
        pid: 42,
        started_at: UNIX_EPOCH + Duration::from_secs(1_795_428_240),
        started_ns: 5 * SECOND,
        cores,
    }
}

fn text(view: &View, cores: usize, now_ns: u64) -> String {
    String::from_utf8(json(view, &server(cores), now_ns)).expect("JSON is UTF-8")
}

/// Two cores: the first answered four requests in its first two seconds, the second is silent.
fn view() -> View {
    let mut recorder = Recorder::new(0, REASONS);
    for (status, latency_ns) in [(200, 100), (200, 120), (404, 140), (999, 200)] {
        recorder.request(status, latency_ns);
    }
    recorder.request_started();
    recorder.accepted();
    recorder.accepted();
    recorder.accepted();
    recorder.connection_idle();
    recorder.closed(1);
    recorder.received(300);
    recorder.sent(4_000);
    recorder.accept_queue(9);
    recorder.receive_buffers(ReceiveBuffers {
        held: 5,
        bytes: 4_096,
    });
    recorder.ran(1);
    recorder.waited(2);
    let mut totals = Totals::new(&[0, 3], REASONS, 5 * SECOND);
    let _ = totals.keep(recorder.snapshot(7 * SECOND));
    totals.merge(7 * SECOND + SECOND / 2)
}

#[test]
fn the_text_has_the_names_and_the_order_of_the_contract() {
    let expected = concat!(
        r#"{"server":{"name":"corelane","version":"0.1.0","pid":42,"#,
        r#""started_at":"2026-11-23T10:04:00Z","uptime_seconds":3.25,"cores":2},"#,
        r#""window":{"name":"total","seconds":2.5},"#,
        r#""requests":{"total":4,"per_second":2.0,"in_flight":1},"#,
        r#""latency":{"count":4,"min_ns":100,"mean_ns":140,"p50_ns":120,"p90_ns":200,"#,
        r#""p99_ns":200,"p99_9_ns":200,"p99_99_ns":200,"max_ns":200},"#,
        r#""status":{"1xx":0,"2xx":2,"3xx":0,"4xx":1,"5xx":1,"codes":{"200":2,"404":1}},"#,
        r#""connections":{"accepted_total":3,"active":2,"idle":1,"#,
        r#""closed":{"peer_closed":0,"head_timeout":1}},"#,
        r#""bytes":{"received_total":300,"sent_total":4000},"#,
        r#""cores":[{"core":0,"requests_total":4,"connections_active":2,"accept_queue":9,"#,
        r#""receive_buffers":{"held":5,"bytes":4096},"#,
        r#""busy_ratio":0.333,"snapshot_age_ms":1250,"count":4,"min_ns":100,"mean_ns":140,"#,
        r#""p50_ns":120,"p90_ns":200,"p99_ns":200,"p99_9_ns":200,"p99_99_ns":200,"max_ns":200},"#,
        r#"{"core":3,"requests_total":0,"connections_active":0,"snapshot_age_ms":3250,"#,
        r#""count":0,"min_ns":0,"mean_ns":0,"p50_ns":0,"p90_ns":0,"p99_ns":0,"p99_9_ns":0,"#,
        r#""p99_99_ns":0,"max_ns":0}]}"#,
    );
    assert_eq!(text(&view(), 2, 8 * SECOND + SECOND / 4), expected);
}

#[test]
fn every_field_has_its_type() {
    let parsed: Value = serde_json::from_str(&text(&view(), 2, 8 * SECOND)).expect("valid JSON");
    let text_fields = [
        "/server/name",
        "/server/version",
        "/server/started_at",
        "/window/name",
    ];
    for path in text_fields {
        assert!(
            parsed.pointer(path).is_some_and(Value::is_string),
            "{path} is text"
        );
    }
    let fractions = [
        "/server/uptime_seconds",
        "/window/seconds",
        "/requests/per_second",
        "/cores/0/busy_ratio",
    ];
    for path in fractions {
        assert!(
            parsed.pointer(path).is_some_and(Value::is_f64),
            "{path} is a number"
        );
    }
    let integers = [
        "/server/pid",
        "/server/cores",
        "/requests/total",
        "/requests/in_flight",
        "/status/1xx",
        "/status/2xx",
        "/status/3xx",
        "/status/4xx",
        "/status/5xx",
        "/status/codes/200",
        "/connections/accepted_total",
        "/connections/active",
        "/connections/idle",
        "/connections/closed/peer_closed",
        "/connections/closed/head_timeout",
        "/bytes/received_total",
        "/bytes/sent_total",
        "/cores/0/core",
        "/cores/0/requests_total",
        "/cores/0/connections_active",
        "/cores/0/accept_queue",
        "/cores/0/receive_buffers/held",
        "/cores/0/receive_buffers/bytes",
        "/cores/0/snapshot_age_ms",
    ];
    for path in integers {
        assert!(
            parsed.pointer(path).is_some_and(Value::is_u64),
            "{path} is an integer"
        );
    }
    for name in [
        "count",
        "min_ns",
        "mean_ns",
        "p50_ns",
        "p90_ns",
        "p99_ns",
        "p99_9_ns",
        "p99_99_ns",
        "max_ns",
    ] {
        for section in ["/latency", "/cores/0", "/cores/1"] {
            let path = format!("{section}/{name}");
            assert!(
                parsed.pointer(&path).is_some_and(Value::is_u64),
                "{path} is an integer"
            );
        }
    }
}

#[test]
fn integers_keep_all_their_digits() {
    let mut recorder = Recorder::new(0, REASONS);
    recorder.request(200, u64::MAX);
    recorder.received(u64::MAX);
    let mut totals = Totals::new(&[0], REASONS, 0);
    let _ = totals.keep(recorder.snapshot(0));
    let parsed: Value = serde_json::from_str(&text(&totals.merge(0), 1, 0)).expect("valid JSON");
    for path in [
        "/latency/min_ns",
        "/latency/mean_ns",
        "/latency/p50_ns",
        "/latency/max_ns",
        "/bytes/received_total",
    ] {
        let value = parsed.pointer(path).and_then(Value::as_u64);
        assert_eq!(value, Some(u64::MAX), "{path}");
    }
}

#[test]
fn a_clock_that_stands_before_the_start_shows_zero() {
    let parsed: Value = serde_json::from_str(&text(&view(), 2, 0)).expect("valid JSON");
    assert_eq!(parsed["server"]["uptime_seconds"], 0.0);
    assert_eq!(parsed["cores"][0]["snapshot_age_ms"], 0);
}
