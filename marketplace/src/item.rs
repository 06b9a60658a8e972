//! Listings: what is for sale, and how it is found.

use std::{fmt, ops::RangeInclusive};

use bson::oid::ObjectId;
use chrono::{DateTime, Utc};
use kernel::{
    Caller, Currency, Error, Money, Page, PageInfo,
    money::{ParseMoneyError, parse_decimal},
};
use proto::errors::ITEM_NOT_FOUND;
pub use proto::marketplace::words::{Category, ItemSort, ItemStatus};
use runtime::{context::Context, trace};
use serde::{Deserialize, Serialize};
use storage::idempotency::{Claim, Key};
use tracing::Instrument;
use uuid::Uuid;

use crate::{economy::Economy, id, purchase::Transaction, store::Store, time};

/// Characters of a name.
pub const NAME_LENGTH: RangeInclusive<usize> = 1..=200;
/// Characters of a description.
pub const DESCRIPTION_LENGTH: RangeInclusive<usize> = 1..=5000;

/// A listing.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Item {
    pub id: ObjectId,
    pub name: String,
    pub description: String,
    pub category: Category,
    pub price: Money,
    pub seller_id: Uuid,
    pub status: ItemStatus,
    pub is_premium: bool,
    pub tags: Vec<String>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    /// One more with each change.
    #[serde(default = "first_version")]
    pub version: i64,
}

/// Of each thing that is new.
pub const FIRST_VERSION: i64 = 1;

/// For what was kept before things had versions.
pub(crate) fn first_version() -> i64 {
    FIRST_VERSION
}

/// Who sells an item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seller {
    pub id: Uuid,
    pub username: String,
    /// Listings that can be bought now.
    pub active_listings: u64,
    /// Sales that went through.
    pub completed_sales: u64,
}

/// A listing with its seller and its newest [`HISTORY`] transactions, newest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemDetails {
    pub item: Item,
    pub seller: Seller,
    pub transactions: Vec<Transaction>,
}

/// Transactions shown with an item at most.
pub const HISTORY: i64 = 10;

/// Name of the RPC that makes one.
const CREATE: &str = "CreateItem";

/// What a seller says of a new listing, checked.
#[derive(Clone, Debug, Serialize)]
pub struct NewItem {
    pub name: String,
    pub description: String,
    pub category: Category,
    pub price: Money,
    pub is_premium: bool,
    pub tags: Vec<String>,
}

impl NewItem {
    /// The listing that it is from now on, to be sold.
    pub(crate) fn listed(self, seller_id: Uuid, now: DateTime<Utc>) -> Item {
        let Self { name, description, category, price, is_premium, tags } = self;
        Item {
            id: id::next(),
            name,
            description,
            category,
            price,
            seller_id,
            status: ItemStatus::Available,
            is_premium,
            tags,
            created_at: now,
            updated_at: now,
            version: FIRST_VERSION,
        }
    }
}

/// A listing as it reaches the store.
#[derive(Clone, Debug)]
pub struct Listing {
    pub seller: Caller,
    pub item: Item,
    pub claim: Option<Claim>,
    /// The trace that goes on in whoever hears of it.
    pub traceparent: Option<String>,
}

impl Listing {
    /// One that is in no trace.
    pub fn new(seller: Caller, item: Item, claim: Option<Claim>) -> Self {
        Self { seller, item, claim, traceparent: None }
    }
}

/// What a listing must be to be listed; what is left out matches everything.
#[derive(Clone, Debug, Default)]
pub struct ItemFilter {
    pub category: Option<Category>,
    pub status: Option<ItemStatus>,
    pub currency: Option<Currency>,
    /// The lowest price that matches.
    pub min_price: Option<PriceRank>,
    /// The highest price that matches.
    pub max_price: Option<PriceRank>,
    pub seller_id: Option<Uuid>,
    /// Who has bought it.
    pub buyer_id: Option<Uuid>,
    pub is_premium: Option<bool>,
    /// A tag that the item has, to the letter.
    pub tag: Option<String>,
}

/// A page of listings that was asked for.
#[derive(Clone, Debug)]
pub struct ItemQuery {
    pub filter: ItemFilter,
    pub sort: ItemSort,
    pub page: Page,
}

/// A page of listings.
#[derive(Clone, Debug)]
pub struct ItemPage {
    pub items: Vec<Item>,
    pub info: PageInfo,
}

/// There is no item of that id: `item_not_found`.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{}", ITEM_NOT_FOUND.meaning())]
pub struct ItemNotFound;

impl From<ItemNotFound> for Error {
    fn from(_: ItemNotFound) -> Self {
        ITEM_NOT_FOUND.into()
    }
}

