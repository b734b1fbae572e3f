//! Fields that rules give to the responses of files. It is pure: a rule is a text that was proved, and
//! matches names.
//!
//! They are fields of a file, as its Cache-Control is: they go with what is sent of it (200, 206) and
//! with the 304 that stands for it. So they are of a folder, and go with its listing and its archive, in
//! place of what these say by themselves. They go with no other response. nginx's `add_header` does the
//! same by default, and gives them to redirects as well.

use std::str::FromStr;

use http::{HeaderName, HeaderValue};

use super::glob::{Glob, GlobError};
use crate::limits::{FILE_FIELD_BYTES, FILE_FIELD_RULES};

/// Rules in order. Of those for one field name, the first that matches a file counts, so that each has to
/// leave something to those behind it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeaderRules(Vec<HeaderRule>);

/// A field, and the files that have it. Its text is `GLOB=NAME: VALUE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderRule {
    glob: Glob,
    name: HeaderName,
    value: HeaderValue,
}

/// Why a text is no rule, or none that may be added.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeaderRuleError {
    /// It has no `=`, or no `:` behind it.
    #[error("is not of the form GLOB=NAME: VALUE")]
    Form,
    /// Its glob is none.
    #[error("has a glob that {0}")]
    Glob(GlobError),
    /// What it names is no field (RFC 9110 §5.1).
    #[error("has a name that no field can have")]
    Name,
    /// The value is empty, or has something but visible ASCII, spaces and tabs.
    #[error("has a value that no field can have")]
    Value,
    /// The server says this itself.
    #[error("gives {name}, which is the server's")]
    Reserved {
        /// The field's name.
        name: HeaderName,
        /// What to do instead.
        instead: &'static str,
    },
    /// A rule before it gives the same field to the same files.
    #[error("gives {name}, as a rule before it does to the same files")]
    Twice {
        /// The field's name.
        name: HeaderName,
    },
    /// A rule before it gives the same field to all of its files, and others.
    #[error("is never met: {} gives {name} to all of these files before it", by.as_str())]
    Covered {
        /// The field's name.
        name: HeaderName,
        /// The glob of the rule before it.
        by: Glob,
    },
    /// Name and value have more than [`FILE_FIELD_BYTES`].
    #[error("gives a field of more than {FILE_FIELD_BYTES} bytes")]
    TooLong,
    /// There are [`FILE_FIELD_RULES`] already.
    #[error("is one rule more than {FILE_FIELD_RULES}")]
    TooMany,
}

const LEAVE_OUT: &str = "leave it out: the server says it where it is true";
const ARE_NEIGHBOURS: &str =
    "put compressed files beside the others: precompressed, --precompressed";

/// Fields that frame the message, that are about its connection, or that say what the server alone knows of
/// a file; and what to do instead.
const RESERVED: &[(&str, &str)] = &[
    ("accept-ranges", LEAVE_OUT),
    ("age", LEAVE_OUT),
    ("allow", LEAVE_OUT),
    (
        "cache-control",
        "give it a rule of its own: cache_control, --cache-control",
    ),
    ("connection", LEAVE_OUT),
    ("content-encoding", ARE_NEIGHBOURS),
    ("content-length", LEAVE_OUT),
    ("content-range", LEAVE_OUT),
    (
        "content-type",
        "give the extension a type: media_types, --media-type",
    ),
    ("date", LEAVE_OUT),
    ("etag", "choose what entity tags are made of: etag, --etag"),
    ("keep-alive", LEAVE_OUT),
    ("last-modified", "set the time of the file"),
    ("location", LEAVE_OUT),
    ("proxy-connection", LEAVE_OUT),
    (
        "server",
        "give it to all responses: server_header, --server-header",
    ),
    ("te", LEAVE_OUT),
    ("trailer", LEAVE_OUT),
    ("transfer-encoding", LEAVE_OUT),
    ("upgrade", LEAVE_OUT),
    ("vary", ARE_NEIGHBOURS),
];

