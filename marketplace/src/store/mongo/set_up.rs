//! What the database needs before the first call: collections with their validators, indexes, the treasury's account.
//!
//! Every step can be done again, also by several replicas at once.

use std::{collections::HashMap, time::Duration};

use bson::{Document, doc};
use futures_util::{FutureExt, TryStreamExt};
use kernel::error::Chain;
use mongodb::{
    Database,
    error::{Error, ErrorKind, TRANSIENT_TRANSACTION_ERROR},
};

use storage::{
    mongo::{is_duplicate_key, set_up_outbox},
    readiness::Failure,
};

use super::{
    documents::AccountDocument,
    health::Health,
    indexes, time,
    transaction::{Act, Halt, Transactions},
    validators,
};
use crate::ledger::TREASURY;

/// As long as it may take to build a new index on many listings.
const DEADLINE: Duration = Duration::from_secs(600);

/// Errors of the server by number: <https://github.com/mongodb/mongo/blob/master/src/mongo/base/error_codes.yml>.
const NAMESPACE_EXISTS: i32 = 48;
/// "Transaction numbers are only allowed on a replica set member or mongos".
const ILLEGAL_OPERATION: i32 = 20;
const OPERATION_NOT_SUPPORTED_IN_TRANSACTION: i32 = 263;

/// What a server is told that cannot do what purchases need.
const NO_TRANSACTIONS: &str = "MONGODB_URI: that MongoDB server does no transactions, which purchases need. Make it a \
    replica set, of one member at least: start mongod with --replSet rs0, run rs.initiate() in mongosh once, and add \
    ?replicaSet=rs0 to the URI";

/// A collection that databases had before there was a journal.
const BEFORE: &str = "entries";

/// Brings the database into the state that this store needs.
pub(super) async fn run(database: &Database, transactions: &Transactions, health: &Health) -> Result<(), Failure> {
    let late = |_| Failure::for_now(format_args!("MongoDB took longer than {DEADLINE:?}"));
    tokio::time::timeout(DEADLINE, steps(database, transactions, health)).await.map_err(late)?
}

async fn steps(database: &Database, transactions: &Transactions, health: &Health) -> Result<(), Failure> {
    // Says best why a server is not reached.
    database.run_command(doc! { "ping": 1 }).await.map_err(Failure::for_now)?;
    try_a_transaction(transactions).await?;
    refuse_foreign(database).await?;
    create_all(database, transactions).await.map_err(Failure::for_now)?;
    health.forget(time::now()).await.map_err(Failure::for_now)
}

/// What kind of server it is says less: there are servers that have transactions without being a replica set.
async fn try_a_transaction(transactions: &Transactions) -> Result<(), Failure> {
    match transactions.try_once(&(), &|act, ()| read(act).boxed()).await {
        Err(Halt::Driver(error)) if refuses_transactions(&error) => Err(Failure::ForGood(NO_TRANSACTIONS.to_owned())),
        // Also an answer: a replica that waited to be let through would not start for minutes under load.
        Err(Halt::Driver(error)) if is_thrown_back(&error) => Ok(()),
        tried => tried.map_err(|halt| Failure::for_now(Chain(&super::Error::from(halt)))),
    }
}

/// A database of before is left as it is: what its collections say is not what they would say now.
async fn refuse_foreign(database: &Database) -> Result<(), Failure> {
    let collections = database.list_collection_names().await.map_err(Failure::for_now)?;
    if !collections.iter().any(|name| name == BEFORE) {
        return Ok(());
    }
    Err(Failure::ForGood(format!(
        "MONGODB_URI: another version of this program has made the database {}, and this one cannot read it. It is left \
         as it is: run that version, or name an empty database",
        database.name()
    )))
}

async fn create_all(database: &Database, transactions: &Transactions) -> Result<(), Error> {
    create_collections(database).await?;
    for (collection, models) in indexes::all() {
        database.collection::<Document>(collection).create_indexes(models).await?;
    }
    set_up_outbox(database).await?;
    match transactions.collections.accounts.insert_one(empty_treasury()).await {
        Err(error) if !is_duplicate_key(&error) => Err(error),
        _ => Ok(()),
    }
}

/// The treasury's account before it has issued anything.
fn empty_treasury() -> AccountDocument {
    AccountDocument::empty(TREASURY, TREASURY, bson::DateTime::from_millis(0))
}

fn refuses_transactions(error: &Error) -> bool {
    let codes = [ILLEGAL_OPERATION, OPERATION_NOT_SUPPORTED_IN_TRANSACTION];
    matches!(&*error.kind, ErrorKind::Command(command) if codes.contains(&command.code))
}

/// By the server, for another transaction's sake; a connection that broke says nothing of the server.
fn is_thrown_back(error: &Error) -> bool {
    matches!(&*error.kind, ErrorKind::Command(_)) && error.contains_label(TRANSIENT_TRANSACTION_ERROR)
}

async fn read(act: &mut Act<'_>) -> Result<(), Halt> {
    Ok(act.collections.accounts.find_one(doc! {}).session(&mut act.session).await.map(drop)?)
}

async fn create_collections(database: &Database) -> Result<(), Error> {
    let present =
        database.list_collections().await?.map_ok(|specification| (specification.name, specification.options));
    let present: HashMap<_, _> = present.try_collect().await?;
    for (collection, validator) in validators::all() {
        match present.get(collection) {
            None => create(database, collection, validator).await?,
            // Not where it is so already: to say so locks the collection, and that at the start of every replica.
            Some(options) if options.validator.as_ref() == Some(&validator) => {}
            Some(_) => modify(database, collection, validator).await?,
        }
    }
    Ok(())
}

async fn create(database: &Database, collection: &str, validator: Document) -> Result<(), Error> {
    match database.create_collection(collection).validator(validator.clone()).await {
        Err(error) if matches!(&*error.kind, ErrorKind::Command(command) if command.code == NAMESPACE_EXISTS) => {
            modify(database, collection, validator).await
        }
        done => done,
    }
}

async fn modify(database: &Database, collection: &str, validator: Document) -> Result<(), Error> {
    database.run_command(doc! { "collMod": collection, "validator": validator }).await.map(drop)
}
