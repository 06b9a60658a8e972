//! `/marketplace/list` and `/marketplace/item`.

use std::str::FromStr;

use axum::{
    Json,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use chrono::{DateTime, Utc};
use kernel::validate::Violations;
use proto::{
    errors,
    marketplace::{self as rpc, words},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    money::{self, Amount, Currency, Price},
    purchase::Transaction,
};
use crate::{
    cache::{Key, Tag, Viewer},
    call::Call,
    error::{Problem, check},
    extract::{Id, JsonBody, Query, parsed, whole_number},
    idempotency::IdempotencyKey,
    routes::{
        State,
        page::Pagination,
        tag::{self, NewTag},
        time::{self, moment},
        words::Word,
    },
};

/// Which listings there are, and how many each seller has.
pub(super) const LISTINGS: Tag = Tag::all("list");

/// One listing, by its id in lower case.
pub(super) fn listing(id: &str) -> Tag {
    Tag::text("item", id)
}

pub(crate) type Category = Word<words::Category>;

pub(crate) type ItemStatus = Word<words::ItemStatus>;

pub(crate) type ItemSort = Word<words::ItemSort>;

/// A listing.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Item {
    /// ObjectId: 24 hex digits.
    #[serde(rename = "_id")]
    #[schema(pattern = "^[0-9a-f]{24}$", example = "6560f0a3c5d1e80001a2b3c4")]
    id: String,
    #[schema(example = "Gold bar")]
    name: String,
    #[schema(example = "1 kg, 999.9 fine")]
    description: String,
    category: Category,
    price: Amount,
    currency: Currency,
    /// UUID of the user who sells it.
    #[schema(format = Uuid)]
    seller_id: String,
    status: ItemStatus,
    is_premium: bool,
    #[schema(example = json!(["gold", "bullion"]))]
    tags: Vec<String>,
    #[serde(serialize_with = "time::rfc3339")]
    created_at: DateTime<Utc>,
    #[serde(serialize_with = "time::rfc3339")]
    updated_at: DateTime<Utc>,
    /// The description, or some tags, are cut: a page of long listings stays under 256 KiB. `GET` of the listing has all.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[schema(required = false, example = false)]
    is_excerpt: bool,
}

impl TryFrom<rpc::Item> for Item {
    type Error = Problem;

    fn try_from(item: rpc::Item) -> Result<Self, Problem> {
        let (price, currency) = money::from_proto(item.price)?;
        Ok(Self {
            id: item.id,
            name: item.name,
            description: item.description,
            category: item.category.try_into()?,
            price,
            currency,
            seller_id: item.seller_id,
            status: item.status.try_into()?,
            is_premium: item.is_premium,
            tags: item.tags,
            created_at: moment(item.created_at)?,
            updated_at: moment(item.updated_at)?,
            is_excerpt: item.is_excerpt,
        })
    }
}

/// Which listings, and in which order. Each filter that is left out matches everything.
#[derive(Debug, Deserialize, IntoParams, Serialize)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub struct ListItems {
    #[serde(default, deserialize_with = "parsed")]
    #[param(inline)]
    category: Option<Category>,
    #[serde(default, deserialize_with = "parsed")]
    #[param(inline)]
    status: Option<ItemStatus>,
    #[serde(default, deserialize_with = "parsed")]
    #[param(inline)]
    currency: Option<Currency>,
    /// Lowest price, in whole units: `12.50`.
    #[param(pattern = r"^(0|[1-9][0-9]{0,9})(\.[0-9]{1,8})?$")]
    min_price: Option<String>,
    /// Highest price, in whole units: `5000`.
    #[param(pattern = r"^(0|[1-9][0-9]{0,9})(\.[0-9]{1,8})?$")]
    max_price: Option<String>,
    /// UUID of a seller.
    #[param(format = "uuid")]
    seller_id: Option<String>,
    /// UUID of a user: what they have bought.
    #[param(format = "uuid")]
    buyer_id: Option<String>,
    is_premium: Option<bool>,
    /// A tag that the item has, to the letter.
    tag: Option<String>,
    /// Default: newest.
    #[serde(default, deserialize_with = "parsed")]
    #[param(inline)]
    sort: Option<ItemSort>,
    /// From 1; default 1.
    #[serde(default, deserialize_with = "whole_number")]
    #[param(minimum = 1, maximum = 4294967295_u32, format = Int64, example = 1)]
    page: Option<u32>,
    /// 1 to 100; default 20.
    #[serde(default, deserialize_with = "whole_number")]
    #[param(minimum = 1, maximum = 100, example = 20)]
    limit: Option<u32>,
}

