//! Purchases in MongoDB.

use super::{
    documents::{AccountDocument, TransactionDocument},
    items, ledger,
    transaction::{Act, Halt},
};
use crate::{
    item::ItemNotFound,
    purchase::{Attempt, PurchaseError, Sale},
    told,
};

/// Sells the item to the owner of `account`.
pub(super) async fn purchase(
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
    items::mark_sold(act, &sale.item).await?;
    ledger::pay(act, &sale.transaction).await?;
    let document = TransactionDocument::from(&sale.transaction);
    act.collections.transactions.insert_one(document).session(&mut act.session).await?;
    act.tell(&told::sold(&sale, attempt.traceparent.as_deref())?).await?;
    Ok(Ok(sale))
}
