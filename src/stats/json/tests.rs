//! The JSON contract: the text for known figures, and every name with its type.

use std::time::{Duration, UNIX_EPOCH};

use serde_json::Value;

use super::super::samples::{self, surroundings};
use super::super::{
    AcceptQueue, Answered, MethodIndex, Outside, Ran, ReceiveBuffers, Recorder, RouteName, Times,
    Totals, Whose,
};
use super::*;
use http::Method;

const REASONS: &[&str] = &["peer_closed", "head_timeout"];
const SECOND: u64 = 1_000_000_000;

fn server(cores: usize) -> ServerInfo {
    ServerInfo {
        started_at: UNIX_EPOCH + Duration::from_secs(1_795_428_240),
        started_ns: 5 * SECOND,
        cores,
        ..samples::server()
    }
}

fn json(view: &View, selection: &Selection, server: &ServerInfo, now_ns: u64) -> Vec<u8> {
    let mut text = Text::behind(b"");
    let mut json = Json::new(view, selection.clone(), server, now_ns);
    while json.next(&mut text) {}
    text.finish()
}

fn text(view: &View, cores: usize, now_ns: u64) -> String {
    selected(view, &Selection::default(), cores, now_ns)
}

fn selected(view: &View, selection: &Selection, cores: usize, now_ns: u64) -> String {
    let text = json(view, selection, &server(cores), now_ns);
    String::from_utf8(text).expect("JSON is UTF-8")
}

/// A GET of the route `number` that arrived at 0.
fn get(number: u16, status: u16) -> Answered {
    Answered {
        whose: Whose::route(number),
        method: MethodIndex::of(&Method::GET),
        status,
        times: Times {
            arrived_ns: 0,
            begun_ns: 10,
            parsed_ns: 30,
            handled_ns: 60,
        },
    }
}

/// Two cores: the first answered four requests in its first two seconds, the second is silent.
fn view() -> View {
    let mut recorder = Recorder::new(0, REASONS);
    recorder.know_routes(&[RouteName::new(None, "/{name}")]);
    for (status, latency_ns) in [(200, 100), (200, 120), (404, 140), (999, 200)] {
        recorder.request(&get(0, status), latency_ns);
    }
    recorder.turned(50, 1);
    recorder.held(Whose::route(0), MethodIndex::of(&Method::GET), 300_000_000);
    recorder.turned(300_000_000, 6 * SECOND);
    recorder.ran_in_stall(Ran {
        cpu_ns: 290_000_000,
        run_delay_ns: Some(8_000_000),
    });
    recorder.request_started();
    recorder.accepted();
    recorder.accepted();
    recorder.accepted();
    recorder.connection_idle();
    recorder.closed(1);
    recorder.received(300);
    recorder.sent(4_000);
    recorder.receive_buffers(ReceiveBuffers {
        held: 5,
        bytes: 4_096,
    });
    recorder.ran(1);
    recorder.waited(2);
    recorder.log_left_out(2);
    let mut totals = Totals::new(&[0, 3], REASONS, 5 * SECOND);
    totals.tell_time(5 * SECOND, server(2).started_at);
    totals.know_routes(0, vec![RouteName::new(None, "/{name}")]);
    let _ = totals.keep(recorder.snapshot(7 * SECOND));
    totals.surround(surroundings());
    let outside = Outside {
        accept_queue: Some(AcceptQueue::of([(0, 64), (9, 64)])),
        run_delay_ns: Some(77),
    };
    totals.see(0, outside);
    totals.merge(7 * SECOND + SECOND / 2)
}

