//! Where the parameters of a matched route lie in a request's path. It decodes nothing.

use super::template::Part;
use crate::limits::ROUTE_PARAMETERS;

/// The places of the parameters' values, in the order of the route, as offsets into the path that
/// was matched. The offsets have 32 bits; paths are bounded far below 4 GiB.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Params {
    spans: [(u32, u32); ROUTE_PARAMETERS],
    len: u8,
}

/// Where the parameters of a template lie in the paths that it matches.
///
/// matchit has looked at them already, but tells them as text with their names, and proves each to be
/// UTF-8 anew: of the 145 ns that three parameters took beside a route without any, that was 35.
#[derive(Debug)]
pub(super) struct Places(Box<[Place]>);

/// One parameter's place.
#[derive(Debug)]
struct Place {
    /// Octets of literal text between the parameter before it, or the path's start, and this one.
    before: usize,
    /// Octets of literal text behind it in its segment; `None` if it goes on to the end of the path.
    after: Option<usize>,
}

impl Places {
    /// Those of a template of these parts.
    pub(super) fn of(parts: &[Part]) -> Places {
        let literal = |place: Option<usize>| match place.and_then(|place| parts.get(place)) {
            Some(Part::Literal(text)) => text.as_str(),
            _ => "",
        };
        let places = parts.iter().enumerate().filter_map(|(at, part)| {
            let behind = literal(Some(at + 1)).split('/').next();
            let after = match part {
                Part::Literal(_) => return None,
                Part::Parameter => Some(behind.map_or(0, str::len)),
                Part::Rest => None,
            };
            let before = literal(at.checked_sub(1)).len();
            Some(Place { before, after })
        });
        Places(places.collect())
    }

    /// Finds them in `path`, which the template matches.
    #[inline]
    pub(super) fn locate(&self, path: &str) -> Params {
        let mut params = Params::default();
        let mut end = 0;
        for (span, place) in params.spans.iter_mut().zip(&self.0) {
            let start = end + place.before;
            end = match place.after {
                None => path.len(),
                Some(after) => {
                    let rest = path.as_bytes().get(start..).unwrap_or_default();
                    let segment = rest.iter().position(|&octet| octet == b'/');
                    start + segment.unwrap_or(rest.len()).saturating_sub(after)
                }
            };
            *span = (start as u32, end as u32);
            params.len += 1;
        }
        params
    }
}

impl Params {
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
    use super::super::template::Template;
    use super::*;

    #[test]
    fn values_are_found_in_what_a_template_matches() {
        let table: [(&str, &str, &[&str]); 8] = [
            ("/a/b", "/a/b", &[]),
            ("/{a}", "/x", &["x"]),
            ("/{a}/", "/é/", &["é"]),
            ("/u/{a}/p/{b}/{c}", "/u/1/p/22/333", &["1", "22", "333"]),
            ("/{a}/s/{*b}", "/1/s/2/3/", &["1", "2/3/"]),
            ("/{*a}", "/", &[""]),
            ("/i-{a}.png/{b}", "/i-1.png.png/2", &["1.png", "2"]),
            ("/{a}.tar.gz", "/x.tar.gz", &["x"]),
        ];
        for (template, path, values) in table {
            let template = Template::parse(template).unwrap();
            let params = Places::of(&template.parts).locate(path);
            assert_eq!(params.values(path).collect::<Vec<_>>(), values, "{path}");
            assert_eq!(params.get(path, values.len()), None, "{path}");
        }
    }
}
