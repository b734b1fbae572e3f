//! `corelane merge`: what several servers counted as one distribution, so that a fleet's p99.9 is one
//! that its requests had, and not an average of percentiles.

use super::args::MergeArgs;
use super::node::{Asker, Node, prove, prove_timeout};
use super::table::aligned;
use crate::config::Mistake;
use crate::failure::Failure;
use crate::stats::{Distribution, LatencySummary, NodeLatencies, Window, human, merge};
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
    /// Whether what some nodes told is printed where others told nothing.
    is_partial_allowed: bool,
}

/// What became of asking a node.
type Answered<'a> = (&'a Node, Result<NodeLatencies, Failure>);

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

/// What is printed of one server, or of all that told.
#[derive(Debug)]
struct Row<'a> {
    name: String,
    cores: usize,
    latency: &'a Distribution,
}

#[derive(Serialize)]
struct Figures<'a> {
    window: &'static str,
    cores: usize,
    latency: LatencySummary,
    nodes: Vec<NodeFigures<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    missing: Vec<Missing<'a>>,
}

/// A node that what is printed is without.
#[derive(Serialize)]
struct Missing<'a> {
    url: &'a str,
    why: String,
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
    #[serde(skip_serializing_if = "Vec::is_empty")]
    missing: Vec<Missing<'a>>,
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
            partial,
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
            is_partial_allowed: partial,
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
    /// One for each node that did not tell. Then nothing is printed, for a merge without it would be of
    /// another fleet, unless that is allowed, and one node told at least: what is printed says what it is without.
    /// Two nodes that are the same server are an error in any case.
    pub(super) fn run(self) -> Result<(), Vec<Failure>> {
        let answered = self.ask();
        let failures = refuse_twins(&answered);
        if !failures.is_empty() {
            return Err(failures);
        }
        let failures: Vec<_> = answered
            .iter()
            .filter_map(|(_, answer)| answer.as_ref().err().cloned())
            .collect();
        let is_printed = match failures.len() {
            0 => true,
            missing => self.is_partial_allowed && missing < answered.len(),
        };
        if is_printed {
            // Whoever closed standard output wants to know no more.
            let _ = io::stdout().write_all(self.printed(&answered).as_bytes());
        }
        if failures.is_empty() {
            Ok(())
        } else {
            Err(failures)
        }
    }

    /// What each node tells, in their order.
    fn ask(&self) -> Vec<Answered<'_>> {
        std::thread::scope(|scope| {
            let asking = |node| {
                let asked = std::thread::Builder::new()
                    .name("asks".into())
                    .spawn_scoped(scope, move || self.ask_one(node));
                (node, asked)
            };
            let asked: Vec<_> = self.nodes.iter().map(asking).collect();
            let answer = |asked: io::Result<std::thread::ScopedJoinHandle<'_, _>>| match asked {
                Ok(asked) => asked.join().unwrap_or_else(|panic| {
                    std::panic::resume_unwind(panic);
                }),
                Err(error) => Err(Failure::no_thread(&error)),
            };
            let asked = asked.into_iter();
            asked.map(|(node, asked)| (node, answer(asked))).collect()
        })
    }

    fn ask_one(&self, node: &Node) -> Result<NodeLatencies, Failure> {
        let query = format!("format=hdr&fresh=1&window={}", self.window.name());
        let answer = Asker::new(self.timeout).ask(node, &query)?;
        let mend = "see that this is the address of a corelane of the same version";
        let told = NodeLatencies::read(&answer).map_err(|error| node.failure(error, mend))?;
        if told.window == self.window {
            return Ok(told);
        }
        let window = told.window.name();
        Err(node.failure(format_args!("it tells of the window {window}"), mend))
    }

    fn printed(&self, answered: &[Answered<'_>]) -> String {
        let told = || told(answered);
        let merged = merge(told().map(|(_, told)| &told.latency));
        let window = self.window.name();
        let cores = told().map(|(_, told)| told.cores).sum();
        let missing = answered.iter().filter_map(|(node, answer)| {
            let failure = answer.as_ref().err()?;
            Some(Missing {
                url: node.shown(),
                why: failure.to_string(),
            })
        });
        let json = match self.format {
            Format::Text => {
                let mut rows: Vec<_> = told()
                    .map(|(node, told)| Row {
                        name: node.to_string(),
                        cores: told.cores,
                        latency: &told.latency,
                    })
                    .collect();
                let name = match (rows.len(), answered.len()) {
                    (some, all) if some < all => format!("PARTIAL: {some} of {all}"),
                    _ => "all".to_owned(),
                };
                rows.push(Row {
                    name,
                    cores,
                    latency: &merged,
                });
                return table(&rows);
            }
            Format::Json => serde_json::to_string(&Figures {
                window,
                cores,
                latency: merged.summary(),
                nodes: told()
                    .map(|(node, told)| NodeFigures {
                        url: node.shown(),
                        cores: told.cores,
                        latency: told.latency.summary(),
                    })
                    .collect(),
                missing: missing.collect(),
            }),
            Format::Hdr => serde_json::to_string(&Encoded {
                unit: "ns",
                window,
                latency: merged.encode(),
                summary: merged.summary(),
                nodes: told()
                    .map(|(node, told)| NodeEncoded {
                        url: node.shown(),
                        latency: told.latency.encode(),
                        summary: told.latency.summary(),
                    })
                    .collect(),
                missing: missing.collect(),
            }),
        };
        json.expect("all keys are text") + "\n"
    }
}

/// Those that told.
fn told<'a>(answered: &'a [Answered<'_>]) -> impl Iterator<Item = (&'a Node, &'a NodeLatencies)> {
    let answers = answered.iter();
    answers.filter_map(|(node, answer)| Some((*node, answer.as_ref().ok()?)))
}

/// A failure for each node that is the same server as one before it: its requests would count twice. They are
/// told apart by what they say of themselves. One that says nothing, as older servers do, is told apart by its
/// addresses.
fn refuse_twins(answered: &[Answered<'_>]) -> Vec<Failure> {
    let is_twin = |(node, told): (&Node, &NodeLatencies),
                   (other, by_other): (&Node, &NodeLatencies)| match (
        &told.instance,
        &by_other.instance,
    ) {
        (Some(one), Some(another)) => one == another,
        _ => node.is_at_address_of(other),
    };
    let failures = told(answered).enumerate().filter_map(|(place, one)| {
        let (first, _) = told(answered)
            .take(place)
            .find(|before| is_twin(one, *before))?;
        let what = format!("it is the same server as {first}");
        let mend = "name it once: its requests would be counted twice";
        Some(one.0.failure(what, mend))
    });
    failures.collect()
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
            row.name.clone(),
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
