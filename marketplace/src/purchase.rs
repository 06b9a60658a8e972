//! Purchases: an item and its price change hands, all or nothing.

use bson::oid::ObjectId;
use chrono::{DateTime, Utc};
use kernel::{Caller, Error, Money};
use proto::errors;
pub use proto::marketplace::words::{TransactionStatus, TransactionType};
use runtime::{context::Context, trace};
use serde::{Deserialize, Serialize};
use storage::idempotency::{Claim, Key};
use tracing::Instrument;
use uuid::Uuid;

use crate::{
    economy::Economy,
    id,
    item::{Item, ItemNotFound, ItemStatus},
    ledger::{Entry, EntryKind},
    store::Store,
    time,
};

/// Name of the RPC.
const RPC: &str = "PurchaseItem";

/// One sale.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Transaction {
    pub id: ObjectId,
    pub item_id: ObjectId,
    pub buyer_id: Uuid,
    pub seller_id: Uuid,
    pub price: Money,
    pub kind: TransactionType,
    pub status: TransactionStatus,
    pub created_at: DateTime<Utc>,
}

/// What a purchase ends in: the transaction, and the item as it is from then on.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Sale {
    pub transaction: Transaction,
    pub item: Item,
}

/// What a buyer asks for.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Order {
    pub item_id: ObjectId,
    pub kind: TransactionType,
}

/// An order as it reaches the store, with what its transaction will be called if it goes through.
#[derive(Clone, Debug)]
pub struct Attempt {
    pub buyer: Caller,
    pub order: Order,
    pub claim: Option<Claim>,
    pub transaction_id: ObjectId,
    pub at: DateTime<Utc>,
    /// The trace that goes on in whoever hears of it.
    pub traceparent: Option<String>,
}

impl Attempt {
    /// One that is made now, in no trace.
    pub fn new(buyer: Caller, order: Order, key: Option<Key>) -> Self {
        let claim = key.map(|key| Claim::new(buyer.id, RPC, key, &order));
        Self { buyer, order, claim, transaction_id: id::next(), at: time::now(), traceparent: None }
    }

    /// What the attempt comes to: what a store asks in the act that makes the sale, with the item and what the buyer has
    /// of its currency. The item of the sale is as it is from then on.
    pub fn settle(&self, mut item: Item, balance: Money) -> Result<Sale, PurchaseError> {
        if item.seller_id == self.buyer.id {
            return Err(PurchaseError::OwnItem);
        }
        if item.status != ItemStatus::Available {
            return Err(PurchaseError::ItemNotAvailable);
        }
        if balance.minor_units < item.price.minor_units {
            return Err(PurchaseError::InsufficientFunds { price: item.price, balance });
        }
        let transaction = Transaction {
            id: self.transaction_id,
            item_id: item.id,
            buyer_id: self.buyer.id,
            seller_id: item.seller_id,
            price: item.price,
            kind: self.order.kind,
            status: TransactionStatus::Completed,
            created_at: self.at,
        };
        item.status = ItemStatus::Sold;
        item.updated_at = self.at;
        item.version += 1;
        Ok(Sale { transaction, item })
    }
}

impl Transaction {
    /// The movement of its money.
    pub fn entry(&self) -> Entry {
        let accounts = (&*self.buyer_id.to_string(), &*self.seller_id.to_string());
        Entry::transfer(EntryKind::Sale, self.id.to_hex(), self.created_at, accounts, [self.price])
    }
}

/// Why a purchase is refused.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize, thiserror::Error)]
pub enum PurchaseError {
    #[error(transparent)]
    ItemNotFound(#[from] ItemNotFound),
    #[error("{}", errors::OWN_ITEM.meaning())]
    OwnItem,
    #[error("{}", errors::ITEM_NOT_AVAILABLE.meaning())]
    ItemNotAvailable,
    #[error("the price is {price}, the balance is {balance}: {} is missing", missing(*.price, *.balance))]
    InsufficientFunds { price: Money, balance: Money },
}

/// How much more the buyer would need.
fn missing(price: Money, balance: Money) -> Money {
    Money { minor_units: price.minor_units - balance.minor_units, ..price }
}

impl From<PurchaseError> for Error {
    fn from(error: PurchaseError) -> Self {
        match error {
            PurchaseError::ItemNotFound(error) => error.into(),
            PurchaseError::OwnItem => errors::OWN_ITEM.into(),
            PurchaseError::ItemNotAvailable => errors::ITEM_NOT_AVAILABLE.into(),
            PurchaseError::InsufficientFunds { .. } => Self::new(errors::INSUFFICIENT_FUNDS, error.to_string()),
        }
    }
}

/// Buys an item; every [`PurchaseError`]. With a key, a retry ends as the first try did.
pub async fn purchase(
    store: &dyn Store,
    economy: &Economy,
    context: &Context<Caller>,
    (order, key): (Order, Option<Key>),
) -> Result<Sale, Error> {
    let traceparent = context.traceparent().map(str::to_owned);
    let attempt = Attempt { traceparent, ..Attempt::new(context.caller.clone(), order, key) };
    let transaction_id = attempt.transaction_id;
    let sale = store.purchase(attempt).instrument(trace::store(store.backend(), "purchases.make")).await??;
    // A retry is told of the first attempt's transaction: no money moved this time.
    if sale.transaction.id == transaction_id {
        economy.sold(sale.transaction.price);
    }
    Ok(sale)
}

#[cfg(test)]
mod tests {
    use kernel::Currency;

    use super::*;

    fn usd(minor_units: i64) -> Money {
        Money { currency: Currency::Usd, minor_units }
    }

    #[test]
    fn insufficient_funds_tells_what_is_missing() {
        let error = PurchaseError::InsufficientFunds { price: usd(1250), balance: usd(300) };
        assert_eq!(error.to_string(), "the price is 12.50 USD, the balance is 3.00 USD: 9.50 USD is missing");
    }

    #[test]
    fn codes_are_those_of_the_contract() {
        let not_found = Error::from(PurchaseError::from(ItemNotFound));
        assert_eq!(not_found.code(), errors::ITEM_NOT_FOUND);
        for (error, code) in [
            (PurchaseError::OwnItem, errors::OWN_ITEM),
            (PurchaseError::ItemNotAvailable, errors::ITEM_NOT_AVAILABLE),
            (PurchaseError::InsufficientFunds { price: usd(2), balance: usd(1) }, errors::INSUFFICIENT_FUNDS),
        ] {
            let message = error.to_string();
            let error = Error::from(error);
            assert_eq!((error.code(), error.to_string()), (code, message));
        }
    }
}
