//! Prometheus itself: it takes all three formats, and its answers are what the JSON says.

use super::asked::{Asked, api};
use super::support::outside::has;
use super::support::process::Process;
use super::support::{number, wait_until};
use serde_json::Value;
use std::io::Write;
use std::process::{Command, Stdio};

/// Prometheus's native histograms of schema 3 have 8 buckets to a power of two, and ours lie in
/// them but for the 0.78 % by which those are wide.
const NATIVE_WIDTH: f64 = 1.0905 * 1.0078;

const RULES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tuning/corelane.rules.yml");

/// A Prometheus that scrapes a server in a format of each job's own. It has the rules that `tuning/` gives.
pub(crate) struct Prometheus {
    _process: Process,
    url: String,
    _folder: tempfile::TempDir,
}

impl Prometheus {
    /// `jobs` are names, and what is asked for in the query besides fresh figures.
    pub(crate) fn start(asked: &Asked, jobs: &[(&str, &str)], features: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let configuration = folder.path().join("prometheus.yml");
        let target = asked.address;
        let jobs = jobs.iter().map(|(name, format)| {
            format!(
                "- job_name: {name}\n  params: {{fresh: ['1'], {format}}}\n  \
                 static_configs: [{{targets: ['{target}']}}]\n"
            )
        });
        let text = format!(
            "global: {{scrape_interval: 500ms, scrape_timeout: 500ms}}\nrule_files: ['{RULES}']\n\
             scrape_configs:\n{}",
            jobs.collect::<String>()
        );
        std::fs::write(&configuration, text).expect("a file");
        let mut process = Process::spawn(
            Command::new("prometheus")
                .arg(format!("--config.file={}", configuration.display()))
                .arg(format!("--storage.tsdb.path={}", folder.path().display()))
                .arg("--web.listen-address=127.0.0.1:0")
                .args(features),
        );
        let line = process.line("msg=\"Listening on\"");
        let address = line.split_once("address=").expect("an address").1;
        let url = format!("http://{}/api/v1", address.trim());
        // Which of the two it says first is not settled.
        let ready = "Server is ready to receive web requests";
        if !process.seen(ready) {
            process.line(ready);
        }
        Self {
            _process: process,
            url,
            _folder: folder,
        }
    }

