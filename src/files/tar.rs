//! The tar format, as much of it as is written: the ustar headers of POSIX.1-2017 (`pax`, "ustar
//! Interchange Format"), and before them the records of the pax format for what they have no room for.
//! It is pure.
//!
//! A path that is not ASCII goes into a record, where it is known to be UTF-8. One that is not UTF-8
//! either stands in the header as it is, and in a record that says so (`hdrcharset=BINARY`) where it is
//! too long for that. Nobody's name or number is told: owner and group are 0.

/// Bytes of a block: headers are of one, and content is padded to whole ones.
pub(super) const BLOCK_BYTES: usize = 512;

/// What ends an archive.
pub(super) const END: [u8; 2 * BLOCK_BYTES] = [0; 2 * BLOCK_BYTES];

const NAME_BYTES: usize = 100;
const PREFIX_BYTES: usize = 155;

/// Most that eleven octal digits hold.
const NUMBER_MOST: u64 = (1 << 33) - 1;

/// What a header says of a file or a folder.
#[derive(Clone, Copy, Debug)]
pub(super) struct Member<'a> {
    /// Of a folder without the slash at its end.
    pub(super) path: &'a [u8],
    pub(super) is_folder: bool,
    /// Whether a file may be run.
    pub(super) is_executable: bool,
    /// Bytes of content; of a folder none.
    pub(super) length: u64,
    /// When it was changed last, in seconds since 1970.
    pub(super) modified: i64,
}

/// Bytes to write behind so many bytes of content.
pub(super) fn padding(length: u64) -> usize {
    (length.wrapping_neg() % BLOCK_BYTES as u64) as usize
}

/// Writes what goes before the content of `member`.
pub(super) fn push_head(member: &Member<'_>, out: &mut Vec<u8>) {
    let mut path = member.path.to_vec();
    if member.is_folder {
        path.push(b'/');
    }
    let text = std::str::from_utf8(&path);
    let is_told_apart = text.is_ok() && !path.is_ascii();
    let place = split(&path).filter(|_| !is_told_apart);
    let mut records = Vec::new();
    if place.is_none() {
        if text.is_err() {
            push_record("hdrcharset", b"BINARY", &mut records);
        }
        push_record("path", &path, &mut records);
    }
    let modified = u64::try_from(member.modified).ok();
    let modified = modified.filter(|&seconds| seconds <= NUMBER_MOST);
    if modified.is_none() {
        let seconds = member.modified.to_string();
        push_record("mtime", seconds.as_bytes(), &mut records);
    }
    let length = Some(member.length).filter(|&length| length <= NUMBER_MOST);
    if length.is_none() {
        let length = member.length.to_string();
        push_record("size", length.as_bytes(), &mut records);
    }
    if !records.is_empty() {
        let length = records.len() as u64;
        push_block(b"x", (b"", b"././@PaxHeader"), 0o644, length, 0, out);
        out.extend_from_slice(&records);
        out.resize(out.len() + padding(length), 0);
    }
    let kind = if member.is_folder { b"5" } else { b"0" };
    let mode = match member.is_folder || member.is_executable {
        true => 0o755,
        false => 0o644,
    };
    let place = place.unwrap_or((b"", &path[..path.len().min(NAME_BYTES)]));
    let (length, modified) = (length.unwrap_or(0), modified.unwrap_or(0));
    push_block(kind, place, mode, length, modified, out);
}

/// The prefix and the name that a path is made of, if it can be.
fn split(path: &[u8]) -> Option<(&[u8], &[u8])> {
    if path.len() <= NAME_BYTES {
        return Some((b"", path));
    }
    let first = path.len() - NAME_BYTES - 1;
    // The slash at the end of a folder parts nothing.
    let last = (path.len() - 2).min(PREFIX_BYTES);
    let slash = path.get(first..=last)?.iter().position(|&b| b == b'/')?;
    let (prefix, name) = path.split_at(first + slash);
    Some((prefix, &name[1..]))
}

/// Writes `LENGTH KEY=VALUE`, whose length is that of all of it.
fn push_record(key: &str, value: &[u8], out: &mut Vec<u8>) {
    let around = " =\n".len() + key.len() + value.len();
    let mut length = around + 1;
    while around + digits(length) != length {
        length = around + digits(length);
    }
    out.extend_from_slice(format!("{length} {key}=").as_bytes());
    out.extend_from_slice(value);
    out.push(b'\n');
}

fn digits(number: usize) -> usize {
    number.checked_ilog10().map_or(1, |log| log as usize + 1)
}

