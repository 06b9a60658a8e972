//! Purchases in SQLite. All writes of a file take turns, so that what is read here holds until the commit; the guards in
//! the updates say so once more.

use diesel::prelude::*;

use super::{Error, items, ledger, schema::transactions, tell};
use crate::{
    item::ItemNotFound,
    purchase::{Attempt, PurchaseError, Sale, Transaction},
    told,
    wallet::Amounts,
};

/// Sells the item. A refusal is no `Err`: the account that it has opened stays.
pub(super) fn purchase(
    connection: &mut SqliteConnection,
    attempt: &Attempt,
    opening: &Amounts,
) -> Result<Result<Sale, PurchaseError>, Error> {
    let traceparent = attempt.traceparent.as_deref();
    ledger::open_account(connection, &attempt.buyer, opening, attempt.at, traceparent)?;
    let Some(item) = items::find(connection, attempt.order.item_id)? else {
        return Ok(Err(ItemNotFound.into()));
    };
    let balance = ledger::balance(connection, attempt.buyer.id, item.price.currency)?;
    let sale = match attempt.settle(item, balance) {
        Ok(sale) => sale,
        Err(refusal) => return Ok(Err(refusal)),
    };
    if !items::mark_sold(connection, &sale.item)? {
        return Err(Error::Failed("an item was sold twice".into()));
    }
    insert(connection, &sale.transaction)?;
    ledger::post(connection, &sale.transaction.entry())?;
    tell(connection, &told::sold(&sale, traceparent)?)?;
    Ok(Ok(sale))
}

fn insert(connection: &mut SqliteConnection, transaction: &Transaction) -> Result<(), Error> {
    diesel::insert_into(transactions::table)
        .values((
            transactions::id.eq(transaction.id.to_hex()),
            transactions::item_id.eq(transaction.item_id.to_hex()),
            transactions::buyer_id.eq(transaction.buyer_id.to_string()),
            transactions::seller_id.eq(transaction.seller_id.to_string()),
            transactions::currency.eq(transaction.price.currency.as_str()),
            transactions::price.eq(transaction.price.minor_units),
            transactions::kind.eq(transaction.kind.as_str()),
            transactions::status.eq(transaction.status.as_str()),
            transactions::created_at.eq(transaction.created_at.timestamp_micros()),
        ))
        .execute(connection)?;
    Ok(())
}
