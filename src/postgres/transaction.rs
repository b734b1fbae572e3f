//! Transactions, which are rolled back unless they are committed.

use super::session::Session;
use crate::app::Result;
use std::ops::Deref;

/// A transaction on a [`Connection`](super::Connection), from
/// [`Connection::transaction`](super::Connection::transaction). Its queries are those of [`Session`].
///
/// Dropped, it is rolled back: by `?`, by a panic, or because its handler's peer left.
#[derive(Debug)]
pub struct Transaction<'a> {
    session: &'a Session,
    is_over: bool,
}

impl<'a> Transaction<'a> {
    pub(super) async fn begin(session: &'a Session) -> Result<Transaction<'a>> {
        session.batch("BEGIN").await?;
        Ok(Transaction {
            session,
            is_over: false,
        })
    }

    /// Makes it last.
    ///
    /// # Errors
    /// Those of [`Session::batch`]. It is rolled back when the server refuses, and so it does where
    /// a query of the transaction had failed; when the connection breaks, or this takes too long,
    /// nobody knows.
    pub async fn commit(mut self) -> Result<()> {
        // Of a transaction that has failed, the server would roll back at COMMIT and call it a
        // success; but it refuses any query.
        self.session.batch("SELECT 1; COMMIT").await?;
        self.is_over = true;
        Ok(())
    }

    /// Undoes it, and waits until that is done.
    ///
    /// # Errors
    /// Those of [`Session::batch`].
    pub async fn rollback(mut self) -> Result<()> {
        self.session.batch("ROLLBACK").await?;
        self.is_over = true;
        Ok(())
    }
}

impl Deref for Transaction<'_> {
    type Target = Session;

    fn deref(&self) -> &Session {
        self.session
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        if !self.is_over {
            self.session.roll_back();
        }
    }
}