/// Writes a header.
fn push_block(
    kind: &[u8; 1],
    (prefix, name): (&[u8], &[u8]),
    mode: u32,
    length: u64,
    modified: u64,
    out: &mut Vec<u8>,
) {
    let start = out.len();
    out.resize(start + BLOCK_BYTES, 0);
    let block = &mut out[start..];
    let mut put = |at: usize, bytes: &[u8]| block[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, name);
    put(100, format!("{mode:07o}").as_bytes());
    put(108, b"0000000");
    put(116, b"0000000");
    put(124, format!("{length:011o}").as_bytes());
    put(136, format!("{modified:011o}").as_bytes());
    // The sum is made with spaces in its own place.
    put(148, b"        ");
    put(156, kind);
    put(257, b"ustar\x0000");
    put(345, prefix);
    let sum: u32 = block.iter().map(|&byte| u32::from(byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(path: &[u8], is_folder: bool, length: u64, modified: i64) -> Vec<u8> {
        let member = Member {
            path,
            is_folder,
            is_executable: false,
            length,
            modified,
        };
        let mut out = Vec::new();
        push_head(&member, &mut out);
        assert_eq!(out.len() % BLOCK_BYTES, 0);
        out
    }

    /// The records of a head, which has one block of them, or none.
    fn records(head: &[u8]) -> &str {
        match head.len() / BLOCK_BYTES {
            1 => "",
            _ => {
                let text = std::str::from_utf8(&head[BLOCK_BYTES..2 * BLOCK_BYTES]).unwrap();
                text.trim_end_matches('\0')
            }
        }
    }

    fn text(head: &[u8], at: usize, most: usize) -> String {
        let block = &head[head.len() - BLOCK_BYTES..];
        let field = block[at..at + most].split(|&byte| byte == 0).next();
        String::from_utf8_lossy(field.unwrap()).into_owned()
    }

    #[test]
    fn what_a_header_has_room_for_needs_no_record() {
        let most = "n".repeat(NAME_BYTES);
        let prefix = "p".repeat(PREFIX_BYTES);
        let table: &[(String, bool, &str, &str)] = &[
            ("a".into(), false, "", "a"),
            ("a".into(), true, "", "a/"),
            (most.clone(), false, "", &most),
            (format!("d/{most}"), false, "d", &most),
            (format!("{prefix}/{most}"), false, &prefix, &most),
            (
                format!("d/{}", &most[1..]),
                true,
                "d",
                &format!("{}/", &most[1..]),
            ),
        ];
        for (path, is_folder, prefix, name) in table {
            let head = head(path.as_bytes(), *is_folder, 5, 7);
            assert_eq!(records(&head), "", "{path}");
            assert_eq!(text(&head, 0, NAME_BYTES), *name);
            assert_eq!(text(&head, 345, PREFIX_BYTES), *prefix);
            assert_eq!(text(&head, 124, 12), "00000000005");
        }
    }

    #[test]
    fn what_it_has_no_room_for_is_a_record() {
        let name = "n".repeat(NAME_BYTES);
        let prefix = "p".repeat(PREFIX_BYTES);
        let table: &[(&str, bool, u64, i64, &str)] = &[
            (
                &format!("{name}n"),
                false,
                0,
                0,
                &format!("111 path={name}n\n"),
            ),
            (&name, true, 0, 0, &format!("111 path={name}/\n")),
            (
                &format!("{prefix}p/{name}"),
                false,
                0,
                0,
                &format!("267 path={prefix}p/{name}\n"),
            ),
            ("é", false, 0, 0, "11 path=é\n"),
            ("a", false, NUMBER_MOST, 0, ""),
            ("a", false, NUMBER_MOST + 1, 0, "19 size=8589934592\n"),
            ("a", false, 0, NUMBER_MOST as i64, ""),
            (
                "a",
                false,
                0,
                NUMBER_MOST as i64 + 1,
                "20 mtime=8589934592\n",
            ),
            ("a", false, 0, -1, "12 mtime=-1\n"),
        ];
        for (path, is_folder, length, modified, expected) in table {
            let head = head(path.as_bytes(), *is_folder, *length, *modified);
            assert_eq!(records(&head), *expected, "{path} {length} {modified}");
        }
    }

    #[test]
    fn a_record_counts_its_own_length() {
        for bytes in 0..1100 {
            let mut record = Vec::new();
            push_record("k", &vec![b'v'; bytes], &mut record);
            let text = String::from_utf8(record).unwrap();
            let (length, _) = text.split_once(' ').unwrap();
            assert_eq!(length.parse::<usize>().unwrap(), text.len());
        }
    }

    #[test]
    fn content_is_padded_to_whole_blocks() {
        for (length, expected) in [
            (0, 0),
            (1, 511),
            (511, 1),
            (512, 0),
            (513, 511),
            (u64::MAX, 1),
        ] {
            assert_eq!(padding(length), expected, "{length}");
        }
    }
}
