//! All paths of an app: finds what a path in normal form leads to.
//!
//! A path without parameters is found in a sorted list, one with parameters in a radix tree
//! (matchit). The tree would find the former too, but where a parameter could stand in its place
//! it allocates to remember that; and literal text goes before parameters anyway. Where one tree
//! cannot hold all templates there are several, the more specific first ([`super::precedence`]).

use super::params::Places;
use super::template::Template;

/// What each path template leads to.
pub(super) struct Paths<T> {
    /// Sorted by [`order`].
    literals: Vec<(Box<str>, T)>,
    trees: Vec<Tree<T>>,
}

type Tree<T> = matchit::Router<(Places, T)>;

impl<T> Paths<T> {
    pub(super) fn new() -> Paths<T> {
        Paths {
            literals: Vec::new(),
            trees: Vec::new(),
        }
    }

    /// Adds `template`, which no other template equals in shape and which leads to what `value`
    /// makes, to the first tree from number `first` on that can hold it. Its number is returned.
    ///
    /// # Errors
    /// It has parameters where none can be.
    pub(super) fn insert(
        &mut self,
        template: &Template,
        first: usize,
        value: impl Fn() -> T,
    ) -> Result<usize, matchit::InsertError> {
        let Some(literal) = template.literal() else {
            let mut number = first;
            loop {
                if number >= self.trees.len() {
                    self.trees.resize_with(number + 1, Tree::new);
                }
                let value = (Places::of(&template.parts), value());
                let tree = &mut self.trees[number];
                match tree.insert(template.pattern.as_str(), value) {
                    Ok(()) => return Ok(number),
                    // In a tree of its own nothing is in its way.
                    Err(matchit::InsertError::Conflict { .. }) => number += 1,
                    Err(error) => return Err(error),
                }
            }
        };
        let place = self
            .literals
            .partition_point(|(other, _)| order(other.as_bytes()) < order(literal.as_bytes()));
        self.literals.insert(place, (literal.into(), value()));
        Ok(0)
    }

    /// What `path` leads to if it has no parameters. A path in which nothing is encoded is in
    /// normal form.
    #[inline]
    pub(super) fn find_literal(&self, path: &[u8]) -> Option<&T> {
        let place = self
            .literals
            .binary_search_by(|(other, _)| order(other.as_bytes()).cmp(&order(path)));
        place.ok().map(|place| &self.literals[place].1)
    }

    /// What `path`, in normal form, leads to by its parameters, and where they lie in it; the most
    /// specific first, but of each tree one alone.
    #[inline]
    pub(super) fn find_by_parameters<'a>(
        &'a self,
        path: &str,
    ) -> impl Iterator<Item = (&'a T, &'a Places)> {
        self.trees.iter().filter_map(move |tree| {
            let found = tree.at(path).ok()?;
            let (places, value) = found.value;
            debug_assert!(
                places
                    .values(path)
                    .eq(found.params.iter().map(|(_, value)| value))
            );
            Some((value, places))
        })
    }
}

/// Shorter paths go first: most comparisons are of lengths alone.
#[inline]
fn order(path: &[u8]) -> (usize, &[u8]) {
    (path.len(), path)
}