    /// What `expression` is at a time, or now, by its labels; values are text.
    pub(crate) fn query(&self, expression: &str, at: Option<f64>) -> Vec<(Value, f64)> {
        let at = at.map(|at| at.to_string());
        let asked = [("query", Some(expression)), ("time", at.as_deref())];
        let asked: Vec<_> = asked
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?)))
            .collect();
        let answer = api(&format!("{}/query", self.url), &asked);
        assert_eq!(answer["status"], "success", "{expression}: {answer}");
        let results = answer["data"]["result"].as_array().expect("a vector");
        let pair = |result: &Value| {
            let value = result["value"][1].as_str().expect("a number as text");
            (result["metric"].clone(), value.parse().expect("a number"))
        };
        results.iter().map(pair).collect()
    }

    /// The only value of `expression` at a time, or now, or 0 where there is none.
    fn value(&self, expression: &str, at: Option<f64>) -> f64 {
        match &self.query(expression, at)[..] {
            [] => 0.0,
            [(_, value)] => *value,
            more => panic!("{expression}: {more:?}"),
        }
    }

    /// What the rules record: names, and what each asks for.
    pub(crate) fn recorded(&self) -> Vec<(String, String)> {
        let answer = api(&format!("{}/rules", self.url), &[("type", "record")]);
        let groups = answer["data"]["groups"].as_array().expect("a list");
        let rules = groups.iter().flat_map(|group| group["rules"].as_array());
        let text = |rule: &Value, name: &str| rule[name].as_str().expect("text").to_owned();
        let rules = rules.flatten();
        rules
            .map(|rule| (text(rule, "name"), text(rule, "query")))
            .collect()
    }

    /// Waits for a scrape by `job` that has all that `routes` say, and holds what it has against them.
    /// `count`, `sum` and `quantile` make a histogram of the labels in their text's `LABELS` into its
    /// figures.
    fn assert_has(&self, job: &str, routes: &[Value], histogram: &Histogram) {
        let total: u64 = routes.iter().map(|route| number(route, "/count")).sum();
        let others = format!("job=\"{job}\",http_route!=\"_stats\"");
        let all = format!("sum({})", histogram.count(&others));
        let scraped_at = format!("timestamp(up{{job=\"{job}\"}})");
        let mut at = None;
        wait_until(&format!("{job} has all requests"), || {
            // What a scrape brought stays as it is, whatever becomes of the next.
            at = Some(self.value(&scraped_at, None)).filter(|at| *at > 0.0);
            at.is_some() && self.value(&all, at) == total as f64
        });
        for route in routes {
            let text = |name: &str| route[name].as_str().expect("text");
            // As JSON and PromQL write text.
            let labels = format!(
                "job=\"{job}\",http_route={:?},http_request_method={:?}",
                text("route"),
                text("method")
            );
            for (class, count) in route["status"].as_object().expect("classes") {
                let labels = format!("{labels},http_response_status_class=\"{class}\"");
                let told = self.value(&histogram.count(&labels), at);
                assert_eq!(told, count.as_u64().expect("a count") as f64, "{labels}");
                let counter = format!("corelane_responses_by_route_total{{{labels}}}");
                assert_eq!(self.value(&counter, at), told, "{labels}");
            }
            let count = number(route, "/count");
            let mean_ns = number(route, "/mean_ns");
            let sum_ns = self.value(&format!("sum({})", histogram.sum(&labels)), at) * 1e9;
            // The mean was rounded down; a sum of nanoseconds is whole, and comes in seconds.
            let expected = (mean_ns * count) as f64..(mean_ns * count + count + 1) as f64;
            assert!(
                expected.contains(&sum_ns.round()),
                "{sum_ns} {labels} {route}"
            );
            for (quantile, field) in [(0.5, "/p50_ns"), (0.99, "/p99_ns")] {
                let exact_ns = number(route, field) as f64;
                let told_ns = self.value(&histogram.quantile(quantile, &labels), at) * 1e9;
                let (low, high) = histogram.around(exact_ns);
                assert!(
                    (low..=high).contains(&told_ns),
                    "{told_ns} {quantile} {labels} {route}"
                );
            }
        }
        for stage in ["queue", "head", "handler", "write"] {
            let name = "corelane_request_stage_duration_seconds";
            let labels = format!("{others},stage=\"{stage}\"");
            let stages = Histogram { name, ..*histogram };
            let counted = self.value(&format!("sum({})", stages.count(&labels)), at);
            assert_eq!(counted, total as f64, "{job} {stage}");
        }
        for code in [404, 405] {
            let labels = format!("job=\"{job}\",http_response_status_code=\"{code}\"");
            let counted = self.value(&format!("corelane_responses_total{{{labels}}}"), at);
            assert_eq!(counted, 1.0, "{labels}");
        }
    }

    /// The unit in which `job` has `metric`, which OpenMetrics alone says; none if it knows no such
    /// family.
    fn unit(&self, job: &str, metric: &str) -> Option<String> {
        let url = format!("{}/targets/metadata", self.url);
        let target = format!("{{job=\"{job}\"}}");
        let answer = api(&url, &[("match_target", &target), ("metric", metric)]);
        let unit = answer.pointer("/data/0/unit")?;
        Some(unit.as_str().expect("text").to_owned())
    }
}

/// How a histogram is asked about.
#[derive(Clone, Copy)]
struct Histogram {
    name: &'static str,
    is_native: bool,
}

impl Histogram {
    const fn requests(is_native: bool) -> Self {
        Self {
            name: "http_server_request_duration_seconds",
            is_native,
        }
    }