/// An amount counted in 10^-8 units whatever its currency: what prices are compared by.
///
/// It prints as 27 digits (the greatest is `i64::MAX` cents, 25 digits), so that the order of the texts is the order of
/// the amounts: any store can index it, and none of them needs integers of more than 64 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PriceRank(i128);

impl PriceRank {
    /// The places of the finest currency.
    const PLACES: u32 = 8;

    /// A bound on prices from decimal text; with a `currency` it has at most that currency's places.
    pub fn parse(text: &str, currency: Option<Currency>) -> Result<Self, ParseMoneyError> {
        let parse = |places| Ok(Self::new(parse_decimal(text, places)?, places));
        match currency {
            Some(currency) => parse(currency.decimal_places()),
            // The coarser a currency, the greater its amounts.
            None => match parse(Self::PLACES) {
                Err(ParseMoneyError::TooLarge) => parse(Currency::Usd.decimal_places()),
                parsed => parsed,
            },
        }
    }

    fn new(minor_units: i64, places: u32) -> Self {
        Self(i128::from(minor_units) * 10_i128.pow(Self::PLACES - places))
    }
}

impl From<Money> for PriceRank {
    fn from(price: Money) -> Self {
        Self::new(price.minor_units, price.currency.decimal_places())
    }
}

impl fmt::Display for PriceRank {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:027}", self.0)
    }
}

/// The page of listings that was asked for.
pub async fn list(store: &dyn Store, query: ItemQuery) -> Result<ItemPage, Error> {
    let (items, total) = store.list_items(&query).instrument(trace::store(store.backend(), "items.list")).await?;
    Ok(ItemPage { items, info: query.page.of(total) })
}

/// One listing with its seller and history; [`ItemNotFound`].
pub async fn get(store: &dyn Store, id: ObjectId) -> Result<ItemDetails, Error> {
    Ok(store.item(id).instrument(trace::store(store.backend(), "items.get")).await?.ok_or(ItemNotFound)?)
}

/// Puts something up for sale in the seller's name. With a key, a retry is told of the listing that the first try made, as
/// it was then.
pub async fn create(
    store: &dyn Store,
    economy: &Economy,
    context: &Context<Caller>,
    (new, key): (NewItem, Option<Key>),
) -> Result<Item, Error> {
    let seller = context.caller.clone();
    let claim = key.map(|key| Claim::new(seller.id, CREATE, key, &new));
    let item = new.listed(seller.id, time::now());
    let id = item.id;
    let traceparent = context.traceparent().map(str::to_owned);
    let created = store.create_item(Listing { seller, item, claim, traceparent });
    let item = created.instrument(trace::store(store.backend(), "items.create")).await?;
    if item.id == id {
        economy.listed(item.category);
    }
    Ok(item)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rank(text: &str, currency: Currency) -> String {
        PriceRank::from(Money::parse(text, currency).expect("money")).to_string()
    }

    #[test]
    fn ranks_sort_as_text_like_the_amounts() {
        let amounts = [
            ("0", Currency::Usd),
            ("0.00000001", Currency::Btc),
            ("0.0001", Currency::Gold),
            ("0.01", Currency::Eur),
            ("9.99", Currency::Usd),
            ("10.00", Currency::Eur),
            ("92233720368.54775807", Currency::Btc),
            ("922337203685477.5807", Currency::Gold),
            ("92233720368547758.07", Currency::Usd),
        ];
        let ranks: Vec<_> = amounts.iter().map(|(text, currency)| rank(text, *currency)).collect();
        assert!(ranks.is_sorted_by(|a, b| a < b), "{ranks:#?}");
        assert!(ranks.iter().all(|rank| rank.len() == 27));
        assert_eq!(rank("12.5", Currency::Usd), rank("12.5", Currency::Btc));
    }

    #[test]
    fn bounds_have_the_places_of_their_currency_or_8() {
        use ParseMoneyError::{TooLarge, TooManyPlaces};

        assert_eq!(PriceRank::parse("1.23", Some(Currency::Usd)), Ok(PriceRank(123_000_000)));
        assert_eq!(PriceRank::parse("1.234", Some(Currency::Usd)), Err(TooManyPlaces(2)));
        assert_eq!(PriceRank::parse("0.00000001", None), Ok(PriceRank(1)));
        assert_eq!(PriceRank::parse("0.000000001", None), Err(TooManyPlaces(8)));
        // The greatest dollar price can be asked for without saying dollars.
        let greatest = Money { currency: Currency::Usd, minor_units: i64::MAX };
        assert_eq!(PriceRank::parse("92233720368547758.07", None), Ok(greatest.into()));
        assert_eq!(PriceRank::parse("92233720368547758.08", None), Err(TooLarge));
        assert_eq!(PriceRank::parse("92233720369", Some(Currency::Btc)), Err(TooLarge));
    }
}
