//! Which template a path belongs to where several take it: the most specific.
//!
//! Templates are compared segment by segment, from the left. Of two segments the one with more literal
//! text at its start goes first, then a parameter before a rest, then the one with more literal text at
//! its end. So goes a tree of matchit through its branches, and most apps need no other. Three things one
//! tree cannot do, and then what is less specific stands in another that is searched later:
//!
//! - It holds no `{*rest}` where a parameter begins, as in `/{name}` and `/{*rest}`.
//! - It knows no kinds: where a value is of none that is asked for, it has gone past what else there is.
//! - It does not come back from a parameter with text behind it, as in `/{name}.d/x`, if the path goes on
//!   in another way.

use std::cmp::{Ordering, Reverse};
use std::collections::BTreeMap;
use std::ops::Bound;

use super::template::{Part, Template};

/// How specific a template is. What compares as less goes first.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Precedence(Vec<Segment>);

/// What stands between two slashes of a template, or behind the last.
#[derive(Debug, Default, PartialEq, Eq)]
struct Segment {
    before: String,
    form: Form,
    /// What stands behind the parameter.
    after: String,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Form {
    #[default]
    Literal,
    Parameter,
    Rest,
}

/// Templates that keep what is less specific, and takes some of the same paths, out of trees.
#[derive(Default)]
pub(super) struct Barriers<'a> {
    /// By the literal text before the first parameter, since templates whose paths begin differently
    /// have none in common.
    by_start: BTreeMap<&'a str, Vec<Barrier<'a>>>,
}

struct Barrier<'a> {
    segments: &'a [Segment],
    /// Whether paths that only begin so are meant, too.
    is_open: bool,
    /// The first tree that is left to others.
    tree: usize,
}

impl Precedence {
    /// That of `template`.
    pub(super) fn of(template: &Template) -> Precedence {
        let mut segments = vec![Segment::default()];
        for part in &template.parts {
            let text = match part {
                Part::Literal(text) => text.as_str(),
                Part::Parameter | Part::Rest => "",
            };
            for (at, text) in text.split('/').enumerate() {
                if at > 0 {
                    segments.push(Segment::default());
                }
                let Some(last) = segments.last_mut() else {
                    continue;
                };
                match (part, last.form) {
                    (Part::Parameter, _) => last.form = Form::Parameter,
                    (Part::Rest, _) => last.form = Form::Rest,
                    (Part::Literal(_), Form::Literal) => last.before.push_str(text),
                    (Part::Literal(_), _) => last.after.push_str(text),
                }
            }
        }
        Precedence(segments)
    }
}

impl Barrier<'_> {
    /// Whether there are paths that both take.
    fn overlaps(&self, other: &[Segment]) -> bool {
        for (at, (one, two)) in self.segments.iter().zip(other).enumerate() {
            let is_last = |all: &[Segment]| all.len() == at + 1;
            match (one.form, two.form) {
                (Form::Rest, _) => return one.takes_rest(two, is_last(other)),
                (_, Form::Rest) => {
                    return two.takes_rest(one, is_last(self.segments) && !self.is_open);
                }
                _ if !one.overlaps(two) => return false,
                _ => {}
            }
        }
        match self.is_open {
            true => self.segments.len() <= other.len(),
            false => self.segments.len() == other.len(),
        }
    }
}

impl Segment {
    fn rank(&self) -> (Reverse<usize>, Form, Reverse<usize>) {
        let (before, after) = (self.before.len(), self.after.len());
        (Reverse(before), self.form, Reverse(after))
    }

    /// Whether there is text that both take; neither is a rest.
    fn overlaps(&self, other: &Segment) -> bool {
        match (self.form, other.form) {
            (Form::Literal, Form::Literal) => self.before == other.before,
            (Form::Literal, _) => other.takes(&self.before),
            (_, Form::Literal) => self.takes(&other.before),
            _ => {
                let (one, two) = (&self.after, &other.after);
                self.starts_like(other) && (one.ends_with(&**two) || two.ends_with(&**one))
            }
        }
    }

    /// Whether `text` is what its parameter, which is never empty, can be a part of.
    fn takes(&self, text: &str) -> bool {
        text.len() > self.before.len() + self.after.len()
            && text.starts_with(&*self.before)
            && text.ends_with(&*self.after)
    }

    /// Whether this rest takes some of what `other` begins, which is the last segment or not.
    fn takes_rest(&self, other: &Segment, is_last: bool) -> bool {
        match other.form {
            Form::Literal if is_last => self.takes(&other.before),
            Form::Literal => other.before.starts_with(&*self.before),
            _ => self.starts_like(other),
        }
    }

    fn starts_like(&self, other: &Segment) -> bool {
        let (one, two) = (&self.before, &other.before);
        one.starts_with(&**two) || two.starts_with(&**one)
    }
}

