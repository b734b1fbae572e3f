//! The medians of the rounds, as a table.

use std::time::Duration;

use crate::crossings::Row;

/// The median of each row.
pub(crate) struct Tally(Vec<Row>);

impl Tally {
    /// Of rounds that have the same rows.
    pub(crate) fn of(rounds: Vec<Vec<Row>>) -> Self {
        let count = rounds.first().map_or(0, Vec::len);
        let row = |n: usize| {
            let of = |field: fn(&Row) -> Option<Duration>| {
                let mut values: Vec<_> = rounds.iter().filter_map(|rows| field(&rows[n])).collect();
                values.sort_unstable();
                values.get(values.len() / 2).copied()
            };
            Row {
                name: rounds[0][n].name.clone(),
                wall: of(|row| Some(row.wall)).unwrap_or_default(),
                cpu: of(|row| Some(row.cpu)).unwrap_or_default(),
                p50: of(|row| row.p50),
                p99: of(|row| row.p99),
            }
        };
        Self((0..count).map(row).collect())
    }

    pub(crate) fn print(&self) {
        println!("| | each | a second | CPU, both cores | p50 | p99 |");
        println!("|---|--:|--:|--:|--:|--:|");
        for row in &self.0 {
            let rate = 1.0 / row.wall.as_secs_f64();
            println!(
                "| {} | {} | {:.0} | {} | {} | {} |",
                row.name,
                micros(Some(row.wall)),
                rate,
                micros(Some(row.cpu)),
                micros(row.p50),
                micros(row.p99),
            );
        }
    }
}

fn micros(time: Option<Duration>) -> String {
    time.map_or(String::new(), |time| {
        format!("{:.2} µs", time.as_secs_f64() * 1e6)
    })
}
