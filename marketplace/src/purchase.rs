//! Purchases: an item and its price change hands, all or nothing.

use std::str::FromStr;

use bson::oid::ObjectId;
use chrono::{DateTime, Utc};
use kernel::{Caller, Error, Kind, Money, words};
use runtime::trace;
use tracing::Instrument;
use uuid::Uuid;

use crate::{
    economy::Economy,
    id,
    item::{Item, ItemNotFound, ItemStatus},
    store::Store,
    time,
};

words! {
    /// Why money changed hands.
    TransactionType {
        Purchase = "purchase",
        Investment = "investment",
        Trade = "trade",
    }
}

words! {
    /// How far a transaction got.
    TransactionStatus {
        Pending = "pending",
        Completed = "completed",
        Failed = "failed",
    }
}

/// One sale.
#[derive(Clone, Debug, PartialEq, Eq)]
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sale {
    pub transaction: Transaction,
    pub item: Item,
}

/// What a buyer asks for.
#[derive(Clone, Debug)]
pub struct Order {
    pub item_id: ObjectId,
    pub kind: TransactionType,
    pub idempotency_key: Option<IdempotencyKey>,
}

/// An order as it reaches the store, with what its transaction will be called if it goes through.
#[derive(Clone, Debug)]
pub struct Attempt {
    pub buyer: Caller,
    pub order: Order,
    pub transaction_id: ObjectId,
    pub at: DateTime<Utc>,
}

impl Attempt {
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
        Ok(Sale { transaction, item })
    }
}

/// Names one purchase of one buyer across retries: 1 to 255 visible ASCII characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyKey(String);

/// The text is no idempotency key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to 255 visible ASCII characters")]
pub struct InvalidIdempotencyKey;

impl FromStr for IdempotencyKey {
    type Err = InvalidIdempotencyKey;

    fn from_str(text: &str) -> Result<Self, InvalidIdempotencyKey> {
        let valid = (1..=255).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        valid.then(|| Self(text.to_owned())).ok_or(InvalidIdempotencyKey)
    }
}

impl IdempotencyKey {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Why a purchase is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PurchaseError {
    #[error(transparent)]
    ItemNotFound(#[from] ItemNotFound),
    #[error("sellers cannot buy what they sell")]
    OwnItem,
    #[error("the item is not available any more")]
    ItemNotAvailable,
    #[error("the price is {price}, the balance is {balance}: {} is missing", missing(*.price, *.balance))]
    InsufficientFunds { price: Money, balance: Money },
    #[error("the idempotency key was used for another purchase before")]
    IdempotencyKeyReused,
}

/// How much more the buyer would need.
fn missing(price: Money, balance: Money) -> Money {
    Money { minor_units: price.minor_units - balance.minor_units, ..price }
}

const OWN_ITEM: &str = "own_item";
const ITEM_NOT_AVAILABLE: &str = "item_not_available";
const INSUFFICIENT_FUNDS: &str = "insufficient_funds";
/// The refusals that are remembered.
pub const REFUSALS: [&str; 4] = [ItemNotFound::REASON, OWN_ITEM, ITEM_NOT_AVAILABLE, INSUFFICIENT_FUNDS];
const IDEMPOTENCY_KEY_REUSED: &str = "idempotency_key_reused";

impl PurchaseError {
    /// The stable word of this refusal.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::ItemNotFound(_) => ItemNotFound::REASON,
            Self::OwnItem => OWN_ITEM,
            Self::ItemNotAvailable => ITEM_NOT_AVAILABLE,
            Self::InsufficientFunds { .. } => INSUFFICIENT_FUNDS,
            Self::IdempotencyKeyReused => IDEMPOTENCY_KEY_REUSED,
        }
    }

    /// The refusal that a store remembers by its reason, and by price and balance where these matter; `None` where the
    /// words make no refusal that is remembered.
    pub fn remembered(reason: &str, price_and_balance: Option<(Money, Money)>) -> Option<Self> {
        Some(match (reason, price_and_balance) {
            (ItemNotFound::REASON, _) => ItemNotFound.into(),
            (OWN_ITEM, _) => Self::OwnItem,
            (ITEM_NOT_AVAILABLE, _) => Self::ItemNotAvailable,
            (INSUFFICIENT_FUNDS, Some((price, balance))) => Self::InsufficientFunds { price, balance },
            _ => return None,
        })
    }

    fn kind(&self) -> Kind {
        match self {
            Self::ItemNotFound(_) => ItemNotFound::KIND,
            Self::OwnItem | Self::ItemNotAvailable | Self::InsufficientFunds { .. } | Self::IdempotencyKeyReused => {
                Kind::FailedPrecondition
            }
        }
    }
}

impl From<PurchaseError> for Error {
    fn from(error: PurchaseError) -> Self {
        Self::new(error.kind(), error.reason(), error.to_string())
    }
}

/// Buys an item; every [`PurchaseError`]. With an idempotency key, a retry ends as the first try did.
pub async fn purchase(store: &dyn Store, economy: &Economy, buyer: Caller, order: Order) -> Result<Sale, Error> {
    let transaction_id = id::next();
    let attempt = Attempt { buyer, order, transaction_id, at: time::now() };
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
    fn keys_are_1_to_255_visible_ascii_characters() {
        for valid in ["!", "~", "8e03978e-40d5-43e8-bc93-6894a57f9324", &"k".repeat(255)] {
            assert_eq!(valid.parse::<IdempotencyKey>().expect("valid").as_str(), valid);
        }
        for invalid in ["", " ", "a b", "a\n", "\u{7f}", "ä", &"k".repeat(256)] {
            assert_eq!(invalid.parse::<IdempotencyKey>(), Err(InvalidIdempotencyKey), "{invalid:?}");
        }
    }

    #[test]
    fn insufficient_funds_tells_what_is_missing() {
        let error = PurchaseError::InsufficientFunds { price: usd(1250), balance: usd(300) };
        assert_eq!(error.to_string(), "the price is 12.50 USD, the balance is 3.00 USD: 9.50 USD is missing");
    }

    #[test]
    fn refusals_are_remembered_by_their_reason_except_a_reused_key() {
        let numbers = Some((usd(2), usd(1)));
        for error in [
            PurchaseError::ItemNotFound(ItemNotFound),
            PurchaseError::OwnItem,
            PurchaseError::ItemNotAvailable,
            PurchaseError::InsufficientFunds { price: usd(2), balance: usd(1) },
        ] {
            assert_eq!(PurchaseError::remembered(error.reason(), numbers), Some(error));
        }
        assert_eq!(PurchaseError::remembered(PurchaseError::IdempotencyKeyReused.reason(), numbers), None);
        assert_eq!(PurchaseError::remembered(INSUFFICIENT_FUNDS, None), None);
    }

    #[test]
    fn kinds_and_reasons_are_those_of_the_contract() {
        let not_found = Error::from(PurchaseError::from(ItemNotFound));
        assert_eq!((not_found.kind(), not_found.reason()), (Kind::NotFound, "item_not_found"));
        for (error, reason) in [
            (PurchaseError::OwnItem, "own_item"),
            (PurchaseError::ItemNotAvailable, "item_not_available"),
            (PurchaseError::InsufficientFunds { price: usd(2), balance: usd(1) }, "insufficient_funds"),
            (PurchaseError::IdempotencyKeyReused, "idempotency_key_reused"),
        ] {
            let error = Error::from(error);
            assert_eq!((error.kind(), error.reason()), (Kind::FailedPrecondition, reason));
        }
    }
}
