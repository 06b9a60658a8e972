//! Documents as they are stored, and the domain they stand for.
//!
//! Amounts are 64-bit integers in minor units, times BSON dates (milliseconds, which is why the domain's times have no
//! more), users UUIDs as text, words those of the contract.

use std::{collections::HashMap, fmt::Display, str::FromStr};

use bson::oid::ObjectId;
use chrono::{DateTime, Utc};
use kernel::{Currency, Money};
use serde::{Deserialize, Serialize};

use super::Error;
use crate::{
    item::{Item, PriceRank, Seller, first_version},
    ledger::{Entry, Posting},
    purchase::Transaction,
    wallet::{Amounts, Wallet, WalletEntry},
};

/// A listing.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ItemDocument {
    #[serde(rename = "_id")]
    id: ObjectId,
    name: String,
    description: String,
    category: String,
    currency: String,
    price: i64,
    /// Sorts as text like the amount, across currencies.
    price_rank: String,
    seller_id: String,
    status: String,
    is_premium: bool,
    tags: Vec<String>,
    created_at: bson::DateTime,
    updated_at: bson::DateTime,
    #[serde(default = "first_version")]
    version: i64,
}

impl From<&Item> for ItemDocument {
    fn from(item: &Item) -> Self {
        Self {
            id: item.id,
            name: item.name.clone(),
            description: item.description.clone(),
            category: item.category.as_str().to_owned(),
            currency: item.price.currency.as_str().to_owned(),
            price: item.price.minor_units,
            price_rank: PriceRank::from(item.price).to_string(),
            seller_id: item.seller_id.to_string(),
            status: item.status.as_str().to_owned(),
            is_premium: item.is_premium,
            tags: item.tags.clone(),
            created_at: date(item.created_at),
            updated_at: date(item.updated_at),
            version: item.version,
        }
    }
}

impl TryFrom<ItemDocument> for Item {
    type Error = Error;

    fn try_from(document: ItemDocument) -> Result<Self, Error> {
        Ok(Self {
            id: document.id,
            name: document.name,
            description: document.description,
            category: parse(&document.category)?,
            price: money(&document.currency, document.price)?,
            seller_id: parse(&document.seller_id)?,
            status: parse(&document.status)?,
            is_premium: document.is_premium,
            tags: document.tags,
            created_at: time(document.created_at)?,
            updated_at: time(document.updated_at)?,
            version: document.version,
        })
    }
}

/// A sale.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TransactionDocument {
    #[serde(rename = "_id")]
    id: ObjectId,
    item_id: ObjectId,
    buyer_id: String,
    seller_id: String,
    currency: String,
    price: i64,
    #[serde(rename = "type")]
    kind: String,
    status: String,
    created_at: bson::DateTime,
}

impl From<&Transaction> for TransactionDocument {
    fn from(transaction: &Transaction) -> Self {
        Self {
            id: transaction.id,
            item_id: transaction.item_id,
            buyer_id: transaction.buyer_id.to_string(),
            seller_id: transaction.seller_id.to_string(),
            currency: transaction.price.currency.as_str().to_owned(),
            price: transaction.price.minor_units,
            kind: transaction.kind.as_str().to_owned(),
            status: transaction.status.as_str().to_owned(),
            created_at: date(transaction.created_at),
        }
    }
}

impl TryFrom<TransactionDocument> for Transaction {
    type Error = Error;

    fn try_from(document: TransactionDocument) -> Result<Self, Error> {
        Ok(Self {
            id: document.id,
            item_id: document.item_id,
            buyer_id: parse(&document.buyer_id)?,
            seller_id: parse(&document.seller_id)?,
            price: money(&document.currency, document.price)?,
            kind: parse(&document.kind)?,
            status: parse(&document.status)?,
            created_at: time(document.created_at)?,
        })
    }
}

/// Who takes part: every user from their first appearance on, and the treasury.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AccountDocument {
    #[serde(rename = "_id")]
    pub(super) owner: String,
    pub(super) username: String,
    /// By currency code: what the postings of the account add up to. Only the treasury owes.
    pub(super) balances: HashMap<String, i64>,
    /// How many postings there are: their numbers are 1 to this.
    pub(super) postings: i64,
    /// By currency code: what was deposited on the last day with a deposit.
    pub(super) deposited: HashMap<String, DepositedDocument>,
    /// Counted here, in the transaction that changes them, so that showing a seller never counts documents.
    pub(super) active_listings: i64,
    pub(super) completed_sales: i64,
    pub(super) opened_at: bson::DateTime,
}

