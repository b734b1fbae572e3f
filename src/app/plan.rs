//! Proving an app: from the routes as they were added to a router, or everything wrong with them.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::rc::Rc;

use super::added::{Added, Named, Reach, Source, TrailingSlash};
use super::builder::App;
use super::hosts::{Hosts, Pattern};
use super::kind::Kind;
use super::layers::Layers;
use super::methods::{Methods, allow_value};
use super::paths::Paths;
use super::router::{Route, RouteId, Router};
use super::site::{Fallback, Site};
use super::template::Template;
use super::urls::Urls;
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

/// The router of `app` and the apps of its hosts, or every problem with them.
pub(super) fn prove(app: &App, layers: Rc<Layers>) -> Result<Router, AppError> {
    let mut plan = Plan {
        problems: app.problems.clone(),
        ..Plan::default()
    };
    let apps = || std::iter::once(app).chain(app.hosts.iter().map(|host| &host.app));
    let counts = apps().map(|app| app.added.len() + app.fallbacks.len());
    if counts.sum::<usize>() > ROUTES {
        let problem = format!("the app has more than {ROUTES} routes");
        plan.problems.push(problem);
        return Err(plan.into_error());
    }
    plan.know_names(apps().flat_map(|app| &app.added));
    let policy = app.trailing_slash.unwrap_or_default();
    let site = plan.site(app, policy, None, layers);
    let hosts = (!app.hosts.is_empty()).then(|| plan.hosts(app, policy));
    if !plan.problems.is_empty() {
        return Err(plan.into_error());
    }
    Ok(Router {
        site,
        hosts,
        routes: plan.routes,
        urls: plan.urls,
        access_hooks: app.access_hooks.clone(),
    })
}

/// What is known on the way from an app to a router.
#[derive(Default)]
struct Plan {
    routes: Vec<Rc<Route>>,
    urls: Rc<Urls>,
    problems: Vec<String>,
}

/// The routes of one app on their way into its site.
#[derive(Default)]
struct SitePlan<'a> {
    /// One for each set of paths, in the order in which they came up.
    nodes: Vec<Node<'a>>,
    /// Which of `nodes` has the shape of a template.
    by_shape: HashMap<String, usize>,
}

/// The routes of all paths of one shape, at least one.
struct Node<'a> {
    template: Template,
    routes: Vec<Placed<'a>>,
}

/// A route in one of its places.
struct Placed<'a> {
    added: &'a Added,
    route: Rc<Route>,
    kinds: Vec<Kind>,
}

