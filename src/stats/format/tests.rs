//! What each format says of the same figures. That others read them is tested over a server.

use super::super::families::FAMILIES;
use super::super::samples::{server, surroundings};
use super::super::{
    AcceptQueue, Answered, FileCache, MethodIndex, Outside, ReceiveBuffers, Recorder, RouteName,
    Times, Totals, Whose,
};
use super::*;
use crate::limits::{LATENCY_MAX_NS, STATS_ROWS};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::Deserializer;
use http::Method;

const SECOND: u64 = 1_000_000_000;

/// Two cores, of which the first answered in 5 µs, 10 µs, 1 ms and 20 s.
fn view() -> View {
    let mut totals = Totals::new(&[0, 3], &["peer_closed"], 0);
    totals.tell_time(0, server().started_at);
    totals.know_routes(0, vec![RouteName::new(None, "/\"a\\b\n")]);
    let mut recorder = Recorder::new(0, &["peer_closed"]);
    recorder.know_routes(&[RouteName::new(None, "/")]);
    for (status, ns) in [
        (200, 5_000),
        (200, 10_000),
        (404, 1_000_000),
        (200, 20 * SECOND),
    ] {
        let answered = Answered {
            whose: Whose::route(0),
            method: MethodIndex::of(&Method::GET),
            status,
            times: Times::default(),
        };
        recorder.request(&answered, ns);
    }
    recorder.file_cache(FileCache {
        hits: 3,
        misses: 1,
        entries: 1,
        bytes: 500,
    });
    recorder.receive_buffers(ReceiveBuffers {
        held: 2,
        bytes: 8_192,
    });
    let _ = totals.keep(recorder.snapshot(SECOND));
    totals.surround(surroundings());
    totals.end_second(SECOND);
    totals.merge(2 * SECOND)
}

fn written(format: Format, selection: &Selection) -> Vec<u8> {
    let (view, server) = (view(), server());
    let mut writing = Writing::new(format, &view, selection, &server, 3 * SECOND);
    while writing.write_next() {}
    writing.finish().concat()
}

fn text(format: Format, selection: &Selection) -> String {
    String::from_utf8(written(format, selection)).expect("UTF-8")
}

/// What is told of how the program was built.
const BUILT: &str = concat!(
    r#"corelane_build_info{version="0.1.0",revision="v0.1.0-3-gabcdef",rustc="1.95.0","#,
    r#"target="x86_64-unknown-linux-gnu",profile="release"}"#
);