impl PartialOrd for Segment {
    fn partial_cmp(&self, other: &Segment) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Segment {
    fn cmp(&self, other: &Segment) -> Ordering {
        let ranks = self.rank().cmp(&other.rank());
        let texts = |one: &Segment, two: &Segment| {
            let before = one.before.cmp(&two.before);
            before.then_with(|| one.after.cmp(&two.after))
        };
        ranks.then_with(|| texts(self, other))
    }
}

impl<'a> Barriers<'a> {
    /// The first tree in which a template may stand of this precedence, that starts with the literal
    /// text `start`. All that are more specific were added before.
    pub(super) fn first_tree(&self, precedence: &Precedence, start: &str) -> usize {
        let shorter = (0..start.len()).filter_map(|end| self.by_start.get(start.get(..end)?));
        let from = (Bound::Included(start), Bound::Unbounded);
        let others = self.by_start.range::<str, _>(from);
        let longer = others.take_while(|(other, _)| other.starts_with(start));
        let all = shorter
            .chain(longer.map(|(_, barriers)| barriers))
            .flatten();
        let overlapping = all.filter(|barrier| barrier.overlaps(&precedence.0));
        overlapping.map(|barrier| barrier.tree).max().unwrap_or(0)
    }

    /// Adds a template that stands in `tree`; `is_particular` if it takes values of some kinds only.
    pub(super) fn add(
        &mut self,
        precedence: &'a Precedence,
        start: &'a str,
        tree: usize,
        is_particular: bool,
    ) {
        let segments = &precedence.0;
        let suffixed = segments
            .iter()
            .position(|segment| !segment.after.is_empty());
        let barrier = match suffixed {
            Some(first) => Barrier {
                segments: &segments[..=first],
                is_open: true,
                tree: tree + 1,
            },
            None => Barrier {
                segments,
                is_open: false,
                tree: tree + usize::from(is_particular),
            },
        };
        if barrier.tree > 0 {
            self.by_start.entry(start).or_default().push(barrier);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(template: &str) -> Precedence {
        Precedence::of(&Template::parse(template).unwrap())
    }

    #[test]
    fn the_more_specific_goes_first() {
        let sorted = [
            "/static/app.js",
            "/static/app-{v}.js",
            "/static/app-{v}",
            "/static/app-{*rest}",
            "/static/{a}.tar.gz",
            "/static/{a}.gz",
            "/static/{a}",
            "/static/{*rest}",
            "/{a}/b",
            "/{a}/{b}",
            "/{a}/{*rest}",
            "/{*rest}",
        ];
        for pair in sorted.windows(2) {
            assert!(of(pair[0]) < of(pair[1]), "{pair:?}");
        }
    }

    #[test]
    fn templates_with_paths_in_common() {
        let cases = [
            ("/a", "/a", true),
            ("/a", "/b", false),
            ("/a", "/a/", false),
            ("/{x}", "/a", true),
            ("/{x}", "/", false),
            ("/{x}", "/a/b", false),
            ("/{x}/", "/{x}", false),
            ("/i-{x}", "/i-", false),
            ("/i-{x}.png", "/i-1.png", true),
            ("/i-{x}.png", "/i-.png", false),
            ("/i-{x}.png", "/{y}.jpg", false),
            ("/i-{x}", "/{y}.jpg", true),
            ("/{*r}", "/", false),
            ("/{*r}", "/a/b/{x}", true),
            ("/{*r}", "//", true),
            ("/a{*r}", "/ab", true),
            ("/a{*r}", "/a", false),
            ("/a{*r}", "/a/b", true),
            ("/a{*r}", "/b{x}/c", false),
            ("/a/{*r}", "/{x}/{*s}", true),
            ("/a/{*r}", "/{x}", false),
        ];
        for (one, other, expected) in cases {
            let overlaps = |one: &Precedence, other: &Precedence, is_open| {
                let barrier = Barrier {
                    segments: &one.0,
                    is_open,
                    tree: 1,
                };
                barrier.overlaps(&other.0)
            };
            let (of_one, of_other) = (of(one), of(other));
            assert_eq!(
                overlaps(&of_one, &of_other, false),
                expected,
                "{one} {other}"
            );
            assert_eq!(
                overlaps(&of_other, &of_one, false),
                expected,
                "{other} {one}"
            );
        }
    }

    #[test]
    fn only_what_overlaps_is_kept_out() {
        let (particular, suffixed) = (of("/a/{x}"), of("/c/{x}.d/{y}"));
        let mut barriers = Barriers::default();
        barriers.add(&particular, "/a/", 1, true);
        barriers.add(&suffixed, "/c/", 0, false);
        let cases = [
            ("/c/{x}/e", "/c/", 1),
            ("/c/{*r}", "/c/", 1),
            ("/{x}/e.d/f/g", "/", 1),
            ("/c/{x}", "/c/", 1),
            ("/c/{x}.e/f", "/c/", 0),
            ("/c", "/c", 0),
            ("/a/{*r}", "/a/", 2),
            ("/{x}/{y}", "/", 2),
            ("/{x}/b/{y}", "/", 0),
            ("/a/b{*r}", "/a/b", 2),
            ("/b/{x}", "/b/", 0),
        ];
        for (template, start, tree) in cases {
            let first = barriers.first_tree(&of(template), start);
            assert_eq!(first, tree, "{template}");
        }
    }
}
