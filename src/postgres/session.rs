//! A session with the server: its queries, each within a time, and the statements it has prepared.

use super::Row;
use super::server::Link;
use crate::app::{Error, Result, Time};
use crate::limits::STATEMENTS;
use http::StatusCode;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::fmt;
use std::rc::Rc;
use std::time::Duration;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;
use tokio_postgres::{CancelToken, Client, Error as PgError, Statement};

/// A query was not done in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a query took longer than {0:?}")]
pub struct QueryTimeout(Duration);

/// What can be asked of a [`Connection`](super::Connection) or a [`Transaction`](super::Transaction).
///
/// `sql` is one statement with parameters `$1`, `$2` and so on; `values` are theirs, of types that
/// the server takes for them: `i32` for `integer`, `i64` for `bigint`, `&str` or `String` for `text`.
///
/// Queries that are waited for side by side are sent at once, and done one after the other.
pub struct Session {
    client: Client,
    link: Rc<Link>,
    statements: RefCell<HashMap<String, Statement>>,
    /// A query was given up before it was done.
    unfinished: Cell<bool>,
    /// The server said that it ends the session.
    closing: Cell<bool>,
    time: Time,
    query_timeout: Duration,
}

impl Session {
    pub(super) fn new(
        client: Client,
        link: Rc<Link>,
        time: Time,
        query_timeout: Duration,
    ) -> Session {
        Session {
            client,
            link,
            statements: RefCell::default(),
            unfinished: Cell::new(false),
            closing: Cell::new(false),
            time,
            query_timeout,
        }
    }

    /// The rows of a query, all at once: bound how many there can be.
    ///
    /// # Errors
    /// 500 when the server refuses it, or 400 for the characters of a text; 503 when the connection breaks, or it takes too long.
    pub async fn query(&self, sql: &str, values: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>> {
        let work = async |statement: &Statement| self.client.query(statement, values).await;
        self.prepared(sql, work).await
    }

    /// The row of a query that has exactly one.
    ///
    /// # Errors
    /// Those of [`Session::query`]; 500 when there is another number of rows.
    pub async fn query_one(&self, sql: &str, values: &[&(dyn ToSql + Sync)]) -> Result<Row> {
        let work = async |statement: &Statement| self.client.query_one(statement, values).await;
        self.prepared(sql, work).await
    }

    /// The row of a query that has one or none.
    ///
    /// # Errors
    /// Those of [`Session::query`]; 500 when there are more rows.
    pub async fn query_opt(
        &self,
        sql: &str,
        values: &[&(dyn ToSql + Sync)],
    ) -> Result<Option<Row>> {
        let work = async |statement: &Statement| self.client.query_opt(statement, values).await;
        self.prepared(sql, work).await
    }

    /// Executes a statement; the number of rows that it changed.
    ///
    /// # Errors
    /// Those of [`Session::query`].
    pub async fn execute(&self, sql: &str, values: &[&(dyn ToSql + Sync)]) -> Result<u64> {
        let work = async |statement: &Statement| self.client.execute(statement, values).await;
        self.prepared(sql, work).await
    }

    /// Executes statements without parameters, with `;` between them: to make tables, say.
    ///
    /// # Errors
    /// Those of [`Session::query`]; what stands behind the one that failed is not done.
    pub async fn batch(&self, sql: &str) -> Result<()> {
        self.within_time(async {
            let outcome = self.client.batch_execute(sql).await;
            if outcome.is_err() {
                // A transaction may have begun before. The server tells of it after the error, which
                // is not waited for; what is answered next comes behind both.
                let _ = self.client.batch_execute("").await;
            }
            outcome
        })
        .await
    }

    /// Has the server roll back, and does not wait for that.
    pub(super) fn roll_back(&self) {
        let sending = std::pin::pin!(self.client.batch_execute("ROLLBACK"));
        // The first poll hands it over; nobody asks again.
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        let _ = sending.poll(&mut cx);
        self.link.status.ends();
    }

    /// Whether another user may have it.
    pub(super) fn is_fit(&self) -> bool {
        let is_over = self.unfinished.get() || self.closing.get() || self.client.is_closed();
        !is_over && self.link.status.is_clear()
    }

    /// Ends it. What is left is what its connection's task needs: the link, and the means to cancel
    /// a query that was not waited for.
    pub(super) fn into_link(self) -> (Rc<Link>, Option<CancelToken>) {
        let is_busy = self.unfinished.get() && !self.client.is_closed();
        (self.link, is_busy.then(|| self.client.cancel_token()))
    }

    /// Does `work` with the statement that `sql` is.
    async fn prepared<T>(
        &self,
        sql: &str,
        work: impl AsyncFnOnce(&Statement) -> Result<T, PgError>,
    ) -> Result<T> {
        self.within_time(async {
            let kept = self.statements.borrow().get(sql).cloned();
            let statement = match kept {
                Some(statement) => statement,
                None => self.prepare(sql).await?,
            };
            let outcome = work(&statement).await;
            if let Err(error) = &outcome
                && is_stale(error)
            {
                self.statements.borrow_mut().remove(sql);
            }
            outcome
        })
        .await
    }

    /// Prepares `sql`, and keeps it if there is room: what makes its statements as it goes shall not
    /// push out those that are used again.
    async fn prepare(&self, sql: &str) -> Result<Statement, PgError> {
        let statement = self.client.prepare(sql).await?;
        let mut statements = self.statements.borrow_mut();
        if statements.len() < STATEMENTS {
            statements.insert(sql.to_owned(), statement.clone());
        }
        Ok(statement)
    }

    /// Does `work` within the time for a query. If it is dropped, or not done, nobody else gets to
    /// see the session.
    async fn within_time<T>(&self, work: impl Future<Output = Result<T, PgError>>) -> Result<T> {
        let attempt = Attempt(self);
        let outcome = self.time.limit(self.query_timeout, work).await;
        let Ok(outcome) = outcome else {
            return Err(unavailable(QueryTimeout(self.query_timeout)));
        };
        std::mem::forget(attempt);
        outcome.map_err(|error| {
            if !is_lost(&error) {
                return error.into();
            }
            self.closing.set(true);
            unavailable(error)
        })
    }
}

/// A query that is waited for. Only one that is not done is dropped.
struct Attempt<'a>(&'a Session);

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        self.0.unfinished.set(true);
    }
}

fn unavailable(source: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(StatusCode::SERVICE_UNAVAILABLE, "").with_source(source)
}

/// Whether the session is over: the connection is closed, or the server says that it closes it.
fn is_lost(error: &PgError) -> bool {
    let ending = [
        SqlState::ADMIN_SHUTDOWN,
        SqlState::CRASH_SHUTDOWN,
        SqlState::CANNOT_CONNECT_NOW,
        SqlState::IDLE_SESSION_TIMEOUT,
        SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
    ];
    let is_io = || std::error::Error::source(error).is_some_and(|it| it.is::<std::io::Error>());
    match error.code() {
        Some(code) => ending.contains(code),
        None => error.is_closed() || is_io(),
    }
}

/// Whether a prepared statement is good for nothing any more: a table that it reads was changed, or
/// the server has forgotten it.
fn is_stale(error: &PgError) -> bool {
    let codes = [
        SqlState::FEATURE_NOT_SUPPORTED,
        SqlState::INVALID_SQL_STATEMENT_NAME,
    ];
    error.code().is_some_and(|code| codes.contains(code))
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").finish_non_exhaustive()
    }
}