#[test]
fn text_for_prometheus() {
    let text = text(Format::Prometheus, &Selection::default());
    let labels =
        r#"http_route="/\"a\\b\n",http_request_method="GET",http_response_status_class="2xx""#;
    for line in [
        "# TYPE corelane_build_info gauge".to_owned(),
        format!("{BUILT} 1"),
        "process_start_time_seconds 1000".to_owned(),
        "# TYPE http_server_request_duration_seconds histogram".to_owned(),
        format!("http_server_request_duration_seconds_bucket{{{labels},le=\"1e-05\"}} 1"),
        format!("http_server_request_duration_seconds_bucket{{{labels},le=\"2.5e-05\"}} 2"),
        format!("http_server_request_duration_seconds_bucket{{{labels},le=\"10.0\"}} 2"),
        format!("http_server_request_duration_seconds_bucket{{{labels},le=\"+Inf\"}} 3"),
        format!("http_server_request_duration_seconds_sum{{{labels}}} 20.000015"),
        format!("http_server_request_duration_seconds_count{{{labels}}} 3"),
        "# TYPE corelane_responses_total counter".to_owned(),
        "corelane_requests_abandoned_total 0".to_owned(),
        r#"corelane_responses_total{http_response_status_code="404"} 1"#.to_owned(),
        // What did not happen yet is told of all the same.
        r#"corelane_responses_total{http_response_status_code="503"} 0"#.to_owned(),
        r#"corelane_responses_by_class_total{http_response_status_class="2xx"} 3"#.to_owned(),
        r#"corelane_responses_by_class_total{http_response_status_class="5xx"} 0"#.to_owned(),
        format!("corelane_responses_by_route_total{{{labels}}} 3"),
        format!(
            "corelane_responses_by_route_total{{{}}} 0",
            labels.replace("2xx", "5xx")
        ),
        r#"corelane_responses_by_route_total{http_route="_unmatched",http_request_method="_OTHER",http_response_status_class="4xx"} 0"#.to_owned(),
        r#"corelane_core_requests_total{core="3"} 0"#.to_owned(),
        r#"corelane_core_snapshot_age_seconds{core="0"} 2"#.to_owned(),
        "# TYPE process_cpu_seconds_total counter".to_owned(),
        "process_cpu_seconds_total 1.5".to_owned(),
        "process_resident_memory_bytes 8192".to_owned(),
        "process_max_fds 1024".to_owned(),
        r#"corelane_kernel_info{release="6.1.0"} 1"#.to_owned(),
        "corelane_kernel_listen_overflows_total 4".to_owned(),
        "corelane_kernel_listen_drops_total 5".to_owned(),
        "corelane_kernel_tcp_segments_sent_total 600".to_owned(),
        "corelane_kernel_tcp_segments_retransmitted_total 7".to_owned(),
        "corelane_log_events_left_out_total 0".to_owned(),
        "corelane_log_lines_left_out_total 3".to_owned(),
        r#"corelane_core_file_cache_hits_total{core="0"} 3"#.to_owned(),
        r#"corelane_core_file_cache_misses_total{core="0"} 1"#.to_owned(),
        r#"corelane_core_file_cache_entries{core="0"} 1"#.to_owned(),
        r#"corelane_core_file_cache_bytes{core="0"} 500"#.to_owned(),
        r#"corelane_core_receive_buffers_held{core="0"} 2"#.to_owned(),
        r#"corelane_core_receive_buffers_bytes{core="0"} 8192"#.to_owned(),
    ] {
        assert!(text.lines().any(|told| told == line), "{line}\n{text}");
    }
    assert!(!text.contains("# EOF") && !text.contains("# UNIT") && !text.contains("_created"));
    assert!(!text.contains("corelane_core_request_duration_seconds"));
    // What is not known is left out.
    assert!(!text.contains("\nprocess_open_fds ") && !text.contains("hits_total{core=\"3\"}"));
}

#[test]
fn open_metrics_differ_in_names_units_and_the_end() {
    let text = text(Format::OpenMetrics, &Selection::default());
    for line in [
        "# TYPE corelane_build info",
        &format!("{BUILT} 1"),
        "# UNIT http_server_request_duration_seconds seconds",
        "# TYPE corelane_responses counter",
        r#"corelane_responses_total{http_response_status_code="404"} 1"#,
        "# TYPE corelane_sent_bytes counter",
        "# UNIT corelane_sent_bytes bytes",
        "corelane_sent_bytes_total 0",
    ] {
        assert!(text.lines().any(|told| told == line), "{line}\n{text}");
    }
    assert!(text.ends_with("\n# EOF\n"));
    // The first snapshot of the core had them all, and there were none when the server started.
    let created = text.lines().filter(|line| line.contains("_created"));
    let created: Vec<_> = created.collect();
    assert_eq!(created.len(), 2 * 5, "{text}");
    let has_time = |line: &&str| line.starts_with("http_server_") && line.ends_with("} 1000");
    assert_eq!(
        created.iter().filter(|line| has_time(line)).count(),
        2,
        "{created:?}"
    );
}

