//! `corelane merge`: what several servers counted as one distribution, so that a fleet's p99.9 is one
//! that its requests had, and not an average of percentiles.

use super::args::MergeArgs;
use super::node::{Asker, Node, prove, prove_timeout};
use super::table::aligned;
use crate::config::Mistake;
use crate::failure::Failure;
use crate::stats::{Distribution, LatencySummary, Told, Window, human, merge};
use serde::Serialize;
use std::io::{self, Write as _};
use std::time::Duration;

/// What is asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Merge {
    nodes: Vec<Node>,
    window: Window,
    format: Format,
    timeout: Duration,
}

/// What is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    /// A table.
    Text,
    /// The figures, named as in `/stats`.
    Json,
    /// The distributions themselves, as in `/stats?format=hdr`.
    Hdr,
}

/// What is printed of one server, or of all.
#[derive(Debug)]
struct Row<'a> {
    /// None of all.
    node: Option<&'a Node>,
    cores: usize,
    latency: &'a Distribution,
}

#[derive(Serialize)]
struct Figures<'a> {
    window: &'static str,
    cores: usize,
    latency: LatencySummary,
    nodes: Vec<NodeFigures<'a>>,
}

#[derive(Serialize)]
struct NodeFigures<'a> {
    url: &'a str,
    cores: usize,
    latency: LatencySummary,
}

#[derive(Serialize)]
struct Encoded<'a> {
    unit: &'static str,
    window: &'static str,
    latency: String,
    summary: LatencySummary,
    nodes: Vec<NodeEncoded<'a>>,
}

#[derive(Serialize)]
struct NodeEncoded<'a> {
    url: &'a str,
    latency: String,
    summary: LatencySummary,
}

impl Merge {
    /// Proves the arguments.
    ///
    /// # Errors
    /// Everything that is wrong with them.
    pub(super) fn new(arguments: MergeArgs) -> Result<Self, Vec<Failure>> {
        let MergeArgs {
            urls,
            window,
            format,
            timeout,
        } = arguments;
        let mut faults = Vec::new();
        let mut nodes: Vec<Node> = Vec::new();
        for url in urls {
            let parse = |text: &str| Node::parse_another(text, &nodes);
            nodes.extend(prove("URL", Some(url), &mut faults, parse));
        }
        let merge = Self {
            nodes,
            window: prove("--window", window, &mut faults, parse_window).unwrap_or_default(),
            format: prove("--format", format, &mut faults, parse_format).unwrap_or(Format::Text),
            timeout: prove_timeout(timeout, &mut faults),
        };
        if faults.is_empty() {
            Ok(merge)
        } else {
            Err(faults)
        }
    }

    /// Asks all nodes at the same time, and prints what they told together.
    ///
    /// # Errors
    /// One for each node that did not tell. Then nothing is printed: a merge without it would be of
    /// another fleet.
    pub(super) fn run(self) -> Result<(), Vec<Failure>> {
        let told = self.ask()?;
        let merged = merge(told.iter().map(|told| &told.latency));
        let printed = self.printed(&told, &merged);
        // Whoever closed standard output wants to know no more.
        let _ = io::stdout().write_all(printed.as_bytes());
        Ok(())
    }

