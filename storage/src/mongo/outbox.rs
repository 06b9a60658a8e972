//! The outbox in the collections `outbox`, a document a message, and `outboxSent`, one a batch.
//!
//! MongoDB tells other processes nothing here (change streams need more of a server than all else does), so that they look
//! often: a look at an index that has nothing costs less than a health check.

use std::{collections::HashMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use bson::{DateTime, Document, doc};
use futures_util::TryStreamExt;
use mongodb::{ClientSession, Collection, Database, IndexModel};
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use uuid::Uuid;

use super::{bounded, fence, now, transaction};
use crate::{
    lease::Token,
    outbox::{Error, LEASE, Message, Outbox, Pending, Stamped},
    readiness::Readiness,
    sweep::BATCH,
};

const MESSAGES: &str = "outbox";
const SENT: &str = "outboxSent";
/// In the place of a number. (An index has it, and counts it, like any other value.)
const NONE: i64 = 0;
/// How often to look for what other processes have appended.
const LOOK: Duration = Duration::from_millis(100);
/// Between two attempts at a transaction that was thrown back.
const PAUSE: Duration = Duration::from_millis(5);

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct MessageDocument {
    #[serde(rename = "_id")]
    id: String,
    subject: String,
    version: i64,
    kind: String,
    body: String,
    stored_at: DateTime,
    /// [`NONE`], or its number.
    sequence: i64,
}

/// What of a message its place depends on.
#[derive(Debug, Deserialize)]
struct Place {
    #[serde(rename = "_id")]
    id: String,
    subject: String,
    version: i64,
}

/// How far messages were sent, and when by the server's clock.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct SentDocument {
    #[serde(rename = "_id")]
    up_to: i64,
    at: DateTime,
}

/// The outbox in a database whose reads and writes are those of most members. Clones are one.
#[derive(Clone, Debug)]
pub struct MongoOutbox {
    database: Database,
    messages: Collection<MessageDocument>,
    sent: Collection<SentDocument>,
    readiness: Readiness,
    appended: Arc<Notify>,
}

/// What the database needs before the first message; can be done again, also by several replicas at once.
pub async fn set_up(database: &Database) -> mongodb::error::Result<()> {
    let plain = |keys| IndexModel::builder().keys(keys).build();
    let messages = database.collection::<Document>(MESSAGES);
    // Not unique: many have none. That none has another one's is the lease's business.
    messages
        .create_indexes([plain(doc! { "sequence": 1, "_id": 1 }), plain(doc! { "subject": 1, "version": 1 })])
        .await?;
    database.collection::<Document>(SENT).create_index(plain(doc! { "at": 1 })).await.map(drop)
}

/// Keeps messages in the transaction of the act that they tell of; after it [`Outbox::wake`] is to be called.
pub async fn append(
    database: &Database,
    session: &mut ClientSession,
    messages: &[Message],
) -> mongodb::error::Result<()> {
    if messages.is_empty() {
        return Ok(());
    }
    let stored_at = DateTime::now();
    let documents = messages.iter().map(|Message { id, subject, version, kind, body }| MessageDocument {
        id: id.to_string(),
        subject: subject.clone(),
        version: *version,
        kind: kind.clone(),
        body: body.clone(),
        stored_at,
        sequence: NONE,
    });
    let outbox = database.collection::<MessageDocument>(MESSAGES);
    outbox.insert_many(documents).session(session).await.map(drop)
}

/// What is done in a transaction that the lease guards.
#[derive(Clone, Copy, Debug)]
enum Change {
    Stamp { most: usize },
    Sent { up_to: i64, at: DateTime },
    Resend { since: DateTime },
}

