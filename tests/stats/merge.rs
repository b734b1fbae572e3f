//! `corelane merge`: several servers' latencies as one distribution, of which every percentile is the
//! one that the `hdrhistogram` crate finds in their sum.

use super::asked::{Asked, PERCENTILES};
use super::support::number;
use super::support::process::CORELANE;
use ::hdrhistogram::Histogram;
use ::hdrhistogram::serialization::Deserializer;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;
use socket2::{Domain, Socket, Type};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::process::{Command, Output};

fn merge(arguments: &[&str]) -> Output {
    let mut command = Command::new(CORELANE);
    let output = command.arg("merge").args(arguments).output();
    output.expect("it runs")
}

/// What it prints, if all went well.
fn printed(arguments: &[&str]) -> String {
    let output = merge(arguments);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && stderr.is_empty(), "{stderr}");
    String::from_utf8(output.stdout).expect("text")
}

/// What it refuses with: an exit code, and a line for each failure.
fn refused(arguments: &[&str]) -> (i32, Vec<String>) {
    let output = merge(arguments);
    assert!(output.stdout.is_empty(), "{arguments:?}: {output:?}");
    let lines = String::from_utf8(output.stderr).expect("text");
    let code = output.status.code().expect("an exit code");
    (code, lines.lines().map(str::to_owned).collect())
}

fn decoded(told: &Value) -> Histogram<u64> {
    let text = told["latency"].as_str().expect("text");
    let bytes = BASE64_STANDARD.decode(text).expect("base64");
    let histogram = Deserializer::new().deserialize(&mut &bytes[..]);
    histogram.expect("a histogram")
}

#[test]
fn two_servers_are_one_distribution() {
    let asked = [Asked::new(), Asked::new()];
    let urls = asked
        .each_ref()
        .map(|asked| format!("http://{}", asked.address));
    let [first, second] = urls.each_ref().map(String::as_str);

    let hdr: Value = serde_json::from_str(&printed(&["--format", "hdr", first, second])).unwrap();
    assert_eq!(
        (&hdr["unit"], &hdr["window"]),
        (&"ns".into(), &"total".into())
    );
    let nodes = hdr["nodes"].as_array().expect("a list");
    assert_eq!(nodes.len(), 2);
    let mut sum = decoded(&nodes[0]);
    sum.add(decoded(&nodes[1])).expect("one scale");
    assert_eq!(decoded(&hdr), sum);
    assert!(sum.len() > 4_000);
    let summary = &hdr["summary"];
    let of_nodes = |name: &str| {
        let path = format!("/summary/{name}");
        [number(&nodes[0], &path), number(&nodes[1], &path)]
    };
    assert_eq!(number(summary, "/count"), sum.len());
    assert_eq!(
        number(summary, "/count"),
        of_nodes("count").iter().sum::<u64>()
    );
    let [min, max] = [of_nodes("min_ns"), of_nodes("max_ns")];
    assert_eq!(Some(number(summary, "/min_ns")), min.into_iter().min());
    assert_eq!(Some(number(summary, "/max_ns")), max.into_iter().max());
    for (path, per_10_000) in PERCENTILES {
        let rank = (sum.len() * per_10_000).div_ceil(10_000);
        // The crate finds what a rank is asked for by in the middle of it.
        let quantile = (rank as f64 - 0.5) / sum.len() as f64;
        let exact = sum.value_at_quantile(quantile).min(sum.max());
        let told = number(summary, path);
        assert_eq!(told, exact.min(number(summary, "/max_ns")), "{path}");
    }

    let json: Value = serde_json::from_str(&printed(&["--format", "json", first, second])).unwrap();
    // Being asked before was a request to each.
    assert_eq!(number(&json, "/latency/count"), sum.len() + 2);
    let urls = ["/nodes/0/url", "/nodes/1/url"].map(|path| json.pointer(path));
    assert_eq!(urls, [Some(&first.into()), Some(&second.into())]);
    assert_eq!(
        number(&json, "/cores"),
        number(&json, "/nodes/0/cores") + number(&json, "/nodes/1/cores")
    );

    assert_eq!(json.get("missing"), None);

    let path = format!("{second}/stats");
    let text = printed(&[first, &path]);
    let rows: Vec<Vec<_>> = text
        .lines()
        .map(|line| line.split("  ").filter(|cell| !cell.is_empty()).collect())
        .collect();
    assert_eq!(rows.len(), 4, "{text}");
    assert!(rows.iter().all(|row| row.len() == 11), "{text}");
    let names: Vec<_> = rows.iter().map(|row| row[0].trim()).collect();
    assert_eq!(names, ["node", first, &path, "all"]);
    let widths: Vec<_> = text.lines().map(|line| line.chars().count()).collect();
    assert!(widths.windows(2).all(|two| two[0] == two[1]), "{text}");

    // One second may have had nothing, which is told as nothing.
    let text = printed(&["--window", "1s", first]);
    assert_eq!(text.lines().count(), 3, "{text}");
}