impl From<ListItems> for rpc::ListItemsRequest {
    fn from(query: ListItems) -> Self {
        Self {
            category: query.category.map(i32::from),
            status: query.status.map(i32::from),
            currency: query.currency.map(i32::from),
            min_price: query.min_price,
            max_price: query.max_price,
            seller_id: query.seller_id,
            buyer_id: query.buyer_id,
            is_premium: query.is_premium,
            tag: query.tag,
            sort: query.sort.map_or(0, i32::from),
            page: query.page,
            limit: query.limit,
        }
    }
}

/// A page of listings.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ItemList {
    items: Vec<Item>,
    pagination: Pagination,
}

impl TryFrom<rpc::ListItemsResponse> for ItemList {
    type Error = Problem;

    fn try_from(list: rpc::ListItemsResponse) -> Result<Self, Problem> {
        let items = list.items.into_iter().map(Item::try_from).collect::<Result<_, _>>()?;
        Ok(Self { items, pagination: list.pagination.unwrap_or_default().into() })
    }
}

/// List the market
///
/// A page has at most 256 KiB, however long its listings are: where 100 of them with descriptions of 5000 characters would
/// have more, the longest are cut until all fit, short ones never. What is cut says `isExcerpt`; the listing itself, or a
/// page with `limit=1`, has all of it.
#[utoipa::path(
    get, path = "/marketplace/list", tag = "marketplace", params(ListItems), security(("bearer" = [])),
    responses(
        (status = OK, description = "A page of listings", body = ItemList),
        (status = NOT_MODIFIED, description = "What `If-None-Match` names is still so")
    )
)]
pub(crate) async fn list_items(app: State, call: Call, Query(query): Query<ListItems>) -> Result<Response, Problem> {
    const ROUTE: &str = "/marketplace/list";
    let key = Key::get(ROUTE, ROUTE, &query, Viewer::Anyone, vec![LISTINGS]);
    let load = || {
        let (mut client, request) = (app.marketplace(), call.repeatable(query.into()));
        async move { ItemList::try_from(client.list_items(request).await?.into_inner()) }
    };
    app.cache.read(&call, key, load).await
}

/// The id of an item, in lower case: one item has one cache key, however its id was written.
#[derive(Clone, Debug)]
pub(crate) struct ItemId(pub String);

impl FromStr for ItemId {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        let valid = text.len() == 24 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if valid { Ok(Self(text.to_ascii_lowercase())) } else { Err("must be 24 hex digits") }
    }
}

/// Who sells an item.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Seller {
    #[schema(format = Uuid)]
    id: String,
    #[schema(example = "ada")]
    username: String,
    /// Listings that can be bought now.
    #[schema(example = 3)]
    active_listings: u64,
    /// Sales that went through.
    #[schema(example = 12)]
    completed_sales: u64,
}

/// A listing with its seller and its newest 10 transactions.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ItemPage {
    #[serde(flatten)]
    item: Item,
    seller: Seller,
    transaction_history: Vec<Transaction>,
}

impl TryFrom<rpc::GetItemResponse> for ItemPage {
    type Error = Problem;

    fn try_from(page: rpc::GetItemResponse) -> Result<Self, Problem> {
        let rpc::Seller { id, username, active_listings, completed_sales } =
            page.seller.ok_or_else(|| Problem::internal("a service sent no seller"))?;
        Ok(Self {
            item: page.item.ok_or_else(|| Problem::internal("a service sent no item"))?.try_into()?,
            seller: Seller { id, username, active_listings, completed_sales },
            transaction_history: page.transactions.into_iter().map(Transaction::try_from).collect::<Result<_, _>>()?,
        })
    }
}

