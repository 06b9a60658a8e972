//! Listings in SQLite.

use bson::oid::ObjectId;
use diesel::{helper_types::IntoBoxed, prelude::*, sqlite::Sqlite};

use super::{
    Error,
    rows::{ItemRow, TransactionRow, parse},
    schema::{accounts, item_tags, item_totals, items, transactions},
};
use crate::{
    item::{HISTORY, Item, ItemDetails, ItemFilter, ItemQuery, ItemSort, ItemStatus, PriceRank, Seller},
    purchase::TransactionStatus,
};

/// The listings of a page, and how many match in all.
pub(super) fn list(connection: &mut SqliteConnection, query: &ItemQuery) -> Result<(Vec<Item>, u64), Error> {
    let total = total(connection, &query.filter)?;
    let rows = matching(&query.filter).select(ItemRow::as_select());
    let rows = match query.sort {
        ItemSort::Newest => rows.order((items::created_at.desc(), items::id.desc())),
        ItemSort::Oldest => rows.order((items::created_at.asc(), items::id.desc())),
        ItemSort::Price => rows.order((items::price_rank.asc(), items::id.desc())),
        ItemSort::PriceDesc => rows.order((items::price_rank.desc(), items::id.desc())),
    };
    let rows = rows.limit(query.page.limit.into()).offset(query.page.offset()).load(connection)?;
    let items = rows.into_iter().map(Item::try_from).collect::<Result<_, _>>()?;
    Ok((items, total))
}

fn matching(filter: &ItemFilter) -> IntoBoxed<'_, items::table, Sqlite> {
    let mut query = items::table.into_boxed();
    if let Some(category) = filter.category {
        query = query.filter(items::category.eq(category.as_str()));
    }
    if let Some(status) = filter.status {
        query = query.filter(items::status.eq(status.as_str()));
    }
    if let Some(currency) = filter.currency {
        query = query.filter(items::currency.eq(currency.as_str()));
    }
    if let Some(is_premium) = filter.is_premium {
        query = query.filter(items::is_premium.eq(is_premium));
    }
    if let Some(min) = filter.min_price {
        query = query.filter(items::price_rank.ge(min.to_string()));
    }
    if let Some(max) = filter.max_price {
        query = query.filter(items::price_rank.le(max.to_string()));
    }
    if let Some(seller) = filter.seller_id {
        query = query.filter(items::seller_id.eq(seller.to_string()));
    }
    if let Some(buyer) = filter.buyer_id {
        let bought = transactions::table
            .filter(transactions::buyer_id.eq(buyer.to_string()))
            .filter(transactions::status.eq(TransactionStatus::Completed.as_str()));
        query = query.filter(items::id.eq_any(bought.select(transactions::item_id)));
    }
    if let Some(tag) = &filter.tag {
        query =
            query.filter(items::id.eq_any(item_tags::table.filter(item_tags::tag.eq(tag)).select(item_tags::item_id)));
    }
    query
}

/// How many listings match: from the totals where these can say, by counting otherwise.
fn total(connection: &mut SqliteConnection, filter: &ItemFilter) -> Result<u64, Error> {
    if !totals_can_say(filter) {
        let total: i64 = matching(filter).count().get_result(connection)?;
        return Ok(total.unsigned_abs());
    }
    let mut totals = item_totals::table.select(item_totals::total).into_boxed();
    if let Some(category) = filter.category {
        totals = totals.filter(item_totals::category.eq(category.as_str()));
    }
    if let Some(status) = filter.status {
        totals = totals.filter(item_totals::status.eq(status.as_str()));
    }
    if let Some(currency) = filter.currency {
        totals = totals.filter(item_totals::currency.eq(currency.as_str()));
    }
    if let Some(is_premium) = filter.is_premium {
        totals = totals.filter(item_totals::is_premium.eq(is_premium));
    }
    // Summed here: in diesel a sum of BIGINT is NUMERIC, and SQL as text would be parsed anew each time.
    Ok(totals.load::<i64>(connection)?.into_iter().map(i64::unsigned_abs).sum())
}

fn totals_can_say(filter: &ItemFilter) -> bool {
    filter.min_price.is_none()
        && filter.max_price.is_none()
        && filter.seller_id.is_none()
        && filter.buyer_id.is_none()
        && filter.tag.is_none()
}

