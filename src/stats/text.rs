//! Families as text: Prometheus's exposition format 0.0.4, and OpenMetrics 1.0.
//!
//! They differ in the names of counters' families, in units, in how numbers are written, and in the
//! mark at the end, without which an OpenMetrics text is known to be cut off.

use super::distribution::Distribution;
use super::families::{BOUNDS_NS, Encoder, Family, Kind, Label};
use std::fmt::Write;
use std::time::{SystemTime, UNIX_EPOCH};

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    Prometheus,
    OpenMetrics,
}

/// A text that families are written to.
#[derive(Debug)]
pub(super) struct Text {
    dialect: Dialect,
    text: String,
    /// What the samples of the family are called.
    name: String,
    /// The labels of the sample that is written, before they are closed.
    labels: String,
    /// What all lines of its buckets begin with.
    bucket: String,
    /// What stands in them behind that, before their counts.
    bounds: [String; BOUNDS_NS.len()],
}

impl Text {
    pub(super) fn new(dialect: Dialect) -> Text {
        Text {
            dialect,
            text: String::with_capacity(16 * 1024),
            name: String::new(),
            labels: String::new(),
            bucket: String::new(),
            // Written once for each answer: to write a number takes longer than the rest of the line.
            bounds: BOUNDS_NS.map(|bound_ns| bound(bound_ns) + "\"} "),
        }
    }

    /// What can be taken out of it between two families, or two samples.
    pub(super) fn written(&mut self) -> &mut String {
        &mut self.text
    }

    /// The rest of the text, when all families are written.
    pub(super) fn finish(mut self) -> String {
        if self.dialect == Dialect::OpenMetrics {
            self.text.push_str("# EOF\n");
        }
        self.text
    }

    /// Sets the labels of samples.
    fn labels(&mut self, labels: &[Label<'_>]) {
        self.labels.clear();
        for (place, (name, value)) in labels.iter().enumerate() {
            self.labels.push(if place == 0 { '{' } else { ',' });
            self.labels.push_str(name);
            self.labels.push_str("=\"");
            escape(&mut self.labels, value);
            self.labels.push('"');
        }
    }

    /// A sample with the labels that are set.
    fn sample(&mut self, suffix: &str, value: f64) {
        let end = if self.labels.is_empty() { " " } else { "} " };
        for part in [&self.name, suffix, &self.labels, end] {
            self.text.push_str(part);
        }
        if value.fract() == 0.0 && (0.0..WHOLE_TO).contains(&value) {
            self.text.push_str(itoa::Buffer::new().format(value as u64));
        } else {
            // A text takes all that is written.
            let _ = write!(self.text, "{value}");
        }
        self.text.push('\n');
    }
}

impl Encoder for Text {
    fn begin(&mut self, family: &Family) {
        let Family {
            name,
            kind,
            unit,
            help,
            ..
        } = family;
        self.name.clear();
        self.name.push_str(name);
        let is_prometheus = self.dialect == Dialect::Prometheus;
        // Of the older format the name of the family is that of its samples.
        let suffix = match kind {
            Kind::Counter => "_total",
            Kind::Info => "_info",
            Kind::Gauge | Kind::Histogram => "",
        };
        let family = if is_prometheus {
            [name, suffix].concat()
        } else {
            (*name).to_owned()
        };
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Info if !is_prometheus => "info",
            Kind::Gauge | Kind::Info => "gauge",
            Kind::Histogram => "histogram",
        };
        // A text takes all that is written.
        let _ = writeln!(self.text, "# TYPE {family} {kind}");
        if !is_prometheus && !unit.is_empty() {
            let _ = writeln!(self.text, "# UNIT {family} {unit}");
        }
        let _ = writeln!(self.text, "# HELP {family} {help}");
        self.name.push_str(suffix);
    }

    fn number(&mut self, labels: &[Label<'_>], value: f64) {
        self.labels(labels);
        self.sample("", value);
    }

    fn histogram(
        &mut self,
        labels: &[Label<'_>],
        distribution: &Distribution,
        since: Option<SystemTime>,
    ) {
        self.labels(labels);
        // Only the bound is another in each bucket.
        self.bucket.clear();
        let next = if labels.is_empty() { "{" } else { "," };
        for part in [&self.name, "_bucket", &self.labels, next, "le=\""] {
            self.bucket.push_str(part);
        }
        let bounds = self.bounds.iter().map(String::as_str).chain(["+Inf\"} "]);
        let counts = distribution.at_most(&BOUNDS_NS).into_iter();
        for (bound, count) in bounds.zip(counts.chain([distribution.count()])) {
            let mut digits = itoa::Buffer::new();
            for part in [&self.bucket, bound, digits.format(count), "\n"] {
                self.text.push_str(part);
            }
        }
        self.sample("_sum", distribution.sum_ns() as f64 / 1e9);
        self.sample("_count", distribution.count() as f64);
        if let Some(since) = since.filter(|_| self.dialect == Dialect::OpenMetrics) {
            let since = since.duration_since(UNIX_EPOCH).unwrap_or_default();
            self.sample("_created", since.as_secs_f64());
        }
    }

    fn end(&mut self) {}
}

/// Below it a number without a fraction is exact as an integer, and written alike.
const WHOLE_TO: f64 = (1_u64 << f64::MANTISSA_DIGITS) as f64;

/// A bound in seconds as OpenMetrics writes numbers in labels ("Canonical Numbers"), and Prometheus those
/// that it gets in protocol buffers: were they written otherwise, a bucket would be another series in each
/// format.
fn bound(ns: u64) -> String {
    let seconds = ns as f64 / 1e9;
    if seconds < 1e-4 {
        let shortest = format!("{seconds:e}");
        return shortest.replace("e-", "e-0");
    }
    format!("{seconds:?}")
}

/// Writes the value of a label: routes may have anything in them.
fn escape(text: &mut String, value: &str) {
    let mut rest = value;
    while let Some(at) = memchr::memchr3(b'\\', b'"', b'\n', rest.as_bytes()) {
        let (before, from) = rest.split_at(at);
        text.push_str(before);
        text.push_str(match from.as_bytes()[0] {
            b'\\' => "\\\\",
            b'"' => "\\\"",
            _ => "\\n",
        });
        rest = &from[1..];
    }
    text.push_str(rest);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_written_as_go_writes_floats() {
        let bounds = BOUNDS_NS.map(bound);
        let expected = "1e-05 2.5e-05 5e-05 0.0001 0.00025 0.0005 0.001 0.0025 0.005 0.01 0.025 0.05 \
                        0.1 0.25 0.5 1.0 2.5 5.0 10.0";
        assert_eq!(bounds.join(" "), expected);
    }
}
