//! Route templates such as `/users/{id}` or `/static/{*path}`, read once when an app is built.

use std::borrow::Cow;

use super::kind::Kind;
use super::path;
use crate::limits::ROUTE_PARAMETERS;

/// A template taken apart.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Template {
    /// The template for matchit, its literal text in the normal form of [`path::normal`].
    pub(crate) pattern: String,
    /// The pattern without the parameters' names: equal for templates that match the same paths.
    pub(crate) shape: String,
    /// The parameters' names, in the order of the path.
    pub(crate) names: Vec<Box<str>>,
    /// What each parameter may be; empty if all may be anything.
    pub(crate) kinds: Vec<Kind>,
    /// The parts of which the template consists, for writing a path.
    pub(crate) parts: Vec<Part>,
}

/// A part of a template.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// In normal form.
    Literal(String),
    /// The next parameter, within a segment.
    Parameter,
    /// The last parameter, to the end of the path.
    Rest,
}

impl Template {
    /// Reads `template`; the error is a sentence for its author.
    pub(crate) fn parse(template: &str) -> Result<Template, Cow<'static, str>> {
        if !template.starts_with('/') {
            return Err("a route begins with `/`".into());
        }
        if template.contains(['?', '#']) {
            return Err("a route is a path, without a query or a fragment".into());
        }
        let mut parsed = Template {
            pattern: String::with_capacity(template.len()),
            shape: String::with_capacity(template.len()),
            names: Vec::new(),
            kinds: Vec::new(),
            parts: Vec::new(),
        };
        let mut literal = String::new();
        let mut rest = template.chars();
        while let Some(next) = rest.next() {
            // `{{` and `}}` stand for the characters themselves.
            let doubled = rest.as_str().starts_with(next);
            match next {
                '{' | '}' if doubled => {
                    rest.next();
                    literal.push(next);
                }
                '}' => return Err("a `}` closes nothing; a literal one is written `}}`".into()),
                '{' => {
                    let (name, tail) = rest
                        .as_str()
                        .split_once('}')
                        .ok_or("a `{` is never closed; a literal one is written `{{`")?;
                    parsed.push_literal(&std::mem::take(&mut literal))?;
                    parsed.push_parameter(name)?;
                    rest = tail.chars();
                }
                _ => literal.push(next),
            }
        }
        parsed.push_literal(&literal)?;
        if parsed.kinds.iter().all(|kind| *kind == Kind::Any) {
            parsed.kinds.clear();
        }
        Ok(parsed)
    }

    /// Whether its last parameter takes everything to the end of the path.
    pub(crate) fn has_rest(&self) -> bool {
        self.parts.contains(&Part::Rest)
    }

    /// The literal text before its first parameter, in normal form.
    pub(crate) fn start(&self) -> &str {
        match self.parts.first() {
            Some(Part::Literal(text)) => text,
            _ => "",
        }
    }

    /// The path that the template is, if it has no parameters.
    pub(crate) fn literal(&self) -> Option<String> {
        let unescaped = || self.pattern.replace("{{", "{").replace("}}", "}");
        self.names.is_empty().then(unescaped)
    }

    fn push_literal(&mut self, literal: &str) -> Result<(), Cow<'static, str>> {
        if literal.is_empty() {
            return Ok(());
        }
        // Decoding may bring braces back (`%7B`), so they are escaped after it.
        let literal = path::normal(literal);
        // matchit would take it for a part of the parameter's name.
        if literal.starts_with('}') && !self.names.is_empty() {
            return Err("a literal `}` cannot stand right behind a parameter".into());
        }
        let escaped = literal.replace('{', "{{").replace('}', "}}");
        self.pattern.push_str(&escaped);
        self.shape.push_str(&escaped);
        self.parts.push(Part::Literal(literal.into_owned()));
        Ok(())
    }

    fn push_parameter(&mut self, written: &str) -> Result<(), Cow<'static, str>> {
        let rest = written.strip_prefix('*');
        let (name, kind) = match (rest, written.split_once(':')) {
            (Some(name), _) => (name, Kind::Any),
            (None, Some((name, kind))) => (name, Kind::parse(kind)?),
            (None, None) => (written, Kind::Any),
        };
        if name.is_empty() || !name.chars().all(|c| c.is_alphanumeric() || c == '_') {
            return Err("a parameter's name is letters, digits and `_`, as in `{user_id}`".into());
        }
        if self.names.iter().any(|other| **other == *name) {
            return Err("two parameters have the same name".into());
        }
        if self.names.len() == ROUTE_PARAMETERS {
            return Err(format!("a route has at most {ROUTE_PARAMETERS} parameters").into());
        }
        self.names.push(name.into());
        self.kinds.push(kind);
        let (star, part) = match rest {
            Some(_) => ("*", Part::Rest),
            None => ("", Part::Parameter),
        };
        self.pattern.push_str(&format!("{{{star}{name}}}"));
        self.shape.push_str(&format!("{{{star}}}"));
        self.parts.push(part);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_and_their_parts() {
        let cases: [(&str, &str, &str, &[&str]); 11] = [
            ("/", "/", "/", &[]),
            ("/a/b/", "/a/b/", "/a/b/", &[]),
            ("/{name}", "/{name}", "/{}", &["name"]),
            (
                "/u/{id}/p/{n_2}",
                "/u/{id}/p/{n_2}",
                "/u/{}/p/{}",
                &["id", "n_2"],
            ),
            ("/s/{*rest}", "/s/{*rest}", "/s/{*}", &["rest"]),
            ("/img-{n}.png", "/img-{n}.png", "/img-{}.png", &["n"]),
            ("/{{a}}/%7Bb%7d", "/{{a}}/{{b}}", "/{{a}}/{{b}}", &[]),
            ("/caf%C3%A9/a b", "/café/a b", "/café/a b", &[]),
            ("/100%/{x}", "/100%25/{x}", "/100%25/{}", &["x"]),
            ("/{id:u64}", "/{id}", "/{}", &["id"]),
            ("/{a}.{b:x|y}", "/{a}.{b}", "/{}.{}", &["a", "b"]),
        ];
        for (template, pattern, shape, names) in cases {
            let parsed = Template::parse(template).unwrap();
            assert_eq!(parsed.pattern, pattern, "{template}");
            assert_eq!(parsed.shape, shape, "{template}");
            assert_eq!(parsed.literal().is_some(), names.is_empty(), "{template}");
            assert_eq!(parsed.names.iter().map(|n| &**n).collect::<Vec<_>>(), names);
        }
    }

    #[test]
    fn literal_templates_are_paths() {
        for (template, literal) in [("/a", "/a"), ("/{{a}}", "/{a}"), ("/%7B{{}}", "/{{}")] {
            let parsed = Template::parse(template).unwrap();
            assert_eq!(parsed.literal().as_deref(), Some(literal));
        }
    }

    #[test]
    fn templates_that_cannot_be() {
        for template in [
            "",
            "a",
            "{a}",
            "/a?b",
            "/a#b",
            "/{",
            "/{a",
            "/}",
            "/a}",
            "/{}",
            "/{*}",
            "/{a b}",
            "/{a}/{a}",
            "/{a-b}",
            "/{a:b}",
            "/{:u64}",
            "/{*a:u64}",
            "/{a:u64}/{a}",
            "/{a}}}",
            "/{a}%7D",
            "/{a}/{b}}}/c",
        ] {
            assert!(Template::parse(template).is_err(), "{template}");
        }
    }

    #[test]
    fn kinds_are_kept_where_one_is_written() {
        let kinds = |template| Template::parse(template).unwrap().kinds;
        assert_eq!(kinds("/{a}/{*b}"), []);
        assert_eq!(kinds("/{a}/{b:hex}"), [Kind::Any, Kind::Hex]);
    }

    #[test]
    fn parameters_up_to_the_limit() {
        let with = |count: usize| (0..count).map(|n| format!("/{{p{n}}}")).collect::<String>();
        let most = Template::parse(&with(ROUTE_PARAMETERS)).unwrap();
        assert_eq!(most.names.len(), ROUTE_PARAMETERS);
        assert!(Template::parse(&with(ROUTE_PARAMETERS + 1)).is_err());
    }
}
