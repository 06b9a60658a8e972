//! Between protobuf and the domain. A request is checked here, by the domain's rules, and refused with everything that
//! is wrong with it at once.

use bson::oid::ObjectId;
use kernel::{
    Currency, Error, Money, Page, PageInfo,
    excerpt::{self, Measure, json_bytes},
    money::ParseMoneyError,
    tags,
    validate::Violations,
};
use proto::{
    marketplace as pb, time,
    words::{self, Numbered as _},
};
use storage::idempotency::Key;
use uuid::Uuid;

use crate::{
    id,
    item::{self, Item, ItemDetails, ItemFilter, ItemPage, ItemQuery, ItemSort, NewItem, PriceRank, Seller},
    purchase::{Order, Sale, Transaction, TransactionType},
    wallet::{EntryPage, EntryQuery, Wallet, WalletEntry},
};

const REQUIRED: &str = "is required";

pub(crate) fn item_query(request: pb::ListItemsRequest) -> Result<ItemQuery, Error> {
    let mut violations = Violations::default();
    let currency = request.currency.and_then(|number| words::read("currency", number, &mut violations));
    let query = ItemQuery {
        filter: ItemFilter {
            category: request.category.and_then(|number| words::read("category", number, &mut violations)),
            status: request.status.and_then(|number| words::read("status", number, &mut violations)),
            currency,
            min_price: bound("min_price", request.min_price, currency, &mut violations),
            max_price: bound("max_price", request.max_price, currency, &mut violations),
            seller_id: request.seller_id.and_then(|id| user_id("seller_id", &id, &mut violations)),
            buyer_id: request.buyer_id.and_then(|id| user_id("buyer_id", &id, &mut violations)),
            is_premium: request.is_premium,
            tag: request.tag.map(|tag| tag.trim().to_owned()).filter(|tag| !tag.is_empty()),
        },
        sort: words::read("sort", request.sort, &mut violations).unwrap_or(ItemSort::Newest),
        page: Page::parse(request.page, request.limit, &mut violations),
    };
    violations.into_result()?;
    Ok(query)
}

pub(crate) fn item_id(request: pb::GetItemRequest) -> Result<ObjectId, Error> {
    let mut violations = Violations::default();
    let id = id::parse("id", &request.id, &mut violations);
    checked(id, violations)
}

pub(crate) fn new_item(request: pb::CreateItemRequest) -> Result<(NewItem, Option<Key>), Error> {
    let mut violations = Violations::default();
    let name = violations.text("name", &request.name, item::NAME_LENGTH);
    let description = violations.text("description", &request.description, item::DESCRIPTION_LENGTH);
    if request.category == 0 {
        violations.add("category", REQUIRED);
    }
    let category = words::read("category", request.category, &mut violations);
    let price = price(request.price, &mut violations);
    let tags = tags::read(request.tags, &mut violations);
    let key = key(request.idempotency_key, &mut violations);
    let (category, price) = checked(category.zip(price), violations)?;
    Ok((NewItem { name, description, category, price, is_premium: request.is_premium, tags }, key))
}

