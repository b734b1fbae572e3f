//! HdrHistogram for Python, which was ported from Java: it reads the same latencies out of `hdr` and
//! `hlog` as the JSON tells.

use super::REQUIREMENTS;
use super::asked::{Asked, PERCENTILES};
use super::support::outside::{python, run};
use super::support::{Client, number, wait_until};
use serde_json::{Value, json};
use std::process::Command;

const SCRIPT: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/stats/read_with_hdrhistogram.py"
);

/// What the three formats say of one view: asked for at once, until none came between.
fn one_view(asked: &Asked, window: &str) -> (Value, Value, String) {
    let mut told = None;
    wait_until("the formats are written from one view", || {
        let mut client = Client::connect(asked.address);
        for format in ["json", "hdr", "hlog"] {
            client.get(&format!("/stats?format={format}&window={window}"));
        }
        let [json, hdr, hlog] = [(); 3].map(|()| client.response().text().to_owned());
        let parse = |text: &str| serde_json::from_str::<Value>(text).expect("JSON");
        client.get(&format!("/stats?window={window}"));
        let again: Value = parse(client.response().text());
        let json = parse(&json);
        let is_one = again["requests"]["total"] == json["requests"]["total"];
        told = Some((json, parse(&hdr), hlog));
        is_one
    });
    told.expect("it was asked for")
}

/// What the script makes of `hdr` and `hlog` at `ranks`, from 1, of the whole and of each core.
fn read(python: &str, hdr: &Value, hlog: &str, ranks: &[Vec<u64>]) -> Value {
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("log.hlog");
    std::fs::write(&log, hlog).expect("a file");
    let percentiles = PERCENTILES.map(|(_, per_10_000)| per_10_000 as f64 / 100.0);
    let question = json!({
        "hdr": hdr, "hlog": log.to_str(), "ranks": ranks, "percentiles": percentiles,
    });
    let question_file = folder.path().join("question.json");
    std::fs::write(&question_file, question.to_string()).expect("a file");
    let answer = run(Command::new(python).arg(SCRIPT).arg(question_file));
    serde_json::from_str(&answer).expect("JSON")
}

#[test]
fn it_reads_the_same_percentiles() {
    let Some(python) = python("hdrhistogram", REQUIREMENTS) else {
        return;
    };
    let asked = Asked::new();
    asked.routes();
    for window in ["total", "60s"] {
        // The last second has ended when all are in the window, and two have when it has run for three.
        let mut told = one_view(&asked, window);
        wait_until("the window has all requests", || {
            told = one_view(&asked, window);
            let uptime_seconds = told.0["server"]["uptime_seconds"].as_f64();
            number(&told.0, "/latency/count") > 2_000 && uptime_seconds > Some(3.0)
        });
        let (json, hdr, hlog) = told;
        let cores = json["cores"].as_array().expect("a list");
        let told: Vec<_> = std::iter::once(&json["latency"]).chain(cores).collect();
        let ranks = told.iter().map(|figures| {
            let count = number(figures, "/count");
            let rank = |(_, per_10_000): (_, u64)| (count * per_10_000).div_ceil(10_000);
            PERCENTILES.map(rank).to_vec()
        });
        let read = read(&python, &hdr, &hlog, &ranks.collect::<Vec<_>>());
        for form in ["hdr", "hlog"] {
            let histograms = read[form].as_array().expect("a list");
            assert_eq!(histograms.len(), told.len(), "{form}: {read}");
            for (histogram, figures) in histograms.iter().zip(&told) {
                let count = number(figures, "/count");
                assert_eq!(number(histogram, "/count"), count, "{window} {form}");
                let name = match figures.get("core") {
                    Some(core) if form == "hlog" => json!(format!("core-{core}")),
                    Some(core) => core.clone(),
                    None => Value::Null,
                };
                assert_eq!(histogram["name"], name, "{window} {form}");
                if count == 0 {
                    continue;
                }
                let max_ns = number(figures, "/max_ns");
                for (place, (field, per_10_000)) in PERCENTILES.iter().enumerate() {
                    let value = number(histogram, &format!("/values/{place}"));
                    let exact = number(figures, field);
                    // The JSON does not go above what was the longest.
                    assert_eq!(
                        value.min(max_ns),
                        exact,
                        "{window} {form} {field}: {figures}"
                    );
                    // Asked for the percentile it rounds p n, of which the rank here is the ceiling: where it
                    // may round down, it says the latency before.
                    let plain = number(histogram, &format!("/plain/{place}"));
                    let is_rounded_down = matches!(count * per_10_000 % 10_000, 1..=5_000);
                    if is_rounded_down {
                        assert!(plain <= value, "{window} {form} {field}: {plain}");
                    } else {
                        assert_eq!(plain, value, "{window} {form} {field}");
                    }
                }
            }
        }
        intervals_are_in_order(&json, &read["intervals"], window);
    }
}

/// Those without a tag are seconds that are behind one another and have all requests of the window, but for what came
/// before the last minute and in the second that has not ended.
fn intervals_are_in_order(json: &Value, intervals: &Value, window: &str) {
    let intervals = intervals.as_array().expect("a list");
    let untagged: Vec<_> = intervals
        .iter()
        .filter(|interval| interval["name"].is_null())
        .collect();
    assert!((2..=62).contains(&untagged.len()), "{intervals:?}");
    let at = |interval: &Value, name: &str| interval[name].as_f64().expect("a time");
    for two in untagged.windows(2) {
        let gap_ms = at(two[1], "begin_ms") - at(two[0], "end_ms");
        assert!(gap_ms.abs() <= 2.0, "{two:?}");
    }
    let count = untagged.iter().map(|interval| number(interval, "/count"));
    assert_eq!(
        count.sum::<u64>(),
        number(json, "/latency/count"),
        "{window}"
    );
    // They are of the time in which the server has run, by the calendar.
    let started = json["server"]["started_at"].as_str().expect("a time");
    let begun = at(untagged[0], "begin_ms");
    let uptime_ms = json["server"]["uptime_seconds"].as_f64().expect("a time") * 1e3;
    let length_ms = at(untagged[untagged.len() - 1], "end_ms") - begun;
    assert!(begun > 1.7e12, "{started}: {begun}");
    assert!(
        (0.0..=uptime_ms + 2.0).contains(&length_ms),
        "{length_ms} of {uptime_ms}"
    );
}
