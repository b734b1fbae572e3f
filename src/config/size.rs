//! Sizes as people write them: a whole number of bytes, or one with a unit, `8KiB`. It is for
//! configuration only; nothing a peer sends is read with it.

use super::{Mistake, quantity};

/// Reads `text` as a whole number of bytes, directly followed by `KiB`, `MiB`, `GiB` or nothing.
///
/// # Errors
/// If it is anything else, or more than 64 bits hold.
pub fn parse(text: &str) -> Result<u64, Mistake> {
    let (number, unit) = quantity::split(text);
    let bytes: u64 = match unit {
        "" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return Err(not_understood(text)),
    };
    if number.is_empty() {
        return Err(not_understood(text));
    }
    quantity::times(number, bytes)
        .ok_or_else(|| Mistake::new(format!("'{text}' is too large"), "write a smaller one"))
}

fn not_understood(text: &str) -> Mistake {
    Mistake::new(
        format!("'{text}' is not a size"),
        "write a whole number of bytes, or one with KiB, MiB or GiB, such as 8KiB",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_one_way_or_not_at_all() {
        let table = [
            ("0", Ok(0)),
            ("8192", Ok(8192)),
            ("8KiB", Ok(8192)),
            ("3MiB", Ok(3 << 20)),
            ("1GiB", Ok(1 << 30)),
            ("18446744073709551615", Ok(u64::MAX)),
            ("18446744073709551616", Err("too large")),
            ("18014398509481983KiB", Ok(u64::MAX - 1023)),
            ("18014398509481984KiB", Err("too large")),
            ("", Err("not a size")),
            ("KiB", Err("not a size")),
            ("8 KiB", Err("not a size")),
            ("8KB", Err("not a size")),
            ("8k", Err("not a size")),
            ("1.5MiB", Err("not a size")),
            ("-1", Err("not a size")),
            ("+1", Err("not a size")),
            ("1\u{e9}", Err("not a size")),
        ];
        for (text, expected) in table {
            match (parse(text), expected) {
                (Ok(got), Ok(expected)) => assert_eq!(got, expected),
                (Err(got), Err(expected)) => {
                    assert!(got.what.ends_with(expected), "{text}: {got:?}");
                }
                (got, _) => panic!("{text}: {got:?}"),
            }
        }
    }
}