impl Plan {
    /// Collects the names of `routes`.
    fn know_names<'a>(&mut self, routes: impl Iterator<Item = &'a Added>) {
        let mut urls = Urls::default();
        let mut known: HashMap<&str, &Named> = HashMap::new();
        for added in routes {
            let Some(named) = &added.name else { continue };
            if let Some(first) = known.insert(&named.name, named) {
                self.problems.push(format!(
                    "the name {} ({}) is that of another route ({})",
                    named.name, named.at, first.at
                ));
            }
            // A template that is malformed is reported with its route.
            if let Ok(template) = Template::parse(&added.places()[0]) {
                urls.insert(&named.name, template, added.reach == Reach::Mount);
            }
        }
        self.urls = Rc::new(urls);
    }

    /// The sites of the hosts of `app`, which follow `policy` unless they have their own.
    fn hosts(&mut self, app: &App, policy: TrailingSlash) -> Hosts<Site> {
        let mut hosts = Hosts::new();
        let mut known = Vec::new();
        for entry in &app.hosts {
            let (host, at) = (entry.host.as_str(), entry.at);
            let policy = entry.app.trailing_slash.unwrap_or(policy);
            let layers = Rc::clone(&entry.layers);
            let site = self.site(&entry.app, policy, Some(host.into()), layers);
            let pattern = match Pattern::parse(host) {
                Ok(pattern) => pattern,
                Err(problem) => {
                    self.problems
                        .push(format!("the host {host} ({at}): {problem}"));
                    continue;
                }
            };
            if let Some((_, first)) = known.iter().find(|(other, _)| *other == pattern) {
                self.problems.push(format!(
                    "the host {host} ({at}) has an app already ({first})"
                ));
            } else {
                known.push((pattern.clone(), at));
                hosts.insert(pattern, site);
            }
        }
        hosts
    }

    /// The site with all routes of `app`.
    fn site(
        &mut self,
        app: &App,
        policy: TrailingSlash,
        host: Option<Rc<str>>,
        layers: Rc<Layers>,
    ) -> Site {
        let mut site = SitePlan::default();
        for added in &app.added {
            if let Some((route, templates)) = self.number(added, policy, &host) {
                for template in templates {
                    self.place(&mut site, added, &route, template);
                }
            }
        }
        let fallbacks = self.fallbacks(app, &host);
        Site {
            redirects: app.added.iter().any(|added| redirects(added, policy)),
            paths: self.paths(&site.nodes),
            fallbacks,
            layers,
        }
    }

    /// Gives the route of `added` the next number, and reads the templates of all its places.
    fn number(
        &mut self,
        added: &Added,
        policy: TrailingSlash,
        host: &Option<Rc<str>>,
    ) -> Option<(Rc<Route>, Vec<Template>)> {
        let Source::Handler(handler) = &added.source else {
            return None;
        };
        let places = added.places();
        let templates: Result<Vec<_>, _> =
            places.iter().map(|place| Template::parse(place)).collect();
        let templates = match templates {
            Ok(templates) => templates,
            Err(problem) => {
                self.problems.push(format!("{added}: {problem}"));
                return None;
            }
        };
        let route = Rc::new(Route {
            id: RouteId(self.routes.len() as u16),
            method: added.method.clone(),
            host: host.clone(),
            template: added.template().into(),
            name: added.name.as_ref().map(|named| named.name.as_str().into()),
            // The places of a mount share their parameters, but for the last of the first.
            names: templates[0].names.clone(),
            reach: added.reach,
            redirects: redirects(added, policy),
            body_limit: handler.body_limit().or(added.layers.body_limit),
            finishes: handler.finishes_after_disconnect() || added.layers.finishes,
            is_wrapped: !added.layers.chain.is_empty(),
            layers: Rc::clone(&added.layers),
            handler: Rc::clone(handler),
            urls: Rc::clone(&self.urls),
        });
        self.routes.push(Rc::clone(&route));
        Some((route, templates))
    }

    fn place<'a>(
        &mut self,
        site: &mut SitePlan<'a>,
        added: &'a Added,
        route: &Rc<Route>,
        template: Template,
    ) {
        let kinds = template.kinds.clone();
        let shape = template.shape.clone();
        let index = *site.by_shape.entry(shape).or_insert_with(|| {
            site.nodes.push(Node {
                template,
                routes: Vec::new(),
            });
            site.nodes.len() - 1
        });
        let routes = &mut site.nodes[index].routes;
        let is_same =
            |other: &&Placed<'_>| other.route.method == route.method && other.kinds == kinds;
        match routes.iter().find(is_same) {
            Some(first) => self.problems.push(conflict(added, first.added)),
            None => routes.push(Placed {
                added,
                route: Rc::clone(route),
                kinds,
            }),
        }
    }

    /// The paths of all nodes, as far as they can be told apart.
    fn paths(&mut self, nodes: &[Node<'_>]) -> Paths<Methods> {
        let mut paths = Paths::new();
        for (index, node) in nodes.iter().enumerate() {
            if let Err(error) = paths.insert(&node.template, node.methods()) {
                let added = node.routes[0].added;
                let first = nodes[..index].iter().find(|other| excludes(other, node));
                self.problems.push(match first {
                    Some(first) => conflict(added, first.routes[0].added),
                    None => format!("{added}: {error}"),
                });
            }
        }
        paths
    }

    /// The fallbacks of `app`, those of longer prefixes first.
    fn fallbacks(&mut self, app: &App, host: &Option<Rc<str>>) -> Vec<Fallback> {
        let mut known: Vec<(&Added, Template)> = Vec::new();
        let mut sorted = Vec::new();
        for added in &app.fallbacks {
            let numbered = self.number(added, TrailingSlash::Strict, host);
            let Some((route, templates)) = numbered else {
                continue;
            };
            let mut paths = Paths::new();
            for template in &templates {
                // What a prefix cannot be was found when it was nested.
                if let Err(error) = paths.insert(template, template.kinds.clone()) {
                    self.problems.push(format!("{added}: {error}"));
                }
            }
            let Some(template) = templates.into_iter().next() else {
                continue;
            };
            let is_same = |(_, other): &&(&Added, Template)| {
                other.shape == template.shape && other.kinds == template.kinds
            };
            if let Some((first, _)) = known.iter().find(is_same) {
                self.problems.push(conflict(added, first));
            }
            let depth = template.shape.matches('/').count();
            let order = (
                Reverse(depth),
                template.names.len(),
                template.kinds.is_empty(),
            );
            sorted.push((
                order,
                Fallback {
                    prefix: (!added.path.is_empty()).then_some(paths),
                    route,
                },
            ));
            known.push((added, template));
        }
        sorted.sort_by_key(|(order, _)| *order);
        sorted.into_iter().map(|(_, fallback)| fallback).collect()
    }

    fn into_error(self) -> AppError {
        AppError {
            problems: self.problems,
        }
    }
}

impl Node<'_> {
    /// The routes of the node: one group for each set of kinds, that without any last.
    fn methods(&self) -> Methods {
        let mut groups: Vec<&[Kind]> = Vec::new();
        for placed in &self.routes {
            if !groups.contains(&&*placed.kinds) {
                groups.push(&placed.kinds);
            }
        }
        groups.sort_by_key(|kinds| kinds.is_empty());
        let mut groups = groups.into_iter().rev();
        let last = self.group(groups.next().unwrap_or_default(), None);
        groups.fold(last, |others, kinds| self.group(kinds, Some(others)))
    }

    fn group(&self, kinds: &[Kind], others: Option<Methods>) -> Methods {
        let mut any = None;
        let mut routes = Vec::new();
        for placed in self.routes.iter().filter(|placed| placed.kinds == kinds) {
            let route = Rc::clone(&placed.route);
            match &placed.added.method {
                Some(method) => routes.push((method.clone(), route)),
                None => any = Some(route),
            }
        }
        Methods {
            kinds: kinds.to_vec(),
            allow: Box::new(allow_value(routes.iter().map(|(method, _)| method))),
            routes,
            any,
            others: others.map(Box::new),
        }
    }
}

/// Whether paths that differ from those of `added` in their last slash are redirected.
fn redirects(added: &Added, policy: TrailingSlash) -> bool {
    added.trailing_slash.unwrap_or(policy) == TrailingSlash::Redirect
}

/// Whether the two nodes alone cannot be told apart.
fn excludes(one: &Node<'_>, other: &Node<'_>) -> bool {
    let mut pair = Paths::new();
    pair.insert(&one.template, ()).is_ok() && pair.insert(&other.template, ()).is_err()
}

fn conflict(added: &Added, first: &Added) -> String {
    format!("{added} takes the same requests as {first}")
}

#[cfg(test)]
mod tests;
