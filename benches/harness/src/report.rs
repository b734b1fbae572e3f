//! From samples to what is printed: medians, ratios to the floor, a Markdown table, JSON.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::cases::Case;
use crate::load::Sample;

/// Which servers are told in relation to each other, where both were measured.
const COMPARED: [(&str, &str); 5] = [
    ("corelane-2", "corelane"),
    ("corelane", "nginx"),
    ("corelane", "nginx-nopush"),
    ("corelane-sendfile", "nginx"),
    ("corelane", "nginx-copies"),
];

/// Everything about one server in one case.
pub struct Entry {
    pub label: String,
    pub is_floor: bool,
    pub outcome: Outcome,
}

/// What became of a server in a case.
pub enum Outcome {
    /// One sample for each round.
    Measured(Vec<Sample>),
    /// It was not measured, and why.
    LeftOut(String),
    /// It failed under load, and how.
    Failed(String),
}

/// One case and what was measured in it.
pub struct CaseReport {
    pub case: Case,
    pub entries: Vec<Entry>,
}

/// Median and extremes of some values.
struct Spread {
    median: f64,
    min: f64,
    max: f64,
}

impl Entry {
    /// Its samples, one for each round; none unless it was measured to the end.
    fn samples(&self) -> &[Sample] {
        match &self.outcome {
            Outcome::Measured(samples) => samples,
            Outcome::LeftOut(_) | Outcome::Failed(_) => &[],
        }
    }

    fn p99_us(&self) -> Option<f64> {
        let values: Option<Vec<f64>> = self.samples().iter().map(|sample| sample.p99_us).collect();
        values.map(|values| Spread::of(values).median)
    }

    fn median(&self, value: impl Fn(&Sample) -> f64) -> f64 {
        Spread::of(self.samples().iter().map(value).collect()).median
    }
}

impl CaseReport {
    /// The case as a heading and a Markdown table.
    pub fn markdown(&self) -> String {
        let mut text = format!(
            "### {}\n\n| server | CPU µs/request | × floor (min–max) | wrk's CPU µs | \
             requests/s | p99 ms |\n|---|--:|--:|--:|--:|--:|\n",
            self.case.title()
        );
        for entry in &self.entries {
            // Writing to a string does not fail.
            let _ = writeln!(text, "{}", self.row(entry));
        }
        for (one, other) in COMPARED {
            let own = self.ratio(one, other, |sample| sample.cpu_us);
            let both = self.ratio(one, other, |sample| sample.cpu_us + sample.wrk_us);
            if let (Some(own), Some(both)) = (own, both) {
                let (own, both) = (own.text(), both.text());
                let _ = writeln!(
                    text,
                    "\n{one} ÷ {other}, CPU per request: {own}; with wrk's: {both}"
                );
            }
        }
        text
    }

    fn row(&self, entry: &Entry) -> String {
        let label = &entry.label;
        match &entry.outcome {
            Outcome::LeftOut(why) => return format!("| {label} | – {why} | – | – | – | – |"),
            Outcome::Failed(how) => {
                return format!("| {label} | **failed:** {how} | – | – | – | – |");
            }
            Outcome::Measured(_) => {}
        }
        let ended: usize = entry
            .samples()
            .iter()
            .map(|sample| sample.threads_ended)
            .sum();
        let note = if ended > 0 {
            format!(" ({ended} threads ended)")
        } else {
            String::new()
        };
        let ratio = self
            .ratio_to_floor(entry)
            .map_or("–".to_owned(), |ratio| ratio.text());
        let p99 = entry
            .p99_us()
            .map_or("–".to_owned(), |p99_us| format!("{:.2}", p99_us / 1e3));
        format!(
            "| {label} | {:.2}{note} | {ratio} | {:.2} | {:.0} | {p99} |",
            entry.median(|sample| sample.cpu_us),
            entry.median(|sample| sample.wrk_us),
            entry.median(|sample| sample.per_second),
        )
    }

    /// CPU per request relative to the cheaper floor of the same round.
    fn ratio_to_floor(&self, entry: &Entry) -> Option<Spread> {
        let floors: Vec<&[Sample]> = self
            .entries
            .iter()
            .filter(|entry| entry.is_floor && !entry.samples().is_empty())
            .map(Entry::samples)
            .collect();
        let cheapest = |round: usize| {
            floors
                .iter()
                .map(|samples| samples[round].cpu_us)
                .min_by(f64::total_cmp)
        };
        let samples = entry.samples().iter().enumerate();
        let ratios = samples.map(|(round, sample)| Some(sample.cpu_us / cheapest(round)?));
        ratios.collect::<Option<Vec<f64>>>().map(Spread::of)
    }

