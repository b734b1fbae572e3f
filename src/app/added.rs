//! A route as it was added to an app, before it is proved.

use std::fmt;
use std::panic::Location;
use std::path::PathBuf;
use std::rc::Rc;

use http::Method;

use super::handler::Handler;
use super::layers::Layers;

/// A route as it was added.
pub(super) struct Added {
    /// `None` for any.
    pub(super) method: Option<Method>,
    /// A template; of a mount or a fallback the prefix, without a slash at its end.
    pub(super) path: String,
    pub(super) reach: Reach,
    /// What [`url_for`](super::Router::url_for) knows it by.
    pub(super) name: Option<Named>,
    /// The policy of the app that it was added to, once that is another's part.
    pub(super) trailing_slash: Option<TrailingSlash>,
    pub(super) source: Source,
    /// What its apps put around it.
    pub(super) layers: Rc<Layers>,
    pub(super) at: &'static Location<'static>,
    /// Where the apps that it belongs to were nested, the innermost first.
    pub(super) nested_at: Vec<&'static Location<'static>>,
}

/// What answers.
pub(super) enum Source {
    Handler(Rc<dyn Handler>),
    /// A folder of files. Only a core can open it; until then it is no route.
    Folder(PathBuf),
}

impl Source {
    pub(super) fn of(handler: impl Handler) -> Source {
        Source::Handler(Rc::new(handler))
    }
}

/// The name of a route.
pub(super) struct Named {
    pub(super) name: String,
    pub(super) at: &'static Location<'static>,
}

/// Which paths a route takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// Those of its template.
    Template,
    /// Its prefix and all below.
    Mount,
    /// The same, as far as nothing else takes them.
    Fallback,
    /// The same, and of the paths that routes take the methods that they do not.
    CatchAll,
}

/// What becomes of a request whose path has a route only with a slash more, or less, at its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TrailingSlash {
    /// A trailing slash makes another path: 404.
    #[default]
    Strict,
    /// It is redirected with 308, which keeps the method and the content; the query is kept, too.
    Redirect,
}

impl Added {
    /// A route of an app that is no other's part yet.
    pub(super) fn new(
        method: Option<Method>,
        path: &str,
        reach: Reach,
        source: Source,
        at: &'static Location<'static>,
    ) -> Added {
        let path = match reach {
            Reach::Template => path,
            Reach::Mount | Reach::Fallback | Reach::CatchAll => path.trim_end_matches('/'),
        };
        Added {
            method,
            path: path.to_owned(),
            reach,
            name: None,
            trailing_slash: None,
            source,
            layers: Rc::default(),
            at,
            nested_at: Vec::new(),
        }
    }

    /// Moves it below `prefix`, where its app was nested `at`.
    pub(super) fn nest(
        &mut self,
        prefix: &str,
        policy: Option<TrailingSlash>,
        at: &'static Location<'static>,
    ) {
        // The root of a nested app is the prefix as it was written.
        self.path = match (self.reach, self.path.as_str()) {
            (Reach::Template, "/") if !prefix.is_empty() => prefix.to_owned(),
            (_, path) => format!("{}{path}", prefix.trim_end_matches('/')),
        };
        self.trailing_slash = self.trailing_slash.or(policy);
        self.nested_at.push(at);
    }

    /// What the route is called.
    pub(super) fn template(&self) -> String {
        let Added { path, reach, .. } = self;
        match reach {
            Reach::Template => path.clone(),
            Reach::Mount => format!("{path}/{{*rest}}"),
            Reach::Fallback | Reach::CatchAll if path.is_empty() => "(fallback)".to_owned(),
            Reach::Fallback | Reach::CatchAll => format!("{path}/(fallback)"),
        }
    }

    /// The templates under which it is found.
    pub(super) fn places(&self) -> Vec<String> {
        let Added { path, reach, .. } = self;
        if *reach == Reach::Template {
            return vec![path.clone()];
        }
        // The one that has all parameters goes first.
        let mut places = vec![format!("{path}/{{*rest}}"), format!("{path}/")];
        if !path.is_empty() {
            places.push(path.clone());
        }
        places
    }
}

impl Reach {
    /// Whether its handler wants paths that are not text, too.
    pub(super) fn takes_octets(self) -> bool {
        self != Reach::Template
    }
}

impl fmt::Display for Added {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let method = self.method.as_ref().map_or("any", Method::as_str);
        write!(f, "{method} {} ({}", self.template(), self.at)?;
        for at in &self.nested_at {
            write!(f, ", nested at {at}")?;
        }
        f.write_str(")")
    }
}