/// Look at a listing
#[utoipa::path(
    get, path = "/marketplace/item/{id}", tag = "marketplace", security(("bearer" = [])),
    params(("id" = String, Path, description = "ObjectId of the item", pattern = "^[0-9a-fA-F]{24}$", example = "6560f0a3c5d1e80001a2b3c4")),
    responses(
        (status = OK, description = "The listing", body = ItemPage),
        (status = NOT_MODIFIED, description = "What `If-None-Match` names is still so")
    ),
    extensions(("x-refusals" = json!([errors::ITEM_NOT_FOUND])))
)]
pub(crate) async fn get_item(app: State, call: Call, Id(ItemId(id)): Id<ItemId>) -> Result<Response, Problem> {
    // It depends on the list too: the seller's counts change with every listing and sale of theirs.
    let tags = vec![listing(&id), LISTINGS];
    let key = Key::get("/marketplace/item/{id}", &format!("/marketplace/item/{id}"), &(), Viewer::Anyone, tags);
    let load = || {
        let (mut client, request) = (app.marketplace(), call.repeatable(rpc::GetItemRequest { id }));
        async move { ItemPage::try_from(client.get_item(request).await?.into_inner()) }
    };
    app.cache.read(&call, key, load).await
}

/// Something to put up for sale.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NewItem {
    #[schema(required = true, value_type = String, min_length = 1, max_length = 200, pattern = r"\S", example = "Gold bar")]
    name: Option<String>,
    #[schema(required = true, value_type = String, min_length = 1, max_length = 5000, pattern = r"\S", example = "1 kg, 999.9 fine")]
    description: Option<String>,
    #[schema(required = true, value_type = Category, example = "asset")]
    category: Option<String>,
    #[schema(required = true, value_type = Price)]
    price: Option<Price>,
    /// Default: USD.
    #[schema(value_type = Option<Currency>, example = "USD")]
    currency: Option<String>,
    /// Default: false.
    is_premium: Option<bool>,
    /// At most 20; repeats are dropped.
    #[schema(max_items = 20, example = json!(["gold", "bullion"]))]
    tags: Option<Vec<NewTag>>,
}

impl NewItem {
    pub(crate) fn into_rpc(self) -> Result<rpc::CreateItemRequest, Problem> {
        let mut violations = Violations::default();
        let category = self.category.and_then(|word| violations.ok("category", word.parse::<Category>()));
        let price = money::into_proto(self.price.as_ref(), self.currency.as_deref(), &mut violations);
        check(violations)?;
        Ok(rpc::CreateItemRequest {
            name: self.name.unwrap_or_default(),
            description: self.description.unwrap_or_default(),
            category: category.map_or(0, i32::from),
            price,
            is_premium: self.is_premium.unwrap_or_default(),
            tags: tag::texts(self.tags.unwrap_or_default()),
            idempotency_key: None,
        })
    }
}

/// Put something up for sale
///
/// With an `Idempotency-Key` a retry returns the listing that the first try made, as it was then.
#[utoipa::path(
    post, path = "/marketplace/item", tag = "marketplace", request_body = NewItem, security(("bearer" = [])),
    params(IdempotencyKey),
    responses(
        (status = CREATED, description = "The listing", body = Item, headers(("Location" = String, description = "Path of the listing")))
    ),
    extensions(("x-refusals" = json!([errors::TREASURY_EXHAUSTED])))
)]
pub(crate) async fn create_item(
    app: State,
    call: Call,
    key: IdempotencyKey,
    JsonBody(item): JsonBody<NewItem>,
) -> Result<Response, Problem> {
    let message = item.into_rpc()?;
    let request = key.request(&call, |idempotency_key| rpc::CreateItemRequest { idempotency_key, ..message });
    let mut client = app.marketplace();
    let created = app.write(vec![LISTINGS], async move { client.create_item(request).await }).await?;
    let item = Item::try_from(created.item.ok_or_else(|| Problem::internal("a service sent no item"))?)?;
    let location = [(header::LOCATION, format!("/marketplace/item/{}", item.id))];
    Ok((StatusCode::CREATED, location, Json(item)).into_response())
}
