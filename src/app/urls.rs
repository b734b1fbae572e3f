//! Paths written from the names of routes: the way back from a template to a path.

use std::collections::HashMap;
use std::fmt::Display;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::path;
use super::template::{Part, Template};

/// Values are encoded but for RFC 3986's unreserved characters, so that they can stand in HTML and
/// in scripts, too.
const IN_VALUE: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Literal text keeps what RFC 3986 §3.3 lets stand in a path, and the encodings of its normal form.
const IN_LITERAL: &AsciiSet = &IN_VALUE
    .remove(b'!')
    .remove(b'$')
    .remove(b'&')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b'+')
    .remove(b',')
    .remove(b';')
    .remove(b'=')
    .remove(b':')
    .remove(b'@')
    .remove(b'/')
    .remove(b'%');

/// Why no path can be written. No value is in it, as it may go to the log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// No route has the name.
    #[error("no route has the name `{route}`")]
    UnknownRoute {
        /// The name.
        route: String,
    },
    /// A parameter of the route has no value.
    #[error("the route `{route}` has a parameter `{parameter}`, for which there is no value")]
    MissingParameter {
        /// The route's name.
        route: String,
        /// The parameter's name.
        parameter: String,
    },
    /// The route has no parameter of that name.
    #[error("the route `{route}` has no parameter `{parameter}`")]
    UnknownParameter {
        /// The route's name.
        route: String,
        /// The name that it does not have.
        parameter: String,
    },
    /// The value is empty, or not of the parameter's kind: the route would not take the path.
    #[error(
        "the value for the parameter `{parameter}` of the route `{route}` is none that it takes"
    )]
    UnfitValue {
        /// The route's name.
        route: String,
        /// The parameter's name.
        parameter: String,
    },
    /// Clients would take the path for another.
    #[error("the path of the route `{route}` would begin with `//` or have a segment `.` or `..`")]
    LeadsElsewhere {
        /// The route's name.
        route: String,
    },
}

/// The routes that have a name.
#[derive(Debug, Default)]
pub(super) struct Urls(HashMap<Box<str>, Target>);

/// A route that paths lead to.
#[derive(Debug)]
struct Target {
    template: Template,
    /// A mount takes its prefix, too.
    is_mount: bool,
}

impl Urls {
    /// Knows the route called `name` from now on.
    pub(super) fn insert(&mut self, name: &str, template: Template, is_mount: bool) {
        let target = Target { template, is_mount };
        self.0.insert(name.into(), target);
    }

    /// The path of the route called `route` with a query behind it, if that has any pairs.
    pub(super) fn write_with_query(
        &self,
        route: &str,
        parameters: &[(&str, &dyn Display)],
        query: &[(&str, &dyn Display)],
    ) -> Result<String, UrlError> {
        Ok(add_query(self.write(route, parameters)?, query))
    }

    /// The path of the route called `route`, percent-encoded.
    pub(super) fn write(
        &self,
        route: &str,
        parameters: &[(&str, &dyn Display)],
    ) -> Result<String, UrlError> {
        let name = || route.to_owned();
        let Some(Target { template, is_mount }) = self.0.get(route) else {
            return Err(UrlError::UnknownRoute { route: name() });
        };
        let is_known = |name: &str| template.names.iter().any(|known| **known == *name);
        if let Some((unknown, _)) = parameters.iter().find(|(name, _)| !is_known(name)) {
            return Err(UrlError::UnknownParameter {
                route: name(),
                parameter: (*unknown).to_owned(),
            });
        }
        let mut path = String::new();
        let mut index = 0;
        for part in &template.parts {
            if let Part::Literal(literal) = part {
                path.extend(utf8_percent_encode(literal, IN_LITERAL));
                continue;
            }
            let parameter = &*template.names[index];
            let given = parameters.iter().find(|(name, _)| *name == parameter);
            let Some((_, value)) = given else {
                return Err(UrlError::MissingParameter {
                    route: name(),
                    parameter: parameter.to_owned(),
                });
            };
            let encoded = encode(&value.to_string(), *part == Part::Rest);
            let kind = template.kinds.get(index);
            if encoded.is_empty() && !(*part == Part::Rest && *is_mount)
                || kind.is_some_and(|kind| !kind.accepts(&path::normal(&encoded)))
            {
                return Err(UrlError::UnfitValue {
                    route: name(),
                    parameter: parameter.to_owned(),
                });
            }
            path.push_str(&encoded);
            index += 1;
        }
        // RFC 3986 §4.2: `//` begins an authority. §5.2.4: clients resolve dot segments, even
        // encoded ones, before they send anything.
        let is_dots = |segment: &str| matches!(segment, "." | "..");
        if path.starts_with("//") || path.split('/').any(is_dots) {
            return Err(UrlError::LeadsElsewhere { route: name() });
        }
        Ok(path)
    }
}

