//! The MongoDB store, shared by any number of replicas. It needs a replica set, of one member at least: purchases are
//! multi-document transactions.
//!
//! | to find | look in |
//! |---|---|
//! | what MONGODB_URI may be, and the limits of time and connections | `client` |
//! | collections, validators, indexes, and how a server without transactions is found out | `set_up` |
//! | how many connections there are | `pool` |
//! | what a document looks like | `documents` |
//! | how an act is made atomic, and tried again | `transaction` |

mod attempts;
mod client;
mod documents;
mod indexes;
mod items;
mod ledger;
mod pool;
mod purchases;
mod set_up;
mod transaction;
mod validators;

use std::{error::Error as _, time::Duration};

use anyhow::Context;
use async_trait::async_trait;
use bson::{doc, oid::ObjectId};
use chrono::{DateTime, Utc};
use documents::{AccountDocument, AttemptDocument, EntryDocument, ItemDocument, TransactionDocument};
use futures_util::FutureExt;
use kernel::{Caller, Currency, PoolState};
use mongodb::{Client, Collection, Database};
use pool::Pool;
use tokio::sync::{Mutex, OnceCell, Semaphore};

use super::{Error, Store};
use crate::{
    config::Options,
    idempotency::Retention,
    item::{Item, ItemDetails, ItemQuery},
    ledger::Discrepancy,
    purchase::{Attempt, PurchaseError, Sale},
    time,
    wallet::{self, Balances, Wallet},
};

/// The longest that one call works on the database, retries included. Callers wait 5 s.
const DEADLINE: Duration = Duration::from_secs(4);

/// How long [`Store::prepare`] waits before it tries again: doubled from the first to the last.
const PAUSES: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(5));

/// A marketplace in one MongoDB database. Until [`Store::prepare`] or [`Store::check_read`] has reached and set up the
/// database, everything else is [`Error::Unavailable`].
pub struct Mongo {
    client: Client,
    database: Database,
    pool: Pool,
    collections: Collections,
    /// What a wallet opens with.
    opening: Balances,
    /// How long the outcomes of purchases count.
    retention: Retention,
    set_up: OnceCell<()>,
    /// One for each transaction that may run at once.
    permits: Semaphore,
    /// Held by the one transaction that is tried again.
    turn: Mutex<()>,
}

/// The typed collections.
struct Collections {
    accounts: Collection<AccountDocument>,
    attempts: Collection<AttemptDocument>,
    entries: Collection<EntryDocument>,
    items: Collection<ItemDocument>,
    transactions: Collection<TransactionDocument>,
}

impl Collections {
    fn new(database: &Database) -> Self {
        Self {
            accounts: database.collection("accounts"),
            attempts: database.collection("attempts"),
            entries: database.collection("entries"),
            items: database.collection("items"),
            transactions: database.collection("transactions"),
        }
    }
}

impl Mongo {
    /// A store in the database that `uri` names, `marketplace` where it names none. Connects to nothing yet: an error is
    /// one of the configuration.
    pub async fn connect(uri: &str, options: &Options) -> anyhow::Result<Self> {
        let opening = wallet::opening(options.opening_balance)
            .with_context(|| format!("OPENING_BALANCE is {}: out of range", options.opening_balance))?;
        let mut settings = client::settings(uri).await?;
        let pool = Pool::watch(&mut settings);
        let permits = Semaphore::new(client::transactions_at_once(&settings));
        let database = settings.default_database.clone().unwrap_or_else(|| client::DATABASE.to_owned());
        let client = Client::with_options(settings).context("MONGODB_URI cannot be used")?;
        let database = client.database(&database);
        let collections = Collections::new(&database);
        let (set_up, turn) = (OnceCell::new(), Mutex::default());
        let retention = Retention::new(options.idempotency_ttl);
        Ok(Self { client, database, pool, collections, opening, retention, set_up, permits, turn })
    }

    /// The name of the database.
    pub fn database(&self) -> &str {
        self.database.name()
    }

