//! Purchases in MongoDB.

use super::{
    attempts,
    documents::{AccountDocument, TransactionDocument},
    items, ledger,
    transaction::{Act, Halt},
};
use crate::{
    idempotency::Retention,
    item::ItemNotFound,
    purchase::{Attempt, PurchaseError, Sale},
    wallet::Balances,
};

/// Recalls the outcome of an earlier attempt, or sells the item and remembers that.
///
/// A refusal is no `Err`: it is to be committed with its key.
pub(super) async fn purchase(
    act: &mut Act<'_>,
    attempt: &Attempt,
    opening: &Balances,
    retention: Retention,
) -> Result<Result<Sale, PurchaseError>, Halt> {
    let key = attempt.order.idempotency_key.as_ref();
    if let Some(key) = key
        && let Some(outcome) = attempts::recall(act, attempt, key, retention).await?
    {
        return Ok(outcome);
    }
    let buyer = ledger::open_account(act, &attempt.buyer, opening, attempt.at).await?;
    let outcome = sell(act, attempt, &buyer).await?;
    if let Some(key) = key {
        attempts::remember(act, attempt, key, &outcome).await?;
    }
    Ok(outcome)
}

async fn sell(
    act: &mut Act<'_>,
    attempt: &Attempt,
    account: &AccountDocument,
) -> Result<Result<Sale, PurchaseError>, Halt> {
    let Some(item) = items::find(act, attempt.order.item_id).await? else {
        return Ok(Err(ItemNotFound.into()));
    };
    let balance = account.balance(item.price.currency)?;
    let sale = match attempt.settle(item, balance) {
        Ok(sale) => sale,
        Err(refusal) => return Ok(Err(refusal)),
    };
    items::mark_sold(act, &sale.item, attempt.at).await?;
    ledger::pay(act, &sale.transaction).await?;
    let document = TransactionDocument::from(&sale.transaction);
    act.collections.transactions.insert_one(document).session(&mut act.session).await?;
    Ok(Ok(sale))
}
