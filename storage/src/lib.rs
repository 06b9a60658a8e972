//! Where things are kept. It knows nothing of what is kept.
//!
//! | to find | look in |
//! |---|---|
//! | the embedded database: one writer with group commit, pooled readers | [`sqlite`] |
//! | PostgreSQL: connections, schema, time limits | [`postgres`] |
//! | one set of statements for both | [`sql`] |
//! | why a store did not do its work | [`Error`] |

mod error;
pub mod postgres;
pub mod sql;
pub mod sqlite;

pub use error::Error;
pub use sql::{Migrations, Sql};
