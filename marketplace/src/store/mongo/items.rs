//! Listings in MongoDB.

use std::collections::HashMap;

use bson::{Bson, Document, doc, oid::ObjectId};
use futures_util::TryStreamExt;
use kernel::Page;
use mongodb::options::Hint;
use uuid::Uuid;

use super::{
    documents::{ItemDocument, damaged, date},
    ledger,
    transaction::{Act, Halt},
};
use crate::{
    item::{FIRST_VERSION, HISTORY, Item, ItemDetails, ItemFilter, ItemQuery, ItemSort, ItemStatus, Listing},
    purchase::{Transaction, TransactionStatus},
    told,
    wallet::Amounts,
};

/// From this many listings before a page on, those are passed over in the index alone.
const DEEP: u64 = 200;

/// The listings of a page, and how many match in all.
///
/// The number is counted anew, in an index. (Totals kept in documents, as the embedded store has them, would be written
/// by every listing and every sale, and so make each conflict with all others of its kind.)
pub(super) async fn list(act: &mut Act<'_>, query: &ItemQuery) -> Result<(Vec<Item>, u64), Halt> {
    let (mut filter, order) = (matching(&query.filter), order(query.sort));
    if let Some(buyer) = query.filter.buyer_id {
        filter.insert("_id", doc! { "$in": bought(act, buyer).await? });
    }
    let count = act.collections.items.count_documents(filter.clone());
    // An empty filter would go through the documents otherwise.
    let count = if filter.is_empty() { count.hint(Hint::Name("_id_".to_owned())) } else { count };
    let total = count.session(&mut act.session).await?;
    let offset = query.page.offset().unsigned_abs();
    let items = if offset >= total {
        Vec::new()
    } else if offset < DEEP {
        shallow_page(act, filter, order, query.page).await?
    } else {
        deep_page(act, filter, order, query.page).await?
    };
    Ok((items, total))
}

async fn shallow_page(act: &mut Act<'_>, filter: Document, order: Document, page: Page) -> Result<Vec<Item>, Halt> {
    let find = act.collections.items.find(filter).sort(order);
    let find = find.skip(page.offset().unsigned_abs()).limit(page.limit.into());
    let mut cursor = find.session(&mut act.session).await?;
    let documents: Vec<ItemDocument> = cursor.stream(&mut act.session).try_collect().await?;
    Ok(documents.into_iter().map(Item::try_from).collect::<Result<_, _>>()?)
}

/// Finds the ids of the page first, which indexes have all of that the list sorts and (by one field) filters by: to pass
/// over a listing costs a step in an index, and no document is read that is not shown.
async fn deep_page(act: &mut Act<'_>, filter: Document, order: Document, page: Page) -> Result<Vec<Item>, Halt> {
    let items = act.collections.items.clone_with_type::<Document>();
    let ids = items.find(filter).sort(order).projection(doc! { "_id": 1 });
    let ids = ids.skip(page.offset().unsigned_abs()).limit(page.limit.into());
    let mut cursor = ids.session(&mut act.session).await?;
    let ids: Vec<Document> = cursor.stream(&mut act.session).try_collect().await?;
    let ids = ids.iter().map(|document| document.get_object_id("_id"));
    let ids = ids.collect::<Result<Vec<_>, _>>().map_err(|error| damaged("_id", error))?;

    let mut cursor = act.collections.items.find(doc! { "_id": { "$in": &ids } }).session(&mut act.session).await?;
    let documents: Vec<ItemDocument> = cursor.stream(&mut act.session).try_collect().await?;
    let items = documents.into_iter().map(|document| Item::try_from(document).map(|item| (item.id, item)));
    let mut items = items.collect::<Result<HashMap<_, _>, _>>()?;
    Ok(ids.iter().filter_map(|id| items.remove(id)).collect())
}

/// The ids of what a user has bought. The transactions are the one record of that; one buyer has few enough to name them.
async fn bought(act: &mut Act<'_>, buyer: Uuid) -> Result<Vec<Bson>, Halt> {
    let completed = doc! { "buyerId": buyer.to_string(), "status": TransactionStatus::Completed.as_str() };
    Ok(act.collections.transactions.distinct("itemId", completed).session(&mut act.session).await?)
}

