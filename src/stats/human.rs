//! Figures as people read them. The script of the dashboard writes them alike.

use serde_json::Value;

/// What stands where there is no figure.
pub(crate) const NONE: &str = "–";

/// `value` as a figure of this `kind`: `text`, `count`, `rate` (in a second), `time` (nanoseconds), `ms`,
/// `span` (seconds), `bytes`, `share` (of 1) or `factor`.
pub(crate) fn told(kind: &str, value: &Value) -> String {
    if let Some(text) = value.as_str() {
        return text.to_owned();
    }
    let Some(number) = value.as_f64() else {
        return NONE.to_owned();
    };
    match kind {
        "rate" if number < 100.0 => format!("{number:.1}"),
        "count" | "rate" => count(number),
        "time" => time(number),
        "ms" => time(number * 1e6),
        "span" => span(number as u64),
        "bytes" => bytes(number),
        "share" => format!("{:.1} %", number * 100.0),
        "factor" => format!("{number:.2}×"),
        _ => value.to_string(),
    }
}

/// A whole number, its thousands apart.
pub(crate) fn count(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut told = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            told.push(',');
        }
        told.push(digit);
    }
    told
}

/// A time in nanoseconds, with its unit.
pub(crate) fn time(ns: f64) -> String {
    for (unit, size) in [("s", 1e9), ("ms", 1e6), ("µs", 1e3)] {
        if ns >= size {
            return format!("{} {unit}", three_digits(ns / size));
        }
    }
    format!("{ns:.0} ns")
}

fn bytes(number: f64) -> String {
    for (unit, power) in [("TiB", 4), ("GiB", 3), ("MiB", 2), ("KiB", 1)] {
        let size = 1024_f64.powi(power);
        if number >= size {
            return format!("{} {unit}", three_digits(number / size));
        }
    }
    format!("{number:.0} B")
}

fn span(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    if days > 0 {
        format!("{days} d {} h", hours % 24)
    } else if hours > 0 {
        format!("{hours} h {} min", minutes % 60)
    } else if minutes > 0 {
        format!("{minutes} min {} s", seconds % 60)
    } else {
        format!("{seconds} s")
    }
}

fn three_digits(number: f64) -> String {
    if number >= 100.0 {
        format!("{number:.0}")
    } else if number >= 10.0 {
        format!("{number:.1}")
    } else {
        format!("{number:.2}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn figures() {
        for (kind, value, expected) in [
            ("text", json!("<b>"), "<b>"),
            ("text", json!(7), "7"),
            ("count", json!(null), "–"),
            ("count", json!(0), "0"),
            ("count", json!(999), "999"),
            ("count", json!(1_000), "1,000"),
            ("count", json!(1_234_567), "1,234,567"),
            ("rate", json!(99.94), "99.9"),
            ("rate", json!(12_345.6), "12,346"),
            ("time", json!(0), "0 ns"),
            ("time", json!(999), "999 ns"),
            ("time", json!(1_234), "1.23 µs"),
            ("time", json!(45_600_000), "45.6 ms"),
            ("time", json!(61_000_000_000_u64), "61.0 s"),
            ("ms", json!(250), "250 ms"),
            ("span", json!(59.9), "59 s"),
            ("span", json!(200.0), "3 min 20 s"),
            ("span", json!(7_260), "2 h 1 min"),
            ("span", json!(180_000), "2 d 2 h"),
            ("bytes", json!(1_023), "1023 B"),
            ("bytes", json!(1_536), "1.50 KiB"),
            ("bytes", json!(5_u64 << 40), "5.00 TiB"),
            ("share", json!(0.333), "33.3 %"),
            ("factor", json!(1.5), "1.50×"),
        ] {
            assert_eq!(told(kind, &value), expected, "{kind} {value}");
        }
    }
}
