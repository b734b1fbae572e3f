//! Proving an app: from the routes as they were added to a router, or everything wrong with them.

use std::collections::HashMap;
use std::fmt;
use std::panic::Location;
use std::rc::Rc;

use http::Method;

use super::handler::Handler;
use super::layers::Layers;
use super::paths::Paths;
use super::router::{Methods, Route, RouteId, Router, allow_value};
use super::template::Template;
use crate::limits::ROUTES;

/// Why an app cannot be built: every problem with its routes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the app does not fit together: {}", .problems.join("; "))]
pub struct AppError {
    problems: Vec<String>,
}

impl AppError {
    /// The one `problem` that an app has whose routes are good.
    pub(crate) fn of(problem: String) -> AppError {
        AppError {
            problems: vec![problem],
        }
    }

    /// One sentence a problem, each with the places in the source where the routes were added.
    pub fn problems(&self) -> impl Iterator<Item = &str> {
        self.problems.iter().map(String::as_str)
    }
}

/// A route as it was added.
pub(super) struct Added {
    /// `None` for any.
    pub(super) method: Option<Method>,
    /// What the route is called.
    pub(super) template: String,
    /// The templates under which it is found: its own, or those of a mount.
    pub(super) places: Vec<String>,
    pub(super) takes_octets: bool,
    pub(super) handler: Rc<dyn Handler>,
    /// What its app puts around it.
    pub(super) layers: Rc<Layers>,
    pub(super) at: &'static Location<'static>,
}

/// Routes on their way from an app into a router.
#[derive(Default)]
pub(super) struct Plan<'a> {
    routes: Vec<Rc<Route>>,
    /// One for each set of paths, in the order in which they came up.
    nodes: Vec<Node<'a>>,
    /// Which of `nodes` has the shape of a template.
    by_shape: HashMap<String, usize>,
    problems: Vec<String>,
}

/// The routes of one set of paths, at least one.
struct Node<'a> {
    template: Template,
    routes: Vec<(&'a Added, Rc<Route>)>,
}

impl<'a> Plan<'a> {
    /// A plan for an app that has `problems` already.
    pub(super) fn new(problems: Vec<String>) -> Plan<'a> {
        Plan {
            problems,
            ..Plan::default()
        }
    }

    /// The router with all of `added` and the fallback, or every problem with them.
    pub(super) fn build(
        mut self,
        added: &'a [Added],
        fallback: Option<&'a Added>,
        layers: Rc<Layers>,
    ) -> Result<Router, AppError> {
        if added.len() + usize::from(fallback.is_some()) > ROUTES {
            self.problems
                .push(format!("the app has more than {ROUTES} routes"));
            return Err(self.into_error());
        }
        for added in added {
            self.add(added);
        }
        let fallback = fallback.map(|added| self.number(added, Vec::new()));
        let paths = self.paths();
        if !self.problems.is_empty() {
            return Err(self.into_error());
        }
        Ok(Router {
            paths,
            routes: self.routes,
            fallback,
            layers,
        })
    }

    /// Takes in a route with all its places.
    fn add(&mut self, added: &'a Added) {
        let mut templates = Vec::new();
        for place in &added.places {
            match Template::parse(place) {
                Ok(template) => templates.push(template),
                Err(problem) => return self.problems.push(format!("{added}: {problem}")),
            }
        }
        // The places of a mount share their parameters, but for the last of one of them.
        let names = templates.iter().map(|template| &template.names);
        let names = names.max_by_key(|names| names.len()).cloned();
        let route = self.number(added, names.unwrap_or_default());
        self.routes.push(Rc::clone(&route));
        for template in templates {
            self.place(added, &route, template);
        }
    }

    /// The route of `added` with the next free number.
    fn number(&self, added: &Added, names: Vec<Box<str>>) -> Rc<Route> {
        Rc::new(Route {
            id: RouteId(self.routes.len() as u16),
            method: added.method.clone(),
            template: added.template.as_str().into(),
            names,
            takes_octets: added.takes_octets,
            body_limit: added.handler.body_limit().or(added.layers.body_limit),
            is_wrapped: !added.layers.chain.is_empty(),
            layers: Rc::clone(&added.layers),
            handler: Rc::clone(&added.handler),
        })
    }

    fn place(&mut self, added: &'a Added, route: &Rc<Route>, template: Template) {
        let shape = template.shape.clone();
        let index = *self.by_shape.entry(shape).or_insert_with(|| {
            self.nodes.push(Node {
                template,
                routes: Vec::new(),
            });
            self.nodes.len() - 1
        });
        let routes = &mut self.nodes[index].routes;
        match routes
            .iter()
            .find(|(other, _)| other.method == added.method)
        {
            Some((first, _)) => self.problems.push(conflict(added, first)),
            None => routes.push((added, Rc::clone(route))),
        }
    }

    /// The paths of all nodes, as far as they can be told apart.
    fn paths(&mut self) -> Paths<Methods> {
        let mut paths = Paths::new();
        for (index, node) in self.nodes.iter().enumerate() {
            if let Err(error) = paths.insert(&node.template, node.methods()) {
                let added = node.routes[0].0;
                let first = self.nodes[..index]
                    .iter()
                    .find(|other| excludes(other, node));
                self.problems.push(match first {
                    Some(first) => conflict(added, first.routes[0].0),
                    None => format!("{added}: {error}"),
                });
            }
        }
        paths
    }

    fn into_error(self) -> AppError {
        AppError {
            problems: self.problems,
        }
    }
}

