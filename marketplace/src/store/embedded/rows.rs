//! Rows as they are read, and the domain they stand for.

use std::{fmt::Display, str::FromStr};

use chrono::{DateTime, Utc};
use diesel::{Queryable, Selectable, sqlite::Sqlite};
use kernel::{Currency, Money};

use super::{
    Error,
    schema::{items, transactions},
};
use crate::{item::Item, purchase::Transaction};

#[derive(Queryable, Selectable)]
#[diesel(table_name = items, check_for_backend(Sqlite))]
pub(super) struct ItemRow {
    id: String,
    name: String,
    description: String,
    category: String,
    currency: String,
    price: i64,
    seller_id: String,
    status: String,
    is_premium: bool,
    tags: String,
    created_at: i64,
    updated_at: i64,
    version: i64,
}

impl TryFrom<ItemRow> for Item {
    type Error = Error;

    fn try_from(row: ItemRow) -> Result<Self, Error> {
        Ok(Self {
            id: parse(&row.id)?,
            name: row.name,
            description: row.description,
            category: parse(&row.category)?,
            price: money(&row.currency, row.price)?,
            seller_id: parse(&row.seller_id)?,
            status: parse(&row.status)?,
            is_premium: row.is_premium,
            tags: serde_json::from_str(&row.tags).map_err(|error| damaged(&row.tags, error))?,
            created_at: time(row.created_at)?,
            updated_at: time(row.updated_at)?,
            version: row.version,
        })
    }
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = transactions, check_for_backend(Sqlite))]
pub(super) struct TransactionRow {
    id: String,
    item_id: String,
    buyer_id: String,
    seller_id: String,
    currency: String,
    price: i64,
    kind: String,
    status: String,
    created_at: i64,
}

impl TryFrom<TransactionRow> for Transaction {
    type Error = Error;

    fn try_from(row: TransactionRow) -> Result<Self, Error> {
        Ok(Self {
            id: parse(&row.id)?,
            item_id: parse(&row.item_id)?,
            buyer_id: parse(&row.buyer_id)?,
            seller_id: parse(&row.seller_id)?,
            price: money(&row.currency, row.price)?,
            kind: parse(&row.kind)?,
            status: parse(&row.status)?,
            created_at: time(row.created_at)?,
        })
    }
}

/// A value that was stored as text.
pub(super) fn parse<T: FromStr<Err: Display>>(text: &str) -> Result<T, Error> {
    text.parse().map_err(|error| damaged(text, error))
}

pub(super) fn money(currency: &str, minor_units: i64) -> Result<Money, Error> {
    Ok(Money { currency: parse::<Currency>(currency)?, minor_units })
}

pub(super) fn time(micros: i64) -> Result<DateTime<Utc>, Error> {
    DateTime::from_timestamp_micros(micros).ok_or_else(|| damaged(micros, "is no time"))
}

pub(super) fn damaged(value: impl Display, why: impl Display) -> Error {
    Error::Failed(format!("a row is damaged: {value:.100}: {why}").into())
}
