//! What is sent and what comes back, as `docs/openapi.json` describes it. What a body has besides is ignored.

use chrono::{DateTime, Utc};
use proto::{
    discourse::words::{ChannelType, Topic},
    marketplace::words::{Category, Currency, EntryKind, ItemStatus, TransactionStatus, TransactionType},
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

/// A decimal number with the text that it came as: a float could not hold every amount.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Amount(pub String);

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Box::<RawValue>::deserialize(deserializer).map(|raw| Self(raw.get().to_owned()))
    }
}

impl Serialize for Amount {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        RawValue::from_string(self.0.clone()).map_err(serde::ser::Error::custom)?.serialize(serializer)
    }
}

/// Of a registration or a login.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Credentials {
    pub username: String,
    pub password: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
}

impl Credentials {
    /// Those of an account without an address.
    pub fn new(username: impl Into<String>, password: impl Into<String>) -> Self {
        Self { username: username.into(), password: password.into(), email: None }
    }
}

/// An account as everybody may see it.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct User {
    pub id: Uuid,
    pub username: String,
    /// Empty where there is none, like the next two.
    #[serde(default)]
    pub first_name: String,
    #[serde(default)]
    pub last_name: String,
    #[serde(default)]
    pub bio: String,
    pub created_at: DateTime<Utc>,
}

/// What a login gives.
#[derive(Clone, Deserialize, Serialize)]
pub struct Token {
    pub token: String,
    /// The same, under the name of RFC 6749.
    pub access_token: String,
    pub token_type: String,
    /// Seconds.
    pub expires_in: u64,
    pub user_id: Uuid,
    pub username: String,
}

/// Where a page stands in the whole.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub struct Pagination {
    pub page: u32,
    pub limit: u32,
    pub total: u64,
    pub pages: u64,
}

/// Something to put up for sale.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NewItem {
    pub name: String,
    pub description: String,
    pub category: Category,
    /// A decimal number.
    pub price: String,
    pub currency: Currency,
    #[serde(default)]
    pub is_premium: bool,
    #[serde(default)]
    pub tags: Vec<String>,
}

/// A listing.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Item {
    #[serde(rename = "_id")]
    pub id: String,
    pub name: String,
    pub description: String,
    pub category: Category,
    pub price: Amount,
    pub currency: Currency,
    pub seller_id: Uuid,
    pub status: ItemStatus,
    pub is_premium: bool,
    pub tags: Vec<String>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    /// The description, or some tags, are cut.
    #[serde(default)]
    pub is_excerpt: bool,
}

/// A page of listings.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct ItemList {
    pub items: Vec<Item>,
    pub pagination: Pagination,
}

/// What to buy.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NewPurchase {
    pub item_id: String,
    #[serde(rename = "type")]
    pub kind: TransactionType,
}

/// One sale.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Transaction {
    #[serde(rename = "_id")]
    pub id: String,
    pub item_id: String,
    pub buyer_id: Uuid,
    pub seller_id: Uuid,
    pub price: Amount,
    pub currency: Currency,
    #[serde(rename = "type")]
    pub kind: TransactionType,
    pub status: TransactionStatus,
    pub created_at: DateTime<Utc>,
}

/// What was bought.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Purchase {
    pub transaction: Transaction,
    pub item: Item,
}

/// What to put into one's wallet.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct NewDeposit {
    pub currency: Currency,
    /// A decimal number.
    pub amount: String,
}

/// A movement of a wallet.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WalletEntry {
    pub number: u64,
    pub kind: EntryKind,
    pub currency: Currency,
    /// Negative for what went out.
    pub amount: Amount,
    /// What there was of the currency afterwards.
    pub balance: Amount,
    pub reference: String,
    pub created_at: DateTime<Utc>,
}

/// What a user has.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Wallet {
    pub user_id: Uuid,
    /// One a currency.
    pub balances: Vec<Balance>,
}

/// What a user has of one currency.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Balance {
    pub currency: Currency,
    pub balance: Amount,
}

/// A channel to open.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct NewChannel {
    pub name: String,
    #[serde(default)]
    pub description: String,
    #[serde(rename = "type")]
    pub kind: ChannelType,
    #[serde(default)]
    pub zone: String,
}

/// What is to be another in a channel. What is `None` stays; an empty text takes the field away.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct ChannelChange {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<ChannelType>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
}

/// Somebody who was let into a private or sovereign channel.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Member {
    pub channel_id: i64,
    pub user_id: Uuid,
    pub added_by: Uuid,
    pub added_at: DateTime<Utc>,
}

/// A page of members.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct MemberList {
    pub members: Vec<Member>,
    pub pagination: Pagination,
}

/// A place to argue in.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Channel {
    pub id: i64,
    pub name: String,
    /// Empty where there is none, like the zone.
    pub description: String,
    #[serde(rename = "type")]
    pub kind: ChannelType,
    pub zone: String,
    pub created_by: Uuid,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    /// The description is cut.
    #[serde(default)]
    pub is_excerpt: bool,
}

/// A page of channels.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct ChannelList {
    pub channels: Vec<Channel>,
    pub pagination: Pagination,
}

/// A channel with a page of its posts.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ChannelPage {
    #[serde(flatten)]
    pub channel: Channel,
    pub posts: Vec<Post>,
    pub posts_pagination: Pagination,
}

/// Something to say.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NewPost {
    pub channel_id: i64,
    #[serde(default)]
    pub title: String,
    pub content: String,
    /// Without one, what the words are about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub topic: Option<Topic>,
    #[serde(default)]
    pub is_pinned: bool,
    #[serde(default)]
    pub tags: Vec<String>,
}

/// What is to be another in a post. What is `None` stays; an empty title takes it away.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PostChange {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub topic: Option<Topic>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_pinned: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<Vec<String>>,
}

/// Something said in a channel.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Post {
    pub id: i64,
    pub channel_id: i64,
    pub author_id: Uuid,
    /// Empty where there is none.
    pub title: String,
    pub content: String,
    pub topic: Topic,
    pub is_pinned: bool,
    pub tags: Vec<String>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    /// The content is cut.
    #[serde(default)]
    pub is_excerpt: bool,
}

/// A page of posts of many channels.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct PostList {
    pub posts: Vec<Post>,
    pub pagination: Pagination,
}

/// How a process is; of a gateway only what all have in common.
#[derive(Clone, Debug, Deserialize)]
pub struct Status {
    /// `healthy` where all is well.
    pub status: String,
    pub service: String,
}

impl Status {
    pub fn is_healthy(&self) -> bool {
        self.status == "healthy"
    }
}
