//! The names of series: the same on all cores, whatever order those met them in, and never more than
//! fit the bounds.

use super::rows::{Own, Room};
use super::series::{CLASSES, MethodIndex, Series, Whose};
use crate::limits::STATS_ROWS;
use http::Method;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::SystemTime;

/// A route as it is named in statistics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteName {
    name: String,
    pub(super) own: Own,
}

impl RouteName {
    /// The route with this template, in the app of that host if it is one's alone. It takes any method.
    pub fn new(host: Option<&str>, template: &str) -> RouteName {
        RouteName {
            name: [host.unwrap_or_default(), template].concat(),
            own: None,
        }
    }

    /// The same, but for this method.
    #[must_use]
    pub fn of(self, method: &Method) -> RouteName {
        RouteName {
            own: Some(MethodIndex::of(method)),
            ..self
        }
    }
}

/// What a series is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeriesName {
    /// The route's template, behind its host if it is one's alone; `_unmatched` where no route matched,
    /// `_stats` and `_healthz` where the server answered itself, `_other` beyond
    /// [`STATS_ROWS`].
    pub route: Arc<str>,
    /// The method, or `_OTHER` (OpenTelemetry's `http.request.method`).
    pub method: &'static str,
    /// The class of the status, from `1xx` to `5xx`.
    pub class: &'static str,
    /// When there had been none of it yet, at most an interval of snapshots before the first.
    pub since: SystemTime,
}

/// A route and a method that are told apart, asked for or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NamedRow {
    /// As in [`SeriesName::route`].
    pub(super) route: Arc<str>,
    pub(super) method: &'static str,
    /// The numbers of its series, by class; none where there was no such response.
    pub(super) series: [Option<usize>; CLASSES.len()],
}

/// The numbers and names of all series, and the rows that they are in.
///
/// Rows that will be asked for sooner or later are there from the start, so that who takes differences sees the first
/// requests: each route by the method that it is for, or GET if it is for any; and `_unmatched`. Of more routes than
/// have a row those have one that are asked for first, and `_other` is there.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// Of each core, its routes by their numbers.
    routes: Vec<Vec<(Arc<str>, Own)>>,
    room: Room,
    /// Of each core, the numbers of the series that it has told of.
    numbers: Vec<BTreeMap<Series, usize>>,
    /// The place of each row.
    places: BTreeMap<(Arc<str>, MethodIndex), usize>,
    rows: Arc<Vec<NamedRow>>,
    series: Arc<Vec<SeriesName>>,
}

impl Names {
    pub(super) fn new(cores: usize) -> Names {
        Names {
            routes: vec![Vec::new(); cores],
            numbers: vec![BTreeMap::new(); cores],
            ..Names::default()
        }
    }

    /// The routes of the `core`th core are called so, by their numbers.
    pub(super) fn know_routes(&mut self, core: usize, names: Vec<RouteName>) {
        let named = names
            .into_iter()
            .map(|route| (route.name.into(), route.own));
        self.routes[core] = named.collect();
        self.numbers[core].clear();
        let all: BTreeSet<_> = self.routes.iter().flatten().collect();
        let all = all.len();
        self.room.know_routes(all);
        if all <= STATS_ROWS {
            for number in 0..self.routes[core].len() {
                let (_, own) = self.routes[core][number];
                let whose = Whose::route(number as u16);
                self.row(core, whose, own.unwrap_or(MethodIndex::GET));
            }
        } else {
            self.row(core, Whose::OTHER, MethodIndex::OTHER);
        }
        self.row(core, Whose::UNMATCHED, MethodIndex::OTHER);
    }

    /// The name of a route of the `core`th core.
    pub(super) fn route(&self, core: usize, whose: Whose) -> Arc<str> {
        let known = self.known(core, whose);
        known.map_or_else(|| whose.fixed_name().into(), |(name, _)| Arc::clone(name))
    }

    fn known(&self, core: usize, whose: Whose) -> Option<&(Arc<str>, Own)> {
        self.routes[core].get(usize::from(whose.number()?))
    }

    /// The number of a series of the `core`th core, of which there was none before the time `since` if it is new.
    pub(super) fn series(&mut self, core: usize, series: Series, since: SystemTime) -> usize {
        if let Some(number) = self.numbers[core].get(&series) {
            return *number;
        }
        let number = self.number(core, series, since);
        self.numbers[core].insert(series, number);
        number
    }

    /// The number of a series that the core has not told of before.
    fn number(&mut self, core: usize, series: Series, since: SystemTime) -> usize {
        let place = self.row(core, series.whose, series.method);
        let class = usize::from(series.class);
        let row = &mut Arc::make_mut(&mut self.rows)[place];
        *row.series[class].get_or_insert_with(|| {
            let names = Arc::make_mut(&mut self.series);
            names.push(SeriesName {
                route: Arc::clone(&row.route),
                method: row.method,
                class: CLASSES[class],
                since,
            });
            names.len() - 1
        })
    }

    /// The place of the row that requests of `whose` by `method` on the `core`th core are in.
    fn row(&mut self, core: usize, whose: Whose, method: MethodIndex) -> usize {
        let route = self.route(core, whose);
        let own = self.known(core, whose).map(|(_, own)| *own);
        let places = &self.places;
        // Cores that met others first may have more together than each has.
        let placed = self.room.place(whose, method, own, |method| {
            places.contains_key(&(Arc::clone(&route), method))
        });
        let (route, method) = match placed {
            Some(method) => (route, method),
            None => (Whose::OTHER.fixed_name().into(), MethodIndex::OTHER),
        };
        let rows = &mut self.rows;
        let place = self.places.entry((Arc::clone(&route), method));
        *place.or_insert_with(|| {
            let rows = Arc::make_mut(rows);
            rows.push(NamedRow {
                route,
                method: method.name(),
                series: [None; CLASSES.len()],
            });
            rows.len() - 1
        })
    }

