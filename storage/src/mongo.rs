//! MongoDB: what every service does there alike. How a service connects, and what its documents are, is its own.
//!
//! | to find | look in |
//! |---|---|
//! | what the driver's errors mean | `error` |
//! | who of all replicas does what only one is to do | `lease` |
//! | what is to be told to others | `outbox` |
//! | how a transaction begins and ends | [`transaction`] |
//! | a database for one test | `scratch` |

mod error;
mod lease;
mod outbox;
#[cfg(test)]
mod scratch;
pub mod transaction;

use std::time::Duration;

use bson::{DateTime, doc};
use mongodb::Database;
use serde::Deserialize;

pub use self::{
    error::is_duplicate_key,
    lease::{MongoLeases, fence},
    outbox::{MongoOutbox, append, set_up as set_up_outbox},
};
use crate::Error;

/// A call takes no longer: the driver waits without limit for a server that is connected and silent.
const TIMEOUT: Duration = Duration::from_secs(4);

/// `work`, or `Unavailable` after four seconds; what was cut off may still be done.
async fn bounded<T, E: From<Error>>(work: impl Future<Output = Result<T, E>>) -> Result<T, E> {
    let late = |_| Err(Error::Unavailable(format!("MongoDB took longer than {TIMEOUT:?}").into()).into());
    tokio::time::timeout(TIMEOUT, work).await.unwrap_or_else(late)
}

/// What time it is, by the server's clock.
async fn now(database: &Database) -> Result<DateTime, Error> {
    #[derive(Deserialize)]
    struct Hello {
        #[serde(rename = "localTime")]
        now: DateTime,
    }

    let hello = database.run_command(doc! { "hello": 1 }).await?;
    Ok(bson::deserialize_from_document::<Hello>(hello).map_err(Error::damaged)?.now)
}
