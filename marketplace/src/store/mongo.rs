//! The MongoDB store, shared by any number of replicas. It needs a replica set, of one member at least: purchases are
//! multi-document transactions.
//!
//! | to find | look in |
//! |---|---|
//! | what MONGODB_URI may be, and the limits of time and connections | `client` |
//! | collections, validators, indexes, and how a server without transactions is found out | `set_up` |
//! | how many connections there are | `pool` |
//! | whether it reads and writes | `health` |
//! | what a document looks like | `documents` |
//! | accounts, the journal, deposits | `ledger` |
//! | what calls with a key were told | `idempotency` |
//! | how an act is made atomic, and tried again | `transaction` |

mod client;
mod documents;
mod health;
mod idempotency;
mod indexes;
mod items;
mod ledger;
mod pool;
mod purchases;
mod set_up;
mod transaction;
mod validators;

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use async_trait::async_trait;
use bson::{doc, oid::ObjectId};
use chrono::{DateTime, Utc};
use documents::{AccountDocument, ItemDocument, PostingDocument, RecordDocument, TransactionDocument};
use futures_util::FutureExt;
use health::Health;
use kernel::{Caller, Currency, PoolState};
use mongodb::{Client, Collection, Database, options::ClientOptions};
use pool::Pool;
use storage::{
    idempotency::{Never, Retention},
    lease::Leases,
    mongo::{MongoLeases, MongoOutbox},
    outbox::Outbox,
    readiness::{NotReady, Readiness},
};
use transaction::{Transactions, Work};

use super::{Error, Store};
use crate::{
    config::Options,
    deposit::{Deposit, DepositError},
    item::{Item, ItemDetails, ItemQuery, Listing},
    ledger::Discrepancy,
    purchase::{Attempt, PurchaseError, Sale},
    time,
    wallet::{Amounts, EntryQuery, Wallet, WalletEntry},
};

/// The longest that one call works on the database, retries included. Callers wait 5 s.
const DEADLINE: Duration = Duration::from_secs(4);

/// A marketplace in one MongoDB database, which is reached and set up in the background.
pub struct Mongo {
    database: Database,
    transactions: Arc<Transactions>,
    outbox: MongoOutbox,
    pool: Pool,
    health: Health,
    /// What a wallet opens with.
    opening: Amounts,
    /// What may be deposited a day.
    deposits: Amounts,
    /// How long the outcomes of calls with a key count.
    retention: Retention,
    readiness: Readiness,
}

/// The database, and its typed collections.
struct Collections {
    database: Database,
    accounts: Collection<AccountDocument>,
    items: Collection<ItemDocument>,
    postings: Collection<PostingDocument>,
    records: Collection<RecordDocument>,
    transactions: Collection<TransactionDocument>,
}

impl Collections {
    fn new(database: &Database) -> Self {
        Self {
            database: database.clone(),
            accounts: database.collection("accounts"),
            items: database.collection("items"),
            postings: database.collection("postings"),
            records: database.collection("idempotency"),
            transactions: database.collection("transactions"),
        }
    }
}

impl Mongo {
    /// A store in the database that `uri` names, `marketplace` where it names none, reachable or not. Until it is set up,
    /// which is tried in the background, calls are [`Error::Unavailable`], except that they wait for the first attempt.
    /// An error is one of the configuration. To be called in a tokio runtime.
    pub async fn connect(uri: &str, options: &Options) -> anyhow::Result<Self> {
        Self::on(client::settings(uri).await?, options)
    }

    fn on(mut settings: ClientOptions, options: &Options) -> anyhow::Result<Self> {
        let Options { opening_balance: opening, deposit_limit: deposits, ref idempotency } = *options;
        let database = settings.default_database.clone().unwrap_or_else(|| client::DATABASE.to_owned());
        let health = Health::new(settings.clone(), &database).context("MONGODB_URI cannot be used")?;
        let pool = Pool::watch(&mut settings);
        let at_once = client::transactions_at_once(&settings);
        let client = Client::with_options(settings).context("MONGODB_URI cannot be used")?;
        let database = client.database(&database);
        let retention = Retention::new(idempotency);
        let transactions = Arc::new(Transactions::new(client, Collections::new(&database), at_once));
        let readiness = Readiness::begin({
            let (database, transactions, health) = (database.clone(), Arc::clone(&transactions), health.clone());
            move || {
                let (database, transactions, health) = (database.clone(), Arc::clone(&transactions), health.clone());
                async move { set_up::run(&database, &transactions, &health).await }
            }
        });
        let outbox = MongoOutbox::new(health.database(), readiness.clone());
        Ok(Self { database, transactions, outbox, pool, health, opening, deposits, retention, readiness })
    }

    /// The name of the database.
    pub fn database(&self) -> &str {
        self.database.name()
    }

    /// Does `work` in a transaction, within [`DEADLINE`]. `context` is what it needs to know.
    async fn transact<C: Sync, T>(&self, context: C, work: impl Work<C, T>) -> Result<T, Error> {
        within_deadline(async {
            self.readiness.ready().await?;
            self.transactions.run(&context, &work).await
        })
        .await
    }

