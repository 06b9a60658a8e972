//! Where things are kept. It knows nothing of what is kept.
//!
//! | to find | look in |
//! |---|---|
//! | where embedded stores are, whose that is, and who may read it | [`data_dir`] |
//! | the embedded database: one writer with group commit, pooled readers | [`sqlite`] |
//! | what a call with an `Idempotency-Key` was told the first time, and for how long | [`idempotency`] |
//! | who of all replicas does what only one is to do | [`lease`] |
//! | what is to be told to others, kept with the act that it tells of | [`outbox`] |
//! | PostgreSQL: connections, schema, time limits | [`postgres`] |
//! | MongoDB: leases, what its errors mean | [`mongo`] |
//! | how what does not count any more is forgotten | [`sweep`](mod@sweep) |
//! | how a database on a server gets ready, and what calls do until it is | [`readiness`] |
//! | one set of statements for SQLite and PostgreSQL | [`sql`] |
//! | why a store did not do its work | [`Error`] |

#![cfg_attr(
    feature = "postgres",
    expect(clippy::duplicate_mod, reason = "statements for SQLite and PostgreSQL are compiled once for each")
)]

pub mod data_dir;
mod error;
pub mod idempotency;
pub mod lease;
#[cfg(feature = "mongodb")]
pub mod mongo;
pub mod outbox;
#[cfg(feature = "postgres")]
pub mod postgres;
pub mod readiness;
pub mod sql;
pub mod sqlite;
pub mod sweep;
#[cfg(feature = "testing")]
pub mod testing;

pub use data_dir::DataDir;
pub use error::Error;
pub use sql::{Migrations, Sql};
pub use sweep::sweep;
