//! What lies in a folder, as it is listed: many entries in little memory, and their order. It is pure.

use std::cmp::Ordering;

/// Entries of a folder, in the order in which they were added until they are sorted.
#[derive(Debug, Default)]
pub(super) struct Entries {
    /// All names, one behind the other.
    names: Vec<u8>,
    list: Vec<Place>,
}

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Folder,
    /// A regular file.
    File,
}

/// An entry, without its name.
#[derive(Clone, Copy, Debug)]
struct Place {
    name_start: u32,
    name_bytes: u16,
    kind: Kind,
    is_link: bool,
    length: u64,
    modified: i64,
}

/// An entry as it is told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry<'a> {
    pub(super) name: &'a [u8],
    pub(super) kind: Kind,
    /// Whether a symbolic link leads to it.
    pub(super) is_link: bool,
    /// Bytes of content; of a folder whatever its file system says.
    pub(super) length: u64,
    /// When the content was changed last, in seconds since 1970.
    pub(super) modified: i64,
}

/// By what entries are sorted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Key {
    /// Letters of ASCII without regard to their case.
    #[default]
    Name,
    Size,
    Time,
    /// As the file system has them.
    None,
}

/// The order of a listing: folders first, then by the key, and where that is equal by name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Order {
    pub(super) key: Key,
    pub(super) is_descending: bool,
}

impl Entries {
    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    /// Bytes of memory that they take.
    pub(super) fn bytes(&self) -> usize {
        self.names.capacity() + self.list.capacity() * size_of::<Place>()
    }

    pub(super) fn push(&mut self, entry: &Entry<'_>) {
        // A name has at most 255 bytes, and there are at most some hundred thousand of them.
        let name_start = self.names.len() as u32;
        self.names.extend_from_slice(entry.name);
        self.list.push(Place {
            name_start,
            name_bytes: entry.name.len() as u16,
            kind: entry.kind,
            is_link: entry.is_link,
            length: entry.length,
            modified: entry.modified,
        });
    }

    pub(super) fn get(&self, index: usize) -> Option<Entry<'_>> {
        self.list.get(index).map(|place| self.entry(place))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Entry<'_>> {
        self.list.iter().map(|place| self.entry(place))
    }

    /// Takes out those from the one at `start` on whose name is none of `is_kept`.
    pub(super) fn retain_from(&mut self, start: usize, is_kept: impl Fn(&[u8]) -> bool) {
        let names = &self.names;
        let mut index = 0;
        self.list.retain(|place| {
            index += 1;
            index <= start || is_kept(name_of(names, place))
        });
    }

    /// Takes all of them out, and keeps their memory for others.
    pub(super) fn clear(&mut self) {
        self.names.clear();
        self.list.clear();
    }

    pub(super) fn sort(&mut self, order: Order) {
        let Self { names, list } = self;
        let by_name = |a: &Place, b: &Place| compare_names(name_of(names, a), name_of(names, b));
        let by_key = |a: &Place, b: &Place| match order.key {
            Key::Name => by_name(a, b),
            Key::Size if a.kind == Kind::Folder => by_name(a, b),
            Key::Size => a.length.cmp(&b.length).then_with(|| by_name(a, b)),
            Key::Time => a.modified.cmp(&b.modified).then_with(|| by_name(a, b)),
            Key::None => Ordering::Equal,
        };
        if order.key == Key::None {
            return;
        }
        list.sort_unstable_by(|a, b| {
            let within = match order.is_descending {
                true => by_key(b, a),
                false => by_key(a, b),
            };
            a.kind.cmp(&b.kind).then(within)
        });
    }

    fn entry(&self, place: &Place) -> Entry<'_> {
        Entry {
            name: name_of(&self.names, place),
            kind: place.kind,
            is_link: place.is_link,
            length: place.length,
            modified: place.modified,
        }
    }
}

fn name_of<'a>(names: &'a [u8], place: &Place) -> &'a [u8] {
    let start = place.name_start as usize;
    &names[start..start + usize::from(place.name_bytes)]
}

fn compare_names(a: &[u8], b: &[u8]) -> Ordering {
    let folded = a.iter().map(u8::to_ascii_lowercase);
    let folded = folded.cmp(b.iter().map(u8::to_ascii_lowercase));
    folded.then_with(|| a.cmp(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries() -> Entries {
        let mut entries = Entries::default();
        for (name, kind, length, modified) in [
            ("b", Kind::File, 2, 30),
            ("sub", Kind::Folder, 4096, 10),
            ("A", Kind::File, 3, 20),
            ("a", Kind::File, 2, 20),
            ("Dir", Kind::Folder, 0, 40),
            ("\u{e9}", Kind::File, 0, -1),
        ] {
            entries.push(&Entry {
                name: name.as_bytes(),
                kind,
                is_link: false,
                length,
                modified,
            });
        }
        entries
    }

    fn names(entries: &Entries) -> Vec<String> {
        let name = |entry: Entry<'_>| String::from_utf8_lossy(entry.name).into_owned();
        entries.iter().map(name).collect()
    }

    #[test]
    fn folders_go_first_and_names_decide_what_is_equal() {
        let table = [
            (Key::Name, false, ["Dir", "sub", "A", "a", "b", "\u{e9}"]),
            (Key::Name, true, ["sub", "Dir", "\u{e9}", "b", "a", "A"]),
            (Key::Size, false, ["Dir", "sub", "\u{e9}", "a", "b", "A"]),
            (Key::Size, true, ["sub", "Dir", "A", "b", "a", "\u{e9}"]),
            (Key::Time, false, ["sub", "Dir", "\u{e9}", "A", "a", "b"]),
            (Key::Time, true, ["Dir", "sub", "b", "a", "A", "\u{e9}"]),
            (Key::None, false, ["b", "sub", "A", "a", "Dir", "\u{e9}"]),
            (Key::None, true, ["b", "sub", "A", "a", "Dir", "\u{e9}"]),
        ];
        for (key, is_descending, expected) in table {
            let order = Order { key, is_descending };
            let mut entries = entries();
            entries.sort(order);
            assert_eq!(names(&entries), expected, "{order:?}");
        }
    }

    #[test]
    fn what_is_hidden_is_taken_out_behind_a_place() {
        let mut entries = entries();
        entries.retain_from(1, |name| name.is_ascii() && name != b"sub");
        assert_eq!(names(&entries), ["b", "A", "a", "Dir"]);
        assert_eq!(entries.get(1).map(|entry| entry.length), Some(3));
        let bytes = entries.bytes();
        entries.clear();
        assert_eq!((entries.len(), entries.bytes()), (0, bytes));
    }
}
