//! The embedded store: SQLite in one file, through `storage::sqlite`.

mod items;
mod ledger;
mod purchases;
mod rows;
mod schema;

use std::sync::Arc;

use async_trait::async_trait;
use bson::oid::ObjectId;
use chrono::{DateTime, Utc};
use diesel::SqliteConnection;
use diesel_migrations::{EmbeddedMigrations, embed_migrations};
use kernel::{Caller, Currency, PoolState};
use storage::{
    DataDir,
    idempotency::{Never, Retention},
    lease::Leases,
    outbox::{Message, Outbox},
    sql::immediately,
    sqlite::{self, Sqlite, idempotency},
};

use super::{Error, Store};
use crate::{
    config::Options,
    deposit::{Deposit, DepositError},
    item::{Item, ItemDetails, ItemQuery, Listing},
    ledger::Discrepancy,
    purchase::{Attempt, PurchaseError, Sale},
    time, told,
    wallet::{Amounts, EntryQuery, Wallet, WalletEntry},
};

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations");

/// A marketplace in one SQLite file. Cheap to clone; clones share the file's one writer.
#[derive(Clone)]
pub struct Embedded {
    db: Sqlite,
    /// What a wallet opens with.
    opening: Amounts,
    /// What may be deposited a day.
    deposits: Amounts,
    /// How long the outcomes of calls with a key count.
    retention: Retention,
}

impl Embedded {
    /// Opens or creates `marketplace.db` in `data_dir`, and brings its schema up to date.
    pub fn open(data_dir: &DataDir, options: &Options) -> anyhow::Result<Self> {
        let Options { opening_balance: opening, deposit_limit: deposits, idempotency } = options;
        let db = Sqlite::open(data_dir, "marketplace.db", MIGRATIONS)?;
        Ok(Self { db, opening: *opening, deposits: *deposits, retention: Retention::new(idempotency) })
    }

    /// Does what is told of.
    async fn act<T: Send + 'static>(
        &self,
        act: impl FnOnce(&mut SqliteConnection) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let outcome = self.db.write(act).await?;
        self.db.wake();
        Ok(outcome)
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

    fn outbox(&self) -> Arc<dyn Outbox> {
        Arc::new(self.db.clone())
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

    async fn create_item(&self, listing: Listing) -> Result<Item, Error> {
        let (opening, retention) = (self.opening, self.retention);
        let create = move |connection: &mut _| {
            let Listing { seller, item, claim, traceparent } = listing;
            let (at, traceparent) = (item.created_at, traceparent.as_deref());
            idempotency::once(connection, claim.as_ref(), retention, at, |connection| {
                ledger::open_account(connection, &seller, &opening, at, traceparent)?;
                items::insert(connection, &item)?;
                tell(connection, &[told::listed(&item, traceparent)?])?;
                Ok::<_, Error>(Ok::<_, Never>(item))
            })
        };
        let Ok(item) = self.act(create).await?;
        Ok(item)
    }

    async fn purchase(&self, attempt: Attempt) -> Result<Result<Sale, PurchaseError>, Error> {
        let (opening, retention) = (self.opening, self.retention);
        let purchase = move |connection: &mut _| {
            idempotency::once(connection, attempt.claim.as_ref(), retention, attempt.at, |connection| {
                purchases::purchase(connection, &attempt, &opening)
            })
        };
        self.act(purchase).await
    }

    async fn deposit(&self, deposit: Deposit) -> Result<Result<WalletEntry, DepositError>, Error> {
        let (opening, limits, retention) = (self.opening, self.deposits, self.retention);
        let make = move |connection: &mut _| {
            idempotency::once(connection, deposit.claim.as_ref(), retention, deposit.at(), |connection| {
                let traceparent = deposit.traceparent.as_deref();
                ledger::open_account(connection, &deposit.owner, &opening, deposit.at(), traceparent)?;
                ledger::deposit(connection, &deposit, &limits)
            })
        };
        self.act(make).await
    }

    async fn forget_outcomes(&self, at: DateTime<Utc>) -> Result<usize, Error> {
        let retention = self.retention;
        self.db.write(move |connection| Ok(idempotency::forget(connection, retention, at)?)).await
    }

    async fn wallet(&self, owner: &Caller, traceparent: Option<&str>) -> Result<Wallet, Error> {
        let id = owner.id;
        if let Some(wallet) = self.db.read(move |connection| ledger::wallet(connection, id)).await? {
            return Ok(wallet);
        }
        let (owner, opening, traceparent) = (owner.clone(), self.opening, traceparent.map(str::to_owned));
        let open = move |connection: &mut _| {
            ledger::open_account(connection, &owner, &opening, time::now(), traceparent.as_deref())?;
            ledger::wallet(connection, owner.id)?.ok_or_else(|| Error::Failed("an account has no balances".into()))
        };
        self.act(open).await
    }

    async fn entries(
        &self,
        owner: &Caller,
        query: EntryQuery,
        traceparent: Option<&str>,
    ) -> Result<(Vec<WalletEntry>, u64), Error> {
        let id = owner.id;
        if let Some(page) = self.db.read(move |connection| ledger::entry_page(connection, id, query)).await? {
            return Ok(page);
        }
        self.wallet(owner, traceparent).await?;
        let page = self.db.read(move |connection| ledger::entry_page(connection, id, query)).await?;
        page.ok_or_else(|| Error::Failed("an account has no postings".into()))
    }

    async fn imbalance(&self) -> Result<Vec<(Currency, i128)>, Error> {
        self.db.scan(ledger::imbalance).await
    }

    async fn audit(&self) -> Result<Vec<Discrepancy>, Error> {
        self.db.scan(ledger::audit).await
    }
}

fn tell(connection: &mut SqliteConnection, messages: &[Message]) -> Result<(), Error> {
    Ok(immediately(sqlite::append(connection, messages))?)
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