/// Why a try at it ended without an outcome.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
enum Halt {
    Driver(#[from] mongodb::error::Error),
    Outbox(#[from] Error),
}

impl MongoOutbox {
    /// Nothing is written before the database is ready, with what [`set_up`] makes.
    pub fn new(database: Database, readiness: Readiness) -> Self {
        let (messages, sent) = (database.collection(MESSAGES), database.collection(SENT));
        Self { database, messages, sent, readiness, appended: Arc::default() }
    }

    /// Does it, or has it refused; again where somebody else wrote the same at that moment, such as the lease's renewal.
    async fn change(&self, token: Token, change: Change) -> Result<usize, Error> {
        self.readiness.ready().await.map_err(crate::Error::from)?;
        loop {
            match self.attempt(token, change).await {
                Err(Halt::Driver(error)) if transaction::is_thrown_back(&error) => tokio::time::sleep(PAUSE).await,
                Err(Halt::Driver(error)) => return Err(crate::Error::from(error).into()),
                Err(Halt::Outbox(error)) => return Err(error),
                Ok(outcome) => return Ok(outcome),
            }
        }
    }

    async fn attempt(&self, token: Token, change: Change) -> Result<usize, Halt> {
        let mut session = transaction::begin(self.database.client()).await.map_err(Error::from)?;
        let done = self.write(&mut session, token, change).await;
        transaction::end(&mut session, done).await
    }

    async fn write(&self, session: &mut ClientSession, token: Token, change: Change) -> Result<usize, Halt> {
        fence(&self.database, session, LEASE, token).await?.map_err(Error::from)?;
        match change {
            Change::Stamp { most } => Ok(self.number(session, most).await?),
            Change::Sent { up_to, at } => {
                let sent = SentDocument { up_to, at };
                let noted = self.sent.replace_one(doc! { "_id": up_to }, sent).upsert(true).session(session);
                Ok(noted.await.map(|_| 1)?)
            }
            // All from the first that was sent since: what came after it is sent again too, whatever the clock said.
            Change::Resend { since } => {
                let recent = doc! { "at": { "$gte": since } };
                let first = self.sent.find_one(recent).sort(doc! { "_id": 1 }).session(&mut *session).await?;
                let Some(SentDocument { up_to, .. }) = first else { return Ok(0) };
                let again = self.sent.delete_many(doc! { "_id": { "$gte": up_to } }).session(session);
                Ok(again.await?.deleted_count as usize)
            }
        }
    }

    /// All of one moment: the oldest messages without a number, and with each those of its subject that come before it.
    async fn number(&self, session: &mut ClientSession, most: usize) -> mongodb::error::Result<usize> {
        let places = self.messages.clone_with_type::<Place>();
        let oldest = places.find(doc! { "sequence": NONE }).sort(doc! { "_id": 1 }).limit(limit(most));
        let seen: Vec<Place> = oldest.session(&mut *session).await?.stream(&mut *session).try_collect().await?;
        let mut newest = HashMap::<String, i64>::new();
        for Place { subject, version, .. } in seen {
            newest.entry(subject).and_modify(|newest| *newest = version.max(*newest)).or_insert(version);
        }
        let Some(highest) = newest.values().max() else { return Ok(0) };
        // More than is wanted only where two subjects have much that waits.
        let subjects = doc! { "$in": newest.keys().collect::<Vec<_>>() };
        let waiting = doc! { "sequence": NONE, "subject": subjects, "version": { "$lte": highest } };
        let mut batch: Vec<Place> =
            places.find(waiting).session(&mut *session).await?.stream(&mut *session).try_collect().await?;
        batch.retain(|place| newest.get(&place.subject).is_some_and(|newest| place.version <= *newest));
        batch.sort_unstable_by(|a, b| (&a.subject, a.version, &a.id).cmp(&(&b.subject, b.version, &b.id)));
        let last = self.last_number(session).await?;
        let stamp = |(place, number): (&Place, i64)| {
            doc! { "q": { "_id": &place.id, "sequence": NONE }, "u": { "$set": { "sequence": number } } }
        };
        let updates: Vec<Document> = batch.iter().zip(last + 1..).map(stamp).collect();
        // One command for all: a round trip each would take longer than the lease is sure to last.
        let stamped =
            self.database.run_command(doc! { "update": MESSAGES, "updates": updates }).session(session).await?;
        let matched = stamped.get("n").and_then(|n| n.as_i64().or(n.as_i32().map(i64::from)));
        if matched != i64::try_from(batch.len()).ok() {
            return Err(mongodb::error::Error::custom(format!("of {} messages {stamped} were numbered", batch.len())));
        }
        Ok(batch.len())
    }

    async fn last_number(&self, session: &mut ClientSession) -> mongodb::error::Result<i64> {
        let newest = doc! { "sequence": -1, "_id": -1 };
        let last =
            self.messages.find_one(doc! { "sequence": { "$gt": NONE } }).sort(newest).session(&mut *session).await?;
        let sent = self.sent.find_one(doc! {}).sort(doc! { "_id": -1 }).session(session).await?;
        Ok(last.map_or(NONE, |message| message.sequence).max(sent.map_or(NONE, |sent| sent.up_to)))
    }

    /// How far messages were sent.
    async fn sent_up_to(&self) -> Result<i64, crate::Error> {
        Ok(self.sent.find_one(doc! {}).sort(doc! { "_id": -1 }).await?.map_or(0, |sent| sent.up_to))
    }
}

#[async_trait]
impl Outbox for MongoOutbox {
    async fn stamp(&self, token: Token, most: usize) -> Result<usize, Error> {
        bounded(async {
            self.readiness.ready().await.map_err(crate::Error::from)?;
            match self.messages.find_one(doc! { "sequence": NONE }).await.map_err(crate::Error::from)? {
                Some(_) => self.change(token, Change::Stamp { most }).await,
                None => Ok(0),
            }
        })
        .await
    }

    async fn unsent(&self, most: usize) -> Result<Vec<Stamped>, crate::Error> {
        bounded(async {
            self.readiness.ready().await?;
            let unsent = doc! { "sequence": { "$gt": self.sent_up_to().await? } };
            let unsent = self.messages.find(unsent).sort(doc! { "sequence": 1, "_id": 1 }).limit(limit(most)).await?;
            let documents: Vec<MessageDocument> = unsent.try_collect().await?;
            documents.into_iter().map(Stamped::try_from).collect()
        })
        .await
    }

    async fn sent(&self, token: Token, up_to: i64) -> Result<(), Error> {
        bounded(async {
            let at = now(&self.database).await?;
            self.change(token, Change::Sent { up_to, at }).await.map(drop)
        })
        .await
    }

    async fn resend(&self, token: Token, within: Duration) -> Result<(), Error> {
        bounded(async {
            let since = before(now(&self.database).await?, within);
            self.change(token, Change::Resend { since }).await.map(drop)
        })
        .await
    }

    async fn forget(&self, keep: Duration) -> Result<usize, crate::Error> {
        bounded(async {
            self.readiness.ready().await?;
            let old = doc! { "at": { "$lt": before(now(&self.database).await?, keep) } };
            let Some(SentDocument { up_to, .. }) = self.sent.find_one(old).sort(doc! { "_id": -1 }).await? else {
                return Ok(0);
            };
            let places = self.messages.clone_with_type::<Place>();
            let old = places.find(doc! { "sequence": { "$gt": NONE, "$lte": up_to } }).limit(limit(BATCH)).await?;
            let ids: Vec<String> = old.map_ok(|place| place.id).try_collect().await?;
            if !ids.is_empty() {
                self.messages.delete_many(doc! { "_id": { "$in": &ids } }).await?;
            }
            // The highest of them stays, and with it the last number, where no message has one any more.
            self.sent.delete_many(doc! { "_id": { "$lt": up_to } }).await?;
            Ok(ids.len())
        })
        .await
    }

    async fn pending(&self) -> Result<Pending, crate::Error> {
        bounded(async {
            self.readiness.ready().await?;
            let sent = self.sent_up_to().await?;
            let mut pending = Pending::default();
            let (unstamped, unsent) = (doc! { "sequence": NONE }, doc! { "sequence": { "$gt": sent } });
            for (waiting, order) in [(unstamped, doc! { "_id": 1 }), (unsent, doc! { "sequence": 1, "_id": 1 })] {
                pending.count += self.messages.count_documents(waiting.clone()).await?;
                if let Some(oldest) = self.messages.find_one(waiting).sort(order).await? {
                    let age = now(&self.database).await?.timestamp_millis() - oldest.stored_at.timestamp_millis();
                    pending.oldest = pending.oldest.max(Duration::from_millis(age.max(0).unsigned_abs()));
                }
            }
            Ok(pending)
        })
        .await
    }

    fn wake(&self) {
        self.appended.notify_one();
    }

    async fn sleep(&self, patience: Duration) {
        let _ = tokio::time::timeout(patience.min(LOOK), self.appended.notified()).await;
    }
}

impl TryFrom<MessageDocument> for Stamped {
    type Error = crate::Error;

    fn try_from(document: MessageDocument) -> Result<Self, crate::Error> {
        let MessageDocument { id, subject, version, kind, body, sequence, .. } = document;
        let id = Uuid::try_parse(&id).map_err(crate::Error::damaged)?;
        Ok(Self { sequence, message: Message { id, subject, version, kind, body } })
    }
}

fn limit(most: usize) -> i64 {
    i64::try_from(most).unwrap_or(i64::MAX)
}

fn before(now: DateTime, time: Duration) -> DateTime {
    DateTime::from_millis(now.timestamp_millis().saturating_sub(i64::try_from(time.as_millis()).unwrap_or(i64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        mongo::{MongoLeases, scratch::Scratch},
        outbox::contract::{Acts, Fresh, Process, outbox_contract},
    };

    #[async_trait]
    impl Acts for MongoOutbox {
        async fn act(&self, messages: Vec<Message>, ends_well: bool) {
            let mut session = self.database.client().start_session().await.expect("a session");
            session.start_transaction().await.expect("begins");
            // As acts do. (The stand-in takes the read concern, which goes with the first command, for a document.)
            self.sent.find_one(doc! {}).session(&mut session).await.expect("reads");
            append(&self.database, &mut session, &messages).await.expect("appends");
            let ended = if ends_well { session.commit_transaction().await } else { session.abort_transaction().await };
            ended.expect("ends");
        }
    }

    async fn process(scratch: &Scratch) -> Process {
        let (database, readiness) = (scratch.connect().await, Readiness::begin(|| async { Ok(()) }));
        set_up(&database).await.expect("sets up");
        let outbox = Arc::new(MongoOutbox::new(database.clone(), readiness.clone()));
        let leases = Arc::new(MongoLeases::new(database, readiness));
        Process { outbox: Arc::clone(&outbox) as _, leases, acts: outbox }
    }

    async fn fresh() -> Fresh {
        let scratch = Scratch::new();
        Fresh { one: process(&scratch).await, other: process(&scratch).await, _keep: Box::new(scratch) }
    }

    outbox_contract!(fresh);
}
