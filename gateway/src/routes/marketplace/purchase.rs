//! `/marketplace/purchase`.

use axum::Json;
use chrono::{DateTime, Utc};
use kernel::validate::Violations;
use proto::{
    errors,
    marketplace::{self as rpc, words},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    item::{Item, LISTINGS, listing},
    money::{self, Amount, Currency},
};
use crate::{
    call::Call,
    error::{Problem, check},
    extract::JsonBody,
    idempotency::IdempotencyKey,
    routes::{
        State,
        time::{self, moment},
        words::Word,
    },
};

pub(crate) type TransactionType = Word<words::TransactionType>;

pub(crate) type TransactionStatus = Word<words::TransactionStatus>;

/// One sale.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Transaction {
    /// ObjectId: 24 hex digits.
    #[schema(pattern = "^[0-9a-f]{24}$", example = "6560f0a3c5d1e80001a2b3c5")]
    #[serde(rename = "_id")]
    id: String,
    /// ObjectId of the item.
    #[schema(pattern = "^[0-9a-f]{24}$", example = "6560f0a3c5d1e80001a2b3c4")]
    item_id: String,
    /// UUID of the buyer.
    #[schema(format = Uuid)]
    buyer_id: String,
    /// UUID of the seller.
    #[schema(format = Uuid)]
    seller_id: String,
    price: Amount,
    currency: Currency,
    #[serde(rename = "type")]
    kind: TransactionType,
    status: TransactionStatus,
    #[serde(serialize_with = "time::rfc3339")]
    created_at: DateTime<Utc>,
}

impl TryFrom<rpc::Transaction> for Transaction {
    type Error = Problem;

    fn try_from(transaction: rpc::Transaction) -> Result<Self, Problem> {
        let (price, currency) = money::from_proto(transaction.price)?;
        Ok(Self {
            id: transaction.id,
            item_id: transaction.item_id,
            buyer_id: transaction.buyer_id,
            seller_id: transaction.seller_id,
            price,
            currency,
            kind: transaction.r#type.try_into()?,
            status: transaction.status.try_into()?,
            created_at: moment(transaction.created_at)?,
        })
    }
}

/// What to buy.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NewPurchase {
    /// ObjectId of the item.
    #[schema(required = true, value_type = String, pattern = "^[0-9a-fA-F]{24}$", example = "6560f0a3c5d1e80001a2b3c4")]
    item_id: Option<String>,
    /// Default: purchase.
    #[serde(rename = "type")]
    #[schema(value_type = Option<TransactionType>, example = "purchase")]
    kind: Option<String>,
}

/// What was bought.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Purchase {
    transaction: Transaction,
    item: Item,
}

/// Buy an item
///
/// All or nothing: the item is sold, the money is moved, the ledger is written. Of any number of concurrent buyers
/// exactly one wins. With an `Idempotency-Key` a retry returns the first outcome.
#[utoipa::path(
    post, path = "/marketplace/purchase", tag = "marketplace", request_body = NewPurchase, security(("bearer" = [])),
    params(IdempotencyKey),
    responses(
        (status = OK, description = "The purchase", body = Purchase)
    ),
    extensions(("x-refusals" = json!([errors::ITEM_NOT_FOUND, errors::ITEM_NOT_AVAILABLE, errors::OWN_ITEM, errors::INSUFFICIENT_FUNDS, errors::TREASURY_EXHAUSTED])))
)]
pub(crate) async fn purchase_item(
    app: State,
    call: Call,
    key: IdempotencyKey,
    JsonBody(purchase): JsonBody<NewPurchase>,
) -> Result<Json<Purchase>, Problem> {
    let mut violations = Violations::default();
    let kind = purchase.kind.and_then(|word| violations.ok("type", word.parse::<TransactionType>()));
    check(violations)?;
    let item_id = purchase.item_id.unwrap_or_default().to_ascii_lowercase();
    let tags = vec![listing(&item_id), LISTINGS];
    let kind = kind.map_or(0, i32::from);
    let request =
        key.request(&call, |idempotency_key| rpc::PurchaseItemRequest { item_id, r#type: kind, idempotency_key });
    let mut client = app.marketplace();
    let bought = app.write(tags, async move { client.purchase_item(request).await }).await?;
    let (Some(transaction), Some(item)) = (bought.transaction, bought.item) else {
        return Err(Problem::internal("a service sent half a purchase"));
    };
    Ok(Json(Purchase { transaction: transaction.try_into()?, item: item.try_into()? }))
}