    /// What each node tells, in their order.
    fn ask(&self) -> Result<Vec<Told>, Vec<Failure>> {
        let answers: Vec<_> = std::thread::scope(|scope| {
            let asking = |node| {
                std::thread::Builder::new()
                    .name("asks".into())
                    .spawn_scoped(scope, move || self.ask_one(node))
            };
            let asked: Vec<_> = self.nodes.iter().map(asking).collect();
            let answer = |asked: io::Result<std::thread::ScopedJoinHandle<'_, _>>| match asked {
                Ok(asked) => asked.join().unwrap_or_else(|panic| {
                    std::panic::resume_unwind(panic);
                }),
                Err(error) => Err(Failure::no_thread(&error)),
            };
            asked.into_iter().map(answer).collect()
        });
        let (mut told, mut failures) = (Vec::new(), Vec::new());
        for answer in answers {
            match answer {
                Ok(one) => told.push(one),
                Err(failure) => failures.push(failure),
            }
        }
        if failures.is_empty() {
            Ok(told)
        } else {
            Err(failures)
        }
    }

    fn ask_one(&self, node: &Node) -> Result<Told, Failure> {
        let query = format!("format=hdr&fresh=1&window={}", self.window.name());
        let answer = Asker::new(self.timeout).ask(node, &query)?;
        let mend = "see that this is the address of a corelane of the same version";
        let told = Told::read(&answer).map_err(|error| node.failure(error, mend))?;
        if told.window == self.window {
            return Ok(told);
        }
        let window = told.window.name();
        Err(node.failure(format_args!("it tells of the window {window}"), mend))
    }

    fn printed(&self, told: &[Told], merged: &Distribution) -> String {
        let nodes = self.nodes.iter().zip(told);
        let window = self.window.name();
        let cores = told.iter().map(|told| told.cores).sum();
        let json = match self.format {
            Format::Text => {
                let mut rows: Vec<_> = nodes
                    .map(|(node, told)| Row {
                        node: Some(node),
                        cores: told.cores,
                        latency: &told.latency,
                    })
                    .collect();
                rows.push(Row {
                    node: None,
                    cores,
                    latency: merged,
                });
                return table(&rows);
            }
            Format::Json => serde_json::to_string(&Figures {
                window,
                cores,
                latency: merged.summary(),
                nodes: nodes
                    .map(|(node, told)| NodeFigures {
                        url: node.written(),
                        cores: told.cores,
                        latency: told.latency.summary(),
                    })
                    .collect(),
            }),
            Format::Hdr => serde_json::to_string(&Encoded {
                unit: "ns",
                window,
                latency: merged.encode(),
                summary: merged.summary(),
                nodes: nodes
                    .map(|(node, told)| NodeEncoded {
                        url: node.written(),
                        latency: told.latency.encode(),
                        summary: told.latency.summary(),
                    })
                    .collect(),
            }),
        };
        json.expect("all keys are text") + "\n"
    }
}

/// The rows under their headings.
fn table(rows: &[Row<'_>]) -> String {
    const HEADINGS: [&str; 11] = [
        "node", "cores", "requests", "min", "mean", "p50", "p90", "p99", "p99.9", "p99.99", "max",
    ];
    let mut lines = vec![HEADINGS.map(str::to_owned)];
    lines.extend(rows.iter().map(|row| {
        let LatencySummary {
            count,
            min_ns,
            mean_ns,
            p50_ns,
            p90_ns,
            p99_ns,
            p99_9_ns,
            p99_99_ns,
            max_ns,
            overflow: _,
        } = row.latency.summary();
        let time = |ns: u64| match count {
            0 => human::NONE.to_owned(),
            _ => human::time(ns as f64),
        };
        [
            row.node.map_or("all".to_owned(), Node::to_string),
            row.cores.to_string(),
            human::count(count as f64),
            time(min_ns),
            time(mean_ns),
            time(p50_ns),
            time(p90_ns),
            time(p99_ns),
            time(p99_9_ns),
            time(p99_99_ns),
            time(max_ns),
        ]
    }));
    aligned(&lines)
        .iter()
        .map(|line| format!("{line}\n"))
        .collect()
}

fn parse_window(text: &str) -> Result<Window, Mistake> {
    let known = Window::ALL.into_iter().find(|one| one.name() == text);
    known.ok_or_else(|| Mistake {
        what: format!("'{text}' is not a window"),
        mend: format!("write {}", Window::ALL.map(Window::name).join(", ")),
    })
}

fn parse_format(text: &str) -> Result<Format, Mistake> {
    match text {
        "text" => Ok(Format::Text),
        "json" => Ok(Format::Json),
        "hdr" => Ok(Format::Hdr),
        _ => Err(Mistake {
            what: format!("'{text}' is not a format"),
            mend: "write text, json or hdr".into(),
        }),
    }
}
