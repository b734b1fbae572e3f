//! Whether one pattern matches whatever another does, so that a rule behind it would never be met.

use std::borrow::Cow;
use std::collections::HashSet;

use super::{Glob, Token, skip_empty, step};

/// Most pairs of places in both patterns that are looked at. Those of patterns that people write have
/// fewer than they have bytes together.
const MOST_PAIRS: usize = 4096;

/// The places of one pattern that some path reaches, and those of another that the same path does.
type Pair = (Vec<bool>, Vec<bool>);

impl Glob {
    /// Whether the pattern matches every path that `other` matches, and every folder. It is not told of
    /// patterns so intricate that it would take long to find out.
    pub fn includes(&self, other: &Glob) -> bool {
        let (wide, narrow) = (self.of_paths(), other.of_paths());
        let bytes = telling_bytes(&[&wide, &narrow]);
        let begin = |tokens: &[Token]| {
            let mut reached = vec![false; tokens.len() + 1];
            reached[0] = true;
            skip_empty(tokens, &mut reached);
            reached
        };
        let mut pairs: Vec<Pair> = vec![(begin(&narrow), begin(&wide))];
        let mut known: HashSet<Pair> = pairs.iter().cloned().collect();
        while let Some((in_narrow, in_wide)) = pairs.pop() {
            let is_matched = in_narrow.ends_with(&[true]) && !in_wide.ends_with(&[true]);
            if is_matched || !in_wide.contains(&true) || known.len() > MOST_PAIRS {
                return false;
            }
            for &byte in &bytes {
                let next = |tokens, reached: &[bool]| {
                    let mut next = vec![false; reached.len()];
                    step(tokens, reached, byte, &mut next);
                    next
                };
                let pair = (next(&narrow, &in_narrow), next(&wide, &in_wide));
                // What no path that goes on so can match is of no interest.
                if pair.0.contains(&true) && known.insert(pair.clone()) {
                    pairs.push(pair);
                }
            }
        }
        true
    }

    /// The tokens that match whole paths: a name may lie at any depth, and has no slash.
    fn of_paths(&self) -> Cow<'_, [Token]> {
        if !self.is_name {
            return Cow::Borrowed(&self.tokens);
        }
        let of_name = self.tokens.iter().map(|token| match token {
            Token::Deep => Token::Star,
            other => other.clone(),
        });
        [Token::NoFolder, Token::Folders]
            .into_iter()
            .chain(of_name)
            .collect()
    }
}

/// One byte for each kind that no token tells from another of the kind.
fn telling_bytes(patterns: &[&[Token]]) -> Vec<u8> {
    let slash = Token::Byte(b'/');
    let tokens = patterns.iter().copied().flatten().chain([&slash]);
    let mut firsts = vec![0];
    for token in tokens {
        let ranges = match token {
            Token::Byte(byte) => &[(*byte, *byte)][..],
            Token::Set { ranges, .. } => ranges,
            _ => &[],
        };
        for (low, high) in ranges {
            firsts.push(*low);
            firsts.extend(high.checked_add(1));
        }
    }
    firsts.sort_unstable();
    firsts.dedup();
    firsts
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn glob(pattern: &str) -> Glob {
        pattern.parse().unwrap()
    }

    #[test]
    fn patterns_and_what_they_include() {
        let table: &[(&str, &[&str], &[&str])] = &[
            ("*", &["*", "*.css", "/**", "/a/b", "**/a", "a/*", "?"], &[]),
            ("/**", &["*", "*.css", "/a/**", "x"], &[]),
            ("**", &["*", "/**", "/a/b"], &[]),
            ("*.css", &["a.css", "/a/*.css", "**/*.css"], &["*", "*.cs"]),
            (
                "/a/**",
                &["/a/*.css", "/a/b/**", "/a/*", "a/b"],
                &["/a", "a", "/ab/*"],
            ),
            ("/a/*", &["/a/b", "/a/*.css"], &["/a/**", "/a/b/c", "/*/b"]),
            ("**/b", &["b", "/b", "/a/b", "a/**/b"], &["/a/*", "b*"]),
            ("[a-c]", &["a", "[ab]", "/x/c"], &["[a-d]", "[!d]", "?"]),
            ("[!a]", &["b", "[c-z]"], &["?", "a", "[!b]"]),
            ("a?", &["ab", "a[bc]"], &["a", "a*", "abc"]),
            (r"\*", &[r"\*"], &["*"]),
            ("a**b", &["ab", "acb"], &["/a/b"]),
            ("/a**b", &["/ab", "/a/b", "/a/**/b"], &["ab", "/a"]),
            ("/a", &["/a", "/a/"], &["a", "/a/*"]),
        ];
        for (wide, included, others) in table {
            for narrow in *included {
                assert!(glob(wide).includes(&glob(narrow)), "{wide} {narrow}");
            }
            for narrow in *others {
                assert!(!glob(wide).includes(&glob(narrow)), "{wide} {narrow}");
            }
        }
    }

    #[test]
    fn what_is_intricate_is_not_told_and_takes_no_time() {
        // It includes itself, but there is an end to looking.
        let wider = glob(&format!("/*a{}", "?".repeat(100)));
        assert!(!wider.includes(&wider));
    }

    proptest! {
        #[test]
        fn what_is_included_is_matched(
            wide in r"[a*?\[!\\/-]{1,8}",
            narrow in r"[ab*?\[!\]/]{1,8}",
            path in r"[ab/-]{0,8}",
        ) {
            let globs = (wide.parse::<Glob>(), narrow.parse::<Glob>());
            if let (Ok(wide), Ok(narrow)) = globs
                && wide.includes(&narrow)
            {
                let path = path.as_bytes();
                prop_assert!(wide.matches(path) || !narrow.matches(path));
                prop_assert!(wide.matches_folder(path) || !narrow.matches_folder(path));
            }
        }

        #[test]
        fn what_is_not_included_has_a_path(
            wide in r"[a*?/]{1,5}",
            narrow in r"[ab*?/]{1,5}",
        ) {
            let globs = (wide.parse::<Glob>(), narrow.parse::<Glob>());
            if let (Ok(wide), Ok(narrow)) = globs
                && !wide.includes(&narrow)
            {
                let is_apart = |path: &[u8]| narrow.matches(path) && !wide.matches(path);
                let mut paths = vec![Vec::new()];
                let mut has_any = false;
                for _ in 0..8 {
                    has_any |= paths.iter().any(|path| is_apart(path));
                    let longer = paths.iter().flat_map(|path| {
                        b"ab/".map(|byte| [path.as_slice(), &[byte]].concat())
                    });
                    paths = longer.collect();
                }
                prop_assert!(has_any);
            }
        }
    }
}
