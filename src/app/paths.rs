//! All paths of an app: finds what a path in normal form leads to.
//!
//! A path without parameters is found in a sorted list, one with parameters in a radix tree
//! (matchit). The tree would find the former too, but where a parameter could stand in its place
//! it allocates to remember that; and literal text goes before parameters anyway.

use super::params::{Params, Places};
use super::template::Template;

/// What each path template leads to.
pub(super) struct Paths<T> {
    /// Sorted by [`order`].
    literals: Vec<(Box<str>, T)>,
    tree: matchit::Router<(Places, T)>,
}

impl<T> Paths<T> {
    pub(super) fn new() -> Paths<T> {
        Paths {
            literals: Vec::new(),
            tree: matchit::Router::new(),
        }
    }

    /// Adds `template`, which no other template equals in shape.
    ///
    /// # Errors
    /// It cannot be told apart from another, or has parameters where none can be.
    pub(super) fn insert(
        &mut self,
        template: &Template,
        value: T,
    ) -> Result<(), matchit::InsertError> {
        let Some(literal) = template.literal() else {
            let value = (Places::of(&template.parts), value);
            return self.tree.insert(template.pattern.as_str(), value);
        };
        let place = self
            .literals
            .partition_point(|(other, _)| order(other.as_bytes()) < order(literal.as_bytes()));
        self.literals.insert(place, (literal.into(), value));
        Ok(())
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

    /// What `path`, in normal form, leads to, and where its parameters lie in it.
    #[inline]
    pub(super) fn find(&self, path: &str) -> Option<(&T, Params)> {
        if let Some(value) = self.find_literal(path.as_bytes()) {
            return Some((value, Params::default()));
        }
        let found = self.tree.at(path).ok()?;
        let (places, value) = found.value;
        let params = places.locate(path);
        debug_assert!(
            params
                .values(path)
                .eq(found.params.iter().map(|(_, value)| value))
        );
        Some((value, params))
    }
}

/// Shorter paths go first: most comparisons are of lengths alone.
#[inline]
fn order(path: &[u8]) -> (usize, &[u8]) {
    (path.len(), path)
}