#[test]
fn a_series_is_told_since_the_snapshot_before_its_first() {
    let mut totals = Totals::new(&[0], &["peer_closed"], 0);
    totals.tell_time(0, server().started_at);
    let mut recorder = Recorder::new(0, &["peer_closed"]);
    for (second, status) in [(1, 404), (2, 404), (3, 500)] {
        let answered = Answered {
            status,
            ..Answered::unmatched(Times::default())
        };
        recorder.request(&answered, 1);
        let _ = totals.keep(recorder.snapshot(second * SECOND));
    }
    let (view, server) = (totals.merge(3 * SECOND), server());
    let selection = Selection::default();
    let mut writing = Writing::new(Format::OpenMetrics, &view, &selection, &server, 3 * SECOND);
    while writing.write_next() {}
    let text = String::from_utf8(writing.finish().concat()).expect("UTF-8");
    for (class, time) in [("4xx", 1_000), ("5xx", 1_002)] {
        let line = format!(
            "http_server_request_duration_seconds_created{{http_route=\"_unmatched\",\
             http_request_method=\"_OTHER\",http_response_status_class=\"{class}\"}} {time}"
        );
        assert!(text.lines().any(|told| told == line), "{line}\n{text}");
    }
}

/// As many reasons as a connection has to end, and some more.
const REASONS: &[&str] = &["peer_closed"; 40];

/// The most cores that the scrape configuration is made for.
const CORES: usize = 128;

#[test]
fn the_scrape_configuration_has_room_for_all_that_may_be_told() {
    let cores: Vec<_> = (0..CORES).collect();
    let mut totals = Totals::new(&cores, REASONS, 0);
    let name = |route| RouteName::new(None, &format!("/{route}")).of(&Method::GET);
    // One more than have rows.
    let routes: Vec<_> = (0..=STATS_ROWS).map(name).collect();
    for core in cores {
        let mut recorder = Recorder::new(core, REASONS);
        recorder.know_routes(&routes);
        totals.know_routes(core, routes.clone());
        let of_routes = (0..=STATS_ROWS as u16).map(Whose::route);
        let others = [Whose::STATS, Whose::HEALTH, Whose::UNMATCHED];
        for whose in of_routes.chain(others) {
            for method in MethodIndex::all() {
                let is_route = ![Whose::STATS, Whose::HEALTH, Whose::UNMATCHED].contains(&whose);
                if is_route && method != MethodIndex::of(&Method::GET) {
                    continue;
                }
                for status in 100..600 {
                    // All codes of one, and all classes of all.
                    if status % 100 > 0 && whose != Whose::UNMATCHED {
                        continue;
                    }
                    let answered = Answered {
                        whose,
                        method,
                        status,
                        times: Times::default(),
                    };
                    recorder.request(&answered, 1);
                }
            }
        }
        recorder.turned(1, 1);
        let outside = Outside {
            accept_queue: Some(AcceptQueue::of([(0, 1)])),
            run_delay_ns: Some(0),
        };
        totals.see(core, outside);
        recorder.receive_buffers(ReceiveBuffers { held: 0, bytes: 1 });
        recorder.file_cache(FileCache {
            hits: 0,
            misses: 0,
            entries: 0,
            bytes: 0,
        });
        let _ = totals.keep(recorder.snapshot(SECOND));
    }
    totals.surround(surroundings());
    let (view, server) = (totals.merge(SECOND), server());
    // The server's own by GET, HEAD and others, what no route is for, and the rest.
    assert_eq!(view.series_count(), 5 * (STATS_ROWS + 2 * 3 + 2));
    let selection = Selection {
        per_core: true,
        ..Selection::default()
    };
    let mut writing = Writing::new(Format::OpenMetrics, &view, &selection, &server, SECOND);
    while writing.write_next() {}
    let text = String::from_utf8(writing.finish().concat()).expect("UTF-8");
    let samples = text.lines().filter(|line| !line.starts_with('#')).count();
    let configuration = include_str!("../../../tuning/prometheus.yml");
    let limit = configuration.lines().find_map(|line| {
        let limit = line.trim().strip_prefix("sample_limit: ")?;
        limit.parse::<usize>().ok()
    });
    let limit = limit.expect("a limit");
    assert!(samples <= limit, "{samples} samples, and room for {limit}");
    // It is no room for anything.
    assert!(
        limit < 2 * samples,
        "{samples} samples, and room for {limit}"
    );
}

