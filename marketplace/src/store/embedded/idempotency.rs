//! What buyers were told the first time, in SQLite.

use diesel::{prelude::*, sqlite::Sqlite};

use super::{
    Error,
    rows::{ItemRow, TransactionRow, money},
    schema::{idempotency_keys, items, transactions},
};
use crate::purchase::{Attempt, IdempotencyKey, PurchaseError, Sale};

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
}

/// How the first attempt of this buyer with this key ended; `None` where this is the first.
pub(super) fn recall(
    connection: &mut SqliteConnection,
    attempt: &Attempt,
    key: &IdempotencyKey,
) -> Result<Option<Result<Sale, PurchaseError>>, Error> {
    let row: Option<KeyRow> = idempotency_keys::table
        .find((attempt.buyer.id.to_string(), key.as_str()))
        .select(KeyRow::as_select())
        .get_result(connection)
        .optional()?;
    let Some(row) = row else { return Ok(None) };
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

fn sale(connection: &mut SqliteConnection, transaction: &str, item: &str) -> Result<Sale, Error> {
    let transaction =
        transactions::table.find(transaction).select(TransactionRow::as_select()).get_result(connection)?;
    let item = items::table.find(item).select(ItemRow::as_select()).get_result(connection)?;
    (transaction, item).try_into()
}