#[test]
fn the_text_has_the_names_and_the_order_of_the_contract() {
    let expected = concat!(
        r#"{"server":{"name":"corelane","version":"0.1.0","build":{"revision":"v0.1.0-3-gabcdef","#,
        r#""rustc":"1.95.0","target":"x86_64-unknown-linux-gnu","profile":"release"},"pid":42,"instance":"2f1a","#,
        r#""started_at":"2026-11-23T10:04:00Z","uptime_seconds":3.25,"cores":2},"#,
        r#""window":{"name":"total","seconds":2.5},"#,
        r#""requests":{"total":4,"per_second":2.0,"mean_per_second":1.6,"in_flight":1,"abandoned_total":0},"#,
        r#""latency":{"count":4,"min_ns":100,"mean_ns":140,"p50_ns":120,"p90_ns":200,"p99_ns":200,"p99_9_ns":200,"p99_99_ns":200,"max_ns":200,"overflow":0},"#,
        r#""stages":{"queue":{"count":4,"min_ns":10,"mean_ns":10,"p50_ns":10,"p90_ns":10,"p99_ns":10,"p99_9_ns":10,"p99_99_ns":10,"max_ns":10,"overflow":0},"#,
        r#""head":{"count":4,"min_ns":20,"mean_ns":20,"p50_ns":20,"p90_ns":20,"p99_ns":20,"p99_9_ns":20,"p99_99_ns":20,"max_ns":20,"overflow":0},"#,
        r#""handler":{"count":4,"min_ns":30,"mean_ns":30,"p50_ns":30,"p90_ns":30,"p99_ns":30,"p99_9_ns":30,"p99_99_ns":30,"max_ns":30,"overflow":0},"#,
        r#""write":{"count":4,"min_ns":40,"mean_ns":80,"p50_ns":60,"p90_ns":140,"p99_ns":140,"p99_9_ns":140,"p99_99_ns":140,"max_ns":140,"overflow":0}},"#,
        r#""status":{"1xx":0,"2xx":2,"3xx":0,"4xx":1,"5xx":1,"codes":{"200":2,"404":1}},"#,
        r#""routes":[{"route":"/{name}","method":"GET","status":{"1xx":0,"2xx":2,"3xx":0,"4xx":1,"5xx":1},"#,
        r#""count":4,"min_ns":100,"mean_ns":140,"p50_ns":120,"p90_ns":200,"p99_ns":200,"p99_9_ns":200,"p99_99_ns":200,"max_ns":200,"overflow":0}],"#,
        r#""connections":{"accepted_total":3,"active":2,"idle":1,"accept_pauses_total":0,"#,
        r#""closed":{"peer_closed":0,"head_timeout":1}},"#,
        r#""bytes":{"received_total":300,"sent_total":4000},"#,
        r#""imbalance":{"requests":2.0,"p99":2.0},"#,
        r#""process":{"cpu_seconds":1.5,"resident_bytes":8192,"descriptor_limit":1024},"#,
        r#""kernel":{"release":"6.1.0","listen_overflows_total":4,"listen_drops_total":5,"#,
        r#""segments_sent_total":600,"segments_retransmitted_total":7},"#,
        r#""ring":{"busy_poll":false,"receive_buffers_limit":4096},"#,
        r#""log":{"events_left_out_total":2,"lines_left_out_total":3},"#,
        r#""stalls":[{"core":0,"at":"2026-11-23T10:04:01Z","held_ns":300000000,"cpu_ns":290000000,"run_delay_ns":8000000,"route":"/{name}","method":"GET"}],"#,
        r#""cores":[{"core":0,"requests_total":4,"connections_active":2,"accept_queue":9,"accept_queue_limit":128,"accept_queue_ratio":0.141,"#,
        r#""receive_buffers":{"held":5,"bytes":4096},"busy_ratio":0.333,"run_delay_ns":77,"#,
        r#""loop_lag":{"count":2,"min_ns":50,"mean_ns":150000025,"p50_ns":50,"p90_ns":300000000,"p99_ns":300000000,"p99_9_ns":300000000,"p99_99_ns":300000000,"max_ns":300000000,"overflow":0},"#,
        r#""stalls_total":1,"snapshot_age_ms":1250,"#,
        r#""count":4,"min_ns":100,"mean_ns":140,"p50_ns":120,"p90_ns":200,"p99_ns":200,"p99_9_ns":200,"p99_99_ns":200,"max_ns":200,"overflow":0},"#,
        r#"{"core":3,"requests_total":0,"connections_active":0,"#,
        r#""loop_lag":{"count":0,"min_ns":0,"mean_ns":0,"p50_ns":0,"p90_ns":0,"p99_ns":0,"p99_9_ns":0,"p99_99_ns":0,"max_ns":0,"overflow":0},"#,
        r#""stalls_total":0,"snapshot_age_ms":3250,"#,
        r#""count":0,"min_ns":0,"mean_ns":0,"p50_ns":0,"p90_ns":0,"p99_ns":0,"p99_9_ns":0,"p99_99_ns":0,"max_ns":0,"overflow":0}]}"#,
    );
    assert_eq!(text(&view(), 2, 8 * SECOND + SECOND / 4), expected);
}

#[test]
fn every_field_has_its_type() {
    let parsed: Value = serde_json::from_str(&text(&view(), 2, 8 * SECOND)).expect("valid JSON");
    let text_fields = [
        "/server/name",
        "/server/version",
        "/server/build/revision",
        "/server/build/rustc",
        "/server/build/target",
        "/server/build/profile",
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
        "overflow",
    ] {
        for section in [
            "/latency",
            "/stages/head",
            "/routes/0",
            "/cores/0",
            "/cores/1",
        ] {
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
    recorder.request(&Answered::unmatched(Times::default()), u64::MAX);
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

#[test]
fn a_filter_selects_routes_and_tells_their_stages() {
    for (filter, count) in [("/{", 1), ("name", 1), ("/x", 0)] {
        let selection = Selection {
            filter: Some(filter.into()),
            ..Selection::default()
        };
        let text = selected(&view(), &selection, 2, 8 * SECOND);
        let parsed: Value = serde_json::from_str(&text).expect("valid JSON");
        assert_eq!(
            parsed["routes"].as_array().map(Vec::len),
            Some(count),
            "{filter}"
        );
        for route in parsed["routes"].as_array().into_iter().flatten() {
            assert_eq!(route["stages"]["handler"]["mean_ns"], 30);
        }
    }
}

#[test]
fn a_window_counts_what_happened_in_it() {
    let mut totals = Totals::new(&[0], REASONS, 0);
    let mut recorder = Recorder::new(0, REASONS);
    for second in 1..=3 {
        for _ in 0..second {
            recorder.request(&get(0, 200), 100);
        }
        let _ = totals.keep(recorder.snapshot(second * SECOND));
        totals.end_second(second * SECOND);
    }
    let view = totals.merge(3 * SECOND + 1);
    for (window, requests, seconds) in [
        (Window::Second, 3, 1.0),
        (Window::TenSeconds, 6, 3.0),
        (Window::Minute, 6, 3.0),
        (Window::Total, 6, 3.0),
    ] {
        let selection = Selection {
            window,
            ..Selection::default()
        };
        let text = json(&view, &selection, &server(1), 3 * SECOND);
        let parsed: Value = serde_json::from_slice(&text).expect("valid JSON");
        assert_eq!(parsed["window"]["name"], window.name());
        let told = parsed["window"]["seconds"].as_f64();
        if window != Window::Total {
            assert_eq!(told, Some(seconds), "{window:?}");
        }
        for path in [
            "/requests/total",
            "/latency/count",
            "/routes/0/count",
            "/cores/0/count",
            "/status/2xx",
        ] {
            assert_eq!(
                parsed.pointer(path),
                Some(&Value::from(requests)),
                "{window:?} {path}"
            );
        }
    }
}