#[test]
fn selections_narrow_and_widen() {
    let selection = Selection {
        filter: Some("/b".into()),
        per_core: true,
        ..Selection::default()
    };
    let text = text(Format::Prometheus, &selection);
    assert!(!text.contains("http_server_request_duration_seconds_count"));
    let line = r#"corelane_core_request_duration_seconds_count{core="0"} 4"#;
    assert!(text.lines().any(|told| told == line), "{text}");
}

#[test]
fn hdr_is_without_loss() {
    for window in Window::ALL {
        let selection = Selection {
            window,
            ..Selection::default()
        };
        let parsed: serde_json::Value =
            serde_json::from_slice(&written(Format::Hdr, &selection)).expect("JSON");
        assert_eq!(parsed["unit"], "ns");
        assert_eq!(parsed["window"], window.name());
        let decoded = |text: &serde_json::Value| -> Histogram<u64> {
            let text = text.as_str().expect("text");
            assert!(text.starts_with("HISTFAAA"), "{text}");
            let bytes = BASE64_STANDARD.decode(text).expect("base64");
            Deserializer::new()
                .deserialize(&mut &bytes[..])
                .expect("HdrHistogram V2")
        };
        let expected = view().latency(window).to_hdr();
        assert_eq!(decoded(&parsed["latency"]), expected);
        assert_eq!(parsed["cores"][0]["core"], 0);
        assert_eq!(decoded(&parsed["cores"][0]["latency"]), expected);
        assert_eq!(parsed["cores"][1]["core"], 3);
        assert_eq!(decoded(&parsed["cores"][1]["latency"]).len(), 0);
    }
}

#[test]
fn the_interval_log_has_one_head_and_an_interval_for_each() {
    let head = "#[Histogram log format version 1.3]\n\
        #[StartTime: 1000.000 (seconds since epoch), 1970-01-01T00:16:40Z]\n\
        #[BaseTime: 1000.000 (seconds since epoch)]\n\
        #[MaxValueDivisor: 1000000.000]\n\
        \"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\"Interval_Compressed_Histogram\"\n";
    let total = ["", "", "Tag=core-0,", "Tag=core-3,"];
    for (window, expected) in [
        // What came before the seconds that are kept is an interval as well: here nothing.
        (Window::Total, &total[..]),
        (Window::Second, &total[1..]),
        (Window::Minute, &total[1..]),
    ] {
        let log = text(
            Format::Hlog,
            &Selection {
                window,
                ..Selection::default()
            },
        );
        let lines = log.strip_prefix(head).expect(&log).lines();
        let (all, second) = match window {
            Window::Total => ("0.000,2.000,", "0.000,1.000,"),
            _ => ("0.000,1.000,", "0.000,1.000,"),
        };
        let mut begins: Vec<_> = expected.iter().map(|tag| format!("{tag}{all}")).collect();
        match window {
            Window::Total => {
                begins[0] = "0.000,0.000,0.000,HISTFAAA".into();
                begins[1] = format!("{second}20132.659,HISTFAAA");
            }
            _ => begins[0] = format!("{second}20132.659,HISTFAAA"),
        }
        assert_eq!(lines.clone().count(), begins.len(), "{log}");
        for (line, begin) in lines.zip(&begins) {
            assert!(line.starts_with(begin), "{begin}: {line}");
        }
    }
}