    /// What one server cost relative to another, round by round.
    fn ratio(&self, one: &str, other: &str, cost: impl Fn(&Sample) -> f64) -> Option<Spread> {
        let samples = |label: &str| {
            let entry = self.entries.iter().find(|entry| entry.label == label)?;
            (!entry.samples().is_empty()).then(|| entry.samples())
        };
        let rounds = samples(one)?.iter().zip(samples(other)?);
        let ratios = rounds.map(|(one, other)| cost(one) / cost(other));
        Some(Spread::of(ratios.collect()))
    }

    /// Every sample of the case.
    pub fn json(&self) -> Value {
        let entries: Vec<Value> = self
            .entries
            .iter()
            .map(|entry| self.entry_json(entry))
            .collect();
        json!({ "case": self.case.name(), "servers": entries })
    }

    fn entry_json(&self, entry: &Entry) -> Value {
        let samples: Vec<Value> = entry.samples().iter().map(sample_json).collect();
        match &entry.outcome {
            Outcome::LeftOut(why) => json!({ "server": entry.label, "left_out": why }),
            Outcome::Failed(how) => json!({ "server": entry.label, "failed": how }),
            Outcome::Measured(_) => json!({
                "server": entry.label,
                "cpu_us_per_request": entry.median(|sample| sample.cpu_us),
                "wrk_cpu_us_per_request": entry.median(|sample| sample.wrk_us),
                "ratio_to_floor": self.ratio_to_floor(entry).map(|ratio| ratio.median),
                "requests_per_second": entry.median(|sample| sample.per_second),
                "p99_us": entry.p99_us(),
                "rounds": samples,
            }),
        }
    }
}

fn sample_json(sample: &Sample) -> Value {
    json!({
        "cpu_us_per_request": sample.cpu_us,
        "wrk_cpu_us_per_request": sample.wrk_us,
        "requests_per_second": sample.per_second,
        "p99_us": sample.p99_us,
        "requests": sample.requests,
        "threads_ended": sample.threads_ended,
    })
}

impl Spread {
    /// The spread of one value or more.
    fn of(mut values: Vec<f64>) -> Spread {
        values.sort_by(f64::total_cmp);
        let middle = values.len() / 2;
        let median = match values.len() % 2 {
            0 => f64::midpoint(values[middle - 1], values[middle]),
            _ => values[middle],
        };
        Spread {
            median,
            min: values[0],
            max: values[values.len() - 1],
        }
    }

    fn text(&self) -> String {
        format!("{:.2} ({:.2}–{:.2})", self.median, self.min, self.max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_refer_to_the_cheaper_floor_of_the_same_round() {
        let report = CaseReport {
            case: Case::KeepAlive64,
            entries: vec![
                entry("floor-epoll", true, &[8.0, 20.0, 9.0]),
                entry("floor-ring", true, &[10.0, 10.0, 18.0]),
                entry("corelane", false, &[12.0, 11.0, 18.0]),
                entry("corelane-2", false, &[12.0, 22.0, 9.0]),
                Entry {
                    label: "hyper".into(),
                    is_floor: false,
                    outcome: Outcome::LeftOut("has no file service".into()),
                },
            ],
        };
        let text = report.markdown();
        for line in [
            "| floor-epoll | 9.00 | 1.00 (1.00–2.00) | 9.00 | 1000 | 2.00 |",
            "| corelane | 12.00 | 1.50 (1.10–2.00) | 12.00 | 1000 | 2.00 |",
            "| hyper | – has no file service | – | – | – | – |",
            "corelane-2 ÷ corelane, CPU per request: 1.00 (0.50–2.00); with wrk's: 1.00 (0.50–2.00)",
        ] {
            assert!(
                text.lines().any(|found| found == line),
                "{line} is not in\n{text}"
            );
        }
        assert_eq!(report.json()["servers"][2]["ratio_to_floor"], 1.5);
    }

    #[test]
    fn the_median_of_an_even_count_is_between_the_middle_two() {
        assert_eq!(
            Spread::of(vec![4.0, 1.0, 2.0, 3.0]).text(),
            "2.50 (1.00–4.00)"
        );
    }

    fn entry(label: &str, is_floor: bool, cpu_us: &[f64]) -> Entry {
        let sample = |&cpu_us: &f64| Sample {
            cpu_us,
            wrk_us: cpu_us,
            per_second: 1000.0,
            p99_us: Some(2000.0),
            requests: 3000,
            threads_ended: 0,
        };
        let samples = cpu_us.iter().map(sample).collect();
        Entry {
            label: label.into(),
            is_floor,
            outcome: Outcome::Measured(samples),
        }
    }
}
