//! Whatever templates an app has, a path leads to the most specific of those that take it.

use proptest::prelude::*;

use super::*;
use crate::app::kind::Kind;
use crate::app::precedence::Precedence;
use crate::app::template::{Part, Template};

/// What segments of templates are made of: few texts, so that templates meet. Each has in a
/// path what it stands for.
fn segment() -> impl Strategy<Value = &'static str> {
    let texts = ["", "a", "ab", "é", "è1", "1", "a-{}", "{}-1", "a{}1", "é{}"];
    let parameters = ["{}", "{}", "{:u64}", "{:alpha}", "{:a|é}"];
    prop::sample::select([&texts[..], &parameters[..]].concat())
}

fn template() -> impl Strategy<Value = String> {
    let rest = prop::sample::select(vec!["", "", "/{*r}", "/a{*r}"]);
    (prop::collection::vec(segment(), 1..4), rest).prop_map(|(segments, rest)| {
        let mut template = String::new();
        for (at, segment) in segments.into_iter().enumerate() {
            template.push('/');
            template.push_str(&segment.replacen('{', &format!("{{p{at}"), 1));
        }
        template + rest
    })
}

fn path() -> impl Strategy<Value = String> {
    let texts = [
        "", "a", "ab", "é", "è1", "1", "a-1", "a-1-1", "a11", "é1", "x", "12",
    ];
    prop::collection::vec(prop::sample::select(texts.to_vec()), 1..5)
        .prop_map(|segments| segments.iter().flat_map(|segment| ["/", segment]).collect())
}

/// Whether `parts`, whose parameters are of `kinds`, stand for `path`.
fn takes(parts: &[Part], kinds: &[Kind], path: &str) -> bool {
    let (first, others) = match parts {
        [] => return path.is_empty(),
        [first, others @ ..] => (first, others),
    };
    let (kind, later) = match kinds {
        [kind, later @ ..] => (kind, later),
        [] => (&Kind::Any, kinds),
    };
    match first {
        Part::Literal(text) => {
            let rest = path.strip_prefix(text.as_str());
            rest.is_some_and(|rest| takes(others, kinds, rest))
        }
        Part::Rest => !path.is_empty(),
        Part::Parameter => {
            let end = path.find('/').unwrap_or(path.len());
            let ends = path[..end].char_indices().map(|(at, c)| at + c.len_utf8());
            ends.into_iter()
                .any(|end| kind.accepts(&path[..end]) && takes(others, later, &path[end..]))
        }
    }
}

proptest! {
    #[test]
    fn the_most_specific_template_takes_the_path(
        templates in prop::collection::vec(template(), 1..12),
        paths in prop::collection::vec(path(), 1..20),
    ) {
        let mut app = App::new();
        let mut known: Vec<(Precedence, bool, String, Template)> = Vec::new();
        for template in templates {
            let parsed = Template::parse(&template).unwrap();
            // Of templates that differ in their kinds alone the first that fits is taken.
            let precedence = Precedence::of(&parsed);
            let is_same = |(other, _, _, template): &(Precedence, bool, String, Template)| {
                *other == precedence && template.kinds == parsed.kinds
            };
            if known.iter().any(is_same) {
                continue;
            }
            app = app.get(&template, async |req: Request| req.route().unwrap().to_owned());
            known.push((precedence, parsed.kinds.is_empty(), template, parsed));
        }
        known.sort_by(|(one, is_any, ..), (other, other_is_any, ..)| {
            one.cmp(other).then(is_any.cmp(other_is_any))
        });
        let router = app.build().unwrap();
        for path in paths {
            let expected = known
                .iter()
                .find(|(.., template)| takes(&template.parts, &template.kinds, &path));
            let target = path.replace('é', "%C3%A9").replace('è', "%C3%A8");
            let (status, _, content) = ask(&router, "GET", &target);
            match expected {
                Some((_, _, template, _)) => prop_assert_eq!(content, template.as_bytes(), "{}", path),
                None => prop_assert_eq!(status, 404, "{}", path),
            }
        }
    }
}