/// A server of so many requests, each answered with the same: returns where it listens.
fn answers(times: usize, answer: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for _ in 0..times {
            let (mut stream, _) = listener.accept().expect("a connection");
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).expect("a request");
                head.push(byte[0]);
            }
            stream.write_all(answer.as_bytes()).expect("it is read");
            // One that never answers stays until the peer has gone.
            let _ = stream.read(&mut [0]);
        }
    });
    format!("http://{address}")
}

fn response(body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}")
}

fn ok(body: &str) -> String {
    answers(1, response(body))
}

#[test]
fn a_node_that_does_not_tell_is_named() {
    let asked = Asked::new();
    let good = format!("http://{}", asked.address);
    // Bound, so that nobody else listens there, and not listening.
    let bound = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    bound.bind(&any.into()).expect("a port");
    let nobody = bound.local_addr().expect("an address").as_socket();
    let nobody = format!("http://{}", nobody.expect("of the internet"));
    let other = ok("{\"a\": 1}");
    let page = ok("<html>");
    let elsewhere = format!("{good}/none/such");
    let another_window = ok(&asked.get("/stats?format=hdr&window=1s"));
    let cases = [
        (&nobody, "Connection refused"),
        (&other, "not statistics in the form hdr: missing field"),
        (&page, "not statistics in the form hdr: expected value"),
        (&elsewhere, "it answers 404"),
        (&another_window, "it tells of the window 1s"),
    ];
    // Each of them is told of, whatever comes of the others.
    let mut urls: Vec<&str> = cases.iter().map(|(url, _)| url.as_str()).collect();
    urls.push(&good);
    let (code, lines) = refused(&urls);
    assert_eq!((code, lines.len()), (1, cases.len()), "{lines:?}");
    for ((url, what), line) in cases.iter().zip(&lines) {
        assert!(line.starts_with(&format!("corelane: {url}: ")), "{line}");
        assert!(line.contains(what) && line.contains("; "), "{line}");
    }
    let silent = answers(1, String::new());
    let (code, lines) = refused(&["--timeout", "50ms", &silent]);
    let expected = format!("corelane: {silent}: no answer within 50ms; ");
    assert!(code == 1 && lines[0].starts_with(&expected), "{lines:?}");
}