/// What was deposited on a day.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct DepositedDocument {
    /// In UTC, as `2026-11-21`.
    pub(super) day: String,
    pub(super) sum: i64,
}

impl AccountDocument {
    /// An account that never had anything.
    pub(super) fn empty(owner: &str, username: &str, opened_at: bson::DateTime) -> Self {
        Self {
            owner: owner.to_owned(),
            username: username.to_owned(),
            balances: Currency::ALL.iter().map(|currency| (currency.as_str().to_owned(), 0)).collect(),
            postings: 0,
            deposited: HashMap::new(),
            active_listings: 0,
            completed_sales: 0,
            opened_at,
        }
    }

    /// What the account has of one currency.
    pub(super) fn balance(&self, currency: Currency) -> Result<Money, Error> {
        let minor_units = self.balances.get(currency.as_str()).copied();
        let minor_units = minor_units.ok_or_else(|| damaged(&self.owner, format_args!("has no {currency}")))?;
        Ok(Money { currency, minor_units })
    }

    pub(super) fn wallet(&self) -> Result<Wallet, Error> {
        let balances = Amounts::of(|currency| self.balance(currency))?;
        Ok(Wallet { owner: parse(&self.owner)?, balances })
    }
}

impl TryFrom<AccountDocument> for Seller {
    type Error = Error;

    fn try_from(account: AccountDocument) -> Result<Self, Error> {
        Ok(Self {
            id: parse(&account.owner)?,
            username: account.username,
            active_listings: account.active_listings.unsigned_abs(),
            completed_sales: account.completed_sales.unsigned_abs(),
        })
    }
}

/// A posting, with the entry that it is of: a page of a wallet's entries is read from one index, and an entry is those
/// postings that have its kind and reference.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PostingDocument {
    /// `sale/{transaction}/{owner}/{currency}` and the like: nothing is paid for twice.
    #[serde(rename = "_id")]
    id: String,
    pub(super) owner: String,
    pub(super) number: i64,
    pub(super) kind: String,
    pub(super) reference: String,
    pub(super) currency: String,
    /// Negative where the account has less afterwards.
    pub(super) amount: i64,
    /// What the account had of the currency afterwards.
    pub(super) balance: i64,
    created_at: bson::DateTime,
}

impl PostingDocument {
    pub(super) fn new(entry: &Entry, Posting { owner, amount }: &Posting, number: i64, balance: i64) -> Self {
        let (kind, reference, currency) = (entry.kind.as_str(), &entry.reference, amount.currency.as_str());
        Self {
            id: format!("{kind}/{reference}/{owner}/{currency}"),
            owner: owner.clone(),
            number,
            kind: kind.to_owned(),
            reference: reference.clone(),
            currency: currency.to_owned(),
            amount: amount.minor_units,
            balance,
            created_at: date(entry.at),
        }
    }
}

impl TryFrom<PostingDocument> for WalletEntry {
    type Error = Error;

    fn try_from(posting: PostingDocument) -> Result<Self, Error> {
        Ok(Self {
            number: posting.number.unsigned_abs(),
            kind: parse(&posting.kind)?,
            amount: money(&posting.currency, posting.amount)?,
            balance: posting.balance,
            reference: posting.reference,
            at: time(posting.created_at)?,
        })
    }
}

/// What a call with an idempotency key was told the first time.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RecordDocument {
    #[serde(rename = "_id")]
    pub(super) id: ObjectId,
    pub(super) user_id: String,
    pub(super) rpc: String,
    pub(super) key: String,
    pub(super) request: String,
    pub(super) is_refusal: bool,
    /// JSON.
    pub(super) outcome: String,
    pub(super) created_at: bson::DateTime,
}

/// A value that was stored as text.
pub(super) fn parse<T: FromStr<Err: Display>>(text: &str) -> Result<T, Error> {
    text.parse().map_err(|error| damaged(text, error))
}

pub(super) fn money(currency: &str, minor_units: i64) -> Result<Money, Error> {
    Ok(Money { currency: parse(currency)?, minor_units })
}

/// Cut to milliseconds.
pub(super) fn date(time: DateTime<Utc>) -> bson::DateTime {
    bson::DateTime::from_millis(time.timestamp_millis())
}

pub(super) fn time(date: bson::DateTime) -> Result<DateTime<Utc>, Error> {
    let millis = date.timestamp_millis();
    DateTime::from_timestamp_millis(millis).ok_or_else(|| damaged(millis, "is no time"))
}

pub(super) fn damaged(value: impl Display, why: impl Display) -> Error {
    Error::Failed(format!("a document is damaged: {value:.100}: {why}").into())
}
