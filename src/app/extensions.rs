//! Values of any type that travel with one request, from middleware to handlers.

use std::any::{Any, TypeId};
use std::fmt;

/// Values by their type, one of each: what middleware found out about a request.
///
/// ```
/// use corelane::app::Extensions;
///
/// struct Tenant(&'static str);
///
/// let mut extensions = Extensions::default();
/// assert!(extensions.get::<Tenant>().is_none());
/// extensions.insert(Tenant("blue"));
/// assert_eq!(extensions.get::<Tenant>().unwrap().0, "blue");
/// ```
#[derive(Default)]
pub struct Extensions {
    /// There are few: searching a list is cheaper than hashing.
    values: Vec<(TypeId, Box<dyn Any>)>,
}

impl Extensions {
    /// Adds `value`; the one of its type that was there before.
    pub fn insert<T: 'static>(&mut self, value: T) -> Option<T> {
        let before = self.remove();
        self.values.push((TypeId::of::<T>(), Box::new(value)));
        before
    }

    /// The value of type `T`.
    pub fn get<T: 'static>(&self) -> Option<&T> {
        self.values.get(self.place::<T>()?)?.1.downcast_ref()
    }

    /// The value of type `T`, to change it.
    pub fn get_mut<T: 'static>(&mut self) -> Option<&mut T> {
        let place = self.place::<T>()?;
        self.values.get_mut(place)?.1.downcast_mut()
    }

    /// Takes the value of type `T` out.
    pub fn remove<T: 'static>(&mut self) -> Option<T> {
        let place = self.place::<T>()?;
        let (_, value) = self.values.swap_remove(place);
        value.downcast().ok().map(|value| *value)
    }

    fn place<T: 'static>(&self) -> Option<usize> {
        let id = TypeId::of::<T>();
        self.values.iter().position(|(other, _)| *other == id)
    }
}

impl fmt::Debug for Extensions {
    /// Says how many there are: the values may be secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Extensions({})", self.values.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_value_of_each_type() {
        let mut extensions = Extensions::default();
        assert_eq!(extensions.insert(1u8), None);
        assert_eq!(extensions.insert("a"), None);
        assert_eq!(extensions.insert(2u8), Some(1));
        *extensions.get_mut::<u8>().unwrap() += 1;
        assert_eq!(
            (extensions.get::<u8>(), extensions.get()),
            (Some(&3), Some(&"a"))
        );
        assert_eq!(
            (extensions.remove::<u8>(), extensions.remove::<u8>()),
            (Some(3), None)
        );
        assert_eq!(extensions.get::<&str>(), Some(&"a"));
    }
}