/// All of the filter that is about the listing itself.
fn matching(filter: &ItemFilter) -> Document {
    let mut matching = Document::new();
    if let Some(category) = filter.category {
        matching.insert("category", category.as_str());
    }
    if let Some(status) = filter.status {
        matching.insert("status", status.as_str());
    }
    if let Some(currency) = filter.currency {
        matching.insert("currency", currency.as_str());
    }
    if let Some(is_premium) = filter.is_premium {
        matching.insert("isPremium", is_premium);
    }
    if let Some(seller) = filter.seller_id {
        matching.insert("sellerId", seller.to_string());
    }
    if let Some(tag) = &filter.tag {
        matching.insert("tags", tag);
    }
    let mut bounds = Document::new();
    if let Some(min) = filter.min_price {
        bounds.insert("$gte", min.to_string());
    }
    if let Some(max) = filter.max_price {
        bounds.insert("$lte", max.to_string());
    }
    if !bounds.is_empty() {
        matching.insert("priceRank", bounds);
    }
    matching
}

/// Ties are broken by id, newest first.
fn order(sort: ItemSort) -> Document {
    match sort {
        ItemSort::Newest => doc! { "createdAt": -1, "_id": -1 },
        ItemSort::Oldest => doc! { "createdAt": 1, "_id": -1 },
        ItemSort::Price => doc! { "priceRank": 1, "_id": -1 },
        ItemSort::PriceDesc => doc! { "priceRank": -1, "_id": -1 },
    }
}

/// A listing alone.
pub(super) async fn find(act: &mut Act<'_>, id: ObjectId) -> Result<Option<Item>, Halt> {
    let document = act.collections.items.find_one(doc! { "_id": id }).session(&mut act.session).await?;
    Ok(document.map(Item::try_from).transpose()?)
}

/// A listing with its seller and history.
pub(super) async fn details(act: &mut Act<'_>, id: ObjectId) -> Result<Option<ItemDetails>, Halt> {
    let Some(item) = find(act, id).await? else { return Ok(None) };
    let seller = item.seller_id.to_string();
    let account = act.collections.accounts.find_one(doc! { "_id": &seller }).session(&mut act.session).await?;
    let account = account.ok_or_else(|| damaged(id, format_args!("its seller {seller} has no account")))?;
    let completed = doc! { "itemId": id, "status": TransactionStatus::Completed.as_str() };
    let history = act.collections.transactions.find(completed).sort(doc! { "createdAt": -1, "_id": -1 }).limit(HISTORY);
    let mut cursor = history.session(&mut act.session).await?;
    let history: Vec<_> = cursor.stream(&mut act.session).try_collect().await?;
    let transactions = history.into_iter().map(Transaction::try_from).collect::<Result<_, _>>()?;
    Ok(Some(ItemDetails { item, seller: account.try_into()?, transactions }))
}

/// Adds an available listing, and the account of its seller where there is none.
pub(super) async fn create(act: &mut Act<'_>, listing: &Listing, opening: &Amounts) -> Result<(), Halt> {
    let Listing { seller, item, traceparent, .. } = listing;
    let traceparent = traceparent.as_deref();
    ledger::open_account(act, seller, opening, item.created_at, traceparent).await?;
    act.collections.items.insert_one(ItemDocument::from(item)).session(&mut act.session).await?;
    let seller = doc! { "_id": item.seller_id.to_string() };
    let counted = doc! { "$inc": { "activeListings": 1_i64 } };
    let counted = act.collections.accounts.update_one(seller, counted).session(&mut act.session).await?;
    if counted.matched_count != 1 {
        return Err(Halt::Changed);
    }
    act.tell(&[told::listed(item, traceparent)?]).await
}

/// Keeps that an item is sold, which was available in its version of before; [`Halt::Changed`] where it is not any more.
pub(super) async fn mark_sold(act: &mut Act<'_>, item: &Item) -> Result<(), Halt> {
    let mut before = vec![Bson::from(item.version - 1)];
    if item.version - 1 == FIRST_VERSION {
        // Also of before items had versions.
        before.push(Bson::Null);
    }
    let available = doc! { "_id": item.id, "status": ItemStatus::Available.as_str(), "version": { "$in": before } };
    let (status, at) = (item.status.as_str(), date(item.updated_at));
    let sold = doc! { "$set": { "status": status, "updatedAt": at, "version": item.version } };
    let sold = act.collections.items.update_one(available, sold).session(&mut act.session).await?;
    if sold.matched_count == 1 { Ok(()) } else { Err(Halt::Changed) }
}
