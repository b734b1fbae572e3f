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
    /// The same with labels, of the sample that is written.
    labels: String,
}

impl Text {
    pub(super) fn new(dialect: Dialect) -> Text {
        Text {
            dialect,
            text: String::with_capacity(16 * 1024),
            name: String::new(),
            labels: String::new(),
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

    /// Sets the name of a sample with labels, before they are closed.
    fn labels(&mut self, suffix: &str, labels: &[Label<'_>]) {
        self.labels.clear();
        self.labels.push_str(&self.name);
        self.labels.push_str(suffix);
        for (place, (name, value)) in labels.iter().enumerate() {
            self.labels.push(if place == 0 { '{' } else { ',' });
            self.labels.push_str(name);
            self.labels.push_str("=\"");
            escape(&mut self.labels, value);
            self.labels.push('"');
        }
    }

    fn sample(&mut self, suffix: &str, labels: &[Label<'_>], value: f64) {
        self.labels(suffix, labels);
        self.text.push_str(&self.labels);
        self.text
            .push_str(if labels.is_empty() { " " } else { "} " });
        // A text takes all that is written.
        let _ = writeln!(self.text, "{value}");
    }

    /// A sample of a histogram: how many are not above a bound.
    fn bucket(&mut self, bound: &str, count: u64) {
        for part in [&self.labels, bound, "\"} "] {
            self.text.push_str(part);
        }
        self.text.push_str(itoa::Buffer::new().format(count));
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
        self.sample("", labels, value);
    }

    fn histogram(
        &mut self,
        labels: &[Label<'_>],
        distribution: &Distribution,
        since: Option<SystemTime>,
    ) {
        // Only the bound is another in each bucket.
        self.labels("_bucket", labels);
        self.labels.push_str(if labels.is_empty() {
            "{le=\""
        } else {
            ",le=\""
        });
        for (bound_ns, count) in BOUNDS_NS.iter().zip(distribution.at_most(&BOUNDS_NS)) {
            self.bucket(&bound(*bound_ns), count);
        }
        self.bucket("+Inf", distribution.count());
        let count = distribution.count() as f64;
        self.sample("_sum", labels, distribution.sum_ns() as f64 / 1e9);
        self.sample("_count", labels, count);
        if let Some(since) = since.filter(|_| self.dialect == Dialect::OpenMetrics) {
            let since = since.duration_since(UNIX_EPOCH).unwrap_or_default();
            self.sample("_created", labels, since.as_secs_f64());
        }
    }

    fn end(&mut self) {}
}

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
    for character in value.chars() {
        match character {
            '\\' => text.push_str("\\\\"),
            '"' => text.push_str("\\\""),
            '\n' => text.push_str("\\n"),
            other => text.push(other),
        }
    }
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
