//! A hundred scrapers at once, ten times a second, in all formats and under load: each answer is whole, and
//! says what adds up.

use super::support::process::Process;
use super::support::{Client, assert_adds_up, number, wait_until};
use ::hdrhistogram::Histogram;
use ::hdrhistogram::serialization::Deserializer;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const SCRAPERS: u32 = 100;
/// How often each asks, and how long it waits from one time to the next.
const SCRAPES: u32 = 10;
const EVERY: Duration = Duration::from_millis(100);

/// Connections that ask for something else meanwhile, and how many requests each has on its way.
const LOAD: usize = 4;
const PIPELINED: usize = 32;

const FORMATS: [&str; 8] = [
    "json",
    "prometheus",
    "openmetrics",
    "protobuf",
    "hdr",
    "hlog",
    "html",
    "sse",
];

/// How many requests the answer tells of, if its format tells; fails the test if it is not whole.
fn told(format: &str, body: &[u8]) -> Option<u64> {
    let text = || std::str::from_utf8(body).expect("text");
    match format {
        "json" | "sse" => {
            let stats: Value = serde_json::from_slice(body).expect("JSON");
            assert_adds_up(&stats);
            Some(number(&stats, "/requests/total"))
        }
        "prometheus" => Some(counted(text())),
        "openmetrics" => {
            let samples = text().strip_suffix("# EOF\n").expect("the mark at the end");
            Some(counted(samples))
        }
        "protobuf" => {
            let mut rest = body;
            let mut families = 0;
            while !rest.is_empty() {
                rest = behind_message(rest);
                families += 1;
            }
            assert!(families > 20, "{families} families");
            None
        }
        "hdr" => {
            let hdr: Value = serde_json::from_slice(body).expect("JSON");
            let count = |told: &Value| decoded(told).len();
            let cores = hdr["cores"].as_array().expect("a list");
            let all = count(&hdr);
            assert_eq!(cores.iter().map(count).sum::<u64>(), all);
            assert_eq!(number(&hdr, "/summary/count"), all);
            Some(all)
        }
        "hlog" => {
            let lines = text().lines().filter(|line| line.contains(",HISTF"));
            assert!(text().ends_with('\n') && lines.count() >= 2);
            None
        }
        _ => {
            assert!(text().trim_end().ends_with("</html>"));
            None
        }
    }
}

/// The requests in a text for scrapers, which are as many as the cores have.
fn counted(text: &str) -> u64 {
    assert!(text.ends_with('\n'));
    let sum = |name: &str| {
        let samples = text.lines().filter(|line| line.starts_with(name));
        let values = samples.map(|line| line.rsplit(' ').next().expect("a value"));
        values
            .map(|value| value.parse::<u64>().expect("a count"))
            .sum::<u64>()
    };
    let total = sum("http_server_request_duration_seconds_count");
    assert_eq!(sum("corelane_core_requests_total"), total);
    for others in [
        "corelane_responses_total",
        "corelane_responses_by_route_total",
    ] {
        assert_eq!(sum(others), total, "{others}");
    }
    total
}

/// What follows the message that `bytes` begin with, behind its length.
fn behind_message(bytes: &[u8]) -> &[u8] {
    let mut length = 0;
    for (place, byte) in bytes.iter().enumerate() {
        length |= usize::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            return &bytes[place + 1 + length..];
        }
    }
    panic!("a length without an end");
}

fn decoded(told: &Value) -> Histogram<u64> {
    let bytes = BASE64_STANDARD.decode(told["latency"].as_str().expect("text"));
    let histogram = Deserializer::new().deserialize(&mut &bytes.expect("base64")[..]);
    histogram.expect("a histogram")
}

/// The JSON of the first event for who begins to follow, and then leaves.
fn event(address: SocketAddr) -> Vec<u8> {
    let mut follower = Client::connect(address);
    // A core lets so many follow, and who has left is one of them until it is noticed.
    wait_until("there is room for who follows", || {
        follower = Client::connect(address);
        follower.get("/stats?format=sse");
        follower.head_response().status == 200
    });
    let mut event = Vec::new();
    while !event.ends_with(b"\n\n") {
        let chunk = follower.chunk().expect("a chunk");
        assert!(!chunk.is_empty(), "the events go on");
        event.extend(chunk);
    }
    let event = String::from_utf8(event).expect("text");
    let (_, data) = event.split_once("data: ").expect("data");
    data.trim_end().as_bytes().to_vec()
}

fn scrape(address: SocketAddr, scraper: u32) {
    let mut client = Client::connect(address);
    let mut before = 0;
    let begin = Instant::now();
    for turn in 0..SCRAPES {
        let format = FORMATS[(scraper + turn) as usize % FORMATS.len()];
        let body = match format {
            "sse" => event(address),
            format => {
                client.get(&format!("/stats?format={format}"));
                let response = client.response();
                assert_eq!(response.status, 200, "{format}");
                response.body
            }
        };
        if let Some(total) = told(format, &body) {
            assert!(total >= before, "{format}: {total} after {before}");
            before = total;
        }
        // They come at their own times, whatever they were answered.
        let due = begin + EVERY * (turn + 1);
        thread::sleep(due.saturating_duration_since(Instant::now()));
    }
}

#[test]
fn a_hundred_scrapers_get_whole_answers() {
    let mut process = Process::start(["demo", "--listen", "127.0.0.1:0"]);
    let address = process.listening();
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..LOAD {
            scope.spawn(|| {
                let mut client = Client::connect(address);
                while !is_over.load(Ordering::Relaxed) {
                    (0..PIPELINED).for_each(|_| client.get("/plaintext"));
                    for _ in 0..PIPELINED {
                        assert_eq!(client.response().status, 200);
                    }
                }
            });
        }
        let scrapers: Vec<_> = (0..SCRAPERS)
            .map(|scraper| scope.spawn(move || scrape(address, scraper)))
            .collect();
        let ends: Vec<_> = scrapers
            .into_iter()
            .map(thread::ScopedJoinHandle::join)
            .collect();
        is_over.store(true, Ordering::Relaxed);
        assert!(ends.iter().all(Result::is_ok), "each got its answers");
    });
}
