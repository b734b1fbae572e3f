//! Which requests are told apart: each row is of a route and a method. There are no more than fit the bound,
//! and no peer can fill it at the cost of a route.
//!
//! | a request | is in the row |
//! |---|---|
//! | of a route, by the method that it is for | of both |
//! | of a route, by another method, such as HEAD of one for GET | of both, if the routes leave so much room |
//! | of a route for any method, beyond that | of the route and `_OTHER` |
//! | of any other route beyond that | `_other` |
//! | that the server answers itself (`/stats`, `/healthz`) | of that and GET, HEAD or `_OTHER`: outside the bound |
//! | that no route is for | `_unmatched`, outside the bound |
//!
//! An app with no more than [`STATS_ROWS`] routes therefore has a row for each, whoever asks first and for what. Of one
//! with more, those have a row that are asked for first.

use super::series::{MethodIndex, Whose};
use crate::limits::STATS_ROWS;

/// The method that a route is for; `None` if it takes any.
pub(super) type Own = Option<MethodIndex>;

/// How much of the bound is left.
#[derive(Debug, Default)]
pub(super) struct Room {
    /// Routes, which have a row each if there is room for all.
    routes: usize,
    /// Rows of routes by the methods that they are for.
    own: usize,
    /// Rows by other methods.
    others: usize,
}

impl Room {
    /// There are so many routes.
    pub(super) fn know_routes(&mut self, routes: usize) {
        self.routes = routes;
    }

    /// The method whose row a request of `whose` by `method` is in, where the route is for `own` and rows that
    /// `exist` are there already; None if it is the row of all others. A row that did not exist is taken into account.
    pub(super) fn place(
        &mut self,
        whose: Whose,
        method: MethodIndex,
        own: Option<Own>,
        exists: impl Fn(MethodIndex) -> bool,
    ) -> Option<MethodIndex> {
        if let Some(fixed) = whose.fixed_method(method) {
            return Some(fixed);
        }
        let own = own?;
        if exists(method) || self.take(own == Some(method)) {
            return Some(method);
        }
        let is_any = own.is_none();
        (is_any && (exists(MethodIndex::OTHER) || self.take(true))).then_some(MethodIndex::OTHER)
    }

    /// Takes a row, if there is one left for such.
    fn take(&mut self, is_own: bool) -> bool {
        let left = STATS_ROWS.saturating_sub(self.own + self.others);
        let left_for_others = STATS_ROWS.saturating_sub(self.routes.max(self.own) + self.others);
        match is_own {
            true if left > 0 => self.own += 1,
            false if left_for_others > 0 => self.others += 1,
            _ => return false,
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::series::METHODS;
    use std::collections::BTreeSet;

    const GET: MethodIndex = MethodIndex::GET;

    /// Rows as they are taken, of routes that are each for GET, or for any method.
    struct Rows {
        room: Room,
        own: Own,
        rows: BTreeSet<(Whose, MethodIndex)>,
    }

    impl Rows {
        fn new(routes: usize, own: Own) -> Self {
            let mut room = Room::default();
            room.know_routes(routes);
            let rows = BTreeSet::new();
            Self { room, own, rows }
        }

        fn ask(&mut self, whose: Whose, method: MethodIndex) -> Option<MethodIndex> {
            let exists = |method| self.rows.contains(&(whose, method));
            let own = whose.number().map(|_| self.own);
            let placed = self.room.place(whose, method, own, exists);
            self.rows.extend(placed.map(|method| (whose, method)));
            placed
        }

        /// Asks for all there is by every method but GET.
        fn attack(&mut self, routes: u16) {
            let fixed = [Whose::UNMATCHED, Whose::STATS, Whose::HEALTH];
            for whose in fixed.into_iter().chain((0..routes).map(Whose::route)) {
                for method in MethodIndex::all().filter(|method| *method != GET) {
                    self.ask(whose, method);
                }
            }
        }

        fn of_routes(&self) -> usize {
            let number = |(whose, _): &&(Whose, MethodIndex)| whose.number().is_some();
            self.rows.iter().filter(number).count()
        }
    }

    #[test]
    fn no_route_loses_its_row_to_what_peers_ask_for() {
        for routes in [1, STATS_ROWS as u16 - 1, STATS_ROWS as u16] {
            let mut rows = Rows::new(routes.into(), Some(GET));
            rows.attack(routes);
            for number in 0..routes {
                assert_eq!(rows.ask(Whose::route(number), GET), Some(GET), "{routes}");
            }
            let expected = STATS_ROWS.min(usize::from(routes) * METHODS.len());
            assert_eq!(rows.of_routes(), expected, "{routes}");
        }
    }

    #[test]
    fn a_route_for_any_method_has_one_row_at_least() {
        let routes = STATS_ROWS as u16;
        let mut rows = Rows::new(routes.into(), None);
        rows.attack(routes);
        for number in 0..routes {
            let placed = rows.ask(Whose::route(number), GET);
            assert_eq!(placed, Some(MethodIndex::OTHER));
        }
        assert_eq!(rows.of_routes(), STATS_ROWS);
        // Where there is room, each method has its own.
        let mut rows = Rows::new(1, None);
        rows.attack(1);
        assert_eq!(rows.ask(Whose::route(0), GET), Some(GET));
    }

    #[test]
    fn of_routes_beyond_the_bound_the_first_have_rows() {
        let mut rows = Rows::new(STATS_ROWS + 1, Some(GET));
        rows.attack(STATS_ROWS as u16 + 1);
        assert_eq!(rows.of_routes(), 0);
        for number in 1..=STATS_ROWS as u16 {
            assert_eq!(rows.ask(Whose::route(number), GET), Some(GET));
        }
        assert_eq!(rows.ask(Whose::route(0), GET), None);
        assert_eq!(rows.ask(Whose::route(1), GET), Some(GET));
    }

    #[test]
    fn what_is_no_route_takes_a_few_rows_and_no_room() {
        let mut rows = Rows::new(0, None);
        rows.attack(0);
        let told = rows
            .rows
            .iter()
            .map(|(whose, method)| (*whose, method.name()));
        let told: Vec<_> = told.collect();
        let expected = [
            (Whose::UNMATCHED, "_OTHER"),
            (Whose::STATS, "HEAD"),
            (Whose::STATS, "_OTHER"),
            (Whose::HEALTH, "HEAD"),
            (Whose::HEALTH, "_OTHER"),
        ];
        assert_eq!(told, expected);
        assert_eq!(rows.ask(Whose::OTHER, GET), None);
        assert_eq!((rows.room.own, rows.room.others), (0, 0));
    }
}
