//! The documents that say whether the database reads and writes: one of each replica, which it writes to find out.

use bson::{DateTime, doc};
use chrono::{DateTime as Time, TimeDelta, Utc};
use mongodb::{Client, Collection, Database, options::ClientOptions};
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

/// The collection `health`, on connections that no call waits for: load is not to make a live replica look dead, nor to
/// cost it its lease.
#[derive(Clone)]
pub(super) struct Health {
    database: Database,
    documents: Collection<HealthDocument>,
}

impl Health {
    /// In `database` of the server that `settings` lead to.
    pub(super) fn new(mut settings: ClientOptions, database: &str) -> mongodb::error::Result<Self> {
        settings.max_pool_size = Some(CONNECTIONS);
        let database = Client::with_options(settings)?.database(database);
        Ok(Self { documents: database.collection("health"), database })
    }

    /// The database on these connections.
    pub(super) fn database(&self) -> Database {
        self.database.clone()
    }

    /// Reads what some replica has written.
    pub(super) async fn read(&self) -> Result<(), Error> {
        Ok(self.documents.find_one(doc! {}).await.map(drop)?)
    }

    /// Writes `replica`'s document.
    pub(super) async fn write(&self, replica: &str, at: Time<Utc>) -> Result<(), Error> {
        let written = HealthDocument { replica: replica.to_owned(), at: date(at) };
        Ok(self.documents.replace_one(doc! { "_id": replica }, written).upsert(true).await.map(drop)?)
    }

    /// Forgets replicas that are no more.
    pub(super) async fn forget(&self, now: Time<Utc>) -> mongodb::error::Result<()> {
        self.documents.delete_many(doc! { "at": { "$lt": date(now - FORGOTTEN) } }).await.map(drop)
    }
}