impl HeaderRules {
    /// Adds the rule that `text` is, behind all others.
    ///
    /// # Errors
    /// `text` is none, or there are as many as may be.
    pub fn add(&mut self, text: &str) -> Result<(), HeaderRuleError> {
        let rule: HeaderRule = text.parse()?;
        let mut of_name = self.0.iter().filter(|other| other.name == rule.name);
        if let Some(other) = of_name.find(|other| other.glob.includes(&rule.glob)) {
            let HeaderRule { name, glob, .. } = other.clone();
            return Err(match glob == rule.glob {
                true => HeaderRuleError::Twice { name },
                false => HeaderRuleError::Covered { name, by: glob },
            });
        }
        if self.0.len() == FILE_FIELD_RULES {
            return Err(HeaderRuleError::TooMany);
        }
        self.0.push(rule);
        Ok(())
    }

    /// The rules that count for the file at `relative`, in order: of each field one.
    pub fn of(&self, relative: &[u8]) -> Vec<&HeaderRule> {
        self.matching(|glob| glob.matches(relative))
    }

    /// The rules that count for the folder at `relative`, as [`HeaderRules::of`] tells those of a file.
    pub fn of_folder(&self, relative: &[u8]) -> Vec<&HeaderRule> {
        self.matching(|glob| glob.matches_folder(relative))
    }

    fn matching(&self, matches: impl Fn(&Glob) -> bool) -> Vec<&HeaderRule> {
        let mut rules: Vec<&HeaderRule> = Vec::new();
        for rule in &self.0 {
            let is_given = rules.iter().any(|given| given.name == rule.name);
            if !is_given && matches(&rule.glob) {
                rules.push(rule);
            }
        }
        rules
    }
}

impl HeaderRule {
    /// The files that have the field.
    pub fn glob(&self) -> &Glob {
        &self.glob
    }

    /// The field's name.
    pub fn name(&self) -> &HeaderName {
        &self.name
    }

    /// The field's value.
    pub fn value(&self) -> &HeaderValue {
        &self.value
    }
}

impl FromStr for HeaderRule {
    type Err = HeaderRuleError;

