//! Purchases in SQLite. All writes of a file take turns, so that what is read here holds until the commit; the guards in
//! the updates say so once more.

use diesel::prelude::*;

use super::{
    Error, idempotency, items,
    ledger::{self, Entry},
    schema::transactions,
};
use crate::{
    idempotency::Retention,
    item::ItemNotFound,
    ledger::EntryKind,
    purchase::{Attempt, PurchaseError, Sale, Transaction},
    wallet::Balances,
};

/// Recalls the outcome of an earlier attempt, or sells the item and remembers that.
///
/// A refusal is no `Err`: it is to be committed with its key.
pub(super) fn purchase(
    connection: &mut SqliteConnection,
    attempt: &Attempt,
    opening: &Balances,
    retention: Retention,
) -> Result<Result<Sale, PurchaseError>, Error> {
    let key = attempt.order.idempotency_key.as_ref();
    if let Some(key) = key
        && let Some(outcome) = idempotency::recall(connection, attempt, key, retention)?
    {
        return Ok(outcome);
    }
    ledger::open_account(connection, &attempt.buyer, opening, attempt.at)?;
    let outcome = sell(connection, attempt)?;
    if let Some(key) = key {
        idempotency::remember(connection, attempt, key, &outcome)?;
    }
    Ok(outcome)
}

fn sell(connection: &mut SqliteConnection, attempt: &Attempt) -> Result<Result<Sale, PurchaseError>, Error> {
    let Some(item) = items::find(connection, attempt.order.item_id)? else {
        return Ok(Err(ItemNotFound.into()));
    };
    let balance = ledger::balance(connection, attempt.buyer.id, item.price.currency)?;
    let sale = match attempt.settle(item, balance) {
        Ok(sale) => sale,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let Sale { transaction, item } = &sale;
    let sold = items::mark_sold(connection, item, attempt.at)?;
    insert(connection, transaction)?;
    let (buyer, seller) = (transaction.buyer_id.to_string(), transaction.seller_id.to_string());
    let paid = ledger::post(connection, &payment(transaction, &buyer, &seller))?;
    if !(sold && paid) {
        return Err(Error::Failed("an item was sold twice, or beyond its buyer's balance".into()));
    }
    Ok(Ok(sale))
}

fn payment<'a>(transaction: &Transaction, buyer: &'a str, seller: &'a str) -> Entry<'a> {
    Entry {
        kind: EntryKind::Purchase,
        transaction: Some(transaction.id),
        amount: transaction.price,
        debit: buyer,
        credit: seller,
        at: transaction.created_at,
    }
}

fn insert(connection: &mut SqliteConnection, transaction: &Transaction) -> Result<(), Error> {
    diesel::insert_into(transactions::table)
        .values((
            transactions::id.eq(transaction.id.to_hex()),
            transactions::item_id.eq(transaction.item_id.to_hex()),
            transactions::buyer_id.eq(transaction.buyer_id.to_string()),
            transactions::seller_id.eq(transaction.seller_id.to_string()),
            transactions::currency.eq(transaction.price.currency.code()),
            transactions::price.eq(transaction.price.minor_units),
            transactions::kind.eq(transaction.kind.as_str()),
            transactions::status.eq(transaction.status.as_str()),
            transactions::created_at.eq(transaction.created_at.timestamp_micros()),
        ))
        .execute(connection)?;
    Ok(())
}
