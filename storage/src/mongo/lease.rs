//! Leases in the collection `leases`, a document each.
//!
//! What time it is, the server is asked before (`hello`): an update could compare with `$$NOW` itself, but only as a
//! pipeline, which fewer servers have. Who is held up in between has asked too early, and gets less of a lease, not more.

use std::time::Duration;

use async_trait::async_trait;
use bson::{DateTime, Document, doc};
use mongodb::{ClientSession, Collection, Database, options::ReturnDocument};
use serde::{Deserialize, Serialize};

use super::{bounded, is_duplicate_key, now};
use crate::{
    Error,
    lease::{Fenced, Leases, Token},
    readiness::Readiness,
};

const COLLECTION: &str = "leases";

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct LeaseDocument {
    #[serde(rename = "_id")]
    name: String,
    holder: String,
    token: i64,
    /// By the server's clock.
    expires_at: DateTime,
}

/// The leases in a database whose reads and writes are those of most members.
#[derive(Clone, Debug)]
pub struct MongoLeases {
    database: Database,
    leases: Collection<LeaseDocument>,
    readiness: Readiness,
}

impl MongoLeases {
    /// Nothing is written before the database is ready.
    pub fn new(database: Database, readiness: Readiness) -> Self {
        Self { leases: database.collection(COLLECTION), database, readiness }
    }

    async fn now(&self) -> Result<DateTime, Error> {
        self.readiness.ready().await?;
        now(&self.database).await
    }
}

#[async_trait]
impl Leases for MongoLeases {
    async fn acquire(&self, name: &'static str, holder: &str, term: Duration) -> Result<Option<Token>, Error> {
        bounded(async {
            let now = self.now().await?;
            let expires_at = after(now, term);
            let Some(present) = self.leases.find_one(doc! { "_id": name }).await? else {
                let first = LeaseDocument { name: name.to_owned(), holder: holder.to_owned(), token: 1, expires_at };
                return match self.leases.insert_one(first).await {
                    Ok(_) => Ok(Some(Token(1))),
                    Err(error) if is_duplicate_key(&error) => Ok(None),
                    Err(error) => Err(error.into()),
                };
            };
            if present.expires_at > now {
                return Ok(None);
            }
            let free = doc! { "_id": name, "token": present.token, "expiresAt": { "$lte": now } };
            let take = doc! { "$inc": { "token": 1_i64 }, "$set": { "holder": holder, "expiresAt": expires_at } };
            let taken = self.leases.find_one_and_update(free, take).return_document(ReturnDocument::After).await?;
            Ok(taken.map(|lease| Token(lease.token)))
        })
        .await
    }

    async fn renew(&self, name: &'static str, token: Token, term: Duration) -> Result<bool, Error> {
        bounded(async {
            let prolong = doc! { "$set": { "expiresAt": after(self.now().await?, term) } };
            Ok(self.leases.update_one(held(name, token), prolong).await?.matched_count == 1)
        })
        .await
    }

    /// The number goes with it: what the holder has begun under it is refused.
    async fn release(&self, name: &'static str, token: Token) -> Result<(), Error> {
        bounded(async {
            self.readiness.ready().await?;
            let free = doc! { "$inc": { "token": 1_i64 }, "$set": { "expiresAt": DateTime::from_millis(0) } };
            Ok(self.leases.update_one(held(name, token), free).await.map(drop)?)
        })
        .await
    }
}

/// Lets a transaction go on where the lease is `token`'s, and stay so until it is committed: to have only read that would
/// not be enough, since of two transactions neither sees the other; who writes the same is thrown back.
pub async fn fence(
    database: &Database,
    session: &mut ClientSession,
    name: &'static str,
    token: Token,
) -> mongodb::error::Result<Result<(), Fenced>> {
    let leases = database.collection::<Document>(COLLECTION);
    let lock = doc! { "$inc": { "writes": 1_i64 } };
    let locked = leases.update_one(held(name, token), lock).session(session).await?;
    Ok(if locked.matched_count == 1 { Ok(()) } else { Err(Fenced) })
}

fn held(name: &str, Token(token): Token) -> Document {
    doc! { "_id": name, "token": token }
}

fn after(now: DateTime, term: Duration) -> DateTime {
    DateTime::from_millis(now.timestamp_millis().saturating_add(i64::try_from(term.as_millis()).unwrap_or(i64::MAX)))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        lease::contract::{Fresh, Guarded, lease_contract},
        mongo::scratch::Scratch,
    };

    #[async_trait]
    impl Guarded for MongoLeases {
        async fn passes(&self, name: &'static str, token: Token) -> bool {
            let mut session = self.database.client().start_session().await.expect("a session");
            session.start_transaction().await.expect("begins");
            let fence = fence(&self.database, &mut session, name, token).await.expect("answers");
            session.commit_transaction().await.expect("commits");
            fence.is_ok()
        }
    }

    async fn fresh() -> Fresh {
        let scratch = Scratch::new();
        let ready = || Readiness::begin(|| async { Ok(()) });
        let one = MongoLeases::new(scratch.connect().await, ready());
        let other = MongoLeases::new(scratch.connect().await, ready());
        Fresh { one: Arc::new(one.clone()), other: Arc::new(other), store: Arc::new(one), _keep: Box::new(scratch) }
    }

    lease_contract!(fresh);
}