    /// A glob has no `=`, and a name no `:`; a value may have either.
    fn from_str(text: &str) -> Result<Self, HeaderRuleError> {
        let (glob, field) = text.split_once('=').ok_or(HeaderRuleError::Form)?;
        let glob = glob.parse().map_err(HeaderRuleError::Glob)?;
        let (name, value) = field.split_once(':').ok_or(HeaderRuleError::Form)?;
        let value = value.trim_matches([' ', '\t']);
        if name.len() + value.len() > FILE_FIELD_BYTES {
            return Err(HeaderRuleError::TooLong);
        }
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| HeaderRuleError::Name)?;
        if let Some((_, instead)) = RESERVED.iter().find(|(reserved, _)| name == *reserved) {
            return Err(HeaderRuleError::Reserved { name, instead });
        }
        match HeaderValue::from_str(value) {
            Ok(value) if !value.is_empty() && value.as_bytes().is_ascii() => {
                Ok(Self { glob, name, value })
            }
            _ => Err(HeaderRuleError::Value),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(texts: &[&str]) -> HeaderRules {
        let mut rules = HeaderRules::default();
        for text in texts {
            rules.add(text).unwrap();
        }
        rules
    }

    #[test]
    fn a_rule_is_a_glob_a_name_and_a_value() {
        let table = [
            ("*.html=X-A: b", "*.html", "x-a", "b"),
            ("a=x-a:b", "a", "x-a", "b"),
            ("a=X-A: \t b=c: d \t", "a", "x-a", "b=c: d"),
            (
                "/**=Strict-Transport-Security: max-age=63072000",
                "/**",
                "strict-transport-security",
                "max-age=63072000",
            ),
        ];
        for (text, glob, name, value) in table {
            let rule: HeaderRule = text.parse().unwrap();
            assert_eq!(rule.glob().as_str(), glob, "{text}");
            assert_eq!(rule.name(), name, "{text}");
            assert_eq!(rule.value(), value, "{text}");
        }
    }

    #[test]
    fn what_is_no_rule() {
        use HeaderRuleError::{Form, Name, Value};
        let table = [
            ("", Form),
            ("*.html", Form),
            ("X-A: b", Form),
            ("a=X-A b", Form),
            ("=X-A: b", HeaderRuleError::Glob(GlobError::Empty)),
            ("[=X-A: b", HeaderRuleError::Glob(GlobError::Unclosed)),
            ("a=: b", Name),
            ("a=X A: b", Name),
            ("a= X-A: b", Name),
            ("a=X-A : b", Name),
            ("a=X-Ä: b", Name),
            ("a=X-A\r\nX-B: b", Name),
            ("a=X-A:", Value),
            ("a=X-A: \t", Value),
            ("a=X-A: b\r\nX-B: c", Value),
            ("a=X-A: b\nc", Value),
            ("a=X-A: \0", Value),
            ("a=X-A: ä", Value),
        ];
        for (text, error) in table {
            assert_eq!(text.parse::<HeaderRule>(), Err(error), "{text:?}");
        }
    }

    #[test]
    fn what_the_server_says_is_no_rules_to_say() {
        for (name, instead) in RESERVED {
            for written in [(*name).to_owned(), name.to_uppercase()] {
                let parsed = format!("*={written}: 1").parse::<HeaderRule>();
                let name = HeaderName::from_static(name);
                assert_eq!(parsed, Err(HeaderRuleError::Reserved { name, instead }));
            }
        }
    }

    #[test]
    fn the_first_rule_of_a_name_counts() {
        let rules = rules(&["/assets/**=X-A: assets", "*.html=X-B: html", "/**=x-a: all"]);
        let of = |path: &str| -> Vec<_> {
            let of = rules.of(path.as_bytes()).into_iter();
            of.map(|rule| format!("{}: {}", rule.name(), rule.value().to_str().unwrap()))
                .collect()
        };
        assert_eq!(of("assets/a.html"), ["x-a: assets", "x-b: html"]);
        assert_eq!(of("a.html"), ["x-b: html", "x-a: all"]);
        assert_eq!(of("a"), ["x-a: all"]);
        assert!(HeaderRules::default().of(b"a").is_empty());
    }

    #[test]
    fn a_field_is_given_once_to_the_same_files() {
        let mut rules = rules(&["*.html=Link: </b>", "*.h*=Link: </a>"]);
        let name = HeaderName::from_static("link");
        assert_eq!(
            rules.add("*.html=link: </c>"),
            Err(HeaderRuleError::Twice { name: name.clone() })
        );
        assert_eq!(rules.add("*.html=X-Link: </c>"), Ok(()));
        let by = "*.h*".parse().unwrap();
        assert_eq!(
            rules.add("/a/*.htm=link: </c>"),
            Err(HeaderRuleError::Covered { name, by })
        );
        assert_eq!(rules.add("/**=link: </c>"), Ok(()));
    }

    #[test]
    fn rules_have_a_most_of_bytes_and_of_number() {
        let rule = |bytes| format!("a=x-a: {}", "b".repeat(bytes - "x-a".len()));
        assert!(rule(FILE_FIELD_BYTES).parse::<HeaderRule>().is_ok());
        let longer = rule(FILE_FIELD_BYTES + 1).parse::<HeaderRule>();
        assert_eq!(longer, Err(HeaderRuleError::TooLong));
        let texts: Vec<_> = (0..FILE_FIELD_RULES)
            .map(|number| format!("a=x-{number}: b"))
            .collect();
        let mut rules = rules(&texts.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(rules.of(b"a").len(), FILE_FIELD_RULES);
        assert_eq!(rules.add("b=x: y"), Err(HeaderRuleError::TooMany));
    }
}
