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
use super::params::Places;
use super::paths::Paths;
use super::precedence::{Barriers, Precedence};
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
            places: Places::of(&templates[0].parts),
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
        let placed = Placed {
            added,
            route: Rc::clone(route),
            kinds,
        };
        let node = &mut site.nodes[index];
        let is_same =
            |other: &&Placed<'_>| other.route.method == route.method && other.kinds == placed.kinds;
        // Of the paths that a mount takes, routes take the one that its prefix is.
        if !node.template.has_rest() {
            if node.routes.iter().any(|other| other.supersedes(&placed)) {
                return;
            }
            node.routes.retain(|other| !placed.supersedes(other));
        }
        match node.routes.iter().find(is_same) {
            Some(first) => {
                let problem = conflict(added, first.added);
                // Two mounts have all their paths in common.
                if !self.problems.contains(&problem) {
                    self.problems.push(problem);
                }
            }
            None => node.routes.push(placed),
        }
    }

    /// The paths of all nodes.
    fn paths(&mut self, nodes: &[Node<'_>]) -> Paths<Methods> {
        let mut paths = Paths::new();
        let mut problems = Vec::new();
        let mut insert = |node: &Node<'_>, first| {
            let inserted = paths.insert(&node.template, first, || node.methods());
            inserted.unwrap_or_else(|error| {
                problems.push(format!("{}: {error}", node.routes[0].added));
                first
            })
        };
        let is_literal = |node: &&Node<'_>| node.template.names.is_empty();
        for node in nodes.iter().filter(is_literal) {
            insert(node, 0);
        }
        let others = nodes.iter().filter(|node| !is_literal(node));
        let mut sorted: Vec<_> = others
            .map(|node| (Precedence::of(&node.template), node))
            .collect();
        sorted.sort_by(|(one, _), (other, _)| one.cmp(other));
        let mut barriers = Barriers::default();
        for (precedence, node) in &sorted {
            let start = node.template.start();
            let tree = insert(node, barriers.first_tree(precedence, start));
            barriers.add(precedence, start, tree, node.is_particular());
        }
        self.problems.append(&mut problems);
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
                if let Err(error) = paths.insert(template, 0, || template.kinds.clone()) {
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

impl Placed<'_> {
    /// Whether this route takes from the mount `other` what that takes of the same paths.
    fn supersedes(&self, other: &Placed<'_>) -> bool {
        let method = &self.route.method;
        let reaches = (self.route.reach, other.route.reach);
        reaches == (Reach::Template, Reach::Mount)
            && self.kinds == other.kinds
            && (method.is_none() || *method == other.route.method)
    }
}

impl Node<'_> {
    /// Whether there are values of its parameters for which it has no routes.
    fn is_particular(&self) -> bool {
        self.routes.iter().all(|placed| !placed.kinds.is_empty())
    }

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

fn conflict(added: &Added, first: &Added) -> String {
    format!("{added} takes the same requests as {first}")
}

#[cfg(test)]
mod tests;
