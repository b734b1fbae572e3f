//! A whole number with a unit right behind it: what sizes and durations have in common.

/// Splits `text` into its leading digits, of which there may be none, and what follows them.
pub(super) fn split(text: &str) -> (&str, &str) {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    text.split_at(digits)
}

/// `number`, digits alone, times `each`; `None` if that is more than 64 bits hold, or there are no
/// digits.
pub(super) fn times(number: &str, each: u64) -> Option<u64> {
    number.parse::<u64>().ok()?.checked_mul(each)
}
