//! What buyers were told the first time, in SQLite.

use chrono::{DateTime, Utc};
use diesel::{prelude::*, sql_types::BigInt, sqlite::Sqlite};

use super::{
    Error,
    rows::{ItemRow, TransactionRow, money},
    schema::{idempotency_keys, items, transactions},
};
use crate::{
    idempotency::{BATCH, Retention},
    purchase::{Attempt, IdempotencyKey, PurchaseError, Sale},
};

/// The outcome of a sale; refusals go by their reasons.
const COMPLETED: &str = "completed";

#[derive(Queryable, Selectable)]
#[diesel(table_name = idempotency_keys, check_for_backend(Sqlite))]
struct KeyRow {
    item_id: String,
    kind: String,
    outcome: String,
    transaction_id: Option<String>,
    currency: Option<String>,
    price: Option<i64>,
    balance: Option<i64>,
    created_at: i64,
}

/// How the first attempt of this buyer with this key ended; `None` where this is the first, or the first one after what
/// was remembered does not count any more.
pub(super) fn recall(
    connection: &mut SqliteConnection,
    attempt: &Attempt,
    key: &IdempotencyKey,
    retention: Retention,
) -> Result<Option<Result<Sale, PurchaseError>>, Error> {
    let same_key = || idempotency_keys::table.find((attempt.buyer.id.to_string(), key.as_str()));
    let row: Option<KeyRow> = same_key().select(KeyRow::as_select()).get_result(connection).optional()?;
    let Some(row) = row else { return Ok(None) };
    let since = match row.transaction_id {
        Some(_) => retention.sales_since(attempt.at),
        None => retention.refusals_since(attempt.at),
    };
    if row.created_at <= since.timestamp_micros() {
        diesel::delete(same_key()).execute(connection)?;
        return Ok(None);
    }
    if row.item_id != attempt.order.item_id.to_hex() || row.kind != attempt.order.kind.as_str() {
        return Ok(Some(Err(PurchaseError::IdempotencyKeyReused)));
    }
    if let Some(transaction) = row.transaction_id {
        return Ok(Some(Ok(sale(connection, &transaction, &row.item_id)?)));
    }
    let numbers = match (row.currency, row.price, row.balance) {
        (Some(currency), Some(price), Some(balance)) => Some((money(&currency, price)?, money(&currency, balance)?)),
        _ => None,
    };
    let refusal = PurchaseError::remembered(&row.outcome, numbers)
        .ok_or_else(|| Error::Failed(format!("an idempotency key has the unknown outcome {}", row.outcome).into()))?;
    Ok(Some(Err(refusal)))
}

/// Keeps the outcome of the first attempt with this key.
pub(super) fn remember(
    connection: &mut SqliteConnection,
    attempt: &Attempt,
    key: &IdempotencyKey,
    outcome: &Result<Sale, PurchaseError>,
) -> Result<(), Error> {
    let (word, transaction) = match outcome {
        Ok(sale) => (COMPLETED, Some(sale.transaction.id.to_hex())),
        Err(refusal) => (refusal.reason(), None),
    };
    let numbers = match outcome {
        Err(PurchaseError::InsufficientFunds { price, balance }) => Some((*price, *balance)),
        _ => None,
    };
    diesel::insert_into(idempotency_keys::table)
        .values((
            idempotency_keys::buyer_id.eq(attempt.buyer.id.to_string()),
            idempotency_keys::key.eq(key.as_str()),
            idempotency_keys::item_id.eq(attempt.order.item_id.to_hex()),
            idempotency_keys::kind.eq(attempt.order.kind.as_str()),
            idempotency_keys::outcome.eq(word),
            idempotency_keys::transaction_id.eq(transaction),
            idempotency_keys::currency.eq(numbers.map(|(price, _)| price.currency.code())),
            idempotency_keys::price.eq(numbers.map(|(price, _)| price.minor_units)),
            idempotency_keys::balance.eq(numbers.map(|(_, balance)| balance.minor_units)),
            idempotency_keys::created_at.eq(attempt.at.timestamp_micros()),
        ))
        .execute(connection)?;
    Ok(())
}

/// Forgets outcomes that do not count any more at `at`, a batch of them at most.
pub(super) fn forget(
    connection: &mut SqliteConnection,
    retention: Retention,
    at: DateTime<Utc>,
) -> Result<usize, Error> {
    let mut forgotten = 0;
    for (kind, since) in [
        ("transaction_id IS NOT NULL", retention.sales_since(at)),
        ("transaction_id IS NULL", retention.refusals_since(at)),
    ] {
        let forget = format!(
            "DELETE FROM idempotency_keys WHERE (buyer_id, key) IN
                 (SELECT buyer_id, key FROM idempotency_keys WHERE {kind} AND created_at <= ? LIMIT ?)"
        );
        forgotten += diesel::sql_query(forget)
            .bind::<BigInt, _>(since.timestamp_micros())
            .bind::<BigInt, _>((BATCH - forgotten) as i64)
            .execute(connection)?;
    }
    Ok(forgotten)
}

fn sale(connection: &mut SqliteConnection, transaction: &str, item: &str) -> Result<Sale, Error> {
    let transaction =
        transactions::table.find(transaction).select(TransactionRow::as_select()).get_result(connection)?;
    let item = items::table.find(item).select(ItemRow::as_select()).get_result(connection)?;
    (transaction, item).try_into()
}