/// Puts `query` behind `path`, each name and value percent-encoded.
fn add_query(mut path: String, query: &[(&str, &dyn Display)]) -> String {
    for (index, (name, value)) in query.iter().enumerate() {
        path.push(if index == 0 { '?' } else { '&' });
        path.push_str(&encode(name, false));
        path.push('=');
        path.push_str(&encode(&value.to_string(), false));
    }
    path
}

/// `value` for a place in a path; with `has_slashes` it may be several segments.
fn encode(value: &str, has_slashes: bool) -> String {
    const IN_REST: &AsciiSet = &IN_VALUE.remove(b'/');
    utf8_percent_encode(value, if has_slashes { IN_REST } else { IN_VALUE }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    type Values = [(&'static str, &'static dyn Display)];

    fn urls() -> Urls {
        let mut urls = Urls::default();
        for (name, template, is_mount) in [
            ("root", "/", false),
            ("user", "/users/{id:u64}/{tab}", false),
            ("image", "/img-{n}.png", false),
            ("café", "/café/{{a}}/100%/b%2Fc/a+b", false),
            ("size", "/s/{size:a%2Fb|c}", false),
            ("page", "/p/{*path}", false),
            ("folder", "/f/{*rest}", true),
            ("all", "/{*rest}", true),
        ] {
            urls.insert(name, Template::parse(template).unwrap(), is_mount);
        }
        urls
    }

    #[test]
    fn names_and_their_paths() {
        let cases: [(&str, &Values, &str); 10] = [
            ("root", &[], "/"),
            (
                "user",
                &[("id", &7), ("tab", &"a b/c")],
                "/users/7/a%20b%2Fc",
            ),
            (
                "user",
                &[("tab", &"é%?#"), ("id", &"07")],
                "/users/07/%C3%A9%25%3F%23",
            ),
            ("image", &[("n", &'x')], "/img-x.png"),
            ("café", &[], "/caf%C3%A9/%7Ba%7D/100%25/b%2Fc/a+b"),
            ("size", &[("size", &"a/b")], "/s/a%2Fb"),
            ("page", &[("path", &"a/b c/..d")], "/p/a/b%20c/..d"),
            ("folder", &[("rest", &"")], "/f/"),
            ("folder", &[("rest", &"/x")], "/f//x"),
            ("all", &[("rest", &"a\\\"<'&")], "/a%5C%22%3C%27%26"),
        ];
        for (name, parameters, path) in cases {
            assert_eq!(
                urls().write(name, parameters).as_deref(),
                Ok(path),
                "{name}"
            );
        }
    }

    #[test]
    fn queries_behind_paths() {
        let cases: [(&Values, &str); 3] = [
            (&[], "/"),
            (&[("page", &2)], "/?page=2"),
            (
                &[("a b", &"é+&=#?"), ("tag", &""), ("tag", &"x")],
                "/?a%20b=%C3%A9%2B%26%3D%23%3F&tag=&tag=x",
            ),
        ];
        for (query, expected) in cases {
            let written = urls().write_with_query("root", &[], query);
            assert_eq!(written.as_deref(), Ok(expected));
        }
        let unknown = urls().write_with_query("usr", &[], &[("a", &1)]);
        assert!(unknown.is_err());
    }

    #[test]
    fn paths_that_cannot_be_written() {
        let cases: [(&str, &Values, &str); 12] = [
            ("usr", &[], "no route has the name `usr`"),
            (
                "user",
                &[("id", &1)],
                "the route `user` has a parameter `tab`, for which there is no value",
            ),
            (
                "user",
                &[("x", &1)],
                "the route `user` has no parameter `x`",
            ),
            (
                "user",
                &[("id", &-1), ("tab", &"a")],
                "the value for the parameter `id` of the route `user` is none that it takes",
            ),
            (
                "user",
                &[("id", &1), ("tab", &"")],
                "the value for the parameter `tab` of the route `user` is none that it takes",
            ),
            (
                "size",
                &[("size", &"d")],
                "the value for the parameter `size` of the route `size` is none that it takes",
            ),
            (
                "page",
                &[("path", &"")],
                "the value for the parameter `path` of the route `page` is none that it takes",
            ),
            (
                "user",
                &[("id", &1), ("tab", &"..")],
                "the path of the route `user` would begin with `//` or have a segment `.` or `..`",
            ),
            (
                "page",
                &[("path", &"a/./b")],
                "the path of the route `page` would begin with `//` or have a segment `.` or `..`",
            ),
            (
                "folder",
                &[("rest", &"..")],
                "the path of the route `folder` would begin with `//` or have a segment `.` or `..`",
            ),
            (
                "all",
                &[("rest", &"/example.org")],
                "the path of the route `all` would begin with `//` or have a segment `.` or `..`",
            ),
            (
                "root",
                &[("a", &1)],
                "the route `root` has no parameter `a`",
            ),
        ];
        for (name, parameters, error) in cases {
            let written = urls().write(name, parameters);
            assert_eq!(written.map_err(|e| e.to_string()), Err(error.to_owned()));
        }
    }
}