    /// Brings the database into the state that this store needs, once. It can be cut off and begun again at any point.
    async fn set_up(&self) -> Result<(), set_up::Failure> {
        self.set_up.get_or_try_init(|| set_up::run(self)).await.copied()
    }

    fn check_set_up(&self) -> Result<(), Error> {
        let done = self.set_up.initialized();
        done.then_some(()).ok_or_else(|| Error::Unavailable("the database is not set up yet".into()))
    }
}

#[async_trait]
impl Store for Mongo {
    fn backend(&self) -> &'static str {
        "mongodb"
    }

    fn pool(&self) -> PoolState {
        self.pool.state()
    }

    async fn prepare(&self) -> anyhow::Result<()> {
        let (mut pause, longest) = PAUSES;
        loop {
            match self.set_up().await {
                Ok(()) => return Ok(()),
                Err(failure @ set_up::Failure::NoTransactions) => return Err(failure.into()),
                Err(set_up::Failure::Store(error)) => {
                    let cause = error.source();
                    tracing::warn!(cause, "MongoDB is not ready for use: trying again in {pause:?}");
                }
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(longest);
        }
    }

    async fn check_read(&self) -> Result<(), Error> {
        self.set_up().await.map_err(|failure| Error::Unavailable(failure.into()))?;
        within_deadline(async { Ok(self.database.run_command(doc! { "ping": 1 }).await.map(drop)?) }).await
    }

    async fn check_write(&self, _replica: &str) -> Result<(), Error> {
        self.check_read().await
    }

    async fn list_items(&self, query: &ItemQuery) -> Result<(Vec<Item>, u64), Error> {
        self.transact(query, |act, query| items::list(act, query).boxed()).await
    }

    async fn item(&self, id: ObjectId) -> Result<Option<ItemDetails>, Error> {
        self.transact(id, |act, id| items::details(act, *id).boxed()).await
    }

    async fn create_item(&self, seller: &Caller, item: &Item) -> Result<(), Error> {
        self.transact((seller, item, &self.opening), |act, (seller, item, opening)| {
            items::create(act, seller, item, opening).boxed()
        })
        .await
    }

    async fn purchase(&self, attempt: Attempt) -> Result<Result<Sale, PurchaseError>, Error> {
        self.transact((attempt, &self.opening, self.retention), |act, (attempt, opening, retention)| {
            purchases::purchase(act, attempt, opening, *retention).boxed()
        })
        .await
    }

    async fn forget_outcomes(&self, at: DateTime<Utc>) -> Result<usize, Error> {
        self.check_set_up()?;
        within_deadline(attempts::forget(&self.collections.attempts, self.retention, at)).await
    }

    async fn wallet(&self, owner: &Caller) -> Result<Wallet, Error> {
        self.check_set_up()?;
        let id = owner.id.to_string();
        // One document is of one moment by itself.
        let found =
            within_deadline(async { Ok(self.collections.accounts.find_one(doc! { "_id": id }).await?) }).await?;
        if let Some(account) = found {
            return account.wallet();
        }
        let open = self.transact((owner, &self.opening), |act, (owner, opening)| {
            ledger::open_account(act, owner, opening, time::now()).boxed()
        });
        open.await?.wallet()
    }

    async fn imbalance(&self) -> Result<Vec<(Currency, i128)>, Error> {
        self.transact((), |act, ()| ledger::imbalance(act).boxed()).await
    }

    async fn audit(&self) -> Result<Vec<Discrepancy>, Error> {
        self.transact((), |act, ()| ledger::audit(act).boxed()).await
    }
}

/// The driver waits without limit for a server that is connected and silent.
async fn within_deadline<T>(work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let late = |_| Error::Unavailable(format!("MongoDB took longer than {DEADLINE:?}").into());
    tokio::time::timeout(DEADLINE, work).await.map_err(late)?
}

#[cfg(test)]
mod tests;
