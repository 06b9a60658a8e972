//! What the marketplace asks of a store, whatever it is. `contract` is the test suite that every store passes.

use std::sync::Arc;

use async_trait::async_trait;
use bson::oid::ObjectId;
use chrono::{DateTime, Utc};
use events::event::Invalid;
use kernel::{Caller, Currency, PoolState};
use proto::errors::TREASURY_EXHAUSTED;
use storage::{
    DataDir, data_dir,
    idempotency::{KeyReused, RecallError},
    lease::Leases,
    outbox::Outbox,
};

use crate::{
    config::Options,
    deposit::{Deposit, DepositError},
    item::{Item, ItemDetails, ItemQuery, Listing},
    ledger::Discrepancy,
    purchase::{Attempt, PurchaseError, Sale},
    wallet::{EntryQuery, Wallet, WalletEntry},
};

#[cfg(test)]
mod contract;
pub mod embedded;
#[cfg(feature = "mongodb")]
pub mod mongo;

use embedded::Embedded;

/// The store that a process is told to use: MongoDB where there is a URI, otherwise the embedded one in the data
/// directory. An error names what is wrong with the configuration; a database that is down is none.
pub async fn open(
    mongodb_uri: Option<&str>,
    data_dir: impl FnOnce() -> Result<DataDir, data_dir::Error>,
    options: &Options,
) -> anyhow::Result<Arc<dyn Store>> {
    match mongodb_uri {
        None => {
            let data_dir = data_dir()?;
            let store = Embedded::open(&data_dir, options)?;
            tracing::info!(directory = %data_dir.path().display(), "items are kept in the embedded store");
            Ok(Arc::new(store))
        }
        #[cfg(feature = "mongodb")]
        Some(uri) => {
            let store = mongo::Mongo::connect(uri, options).await?;
            tracing::info!(database = store.database(), "items are kept in MongoDB");
            Ok(Arc::new(store))
        }
        #[cfg(not(feature = "mongodb"))]
        Some(_) => Err(kernel::NotBuiltIn { variable: "MONGODB_URI", what: "MongoDB" }.into()),
    }
}

/// Where listings, transactions and the ledger live.
///
/// Each method that writes is one atomic, durable act: after `Ok` all of it is there, also after a crash; after `Err`
/// none of it is, except that the outcome of an act which was cut off by [`Error::Unavailable`] is unknown. Whatever runs
/// at once ends as if it had run in some order.
///
/// A method that takes a [`Caller`] opens an account for one who has none, under the name the caller has then, and issues
/// the opening balance of each currency from the treasury by an entry: once, however many first calls there are.
///
/// What is told of an act, the opening of an account too, is kept with it, in the outbox: both or neither.
///
/// An act with a claim remembers its outcome, done or refused, in the same way; every later one with that key ends the same
/// while it counts, without anything being told again, and is [`Error::KeyReused`] where it asks for something else (see
/// [`storage::idempotency`]).
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// The name of the kind of store: `embedded` or `mongodb`.
    fn backend(&self) -> &'static str;

    /// The connections to the store.
    fn pool(&self) -> PoolState;

    /// The leases in it.
    fn leases(&self) -> Arc<dyn Leases>;

    /// What is told of its acts.
    fn outbox(&self) -> Arc<dyn Outbox>;

    /// Ends only where the store never will be of use, with why; a process is to stop then, with that error.
    async fn unusable(&self) -> anyhow::Error {
        std::future::pending().await
    }

    /// Reads the row that [`Self::check_write`] writes, the way that requests read.
    async fn check_read(&self) -> Result<(), Error>;

    /// Writes a row of `replica`'s own (who asks, such as `marketplace-1`), durably, the way that requests write.
    async fn check_write(&self, replica: &str) -> Result<(), Error>;

    /// The listings of one page, and how many match in all, of one moment.
    async fn list_items(&self, query: &ItemQuery) -> Result<(Vec<Item>, u64), Error>;

    /// A listing, its seller as of the same moment, and its newest completed transactions.
    async fn item(&self, id: ObjectId) -> Result<Option<ItemDetails>, Error>;

    /// Adds a listing; it, or what an earlier call with the claim's key has added.
    async fn create_item(&self, listing: Listing) -> Result<Item, Error>;

    /// Sells an item: item sold, buyer debited, seller credited, transaction and journal entry written, or a refusal.
    ///
    /// What is checked, in this order: that there is the item, that it is not the buyer's own, that it is available, that
    /// the buyer has its price.
    async fn purchase(&self, attempt: Attempt) -> Result<Result<Sale, PurchaseError>, Error>;

    /// Moves an amount from the treasury to a user, where the day's limit has room for it.
    async fn deposit(&self, deposit: Deposit) -> Result<Result<WalletEntry, DepositError>, Error>;

    /// Forgets outcomes that do not count any more at `at`, [`storage::sweep::BATCH`] of them at most. Tells how
    /// many.
    async fn forget_outcomes(&self, at: DateTime<Utc>) -> Result<usize, Error>;

    /// What the owner has. Writes nothing where the owner has an account; where not, `traceparent` goes on in whoever hears
    /// of the opening.
    async fn wallet(&self, owner: &Caller, traceparent: Option<&str>) -> Result<Wallet, Error>;

    /// Entries of the owner's wallet, newest first, and how many there are in all, of one moment; otherwise as
    /// [`Self::wallet`].
    async fn entries(
        &self,
        owner: &Caller,
        query: EntryQuery,
        traceparent: Option<&str>,
    ) -> Result<(Vec<WalletEntry>, u64), Error>;

    /// For each currency the sum over all accounts of one moment, the treasury's included, in minor units: 0 unless there
    /// is a bug.
    async fn imbalance(&self) -> Result<Vec<(Currency, i128)>, Error>;

    /// Where the books are not right: nowhere unless there is a bug. Reads the whole ledger.
    async fn audit(&self) -> Result<Vec<Discrepancy>, Error>;
}

type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Why a store did not do its work.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A wallet cannot be opened: what the treasury has issued would not fit 64 bits any more.
    #[error("the treasury has no {0} left to open a wallet with")]
    TreasuryExhausted(Currency),
    #[error(transparent)]
    KeyReused(#[from] KeyReused),
    /// Trying again later may help.
    #[error("the store is not available")]
    Unavailable(#[source] Cause),
    /// A bug, or a damaged store.
    #[error("the store failed")]
    Failed(#[source] Cause),
}

impl From<storage::Error> for Error {
    fn from(error: storage::Error) -> Self {
        match error {
            storage::Error::Unavailable(cause) => Self::Unavailable(cause),
            storage::Error::Failed(cause) => Self::Failed(cause),
        }
    }
}

impl From<Invalid> for Error {
    fn from(error: Invalid) -> Self {
        Self::Failed(error.into())
    }
}

impl From<RecallError> for Error {
    fn from(error: RecallError) -> Self {
        match error {
            RecallError::KeyReused(error) => error.into(),
            RecallError::Damaged(cause) => Self::Failed(cause.into()),
        }
    }
}

impl From<Error> for kernel::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::TreasuryExhausted(_) => Self::new(TREASURY_EXHAUSTED, error.to_string()),
            Error::KeyReused(error) => error.into(),
            Error::Unavailable(cause) => Self::unavailable("the store", cause),
            Error::Failed(cause) => Self::internal(cause),
        }
    }
}
