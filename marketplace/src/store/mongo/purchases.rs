//! Purchases in MongoDB.

use super::{
    attempts,
    documents::{AccountDocument, TransactionDocument},
    items, ledger,
    transaction::{Act, Halt},
};
use crate::{
    item::{ItemNotFound, ItemStatus},
    purchase::{Attempt, PurchaseError, Sale, Transaction, TransactionStatus},
    wallet::Balances,
};

/// Recalls the outcome of an earlier attempt, or sells the item and remembers that.
///
/// A refusal is no `Err`: it is to be committed with its key.
pub(super) async fn purchase(
    act: &mut Act<'_>,
    attempt: &Attempt,
    opening: &Balances,
) -> Result<Result<Sale, PurchaseError>, Halt> {
    let key = attempt.order.idempotency_key.as_ref();
    if let Some(key) = key
        && let Some(outcome) = attempts::recall(act, attempt, key).await?
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
    let Attempt { buyer, order, transaction_id, at } = attempt;
    let Some(mut item) = items::find(act, order.item_id).await? else {
        return Ok(Err(ItemNotFound.into()));
    };
    if item.seller_id == buyer.id {
        return Ok(Err(PurchaseError::OwnItem));
    }
    if item.status != ItemStatus::Available {
        return Ok(Err(PurchaseError::ItemNotAvailable));
    }
    let balance = account.balance(item.price.currency)?;
    if balance.minor_units < item.price.minor_units {
        return Ok(Err(PurchaseError::InsufficientFunds { price: item.price, balance }));
    }

    let transaction = Transaction {
        id: *transaction_id,
        item_id: item.id,
        buyer_id: buyer.id,
        seller_id: item.seller_id,
        price: item.price,
        kind: order.kind,
        status: TransactionStatus::Completed,
        created_at: *at,
    };
    items::mark_sold(act, &item, *at).await?;
    ledger::pay(act, &transaction).await?;
    let document = TransactionDocument::from(&transaction);
    act.collections.transactions.insert_one(document).session(&mut act.session).await?;
    item.status = ItemStatus::Sold;
    item.updated_at = *at;
    Ok(Ok(Sale { transaction, item }))
}
