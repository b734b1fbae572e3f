//! PostgreSQL for handlers: a pool of connections on each core, by the crate
//! [`tokio_postgres`](https://docs.rs/tokio-postgres) on the core's own ring. It needs nothing of
//! tokio's but traits: no runtime, no reactor, no other thread.
//!
//! ```no_run
//! use corelane::postgres::{Options, Postgres};
//! use corelane::{App, Error, Request, Result, Server};
//! use http::StatusCode;
//!
//! fn main() -> Result<()> {
//!     let options: Options = "postgres://web@db.example/shop".parse()?;
//!     Server::bind("127.0.0.1:8080").run(move |shard| {
//!         App::new()
//!             .state(Postgres::new(shard, &options))
//!             .get("/price/{id:i64}", price)
//!     })
//! }
//!
//! async fn price(req: Request) -> Result<String> {
//!     let id: i64 = req.param_as("id")?;
//!     let database = req.state::<Postgres>();
//!     let row = database.query_opt("SELECT price FROM item WHERE id = $1", &[&id]).await?;
//!     let row = row.ok_or_else(|| Error::new(StatusCode::NOT_FOUND, "no such item"))?;
//!     Ok(row.try_get::<_, i64>("price")?.to_string())
//! }
//! ```
//!
//! # Connections
//! No connection is made before it is needed, so a server starts, and goes on, without its database.
//! [`pool`](crate::pool) says how many there are and how long they live. [`Postgres::get`] lends one
//! for more than one query; the methods of [`Postgres`] lend one for their query alone.
//!
//! A statement is prepared when a connection first meets its text, and kept; it then costs one round
//! trip. So values belong in parameters, not in the text.
//!
//! # What goes wrong
//! * **No connection to be had**: none free in time, the server away, the password wrong. 503, with a
//!   [`PoolError`](crate::pool::PoolError) as the source.
//! * **The connection breaks under a query**, or the server shuts down: 503. Whether the query was
//!   done, nobody knows; it is not tried again. The connection is thrown away.
//! * **The query takes longer than [`Options::query_timeout`]**: 503, with a [`QueryTimeout`] as the
//!   source.
//! * **A text has a character that the database does not keep**: 400. PostgreSQL keeps no NUL, which
//!   JSON and forms may well have.
//! * **The server refuses the query**: 500; [`sql_state`] tells why, for those that are no failure.
//!
//! The causes go to the log, and never to a peer. Of what the server says the log has the message and
//! the SQLSTATE, without the DETAIL, which quotes rows and keys.
//!
//! A handler whose peer leaves is dropped, and its query with it. The connection is then never lent
//! again: the server is asked to cancel the query, and the connection is closed. The same becomes of
//! a query that took too long. Only when it is closed, or [`Options::connect_timeout`] has passed, is
//! there room in the pool for another.
//!
//! A connection that comes back in a transaction, which a handler has begun by a statement of its own
//! and not ended, is closed; the server then rolls back.
//!
//! What a handler sets with `SET` or takes with `pg_advisory_lock` stays with the connection, and the
//! next user meets it: use `SET LOCAL` and the like in a [`Transaction`], which ends with its value.
//!
//! # TLS
//! There is none yet: `sslmode=require` is refused. Reach the server on its own machine, by a Unix
//! socket, or through a tunnel.

mod options;
mod server;
mod session;
mod status;
mod transaction;

use self::server::Server;
use crate::app::{Error, Result};
use crate::pool::{Pool, PoolStatus, Pooled};
use crate::shard::Shard;
use std::ops::Deref;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;

pub use self::options::Options;
pub use self::session::{QueryTimeout, Session};
pub use self::transaction::Transaction;
pub use tokio_postgres::{self, Row};

/// The advisory lock of those who set the database up: "corelane" in ASCII.
const SET_UP_LOCK: i64 = i64::from_be_bytes(*b"corelane");

/// A core's connections to a PostgreSQL database. Clones share them.
#[derive(Clone, Debug)]
pub struct Postgres {
    pool: Pool<Server>,
}

