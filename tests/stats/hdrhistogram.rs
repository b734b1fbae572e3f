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
    let question = json!({"hdr": hdr, "hlog": log.to_str(), "ranks": ranks});
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
        // The last second has ended when all are in the window.
        let mut told = one_view(&asked, window);
        wait_until("the window has all requests", || {
            told = one_view(&asked, window);
            number(&told.0, "/latency/count") > 2_000
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
                for (place, (field, _)) in PERCENTILES.iter().enumerate() {
                    let value = number(histogram, &format!("/values/{place}"));
                    let exact = number(figures, field);
                    // The JSON does not go above what was the longest.
                    assert_eq!(
                        value.min(max_ns),
                        exact,
                        "{window} {form} {field}: {figures}"
                    );
                }
            }
        }
    }
}
