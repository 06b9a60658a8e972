//! The embedded store: SQLite in one file, through `storage::sqlite`.

mod idempotency;
mod items;
mod ledger;
mod purchases;
mod rows;
mod schema;

use std::path::Path;

use anyhow::Context;
use async_trait::async_trait;
use bson::oid::ObjectId;
use diesel_migrations::{EmbeddedMigrations, embed_migrations};
use kernel::{Caller, Currency, PoolState};
use storage::sqlite::{self, Sqlite};

use super::{Error, Store};
use crate::{
    config::Options,
    item::{Item, ItemDetails, ItemQuery},
    ledger::Discrepancy,
    purchase::{Attempt, PurchaseError, Sale},
    time,
    wallet::{self, Balances, Wallet},
};

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations");

/// A marketplace in one SQLite file. Cheap to clone; clones share the file's one writer.
#[derive(Clone)]
pub struct Embedded {
    db: Sqlite,
    /// What a wallet opens with.
    opening: Balances,
}

impl Embedded {
    /// Opens or creates `marketplace.db` in `data_dir`, and brings its schema up to date.
    pub fn open(data_dir: &Path, options: &Options) -> anyhow::Result<Self> {
        let opening = wallet::opening(options.opening_balance)
            .with_context(|| format!("OPENING_BALANCE is {}: out of range", options.opening_balance))?;
        let db = Sqlite::open(&data_dir.join("marketplace.db"), MIGRATIONS)?;
        Ok(Self { db, opening })
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

    async fn check_read(&self) -> Result<(), Error> {
        Ok(self.db.check_read().await?)
    }

    async fn check_write(&self, _replica: &str) -> Result<(), Error> {
        Ok(self.db.check_write().await?)
    }

    async fn list_items(&self, query: &ItemQuery) -> Result<(Vec<Item>, u64), Error> {
        if items::is_quick(query) {
            return self.db.read(|connection| items::list(connection, query)).await;
        }
        let query = query.clone();
        self.db.scan(move |connection| items::list(connection, &query)).await
    }

    async fn item(&self, id: ObjectId) -> Result<Option<ItemDetails>, Error> {
        self.db.read(move |connection| items::details(connection, id)).await
    }

    async fn create_item(&self, seller: &Caller, item: &Item) -> Result<(), Error> {
        let (seller, item, opening) = (seller.clone(), item.clone(), self.opening);
        let create = move |connection: &mut _| {
            ledger::open_account(connection, &seller, &opening, item.created_at)?;
            items::insert(connection, &item)
        };
        self.db.write(create).await
    }

    async fn purchase(&self, attempt: Attempt) -> Result<Result<Sale, PurchaseError>, Error> {
        let opening = self.opening;
        self.db.write(move |connection| purchases::purchase(connection, &attempt, &opening)).await
    }

    async fn wallet(&self, owner: &Caller) -> Result<Wallet, Error> {
        let id = owner.id;
        if let Some(wallet) = self.db.read(move |connection| ledger::wallet(connection, id)).await? {
            return Ok(wallet);
        }
        let (owner, opening) = (owner.clone(), self.opening);
        let open = move |connection: &mut _| {
            ledger::open_account(connection, &owner, &opening, time::now())?;
            ledger::wallet(connection, owner.id)?.ok_or_else(|| Error::Failed("an account has no balances".into()))
        };
        self.db.write(open).await
    }

    async fn imbalance(&self) -> Result<Vec<(Currency, i128)>, Error> {
        self.db.scan(ledger::imbalance).await
    }

    async fn audit(&self) -> Result<Vec<Discrepancy>, Error> {
        self.db.scan(ledger::audit).await
    }
}

impl From<sqlite::Error> for Error {
    fn from(error: sqlite::Error) -> Self {
        if error.is_unavailable() { Self::Unavailable(error.into()) } else { Self::Failed(error.into()) }
    }
}

impl From<diesel::result::Error> for Error {
    fn from(error: diesel::result::Error) -> Self {
        sqlite::Error::from(error).into()
    }
}

#[cfg(test)]
mod tests;