impl Node<'_> {
    fn methods(&self) -> Methods {
        let mut any = None;
        let mut routes = Vec::new();
        for (added, route) in &self.routes {
            match &added.method {
                Some(method) => routes.push((method.clone(), Rc::clone(route))),
                None => any = Some(Rc::clone(route)),
            }
        }
        Methods {
            allow: allow_value(routes.iter().map(|(method, _)| method)),
            routes,
            any,
        }
    }
}

/// Whether the two nodes alone cannot be told apart.
fn excludes(one: &Node<'_>, other: &Node<'_>) -> bool {
    let mut pair = Paths::new();
    pair.insert(&one.template, ()).is_ok() && pair.insert(&other.template, ()).is_err()
}

fn conflict(added: &Added, first: &Added) -> String {
    format!("{added} takes the same requests as {first}")
}

impl fmt::Display for Added {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let method = self.method.as_ref().map_or("any", Method::as_str);
        write!(f, "{method} {} ({})", self.template, self.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::{App, Request};

    async fn handler(_: Request) {}

    /// The problems of `app`, without the columns, which are the formatter's choice.
    fn problems(app: App) -> Vec<String> {
        let error = app.build().unwrap_err();
        let columns = |text: &str| {
            (1..40).fold(text.to_owned(), |text, column| {
                text.replace(&format!(":{column})"), ")")
            })
        };
        error.problems().map(columns).collect()
    }

    /// A place in this file as problems name it.
    fn at(line: u32) -> String {
        format!("({}:{line})", file!())
    }

    #[test]
    fn routes_that_exclude_each_other_are_both_named() {
        let line = line!();
        let app = App::new()
            .get("/a/{x}", handler)
            .get("/a/{y}", handler)
            .any("/b", handler)
            .any("/%62", handler)
            .get("/a/{*z}", handler)
            .mount("/a", handler);
        let at = |distance| at(line + distance);
        assert_eq!(
            problems(app),
            [
                format!(
                    "GET /a/{{y}} {} takes the same requests as GET /a/{{x}} {}",
                    at(3),
                    at(2)
                ),
                format!(
                    "any /%62 {} takes the same requests as any /b {}",
                    at(5),
                    at(4)
                ),
                format!(
                    "GET /a/{{*z}} {} takes the same requests as GET /a/{{x}} {}",
                    at(6),
                    at(2)
                ),
            ]
        );
    }

    #[test]
    fn every_problem_is_reported() {
        let line = line!();
        let app = App::new()
            .get("a", handler)
            .get("/{a}{b}", handler)
            .get("/{*a}/b", handler)
            .fallback(handler)
            .fallback(handler);
        let problems = problems(app);
        let starts = [
            format!("the fallback at {}:", file!()),
            format!("GET a {}: a route begins with `/`", at(line + 2)),
            format!("GET /{{a}}{{b}} {}: ", at(line + 3)),
            format!("GET /{{*a}}/b {}: ", at(line + 4)),
        ];
        assert_eq!(problems.len(), starts.len(), "{problems:?}");
        for (problem, start) in problems.iter().zip(&starts) {
            assert!(problem.starts_with(start), "{problem}");
        }
    }

    #[test]
    fn routes_that_live_together() {
        let app = App::new()
            .get("/", handler)
            .get("/{x}", handler)
            .post("/{y}", handler)
            .any("/{z}", handler)
            .head("/{x}", handler)
            .get("/{x}/", handler)
            .get("/a", handler)
            .get("/a%2Fb", handler)
            .get("/a/b", handler)
            .mount("/a/c", handler)
            .get("/a/c/d", handler)
            .route(Method::from_bytes(b"PURGE").unwrap(), "/{x}", handler)
            .fallback(handler);
        let router = app.build().unwrap();
        let ids: Vec<_> = router.routes().map(|route| route.id.0).collect();
        assert_eq!(ids, (0..13).collect::<Vec<_>>());
    }

    #[test]
    fn as_many_routes_as_there_are_numbers() {
        let with = |count: usize| {
            let app = (0..count - 1).fold(App::new(), |app, n| app.get(&format!("/{n}"), handler));
            app.fallback(handler).build()
        };
        let router = with(ROUTES).unwrap();
        assert_eq!(router.routes().last().unwrap().id.0 as usize, ROUTES - 1);
        assert!(with(ROUTES + 1).is_err());
    }
}