impl Postgres {
    /// The connections of a core, none of which is made yet. They are closed when the core ends.
    pub fn new(shard: &Shard, options: &Options) -> Postgres {
        let server = Server::new(shard.ring().clone(), shard.time(), options.clone());
        let pool = Pool::new(server, shard.time(), options.pool);
        glommio::spawn_local(pool.keep_tidy()).detach();
        let closing = pool.clone();
        shard.on_end(async move { closing.close().await });
        Postgres { pool }
    }

    /// Lends a connection, for as long as the value lives.
    ///
    /// # Errors
    /// 503, with a [`PoolError`](crate::pool::PoolError) as the source.
    pub async fn get(&self) -> Result<Connection> {
        Ok(Connection(self.pool.get().await?))
    }

    /// [`Session::query`] on a connection of its own.
    ///
    /// # Errors
    /// Those of [`Postgres::get`] and [`Session::query`].
    pub async fn query(&self, sql: &str, values: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>> {
        self.get().await?.query(sql, values).await
    }

    /// [`Session::query_one`] on a connection of its own.
    ///
    /// # Errors
    /// Those of [`Postgres::get`] and [`Session::query_one`].
    pub async fn query_one(&self, sql: &str, values: &[&(dyn ToSql + Sync)]) -> Result<Row> {
        self.get().await?.query_one(sql, values).await
    }

    /// [`Session::query_opt`] on a connection of its own.
    ///
    /// # Errors
    /// Those of [`Postgres::get`] and [`Session::query_opt`].
    pub async fn query_opt(
        &self,
        sql: &str,
        values: &[&(dyn ToSql + Sync)],
    ) -> Result<Option<Row>> {
        self.get().await?.query_opt(sql, values).await
    }

    /// [`Session::execute`] on a connection of its own.
    ///
    /// # Errors
    /// Those of [`Postgres::get`] and [`Session::execute`].
    pub async fn execute(&self, sql: &str, values: &[&(dyn ToSql + Sync)]) -> Result<u64> {
        self.get().await?.execute(sql, values).await
    }

    /// [`Session::batch`] on a connection of its own.
    ///
    /// # Errors
    /// Those of [`Postgres::get`] and [`Session::batch`].
    pub async fn batch(&self, sql: &str) -> Result<()> {
        self.get().await?.batch(sql).await
    }

    /// Makes tables and the like when a core starts: to be run by [`App::on_start`]. The statements
    /// are one transaction, and the cores, those of other servers included, do theirs one after the
    /// other: `CREATE TABLE IF NOT EXISTS` fails where two do it at once.
    ///
    /// # Errors
    /// Those of [`Postgres::batch`]; the wait for other cores is within the time for a query.
    ///
    /// [`App::on_start`]: crate::App::on_start
    pub fn set_up(&self, sql: &str) -> impl Future<Output = Result<()>> + use<> {
        // Statements that are sent together are one transaction, and the lock ends with it.
        let sql = format!("SELECT pg_advisory_xact_lock({SET_UP_LOCK}); {sql}");
        let database = self.clone();
        async move { database.batch(&sql).await }
    }

    /// What the pool holds and has done.
    pub fn status(&self) -> PoolStatus {
        self.pool.status()
    }
}

/// A connection that is lent; see [`Postgres::get`]. Its queries are those of [`Session`].
#[derive(Debug)]
pub struct Connection(Pooled<Server>);

impl Connection {
    /// Begins a transaction, with the isolation level of the database; another is set by
    /// `SET TRANSACTION` as its first statement. Savepoints are made by their statements.
    ///
    /// # Errors
    /// Those of [`Session::batch`].
    pub async fn transaction(&mut self) -> Result<Transaction<'_>> {
        Transaction::begin(&self.0).await
    }

    /// Has the connection closed rather than lent again.
    pub fn discard(self) {
        self.0.discard();
    }
}

impl Deref for Connection {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.0
    }
}

/// Why the server refused a query, if that is what went wrong: `UNIQUE_VIOLATION` may be the peer's
/// fault, say, and `SERIALIZATION_FAILURE` a reason to try again.
pub fn sql_state(error: &Error) -> Option<&SqlState> {
    let error = error.source()?.downcast_ref::<tokio_postgres::Error>()?;
    error.code()
}
