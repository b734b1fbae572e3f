//! Text of others on one line of a terminal or a log: what would move the cursor, break the line or
//! turn the direction of reading is shown escaped. It decides nothing about what may be told.

use std::fmt::{self, Write};

/// Displays what `T` displays, escaped, and no more of it than a number of bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Printable<T> {
    text: T,
    most_bytes: usize,
}

impl<T: fmt::Display> Printable<T> {
    /// All of `text`.
    pub(crate) fn new(text: T) -> Self {
        Self::within(usize::MAX, text)
    }

    /// The beginning of `text`, in at most `most_bytes`, and an ellipsis where that is not all.
    pub(crate) fn within(most_bytes: usize, text: T) -> Self {
        Self { text, most_bytes }
    }
}

impl<T: fmt::Display> fmt::Display for Printable<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut escaping = Escaping {
            out: f,
            left_bytes: self.most_bytes,
            is_cut: false,
        };
        write!(escaping, "{}", self.text)
    }
}

struct Escaping<'a, 'b> {
    out: &'a mut fmt::Formatter<'b>,
    left_bytes: usize,
    is_cut: bool,
}

impl Write for Escaping<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            if self.is_cut {
                return Ok(());
            }
            let bytes = if is_plain(c) {
                c.len_utf8()
            } else {
                c.escape_default().len()
            };
            if bytes > self.left_bytes {
                self.is_cut = true;
                return self.out.write_char('…');
            }
            self.left_bytes -= bytes;
            if is_plain(c) {
                self.out.write_char(c)?;
            } else {
                write!(self.out, "{}", c.escape_default())?;
            }
        }
        Ok(())
    }
}

/// Whether `c` is neither a control character, nor a line separator, nor one that embeds, overrides
/// or isolates a direction of reading.
pub(crate) fn is_plain(c: char) -> bool {
    !c.is_control()
        && !matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_plain_text_is_escaped() {
        let table = [
            ("plain, père, 木 \\ \"", "plain, père, 木 \\ \""),
            ("a\r\nb\t\0", r"a\r\nb\t\u{0}"),
            ("\u{1b}[2J\u{7f}\u{9b}", r"\u{1b}[2J\u{7f}\u{9b}"),
            ("\u{2028}\u{202e}\u{2066}", r"\u{2028}\u{202e}\u{2066}"),
        ];
        for (text, shown) in table {
            assert_eq!(Printable::new(text).to_string(), shown);
        }
    }

    #[test]
    fn text_is_cut_at_its_bound_and_not_before() {
        let table = [
            (5, "12345", "12345"),
            (5, "123456", "12345…"),
            (3, "12é", "12…"),
            (4, "12é", "12é"),
            (3, "12\n", "12…"),
            (4, "12\n3", r"12\n…"),
            (0, "1", "…"),
            (0, "", ""),
        ];
        for (most_bytes, text, shown) in table {
            let parts = text.split_inclusive(|_| true).collect::<Vec<_>>();
            assert_eq!(Printable::within(most_bytes, text).to_string(), shown);
            // However the text is written in pieces.
            let pieces = Pieces(&parts);
            assert_eq!(Printable::within(most_bytes, pieces).to_string(), shown);
        }
    }

    struct Pieces<'a>(&'a [&'a str]);

    impl fmt::Display for Pieces<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            self.0.iter().try_for_each(|piece| f.write_str(piece))
        }
    }
}