pub(crate) fn order(request: pb::PurchaseItemRequest) -> Result<(Order, Option<Key>), Error> {
    let mut violations = Violations::default();
    let item_id = id::parse("item_id", &request.item_id, &mut violations);
    let kind = words::read("type", request.r#type, &mut violations).unwrap_or(TransactionType::Purchase);
    let key = key(request.idempotency_key, &mut violations);
    let item_id = checked(item_id, violations)?;
    Ok((Order { item_id, kind }, key))
}

pub(crate) fn deposit(request: pb::DepositRequest) -> Result<(Money, Option<Key>), Error> {
    let mut violations = Violations::default();
    let amount = violations.ok("amount", request.amount.ok_or(REQUIRED));
    let amount = amount.and_then(|pb::Money { currency: number, minor_units }| {
        if minor_units <= 0 {
            violations.add("amount", "must be more than 0");
        }
        if number == 0 {
            violations.add("currency", REQUIRED);
        }
        Some(Money { currency: words::read("currency", number, &mut violations)?, minor_units })
    });
    let key = key(request.idempotency_key, &mut violations);
    Ok((checked(amount, violations)?, key))
}

pub(crate) fn entry_query(request: pb::ListWalletEntriesRequest) -> Result<EntryQuery, Error> {
    let mut violations = Violations::default();
    let page = Page::parse(request.page, request.limit, &mut violations);
    let before = request.cursor.and_then(|cursor| {
        if request.page.is_some() {
            violations.add("cursor", "must not be given together with page");
        }
        violations.ok("cursor", cursor.parse().map_err(|_| "must be the cursor of a page"))
    });
    violations.into_result()?;
    Ok(before.map_or(EntryQuery::Page(page), |before| EntryQuery::Before { before, limit: page.limit }))
}

fn key(key: Option<String>, violations: &mut Violations) -> Option<Key> {
    key.and_then(|key| violations.ok("idempotency_key", key.parse()))
}

pub(crate) fn item_page(page: ItemPage) -> pb::ListItemsResponse {
    let PageInfo { page: number, limit, total, pages } = page.info;
    let mut items: Vec<_> = page.items.into_iter().map(to_item).collect();
    excerpt::fit(&mut items, item_bytes, cut_item);
    pb::ListItemsResponse { items, pagination: Some(pb::Pagination { page: number, limit, total, pages }) }
}

pub(crate) fn item_details(details: ItemDetails) -> pb::GetItemResponse {
    pb::GetItemResponse {
        item: Some(to_item(details.item)),
        seller: Some(to_seller(details.seller)),
        transactions: details.transactions.into_iter().map(to_transaction).collect(),
    }
}

pub(crate) fn created_item(item: Item) -> pb::CreateItemResponse {
    pb::CreateItemResponse { item: Some(to_item(item)) }
}

pub(crate) fn sale(sale: Sale) -> pb::PurchaseItemResponse {
    pb::PurchaseItemResponse { transaction: Some(to_transaction(sale.transaction)), item: Some(to_item(sale.item)) }
}

pub(crate) fn wallet(wallet: Wallet) -> pb::GetWalletResponse {
    pb::GetWalletResponse {
        user_id: wallet.owner.to_string(),
        balances: wallet.balances.iter().map(to_money).collect(),
    }
}

/// A value whose absence was noted as a violation.
fn checked<T>(value: Option<T>, violations: Violations) -> Result<T, Error> {
    violations.into_result()?;
    value.ok_or_else(|| Error::internal("a value is missing that no violation accounts for"))
}

/// Required and not negative; in USD where the currency is not said.
fn price(price: Option<pb::Money>, violations: &mut Violations) -> Option<Money> {
    let price = violations.ok("price", price.ok_or(REQUIRED))?;
    if price.minor_units < 0 {
        violations.add("price", ParseMoneyError::Negative.to_string());
    }
    let currency = match price.currency {
        0 => Currency::Usd,
        number => words::read("currency", number, violations)?,
    };
    Some(Money { currency, minor_units: price.minor_units })
}

fn bound(
    field: &'static str,
    text: Option<String>,
    currency: Option<Currency>,
    violations: &mut Violations,
) -> Option<PriceRank> {
    violations.ok(field, PriceRank::parse(text?.trim(), currency))
}

fn user_id(field: &'static str, text: &str, violations: &mut Violations) -> Option<Uuid> {
    violations.ok(field, Uuid::try_parse(text).map_err(|_| "must be a UUID"))
}

pub(crate) fn deposited(entry: WalletEntry) -> pb::DepositResponse {
    pb::DepositResponse { entry: Some(to_entry(entry)) }
}

pub(crate) fn entry_page(page: EntryPage) -> pb::ListWalletEntriesResponse {
    let PageInfo { page: number, limit, total, pages } = page.info;
    pb::ListWalletEntriesResponse {
        entries: page.entries.into_iter().map(to_entry).collect(),
        pagination: Some(pb::Pagination { page: number, limit, total, pages }),
        cursor: page.next.map(|next| next.to_string()),
    }
}

fn to_entry(entry: WalletEntry) -> pb::WalletEntry {
    pb::WalletEntry {
        number: entry.number,
        kind: entry.kind.number(),
        amount: Some(to_money(entry.amount)),
        balance: Some(to_money(Money { minor_units: entry.balance, ..entry.amount })),
        reference: entry.reference,
        created_at: Some(time::to_proto(entry.at)),
    }
}

fn to_item(item: Item) -> pb::Item {
    pb::Item {
        id: item.id.to_hex(),
        name: item.name,
        description: item.description,
        category: item.category.number(),
        price: Some(to_money(item.price)),
        seller_id: item.seller_id.to_string(),
        status: item.status.number(),
        is_premium: item.is_premium,
        tags: item.tags,
        created_at: Some(time::to_proto(item.created_at)),
        updated_at: Some(time::to_proto(item.updated_at)),
        is_excerpt: false,
    }
}

/// Bytes of a listing as JSON, its numbers, ids and times at their longest.
fn item_bytes(item: &pb::Item, measure: Measure) -> usize {
    const FRAME: usize = 400;
    let tags: usize = item.tags.iter().map(|tag| measure(tag) + r#""","#.len()).sum();
    FRAME + measure(&item.name) + measure(&item.description) + tags
}

/// The description first, then the last tags.
fn cut_item(item: &mut pb::Item, bytes: usize) {
    let excess = item_bytes(item, json_bytes).saturating_sub(bytes);
    let description = json_bytes(&item.description).saturating_sub(excess);
    excerpt::truncate(&mut item.description, description);
    while item_bytes(item, json_bytes) > bytes && item.tags.pop().is_some() {}
    item.is_excerpt = true;
}

fn to_seller(seller: Seller) -> pb::Seller {
    let Seller { id, username, active_listings, completed_sales } = seller;
    pb::Seller { id: id.to_string(), username, active_listings, completed_sales }
}

fn to_transaction(transaction: Transaction) -> pb::Transaction {
    pb::Transaction {
        id: transaction.id.to_hex(),
        item_id: transaction.item_id.to_hex(),
        buyer_id: transaction.buyer_id.to_string(),
        seller_id: transaction.seller_id.to_string(),
        price: Some(to_money(transaction.price)),
        r#type: transaction.kind.number(),
        status: transaction.status.number(),
        created_at: Some(time::to_proto(transaction.created_at)),
    }
}

fn to_money(money: Money) -> pb::Money {
    pb::Money { currency: money.currency.number(), minor_units: money.minor_units }
}

#[cfg(test)]
mod tests;