/// Intervals without a tag that are told of `window`: where each begins, in seconds, its length, and what it has.
fn intervals(view: &View, window: Window) -> Vec<(f64, f64, Histogram<u64>)> {
    let selection = Selection {
        window,
        ..Selection::default()
    };
    let server = server();
    let mut writing = Writing::new(Format::Hlog, view, &selection, &server, view.merged_at_ns);
    while writing.write_next() {}
    let log = String::from_utf8(writing.finish().concat()).expect("UTF-8");
    let lines = log.lines().filter(|line| line.contains(",HISTF"));
    let untagged = lines.filter(|line| !line.starts_with("Tag="));
    let read = untagged.map(|line| {
        let fields: Vec<_> = line.split(',').collect();
        let number = |place: usize| fields[place].parse::<f64>().expect("a number");
        let bytes = BASE64_STANDARD.decode(fields[3]).expect("base64");
        let histogram: Histogram<u64> = Deserializer::new()
            .deserialize(&mut &bytes[..])
            .expect("a histogram");
        let longest = histogram.max() as f64 / 1e6;
        assert!((longest - number(2)).abs() <= 0.0005, "{longest}: {line}");
        (number(0), number(1), histogram)
    });
    read.collect()
}

/// A request for `/` that was answered.
fn answered() -> Answered {
    Answered {
        whose: Whose::route(0),
        method: MethodIndex::of(&Method::GET),
        status: 200,
        times: Times::default(),
    }
}

#[test]
fn intervals_add_up_to_the_window() {
    let mut totals = Totals::new(&[0], &["peer_closed"], 0);
    let mut recorder = Recorder::new(0, &["peer_closed"]);
    recorder.know_routes(&[RouteName::new(None, "/")]);
    let seconds = 70;
    let mut at_ns = 0;
    for second in 1..=seconds {
        for number in 0..=second % 3 {
            recorder.request(&answered(), 1_000 * (second + number));
        }
        at_ns += SECOND;
        let _ = totals.keep(recorder.snapshot(at_ns));
        totals.end_second(at_ns);
    }
    let view = totals.merge(at_ns);
    for (window, untagged) in [
        (Window::Total, 61),
        (Window::Second, 1),
        (Window::TenSeconds, 10),
        (Window::Minute, 60),
    ] {
        let mut sum = Histogram::<u64>::new_with_bounds(1, LATENCY_MAX_NS, 2).expect("a scale");
        let mut end = 0.0;
        let intervals = intervals(&view, window);
        assert_eq!(intervals.len(), untagged, "{window:?}");
        for (begin, length, histogram) in intervals {
            assert_eq!(begin, end, "each begins where the one before has ended");
            end = begin + length;
            sum.add(histogram).expect("one scale");
        }
        assert_eq!(end, view.window(window).span_ns as f64 / 1e9);
        assert_eq!(sum, view.latency(window).to_hdr(), "{window:?}");
    }
}

#[test]
fn what_came_in_the_open_second_is_the_last_interval() {
    let mut totals = Totals::new(&[0], &["peer_closed"], 0);
    let mut recorder = Recorder::new(0, &["peer_closed"]);
    recorder.know_routes(&[RouteName::new(None, "/")]);
    let told = |view: &View, window| {
        let intervals = intervals(view, window).into_iter();
        let told = intervals.map(|(begin, length, latencies)| (begin, length, latencies.len()));
        told.collect::<Vec<_>>()
    };
    let mut answer = |totals: &mut Totals, requests, at_ns| {
        for _ in 0..requests {
            recorder.request(&answered(), 1_000);
        }
        let _ = totals.keep(recorder.snapshot(at_ns));
        totals.merge(at_ns)
    };
    let view = answer(&mut totals, 3, SECOND / 2);
    let none = (0.0, 0.0, 0);
    assert_eq!(told(&view, Window::Total), [none, (0.0, 0.5, 3)]);
    totals.end_second(SECOND);
    let view = answer(&mut totals, 5, SECOND + SECOND / 4);
    let ended = (0.0, 1.0, 3);
    assert_eq!(told(&view, Window::Total), [none, ended, (1.0, 0.25, 5)]);
    assert_eq!(told(&view, Window::Minute), [ended]);
}

