//! Where the parameters of a matched route lie in a request's path. It decodes nothing.

use crate::limits::ROUTE_PARAMETERS;

/// The places of the parameters' values, in the order of the route, as offsets into the path that
/// was matched. The offsets have 32 bits; paths are bounded far below 4 GiB.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Params {
    spans: [(u32, u32); ROUTE_PARAMETERS],
    len: u8,
}

impl Params {
    /// The places in `path` of `values`, which are parts of it in order; a template has no more
    /// of them than [`ROUTE_PARAMETERS`].
    #[inline]
    pub(crate) fn locate<'a>(path: &str, values: impl Iterator<Item = &'a str>) -> Params {
        let mut params = Params::default();
        for (span, value) in params.spans.iter_mut().zip(values) {
            let start = (value.as_ptr() as usize).wrapping_sub(path.as_ptr() as usize);
            *span = (start as u32, (start + value.len()) as u32);
            params.len += 1;
        }
        params
    }

    /// The value at `index` of the route's parameters, as it stands in `path`.
    pub(crate) fn get<'a>(&self, path: &'a str, index: usize) -> Option<&'a str> {
        let (start, end) = *self.spans[..self.len.into()].get(index)?;
        path.get(start as usize..end as usize)
    }

    /// All values, as they stand in `path`.
    pub(crate) fn values<'a>(&self, path: &'a str) -> impl Iterator<Item = &'a str> {
        (0..self.len.into()).filter_map(move |index| self.get(path, index))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_again() {
        let path = "/a/bc//def";
        let parts = [&path[1..2], &path[3..5], &path[6..6], &path[7..]];
        let params = Params::locate(path, parts.into_iter());
        assert_eq!(
            params.values(path).collect::<Vec<_>>(),
            ["a", "bc", "", "def"]
        );
        assert_eq!(params.get(path, 1), Some("bc"));
        assert_eq!(params.get(path, 4), None);
    }
}