#[test]
fn a_server_is_not_counted_twice() {
    let asked = Asked::new();
    let first = format!("http://{}", asked.address);
    let by_name = format!("http://localhost:{}/stats", asked.address.port());
    let of_scrapers = format!("http://me:secret@{}/metrics", asked.address);
    let shown = format!("http://…@{}/metrics", asked.address);
    // Whatever else may be missing.
    let (code, lines) = refused(&["--partial", &first, &by_name, &of_scrapers]);
    let expected = [&by_name, &shown].map(|url| {
        format!(
            "corelane: {url}: it is the same server as {first}; \
             name it once: its requests would be counted twice"
        )
    });
    assert_eq!((code, lines.as_slice()), (1, &expected[..]));

    // One that does not say who it is may be another, unless it is at the same address.
    let mut hdr: Value = serde_json::from_str(&asked.get("/stats?format=hdr")).expect("JSON");
    let instance = hdr.as_object_mut().expect("an object").remove("instance");
    let instance = instance.expect("it says who it is");
    assert_eq!(instance.as_str().map(str::len), Some(36), "{instance}");
    let json: Value = serde_json::from_str(&asked.get("/stats")).expect("JSON");
    assert_eq!(json["server"]["instance"], instance);
    let unsaid = [0; 2].map(|_| ok(&hdr.to_string()));
    let text = printed(&[&first, &unsaid[0], &unsaid[1]]);
    assert_eq!(text.lines().count(), 5, "{text}");
    let twice = answers(2, response(&hdr.to_string()));
    let metrics = format!("{twice}/metrics");
    let (code, lines) = refused(&[&twice, &metrics]);
    assert_eq!((code, lines.len()), (1, 1), "{lines:?}");
    assert!(
        lines[0].contains(&format!("it is the same server as {twice}")),
        "{lines:?}"
    );
}

#[test]
fn what_some_tell_is_printed_as_that_where_it_is_asked_for() {
    let asked = Asked::new();
    let good = format!("http://{}", asked.address);
    let page = || ok("<html>");
    let told = |format: &str| {
        let dead = page();
        let output = merge(&["--partial", "--format", format, &dead, &good]);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let error = String::from_utf8(output.stderr).expect("text");
        let of_dead = format!("corelane: {dead}: not statistics in the form hdr");
        assert!(error.starts_with(&of_dead), "{error}");
        assert_eq!(error.lines().count(), 1, "{error}");
        (String::from_utf8(output.stdout).expect("text"), dead)
    };
    let (text, dead) = told("text");
    assert!(!text.contains(&dead), "{text}");
    let rows: Vec<_> = text.lines().collect();
    assert_eq!(rows.len(), 3, "{text}");
    assert!(rows[1].contains(&good) && rows[2].contains("PARTIAL: 1 of 2"));
    for format in ["json", "hdr"] {
        let (json, dead) = told(format);
        let json: Value = serde_json::from_str(&json).expect("JSON");
        assert_eq!(json["missing"][0]["url"], dead.as_str());
        let why = json["missing"][0]["why"].as_str().expect("text");
        assert!(why.contains("not statistics in the form hdr"), "{why}");
        assert_eq!(json["nodes"].as_array().map(Vec::len), Some(1));
    }
    // Nothing is no part of anything, and what is whole is printed as ever.
    assert_eq!(refused(&["--partial", &page(), &page()]).1.len(), 2);
    assert!(printed(&["--partial", &good]).contains("all"));
}

#[test]
fn wrong_arguments_are_refused() {
    for (arguments, expected) in [
        (&["https://a"][..], "URL: 'https://a' is https, "),
        (&["a:80"], "URL: 'a:80' does not begin with http://"),
        (
            &["http://a", "http://b", "http://a/stats"],
            "URL: 'http://a/stats' is there twice",
        ),
        (
            &["--window", "2s", "http://a"],
            "--window: '2s' is not a window",
        ),
        (
            &["--format", "xml", "http://a"],
            "--format: 'xml' is not a format",
        ),
        (
            &["--timeout", "0s", "http://a"],
            "--timeout: '0s' is no time",
        ),
        (
            &["--timeout", "5", "http://a"],
            "--timeout: '5' has no unit",
        ),
    ] {
        let (code, lines) = refused(arguments);
        assert_eq!((code, lines.len()), (2, 1), "{lines:?}");
        let expected = format!("corelane: {expected}");
        assert!(lines[0].starts_with(&expected), "{lines:?}");
    }
    assert_eq!(refused(&[]).0, 2);
}
