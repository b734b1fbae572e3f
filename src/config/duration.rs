//! Durations as people write them: a whole number and a unit, `30s` or `500ms`. It is for
//! configuration only; nothing a peer sends is read with it.

use std::time::Duration;

use super::{Mistake, quantity};

/// Reads `text` as a whole number directly followed by `ms`, `s`, `m` or `h`.
///
/// # Errors
/// If it is anything else, has no unit, or is longer than `most`.
pub fn parse(text: &str, most: Duration) -> Result<Duration, Mistake> {
    let (number, unit) = quantity::split(text);
    let milliseconds = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "" if !number.is_empty() => {
            return Err(Mistake::new(
                format!("'{text}' has no unit"),
                format!("write {text}s or {text}ms"),
            ));
        }
        _ => return Err(not_understood(text)),
    };
    if number.is_empty() {
        return Err(not_understood(text));
    }
    quantity::times(number, milliseconds)
        .map(Duration::from_millis)
        .filter(|duration| *duration <= most)
        .ok_or_else(|| {
            Mistake::new(
                format!("'{text}' is too long"),
                format!("write at most {}s", most.as_secs()),
            )
        })
}

fn not_understood(text: &str) -> Mistake {
    Mistake::new(
        format!("'{text}' is not a duration"),
        "write a whole number and ms, s, m or h, such as 30s",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_one_way_or_not_at_all() {
        let most = Duration::from_secs(3600);
        let table = [
            ("0s", Ok(0)),
            ("30s", Ok(30_000)),
            ("500ms", Ok(500)),
            ("2m", Ok(120_000)),
            ("1h", Ok(3_600_000)),
            ("60m", Ok(3_600_000)),
            ("3600000ms", Ok(3_600_000)),
            ("3600001ms", Err("too long")),
            ("3601s", Err("too long")),
            ("99999999999999999999s", Err("too long")),
            ("18446744073709551615h", Err("too long")),
            ("30", Err("no unit")),
            ("", Err("not a duration")),
            ("s", Err("not a duration")),
            ("1.5s", Err("not a duration")),
            ("-1s", Err("not a duration")),
            ("+1s", Err("not a duration")),
            ("30 s", Err("not a duration")),
            ("30S", Err("not a duration")),
            ("1m30s", Err("not a duration")),
            ("3é", Err("not a duration")),
        ];
        for (text, expected) in table {
            match (parse(text, most), expected) {
                (Ok(got), Ok(expected)) => assert_eq!(got, Duration::from_millis(expected)),
                (Err(got), Err(expected)) => {
                    assert!(got.what.ends_with(expected), "{text}: {got:?}");
                }
                (got, _) => panic!("{text}: {got:?}"),
            }
        }
    }
}
