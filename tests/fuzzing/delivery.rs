//! How a peer delivers what it sends.

/// The pieces in which `bytes` come, as `choice` says: each byte alone, several at a time, or in two.
pub(crate) fn pieces(choice: u8, bytes: &[u8]) -> Vec<&[u8]> {
    match choice % 4 {
        0 if bytes.len() <= 512 => bytes.chunks(1).collect(),
        0 | 1 => bytes.chunks(usize::from(choice) + 1).collect(),
        _ => {
            let (first, second) = bytes.split_at(bytes.len() * usize::from(choice) / 256);
            vec![first, second]
        }
    }
}