/// A view with as many routes and classes of status as are told apart.
fn large() -> View {
    let mut totals = Totals::new(&[0], &["peer_closed"], 0);
    let name = |route| RouteName::new(None, &format!("/{route}")).of(&Method::GET);
    let routes: Vec<_> = (0..STATS_ROWS).map(name).collect();
    let mut recorder = Recorder::new(0, &["peer_closed"]);
    recorder.know_routes(&routes);
    totals.know_routes(0, routes);
    for number in 0..STATS_ROWS as u16 {
        for class in 1..=5 {
            let answered = Answered {
                whose: Whose::route(number),
                method: MethodIndex::of(&Method::GET),
                status: 100 * class,
                times: Times::default(),
            };
            recorder.request(&answered, 1_000);
        }
    }
    let _ = totals.keep(recorder.snapshot(SECOND));
    totals.end_second(SECOND);
    totals.merge(SECOND)
}

#[test]
fn what_is_long_comes_in_pieces() {
    let (view, server) = (large(), server());
    let selection = Selection {
        filter: Some("/".into()),
        charts: true,
        ..Selection::default()
    };
    for format in Format::ALL {
        let mut writing = Writing::new(format, &view, &selection, &server, SECOND);
        while writing.write_next() {}
        let pieces = writing.finish();
        // What is written at once is shorter than a piece.
        assert!(pieces.iter().all(|piece| piece.len() < 2 * PIECE_BYTES));
        let whole = pieces.concat();
        let text = || std::str::from_utf8(&whole).expect("UTF-8");
        let counts = || text().matches("duration_seconds_count{").count();
        let series = 5 * STATS_ROWS;
        match format {
            Format::Json => {
                let told: serde_json::Value = serde_json::from_slice(&whole).expect("JSON");
                let routes = told["routes"].as_array().expect("a list");
                assert_eq!(routes.len(), STATS_ROWS);
                assert!(routes.iter().all(|route| route["status"]["5xx"] == 1));
            }
            Format::Sse => {
                let data = text().strip_prefix("data: ").expect("data");
                let data = data.strip_suffix("\n\n").expect("an end");
                serde_json::from_str::<serde_json::Value>(data).expect("JSON");
            }
            Format::Prometheus => assert_eq!(counts(), 5 * series),
            Format::OpenMetrics => {
                assert_eq!(counts(), 5 * series);
                assert!(pieces.len() > 10 && text().ends_with("# EOF\n"));
            }
            Format::Protobuf => {
                assert!(pieces.len() > 10);
                assert_eq!(messages(&whole), FAMILIES.len() - 1);
            }
            Format::Hdr | Format::Hlog => {}
            Format::Html => assert!(text().ends_with("</html>\n")),
        }
    }
}

#[test]
fn a_step_writes_no_more_text_than_there_is_room_for() {
    let (view, server, selection) = (large(), server(), Selection::default());
    for format in [Format::Prometheus, Format::OpenMetrics] {
        let mut writing = Writing::new(format, &view, &selection, &server, SECOND);
        let mut before = 0;
        while writing.write_next() {
            let Step::Text(_, text) = &mut writing.step else {
                panic!("it is a text");
            };
            let pieces: usize = writing.pieces.iter().map(Bytes::len).sum();
            let length = pieces + text.written().len();
            assert!(length <= before + TEXT_STEP_BYTES, "{before} to {length}");
            before = length;
        }
        assert!(before > 10 * PIECE_BYTES);
    }
}

/// How many messages there are, each behind its length.
fn messages(mut bytes: &[u8]) -> usize {
    let mut count = 0;
    while !bytes.is_empty() {
        let mut length = 0;
        for shift in (0..).step_by(7) {
            let (first, rest) = bytes.split_first().expect("a length");
            bytes = rest;
            length |= usize::from(first & 0x7f) << shift;
            if first & 0x80 == 0 {
                break;
            }
        }
        bytes = &bytes[length..];
        count += 1;
    }
    count
}