    /// All rows, those that are there from the start first.
    pub(super) fn rows(&self) -> Arc<Vec<NamedRow>> {
        Arc::clone(&self.rows)
    }

    /// All series that were met, by their numbers.
    pub(super) fn all(&self) -> Arc<Vec<SeriesName>> {
        Arc::clone(&self.series)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(number: u16, method: &Method, class: u8) -> Series {
        Series {
            whose: Whose::route(number),
            method: MethodIndex::of(method),
            class,
        }
    }

    impl Names {
        fn met(&mut self, core: usize, series: Series) -> usize {
            self.series(core, series, SystemTime::UNIX_EPOCH)
        }
    }

    fn names(routes: usize) -> Vec<RouteName> {
        let name = |n| RouteName::new(None, &format!("/{n}")).of(&Method::GET);
        (0..routes).map(name).collect()
    }

    #[test]
    fn a_route_is_one_series_whatever_its_number_on_a_core() {
        let mut all = Names::new(2);
        all.know_routes(
            0,
            vec![
                RouteName::new(None, "/a"),
                RouteName::new(Some("b.org"), "/"),
            ],
        );
        all.know_routes(
            1,
            vec![
                RouteName::new(Some("b.org"), "/"),
                RouteName::new(None, "/a"),
            ],
        );
        assert_eq!(all.met(0, series(0, &Method::GET, 1)), 0);
        assert_eq!(all.met(1, series(1, &Method::GET, 1)), 0);
        assert_eq!(all.met(1, series(0, &Method::GET, 1)), 1);
        assert_eq!(all.met(0, series(1, &Method::GET, 3)), 2);
        let told: Vec<_> = all
            .all()
            .iter()
            .map(|name| (name.route.to_string(), name.class))
            .collect();
        let told: Vec<_> = told
            .iter()
            .map(|(route, class)| (&route[..], *class))
            .collect();
        assert_eq!(told, [("/a", "2xx"), ("b.org/", "2xx"), ("b.org/", "4xx")]);
    }

    #[test]
    fn rows_beyond_the_bound_are_one() {
        let mut all = Names::new(1);
        all.know_routes(0, names(STATS_ROWS + 2));
        for number in 0..STATS_ROWS as u16 {
            assert_eq!(
                all.met(0, series(number, &Method::GET, 1)),
                usize::from(number)
            );
        }
        let other = all.met(0, series(STATS_ROWS as u16, &Method::GET, 1));
        assert_eq!(other, STATS_ROWS);
        assert_eq!(&*all.all()[other].route, "_other");
        assert_eq!(all.all()[other].method, "_OTHER");
        assert_eq!(
            all.met(0, series(STATS_ROWS as u16 + 1, &Method::PUT, 1)),
            other
        );
        // Those that have a row keep it, and get the classes they had not.
        assert_eq!(all.met(0, series(3, &Method::GET, 1)), 3);
        assert_eq!(all.met(0, series(3, &Method::GET, 4)), other + 1);
    }

    #[test]
    fn rows_are_there_before_they_are_asked_for() {
        let rows = |all: &Names| -> Vec<_> {
            let rows = all.rows();
            let of_class = |row: &NamedRow| row.series.map(|series| series.is_some());
            let row = |row: &NamedRow| (row.route.to_string(), row.method, of_class(row));
            rows.iter().map(row).collect()
        };
        let none = [false; CLASSES.len()];
        let mut all = Names::new(2);
        let get = RouteName::new(None, "/a").of(&Method::GET);
        for core in 0..2 {
            all.know_routes(core, vec![get.clone(), RouteName::new(None, "/b/{*rest}")]);
        }
        let mut expected = vec![
            ("/a".to_owned(), "GET", none),
            ("/b/{*rest}".to_owned(), "GET", none),
            ("_unmatched".to_owned(), "_OTHER", none),
        ];
        assert_eq!(rows(&all), expected);
        // They are the rows of the requests that come.
        all.met(1, series(1, &Method::GET, 3));
        all.met(0, series(0, &Method::HEAD, 1));
        expected[1].2[3] = true;
        expected.push(("/a".to_owned(), "HEAD", [false, true, false, false, false]));
        assert_eq!(rows(&all), expected);
        for routes in [STATS_ROWS, STATS_ROWS + 1] {
            let mut all = Names::new(1);
            all.know_routes(0, names(routes));
            let told: Vec<_> = rows(&all).into_iter().map(|(route, ..)| route).collect();
            match routes > STATS_ROWS {
                true => assert_eq!(told, ["_other", "_unmatched"]),
                false => assert_eq!(told.len(), STATS_ROWS + 1),
            }
        }
    }

    #[test]
    fn what_is_no_route_has_a_name_too() {
        let mut all = Names::new(1);
        for (whose, name) in [
            (Whose::STATS, "_stats"),
            (Whose::HEALTH, "_healthz"),
            (Whose::UNMATCHED, "_unmatched"),
            (Whose::OTHER, "_other"),
            (Whose::route(9), "_other"),
        ] {
            let method = MethodIndex::OTHER;
            let number = all.met(
                0,
                Series {
                    whose,
                    method,
                    class: 0,
                },
            );
            assert_eq!(&*all.all()[number].route, name);
        }
    }
}
