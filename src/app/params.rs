//! Where the parameters of a matched route lie in a request's path. It decodes nothing.

use super::template::Part;

/// Where the parameters of a template lie in the paths that it matches.
///
/// A request keeps nothing of what matchit finds of them, which would be memory of its own for each: a
/// value is looked for when it is asked for.
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

    /// The values in `path`, which the template matches, as they stand there. In a path that ends
    /// before some of them there are the others.
    #[inline]
    pub(super) fn values<'a>(&self, path: &'a str) -> impl Iterator<Item = &'a str> {
        let mut rest = path;
        self.0.iter().map_while(move |place| {
            let from = rest.get(place.before..)?;
            let length = match place.after {
                None => from.len(),
                Some(after) => {
                    let segment = memchr::memchr(b'/', from.as_bytes());
                    segment.unwrap_or(from.len()).checked_sub(after)?
                }
            };
            let (value, behind) = from.split_at_checked(length)?;
            rest = behind;
            Some(value)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::template::Template;
    use super::*;

    #[test]
    fn values_are_found_in_what_a_template_matches() {
        let table: [(&str, &str, &[&str]); 10] = [
            ("/a/b", "/a/b", &[]),
            ("/{a}", "/x", &["x"]),
            ("/{a}/", "/é/", &["é"]),
            ("/u/{a}/p/{b}/{c}", "/u/1/p/22/333", &["1", "22", "333"]),
            ("/{a}/s/{*b}", "/1/s/2/3/", &["1", "2/3/"]),
            ("/{*a}", "/", &[""]),
            ("/i-{a}.png/{b}", "/i-1.png.png/2", &["1.png", "2"]),
            ("/{a}.tar.gz", "/x.tar.gz", &["x"]),
            // A mount takes its prefix, too.
            ("/m/{a}/{*b}", "/m/1", &["1"]),
            ("/m/{*a}", "/m", &[]),
        ];
        for (template, path, values) in table {
            let template = Template::parse(template).unwrap();
            let places = Places::of(&template.parts);
            assert_eq!(places.values(path).collect::<Vec<_>>(), values, "{path}");
        }
    }
}