    /// The same for what is told of.
    async fn act<C: Sync, T>(&self, context: C, work: impl Work<C, T>) -> Result<T, Error> {
        let outcome = self.transact(context, work).await?;
        self.outbox.wake();
        Ok(outcome)
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

    fn leases(&self) -> Arc<dyn Leases> {
        Arc::new(MongoLeases::new(self.health.database(), self.readiness.clone()))
    }

    fn outbox(&self) -> Arc<dyn Outbox> {
        Arc::new(self.outbox.clone())
    }

    async fn unusable(&self) -> anyhow::Error {
        self.readiness.unusable().await.into()
    }

    async fn check_read(&self) -> Result<(), Error> {
        within_deadline(async {
            self.readiness.ready().await?;
            self.health.read().await
        })
        .await
    }

    async fn check_write(&self, replica: &str) -> Result<(), Error> {
        within_deadline(async {
            self.readiness.ready().await?;
            self.health.write(replica, time::now()).await
        })
        .await
    }

    async fn list_items(&self, query: &ItemQuery) -> Result<(Vec<Item>, u64), Error> {
        self.transact(query, |act, query| items::list(act, query).boxed()).await
    }

    async fn item(&self, id: ObjectId) -> Result<Option<ItemDetails>, Error> {
        self.transact(id, |act, id| items::details(act, *id).boxed()).await
    }

    async fn create_item(&self, listing: Listing) -> Result<Item, Error> {
        let earlier = self.act((&listing, &self.opening, self.retention), |act, (listing, opening, retention)| {
            async move {
                let Listing { item, claim, .. } = *listing;
                let (claim, at) = (claim.as_ref(), item.created_at);
                if let Some(Ok(earlier)) = idempotency::recall::<Item, Never>(act, claim, *retention, at).await? {
                    return Ok(Some(earlier));
                }
                items::create(act, listing, opening).await?;
                idempotency::remember(act, claim, &Ok::<_, Never>(item), at).await?;
                Ok(None)
            }
            .boxed()
        });
        Ok(earlier.await?.unwrap_or(listing.item))
    }

    async fn purchase(&self, attempt: Attempt) -> Result<Result<Sale, PurchaseError>, Error> {
        self.act((attempt, &self.opening, self.retention), |act, (attempt, opening, retention)| {
            async {
                let claim = attempt.claim.as_ref();
                if let Some(outcome) = idempotency::recall(act, claim, *retention, attempt.at).await? {
                    return Ok(outcome);
                }
                let traceparent = attempt.traceparent.as_deref();
                let buyer = ledger::open_account(act, &attempt.buyer, opening, attempt.at, traceparent).await?;
                let outcome = purchases::purchase(act, attempt, &buyer).await?;
                idempotency::remember(act, claim, &outcome, attempt.at).await?;
                Ok(outcome)
            }
            .boxed()
        })
        .await
    }

    async fn deposit(&self, deposit: Deposit) -> Result<Result<WalletEntry, DepositError>, Error> {
        let context = (deposit, &self.opening, &self.deposits, self.retention);
        self.act(context, |act, (deposit, opening, limits, retention)| {
            async {
                let (claim, at) = (deposit.claim.as_ref(), deposit.at());
                if let Some(outcome) = idempotency::recall(act, claim, *retention, at).await? {
                    return Ok(outcome);
                }
                let traceparent = deposit.traceparent.as_deref();
                let account = ledger::open_account(act, &deposit.owner, opening, at, traceparent).await?;
                let outcome = ledger::deposit(act, deposit, &account, limits).await?;
                idempotency::remember(act, claim, &outcome, at).await?;
                Ok(outcome)
            }
            .boxed()
        })
        .await
    }

    async fn forget_outcomes(&self, at: DateTime<Utc>) -> Result<usize, Error> {
        within_deadline(async {
            self.readiness.ready().await?;
            idempotency::forget(&self.transactions.collections.records, self.retention, at).await
        })
        .await
    }

    async fn wallet(&self, owner: &Caller, traceparent: Option<&str>) -> Result<Wallet, Error> {
        let found = within_deadline(async {
            self.readiness.ready().await?;
            // One document is of one moment by itself.
            let id = doc! { "_id": owner.id.to_string() };
            Ok(self.transactions.collections.accounts.find_one(id).await?)
        });
        if let Some(account) = found.await? {
            return account.wallet();
        }
        let open = self.act((owner, &self.opening, traceparent), |act, (owner, opening, traceparent)| {
            ledger::open_account(act, owner, opening, time::now(), *traceparent).boxed()
        });
        open.await?.wallet()
    }

    async fn entries(
        &self,
        owner: &Caller,
        query: EntryQuery,
        traceparent: Option<&str>,
    ) -> Result<(Vec<WalletEntry>, u64), Error> {
        // Nearly always a read, for which nobody is to be woken: the relay finds the one opening by itself.
        self.transact((owner, query, &self.opening, traceparent), |act, (owner, query, opening, traceparent)| {
            async {
                let account = ledger::open_account(act, owner, opening, time::now(), *traceparent).await?;
                ledger::entries(act, &account, *query).await
            }
            .boxed()
        })
        .await
    }

    async fn imbalance(&self) -> Result<Vec<(Currency, i128)>, Error> {
        self.transact((), |act, ()| ledger::imbalance(act).boxed()).await
    }

    async fn audit(&self) -> Result<Vec<Discrepancy>, Error> {
        self.transact((), |act, ()| ledger::audit(act).boxed()).await
    }
}

impl From<NotReady> for Error {
    fn from(problem: NotReady) -> Self {
        Self::Unavailable(problem.into())
    }
}

/// The driver waits without limit for a server that is connected and silent.
async fn within_deadline<T>(work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let late = |_| Error::Unavailable(format!("MongoDB took longer than {DEADLINE:?}").into());
    tokio::time::timeout(DEADLINE, work).await.map_err(late)?
}

#[cfg(test)]
mod tests;