/// Whether a list goes through few rows, and brings few: no counting, no depth, no large page.
pub(super) fn is_quick(query: &ItemQuery) -> bool {
    totals_can_say(&query.filter) && query.page.offset() < 1000 && query.page.limit <= 25
}

/// A listing alone.
pub(super) fn find(connection: &mut SqliteConnection, id: ObjectId) -> Result<Option<Item>, Error> {
    let row = items::table.find(id.to_hex()).select(ItemRow::as_select()).get_result(connection).optional()?;
    row.map(Item::try_from).transpose()
}

/// A listing with its seller and history.
pub(super) fn details(connection: &mut SqliteConnection, id: ObjectId) -> Result<Option<ItemDetails>, Error> {
    let id = id.to_hex();
    let row: Option<(ItemRow, (String, String, i64, i64))> = items::table
        .find(&id)
        .inner_join(accounts::table)
        .select((
            ItemRow::as_select(),
            (accounts::owner, accounts::username, accounts::active_listings, accounts::completed_sales),
        ))
        .get_result(connection)
        .optional()?;
    let Some((item, (owner, username, active_listings, completed_sales))) = row else { return Ok(None) };
    let history: Vec<TransactionRow> = transactions::table
        .filter(transactions::item_id.eq(&id))
        .filter(transactions::status.eq(TransactionStatus::Completed.as_str()))
        .order((transactions::created_at.desc(), transactions::id.desc()))
        .limit(HISTORY)
        .select(TransactionRow::as_select())
        .load(connection)?;
    Ok(Some(ItemDetails {
        item: item.try_into()?,
        seller: Seller {
            id: parse(&owner)?,
            username,
            active_listings: active_listings.unsigned_abs(),
            completed_sales: completed_sales.unsigned_abs(),
        },
        transactions: history.into_iter().map(TryInto::try_into).collect::<Result<_, _>>()?,
    }))
}

/// Adds an available listing of a seller who has an account.
pub(super) fn insert(connection: &mut SqliteConnection, item: &Item) -> Result<(), Error> {
    let (id, seller) = (item.id.to_hex(), item.seller_id.to_string());
    diesel::insert_into(items::table)
        .values((
            items::id.eq(&id),
            items::name.eq(&item.name),
            items::description.eq(&item.description),
            items::category.eq(item.category.as_str()),
            items::currency.eq(item.price.currency.as_str()),
            items::price.eq(item.price.minor_units),
            items::price_rank.eq(PriceRank::from(item.price).to_string()),
            items::seller_id.eq(&seller),
            items::status.eq(item.status.as_str()),
            items::is_premium.eq(item.is_premium),
            items::tags.eq(serde_json::to_string(&item.tags).map_err(|error| Error::Failed(error.into()))?),
            items::created_at.eq(item.created_at.timestamp_micros()),
            items::updated_at.eq(item.updated_at.timestamp_micros()),
            items::version.eq(item.version),
        ))
        .execute(connection)?;
    for tag in &item.tags {
        diesel::insert_into(item_tags::table)
            .values((item_tags::tag.eq(tag), item_tags::item_id.eq(&id)))
            .execute(connection)?;
    }
    diesel::update(accounts::table.find(&seller))
        .set(accounts::active_listings.eq(accounts::active_listings + 1))
        .execute(connection)?;
    Ok(())
}

/// Keeps that an item is sold, which was available in its version of before, for its seller too; `false` where it is not.
pub(super) fn mark_sold(connection: &mut SqliteConnection, item: &Item) -> Result<bool, Error> {
    let available = items::table
        .find(item.id.to_hex())
        .filter(items::status.eq(ItemStatus::Available.as_str()))
        .filter(items::version.eq(item.version - 1));
    let sold = diesel::update(available)
        .set((
            items::status.eq(item.status.as_str()),
            items::updated_at.eq(item.updated_at.timestamp_micros()),
            items::version.eq(item.version),
        ))
        .execute(connection)?;
    if sold == 0 {
        return Ok(false);
    }
    diesel::update(accounts::table.find(item.seller_id.to_string()))
        .set((
            accounts::active_listings.eq(accounts::active_listings - 1),
            accounts::completed_sales.eq(accounts::completed_sales + 1),
        ))
        .execute(connection)?;
    Ok(true)
}
