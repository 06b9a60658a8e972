//! The documents that say whether the database reads and writes: one of each replica, which it writes to find out.

use bson::{DateTime, doc};
use chrono::{DateTime as Time, TimeDelta, Utc};
use mongodb::{Client, Collection, options::ClientOptions};
use serde::{Deserialize, Serialize};

use super::{Error, documents::date};

/// Checks at once: one reads, one writes.
const CONNECTIONS: u32 = 2;

/// A replica that has written nothing for this long is no more.
const FORGOTTEN: TimeDelta = TimeDelta::days(1);

#[derive(Debug, Deserialize, Serialize)]
struct HealthDocument {
    #[serde(rename = "_id")]
    replica: String,
    at: DateTime,
}

/// The collection `health`, on connections that no call waits for: load is not to make a live replica look dead.
#[derive(Clone)]
pub(super) struct Health(Collection<HealthDocument>);

impl Health {
    /// In `database` of the server that `settings` lead to.
    pub(super) fn new(mut settings: ClientOptions, database: &str) -> mongodb::error::Result<Self> {
        settings.max_pool_size = Some(CONNECTIONS);
        Ok(Self(Client::with_options(settings)?.database(database).collection("health")))
    }

    /// Reads what some replica has written.
    pub(super) async fn read(&self) -> Result<(), Error> {
        Ok(self.0.find_one(doc! {}).await.map(drop)?)
    }

    /// Writes `replica`'s document.
    pub(super) async fn write(&self, replica: &str, at: Time<Utc>) -> Result<(), Error> {
        let written = HealthDocument { replica: replica.to_owned(), at: date(at) };
        Ok(self.0.replace_one(doc! { "_id": replica }, written).upsert(true).await.map(drop)?)
    }

    /// Forgets replicas that are no more.
    pub(super) async fn forget(&self, now: Time<Utc>) -> mongodb::error::Result<()> {
        self.0.delete_many(doc! { "at": { "$lt": date(now - FORGOTTEN) } }).await.map(drop)
    }
}