    fn part(&self, part: &str, labels: &str) -> String {
        let name = self.name;
        if self.is_native {
            format!("histogram_{part}({name}{{{labels}}})")
        } else {
            format!("{name}_{part}{{{labels}}}")
        }
    }

    fn count(&self, labels: &str) -> String {
        self.part("count", labels)
    }

    fn sum(&self, labels: &str) -> String {
        self.part("sum", labels)
    }

    fn quantile(&self, quantile: f64, labels: &str) -> String {
        let name = self.name;
        if self.is_native {
            format!("histogram_quantile({quantile}, sum({name}{{{labels}}}))")
        } else {
            format!("histogram_quantile({quantile}, sum by (le) ({name}_bucket{{{labels}}}))")
        }
    }

    /// Within which bounds a quantile may be told that is `exact_ns`: those of its bucket.
    fn around(&self, exact_ns: f64) -> (f64, f64) {
        if self.is_native {
            return (exact_ns / NATIVE_WIDTH, exact_ns * NATIVE_WIDTH);
        }
        const STEPS: [f64; 3] = [1.0, 2.5, 5.0];
        let powers = [1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10];
        let bounds: Vec<f64> = powers
            .iter()
            .flat_map(|power| STEPS.map(|step| power * step))
            .collect();
        let place = bounds.partition_point(|bound| *bound < exact_ns);
        let below = |place: usize| place.checked_sub(1).map_or(0.0, |place| bounds[place]);
        // What lies 0.78 % below a bound counts for the next one.
        let is_near = exact_ns * 1.0078 > bounds[place];
        let low = below(place);
        (low, bounds[place + usize::from(is_near)])
    }
}

#[test]
fn scrapes_text_openmetrics_and_native_histograms() {
    if !has("prometheus") {
        return;
    }
    let asked = Asked::new();
    let jobs = [
        ("text", "format: [prometheus]"),
        ("openmetrics", "format: [openmetrics]"),
        // What it asks for by itself, if it takes native histograms.
        ("native", ""),
    ];
    let features = ["--enable-feature=native-histograms"];
    let prometheus = Prometheus::start(&asked, &jobs, &features);
    let routes = asked.routes();
    for (job, is_native) in [("text", false), ("openmetrics", false), ("native", true)] {
        prometheus.assert_has(job, &routes, &Histogram::requests(is_native));
    }
    // A counter's family is called without its suffix by OpenMetrics alone, which has units.
    let units = |metric| jobs.map(|(job, _)| prometheus.unit(job, metric));
    let bytes = Some("bytes".to_owned());
    assert_eq!(units("corelane_received_bytes"), [None, bytes, None]);
    let none = Some(String::new());
    assert_eq!(
        units("corelane_received_bytes_total"),
        [none.clone(), None, none]
    );
}

#[test]
fn asks_for_openmetrics_by_itself() {
    if !has("prometheus") {
        return;
    }
    let asked = Asked::new();
    let prometheus = Prometheus::start(&asked, &[("usual", "")], &[]);
    let routes = asked.routes();
    prometheus.assert_has("usual", &routes, &Histogram::requests(false));
    let unit = prometheus.unit("usual", "corelane_received_bytes");
    assert_eq!(unit.as_deref(), Some("bytes"));
}

#[test]
fn promtool_finds_nothing_to_say() {
    if !has("promtool") {
        return;
    }
    let asked = Asked::new();
    for target in ["/metrics?fresh=1", "/metrics?fresh=1&per_core=1"] {
        let text = asked.get(target);
        assert!(
            text.contains("http_server_request_duration_seconds_bucket"),
            "{text}"
        );
        let mut promtool = Command::new("promtool")
            .args(["check", "metrics"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it can be run");
        let mut stdin = promtool.stdin.take().expect("a pipe");
        stdin.write_all(text.as_bytes()).expect("it reads");
        drop(stdin);
        let output = promtool.wait_with_output().expect("it ends");
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        assert!(
            output.status.success() && said.is_empty(),
            "{target}: {said}"
        );
    }
}
