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
    item::{Item, PriceRank, Seller},
    purchase::Transaction,
    wallet::Wallet,
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
}

impl From<&Item> for ItemDocument {
    fn from(item: &Item) -> Self {
        Self {
            id: item.id,
            name: item.name.clone(),
            description: item.description.clone(),
            category: item.category.as_str().to_owned(),
            currency: item.price.currency.code().to_owned(),
            price: item.price.minor_units,
            price_rank: PriceRank::from(item.price).to_string(),
            seller_id: item.seller_id.to_string(),
            status: item.status.as_str().to_owned(),
            is_premium: item.is_premium,
            tags: item.tags.clone(),
            created_at: date(item.created_at),
            updated_at: date(item.updated_at),
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
            currency: transaction.price.currency.code().to_owned(),
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
    /// By currency code: what the entries of the account add up to. Only the treasury owes.
    pub(super) balances: HashMap<String, i64>,
    /// Counted here, in the transaction that changes them, so that showing a seller never counts documents.
    pub(super) active_listings: i64,
    pub(super) completed_sales: i64,
    pub(super) opened_at: bson::DateTime,
}

impl AccountDocument {
    /// What the account has of one currency.
    pub(super) fn balance(&self, currency: Currency) -> Result<Money, Error> {
        let minor_units = self.balances.get(currency.code()).copied();
        let minor_units = minor_units.ok_or_else(|| damaged(&self.owner, format_args!("has no {currency}")))?;
        Ok(Money { currency, minor_units })
    }

    pub(super) fn wallet(&self) -> Result<Wallet, Error> {
        let mut balances = Currency::ALL.map(|currency| Money { currency, minor_units: 0 });
        for balance in &mut balances {
            *balance = self.balance(balance.currency)?;
        }
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

/// A movement of money. Both sides of the double entry are one document, so that no entry can be out of balance.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct EntryDocument {
    /// What it is for: `issue/{user}/{currency}` or `purchase/{transaction}`. Nothing is paid for twice.
    #[serde(rename = "_id")]
    pub(super) id: String,
    pub(super) kind: String,
    pub(super) currency: String,
    pub(super) amount: i64,
    /// Owner of the account that has less afterwards.
    pub(super) debit: String,
    /// Owner of the account that has more afterwards.
    pub(super) credit: String,
    pub(super) created_at: bson::DateTime,
}

/// How the first attempt with an idempotency key ended: the transaction, or the refusal with its numbers.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AttemptDocument {
    /// The id of its transaction, where there is one.
    #[serde(rename = "_id")]
    pub(super) id: ObjectId,
    pub(super) buyer_id: String,
    pub(super) idempotency_key: String,
    pub(super) item_id: ObjectId,
    #[serde(rename = "type")]
    pub(super) kind: String,
    /// `completed` or the reason of the refusal.
    pub(super) outcome: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) shortage: Option<ShortageDocument>,
    pub(super) created_at: bson::DateTime,
}

/// By how much a buyer could not pay.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct ShortageDocument {
    pub(super) currency: String,
    pub(super) price: i64,
    pub(super) balance: i64,
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

fn time(date: bson::DateTime) -> Result<DateTime<Utc>, Error> {
    let millis = date.timestamp_millis();
    DateTime::from_timestamp_millis(millis).ok_or_else(|| damaged(millis, "is no time"))
}

pub(super) fn damaged(value: impl Display, why: impl Display) -> Error {
    Error::Failed(format!("a document is damaged: {value:.100}: {why}").into())
}
