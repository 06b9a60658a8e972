//! The statements of the outbox, for both databases: see `crate::sql`. Times are milliseconds since the epoch by the
//! database's own clock.
//!
//! A message's number is in `outbox`; how far they were sent, and when, is in `outbox_sent`, a row a batch. Of those rows
//! the highest that is older than what is kept stays: so the last number is known also where all messages are forgotten.

use std::time::Duration;

use diesel::{
    ExpressionMethods, QueryableByName,
    result::QueryResult,
    sql_query,
    sql_types::{BigInt, Bool, Nullable, Text},
};
use uuid::Uuid;

use super::{
    fence,
    flavour::{Connection, NOW, RunQueryDsl},
};
use crate::{
    lease::Token,
    outbox::{Error, LEASE, Message, Pending, Stamped},
    sweep::BATCH,
};

diesel::table! {
    outbox (id) {
        id -> Text,
        subject -> Text,
        version -> BigInt,
        kind -> Text,
        body -> Text,
    }
}

/// How far messages were sent.
const SENT: &str = "(SELECT coalesce(max(up_to), 0) FROM outbox_sent)";

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = BigInt)]
    sequence: i64,
    #[diesel(sql_type = Text)]
    id: String,
    #[diesel(sql_type = Text)]
    subject: String,
    #[diesel(sql_type = BigInt)]
    version: i64,
    #[diesel(sql_type = Text)]
    kind: String,
    #[diesel(sql_type = Text)]
    body: String,
}

#[derive(QueryableByName)]
struct PendingRow {
    #[diesel(sql_type = BigInt)]
    count: i64,
    #[diesel(sql_type = Nullable<BigInt>)]
    oldest: Option<i64>,
}

/// Keeps messages in the transaction of the act that they tell of; once that is committed, `Outbox::wake` is to be called.
pub async fn append(connection: &mut Connection, messages: &[Message]) -> QueryResult<()> {
    for Message { id, subject, version, kind, body } in messages {
        let values = (
            outbox::id.eq(id.to_string()),
            outbox::subject.eq(subject),
            outbox::version.eq(version),
            outbox::kind.eq(kind),
            outbox::body.eq(body),
        );
        diesel::insert_into(outbox::table).values(values).execute(connection).await?;
    }
    Ok(())
}

/// One statement, which sees all of one moment: the oldest messages without a number, and with each those of its subject
/// that come before it. Nobody else numbers meanwhile, since the lease is locked.
pub(crate) async fn has_unstamped(connection: &mut Connection) -> Result<bool, crate::Error> {
    #[derive(QueryableByName)]
    struct Found {
        #[diesel(sql_type = Bool)]
        found: bool,
    }

    let found = sql_query("SELECT EXISTS (SELECT 1 FROM outbox WHERE sequence IS NULL) AS found");
    Ok(found.get_result::<Found>(connection).await?.found)
}

pub(crate) async fn stamp(connection: &mut Connection, token: Token, most: usize) -> Result<usize, Error> {
    const STAMP: &str = "
        WITH seen AS (SELECT subject, version FROM outbox WHERE sequence IS NULL ORDER BY id LIMIT $1),
             newest AS (SELECT subject, max(version) AS version FROM seen GROUP BY subject),
             batch AS (SELECT o.id, row_number() OVER (ORDER BY o.subject, o.version, o.id) AS place
                       FROM newest n JOIN outbox o ON o.subject = n.subject AND o.version <= n.version
                       WHERE o.sequence IS NULL),
             numbers AS (SELECT max(sequence) AS number FROM outbox WHERE sequence IS NOT NULL
                         UNION ALL SELECT max(up_to) FROM outbox_sent)
        UPDATE outbox SET sequence = (SELECT coalesce(max(number), 0) FROM numbers) + batch.place FROM batch WHERE outbox.id = batch.id";
    guard(connection, token).await?;
    Ok(sql_query(STAMP).bind::<BigInt, _>(limit(most)).execute(connection).await?)
}

pub(crate) async fn unsent(connection: &mut Connection, most: usize) -> Result<Vec<Stamped>, crate::Error> {
    let unsent = format!(
        "SELECT sequence, id, subject, version, kind, body FROM outbox WHERE sequence > {SENT} ORDER BY sequence LIMIT $1"
    );
    let rows: Vec<Row> = sql_query(unsent).bind::<BigInt, _>(limit(most)).load(connection).await?;
    rows.into_iter().map(Stamped::try_from).collect()
}

pub(crate) async fn sent(connection: &mut Connection, token: Token, up_to: i64) -> Result<(), Error> {
    guard(connection, token).await?;
    let sent = format!(
        "INSERT INTO outbox_sent (up_to, at) VALUES ($1, {NOW}) ON CONFLICT (up_to) DO UPDATE SET at = excluded.at"
    );
    sql_query(sent).bind::<BigInt, _>(up_to).execute(connection).await?;
    Ok(())
}

/// All from the first that was sent since: what came after it is sent again too, whatever the clock said.
pub(crate) async fn resend(connection: &mut Connection, token: Token, within: Duration) -> Result<(), Error> {
    guard(connection, token).await?;
    let resend =
        format!("DELETE FROM outbox_sent WHERE up_to >= (SELECT min(up_to) FROM outbox_sent WHERE at >= {NOW} - $1)");
    sql_query(resend).bind::<BigInt, _>(millis(within)).execute(connection).await?;
    Ok(())
}

pub(crate) async fn forget(connection: &mut Connection, keep: Duration) -> Result<usize, crate::Error> {
    let old = format!("(SELECT max(up_to) FROM outbox_sent WHERE at < {NOW} - $1)");
    let messages = format!(
        "DELETE FROM outbox WHERE id IN (SELECT id FROM outbox WHERE sequence <= {old} ORDER BY sequence LIMIT $2)"
    );
    let messages = sql_query(messages).bind::<BigInt, _>(millis(keep)).bind::<BigInt, _>(limit(BATCH));
    let forgotten = messages.execute(connection).await?;
    let batches = sql_query(format!("DELETE FROM outbox_sent WHERE up_to < {old}"));
    batches.bind::<BigInt, _>(millis(keep)).execute(connection).await?;
    Ok(forgotten)
}

pub(crate) async fn pending(connection: &mut Connection) -> Result<Pending, crate::Error> {
    let pending = format!(
        "SELECT count(*) AS count, {NOW} - min(stored_at) AS oldest FROM
             (SELECT stored_at FROM outbox WHERE sequence IS NULL
              UNION ALL SELECT stored_at FROM outbox WHERE sequence > {SENT}) AS waiting"
    );
    let PendingRow { count, oldest } = sql_query(pending).get_result(connection).await?;
    let oldest = Duration::from_millis(oldest.unwrap_or_default().max(0).unsigned_abs());
    Ok(Pending { count: count.unsigned_abs(), oldest })
}

async fn guard(connection: &mut Connection, token: Token) -> Result<(), Error> {
    Ok(fence(connection, LEASE, token).await??)
}

impl TryFrom<Row> for Stamped {
    type Error = crate::Error;

    fn try_from(Row { sequence, id, subject, version, kind, body }: Row) -> Result<Self, crate::Error> {
        let id = Uuid::try_parse(&id).map_err(crate::Error::damaged)?;
        Ok(Self { sequence, message: Message { id, subject, version, kind, body } })
    }
}

fn limit(most: usize) -> i64 {
    i64::try_from(most).unwrap_or(i64::MAX)
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
