//! What statements are written with that run here: `diesel_async`'s words for a database that never lets one wait.

use std::future::{Ready, ready};

pub use diesel::SqliteConnection as Connection;
use diesel::{
    dsl::Limit,
    query_dsl::methods::{ExecuteDsl, LimitDsl, LoadQuery},
    result::{Error, QueryResult},
};

/// Milliseconds since the epoch by the database's clock: one for all statements of a moment.
pub(crate) const NOW: &str = "CAST(unixepoch('subsec') * 1000 AS INTEGER)";

/// Runs a query on the spot.
pub trait RunQueryDsl: Sized {
    /// The number of rows it touched.
    fn execute(self, connection: &mut Connection) -> Ready<QueryResult<usize>>
    where
        Self: ExecuteDsl<Connection>,
    {
        ready(ExecuteDsl::execute(self, connection))
    }

    /// All rows.
    fn load<'query, U>(self, connection: &mut Connection) -> Ready<QueryResult<Vec<U>>>
    where
        Self: LoadQuery<'query, Connection, U>,
    {
        ready(self.internal_load(connection).and_then(Iterator::collect))
    }

    /// The first row, or `NotFound`.
    fn get_result<'query, U>(self, connection: &mut Connection) -> Ready<QueryResult<U>>
    where
        Self: LoadQuery<'query, Connection, U>,
    {
        let first = self.internal_load(connection).and_then(|mut rows| rows.next().unwrap_or(Err(Error::NotFound)));
        ready(first)
    }

    /// The first row of a query that may have more, or `NotFound`.
    fn first<'query, U>(self, connection: &mut Connection) -> Ready<QueryResult<U>>
    where
        Self: LimitDsl,
        Limit<Self>: LoadQuery<'query, Connection, U>,
    {
        LimitDsl::limit(self, 1).get_result(connection)
    }
}

impl<T> RunQueryDsl for T {}
