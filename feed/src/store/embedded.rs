//! Views in SQLite, for replicas of one machine. A batch is applied in one transaction.

mod apply;
mod read;
mod rebuild;
mod schema;

use std::{collections::HashMap, sync::Arc};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use diesel_migrations::{EmbeddedMigrations, embed_migrations};
use kernel::{Page, PoolState};
use storage::{
    DataDir,
    lease::{Leases, Token},
    sqlite::Sqlite,
};
use tokio::sync::watch;
use uuid::Uuid;

use super::{Error, ListPage, Notices, Read, Stats, Store, Target, lost};
use crate::{
    channel::Access,
    entry::Listed,
    plan::Batch,
    view::{Head, List},
};

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations");

/// The file `feed.db`.
#[derive(Clone)]
pub struct Embedded {
    db: Sqlite,
    news: watch::Sender<()>,
}

impl Embedded {
    /// Opens or makes it in a directory.
    pub fn open(data_dir: &DataDir) -> Result<Self, storage::Error> {
        Ok(Self { db: Sqlite::open(data_dir, "feed.db", MIGRATIONS)?, news: watch::Sender::new(()) })
    }
}

#[async_trait]
impl Store for Embedded {
    fn backend(&self) -> &'static str {
        "embedded"
    }

    fn pool(&self) -> PoolState {
        self.db.pool()
    }

    fn leases(&self) -> Arc<dyn Leases> {
        Arc::new(self.db.clone())
    }

    fn news(&self) -> watch::Receiver<()> {
        self.news.subscribe()
    }

    async fn check_read(&self) -> Result<(), storage::Error> {
        Ok(self.db.check_read().await?)
    }

    async fn check_write(&self) -> Result<(), storage::Error> {
        Ok(self.db.check_write().await?)
    }

    async fn begin(&self, token: Token) -> Result<Head, Error> {
        self.db.write(move |connection| apply::begin(connection, token)).await
    }

    async fn head(&self, target: Target) -> Result<Option<Head>, Error> {
        self.db.read(|connection| Ok(read::view(connection, target)?.map(|view| view.head))).await
    }

    async fn progress(&self) -> Result<Read<()>, Error> {
        self.db.read(read::progress).await
    }

    async fn apply(&self, token: Token, target: Target, batch: Arc<Batch>) -> Result<usize, Error> {
        let applied = self.db.write(move |connection| apply::apply(connection, token, target, &batch)).await?;
        self.news.send_replace(());
        Ok(applied)
    }

    async fn caught_up(&self, token: Token, as_of: DateTime<Utc>) -> Result<(), Error> {
        self.db.write(move |connection| apply::caught_up(connection, token, as_of)).await
    }

    async fn page(&self, list: List, page: Page) -> Result<Read<ListPage>, Error> {
        self.db.read(|connection| read::page(connection, &list, page)).await
    }

    async fn after(&self, number: u64, most: u64) -> Result<Read<Vec<Listed>>, Error> {
        self.db.read(|connection| read::after(connection, number, most)).await
    }

    async fn notices(&self, user: Uuid, page: Page) -> Result<Read<Notices>, Error> {
        self.db.read(|connection| read::notices(connection, user, page)).await
    }

    async fn mark_read(&self, user: Uuid, up_to: Option<u64>) -> Result<u64, Error> {
        self.db.write(move |connection| apply::mark_read(connection, user, up_to)).await
    }

    async fn accesses(&self, viewer: Option<Uuid>, channels: Vec<i64>) -> Result<HashMap<i64, Access>, Error> {
        self.db.read(|connection| read::accesses(connection, viewer, &channels)).await
    }

    async fn stats(&self, at: DateTime<Utc>) -> Result<Read<Stats>, Error> {
        self.db.read(|connection| read::stats(connection, at)).await
    }

    async fn request_rebuild(&self) -> Result<(), Error> {
        self.db.write(rebuild::request).await
    }

    async fn is_rebuild_due(&self) -> Result<bool, Error> {
        self.db.read(rebuild::is_due).await
    }

    async fn begin_rebuild(&self, token: Token) -> Result<Head, Error> {
        self.db.write(move |connection| rebuild::begin(connection, token)).await
    }

    async fn switch(&self, token: Token) -> Result<bool, Error> {
        let switched = self.db.write(move |connection| rebuild::switch(connection, token)).await?;
        self.news.send_replace(());
        Ok(switched)
    }

    async fn sweep(&self) -> Result<usize, storage::Error> {
        self.db.write(rebuild::sweep).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::contract::{Fresh, store_contract};

    async fn fresh() -> Fresh {
        let directory = tempfile::tempdir().expect("directory");
        let data_dir = DataDir::open(directory.path(), true).expect("ours");
        let open = || Arc::new(Embedded::open(&data_dir).expect("opens"));
        Fresh { store: open(), other: open(), _keep: Box::new(directory) }
    }

    store_contract!(fresh);
}
