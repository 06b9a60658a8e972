//! The REST API for programs in Rust: what `capsim seed`, the launcher, the tests and chaos clients call the gateway with.
//!
//! | to find | look in |
//! |---|---|
//! | calls by their operation, and the door for any other request | [`Client`] |
//! | what is sent and what comes back | [`body`] |
//! | why a call did not succeed | [`Error`], [`Problem`] |
//!
//! The bodies are written here a second time, so that no client compiles the gateway; a test holds each of them against
//! `docs/openapi.json`. Words and codes are those of the contract (`proto`).

pub mod body;
mod error;

use std::time::Duration;

pub use error::{Error, FieldError, Problem};
use reqwest::header::HeaderMap;
pub use reqwest::{Method, RequestBuilder, StatusCode, header};
use serde::{Serialize, de::DeserializeOwned};
use uuid::Uuid;

use self::body::{
    Channel, ChannelChange, ChannelList, ChannelPage, Credentials, Item, ItemList, Member, MemberList, NewChannel,
    NewDeposit, NewItem, NewPost, NewPurchase, Post, PostChange, PostList, Purchase, Status, Token, User, Wallet,
    WalletEntry,
};

/// Header of the key that makes a call safe to repeat: 1 to 255 visible ASCII characters.
const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// Something as it was seen, with the ETag that says so to whoever changes it.
#[derive(Clone, Debug)]
pub struct Seen<T> {
    pub body: T,
    /// For [`Client::update_post`] and its like.
    pub etag: String,
}

/// In the place of an ETag: whatever it has become.
pub const ANY: &str = "*";

/// Somebody who calls one gateway, over connections that clones share.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    gateway: String,
    token: Option<String>,
}

impl Client {
    /// Nobody yet, at the gateway of a URL such as `http://127.0.0.1:8000`. A call that has no whole answer after
    /// `patience` is given up. Redirects are not followed, and no proxy is asked.
    pub fn new(gateway: &str, patience: Duration) -> Result<Self, Error> {
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy();
        let http = http.timeout(patience).build()?;
        Ok(Self { http, gateway: gateway.trim_end_matches('/').to_owned(), token: None })
    }

    /// The same connections in the name of whom a token belongs to.
    #[must_use]
    pub fn with_token(&self, token: impl Into<String>) -> Self {
        Self { token: Some(token.into()), ..self.clone() }
    }

    /// The same caller at another gateway.
    #[must_use]
    pub fn at(&self, gateway: &str) -> Self {
        Self { gateway: gateway.trim_end_matches('/').to_owned(), ..self.clone() }
    }

    /// The URL of the gateway.
    pub fn gateway(&self) -> &str {
        &self.gateway
    }

    pub fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// A request with the caller's token, to be changed at will before it is sent.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.gateway));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// What `GET` of a path answers, as the type that the caller knows it to be.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Error> {
        receive(self.request(Method::GET, path)).await
    }

    /// What `POST` of a body answers; with a `key` it may be repeated until the outcome is known.
    pub async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
        key: Option<&str>,
    ) -> Result<T, Error> {
        let mut request = self.request(Method::POST, path).json(body);
        if let Some(key) = key {
            request = request.header(IDEMPOTENCY_KEY, key);
        }
        receive(request).await
    }

    /// `username_taken`, `email_taken`.
    pub async fn register(&self, credentials: &Credentials) -> Result<User, Error> {
        self.post("/auth/register", credentials, None).await
    }

    /// `invalid_credentials`, `account_deactivated`.
    pub async fn login(&self, credentials: &Credentials) -> Result<Token, Error> {
        self.post("/auth/login", credentials, None).await
    }

    /// A page of listings; `query` is such as `sellerId=…&limit=100`.
    pub async fn list_items(&self, query: &str) -> Result<ItemList, Error> {
        self.get(&format!("/marketplace/list?{query}")).await
    }

    /// A listing, without its seller and its history. `item_not_found`.
    pub async fn get_item(&self, id: &str) -> Result<Item, Error> {
        self.get(&format!("/marketplace/item/{id}")).await
    }

    /// `treasury_exhausted`.
    pub async fn create_item(&self, item: &NewItem, key: Option<&str>) -> Result<Item, Error> {
        self.post("/marketplace/item", item, key).await
    }

    /// `item_not_found`, `item_not_available`, `own_item`, `insufficient_funds`, `treasury_exhausted`.
    pub async fn purchase_item(&self, purchase: &NewPurchase, key: Option<&str>) -> Result<Purchase, Error> {
        self.post("/marketplace/purchase", purchase, key).await
    }

    /// `deposit_limit_exceeded`, `treasury_exhausted`.
    pub async fn make_deposit(&self, deposit: &NewDeposit, key: Option<&str>) -> Result<WalletEntry, Error> {
        self.post("/marketplace/deposit", deposit, key).await
    }

    /// `treasury_exhausted`.
    pub async fn get_wallet(&self) -> Result<Wallet, Error> {
        self.get("/marketplace/wallet").await
    }

    /// A page of channels; `query` is such as `createdBy=…&limit=100`.
    pub async fn list_channels(&self, query: &str) -> Result<ChannelList, Error> {
        self.get(&format!("/discourse/channels?{query}")).await
    }

    /// A channel with a page of its posts. `channel_not_found`, `channel_access_denied`.
    pub async fn get_channel(&self, id: i64, query: &str) -> Result<ChannelPage, Error> {
        self.get(&format!("/discourse/channel/{id}?{query}")).await
    }

    pub async fn create_channel(&self, channel: &NewChannel, key: Option<&str>) -> Result<Channel, Error> {
        self.post("/discourse/channel", channel, key).await
    }

    /// `channel_not_found`, `channel_access_denied`, `pin_denied`.
    pub async fn create_post(&self, post: &NewPost, key: Option<&str>) -> Result<Post, Error> {
        self.post("/discourse/post", post, key).await
    }

    /// A channel with its ETag and a page of its posts. `channel_not_found`, `channel_access_denied`.
    pub async fn see_channel(&self, id: i64) -> Result<Seen<ChannelPage>, Error> {
        receive_seen(self.request(Method::GET, &format!("/discourse/channel/{id}"))).await
    }

    /// `channel_not_found`, `channel_access_denied`, `creators_only`, `version_conflict`.
    pub async fn update_channel(&self, id: i64, etag: &str, change: &ChannelChange) -> Result<Seen<Channel>, Error> {
        let request = self.request(Method::PUT, &format!("/discourse/channel/{id}"));
        receive_seen(request.header(header::IF_MATCH, etag).json(change)).await
    }

    /// With its members and all of its posts. `channel_not_found`, `channel_access_denied`, `creators_only`,
    /// `version_conflict`.
    pub async fn delete_channel(&self, id: i64, etag: &str) -> Result<(), Error> {
        let request = self.request(Method::DELETE, &format!("/discourse/channel/{id}"));
        receive_nothing(request.header(header::IF_MATCH, etag)).await
    }

    /// A page of members; `query` is such as `limit=100`. `channel_not_found`, `channel_access_denied`.
    pub async fn list_members(&self, channel: i64, query: &str) -> Result<MemberList, Error> {
        self.get(&format!("/discourse/channel/{channel}/members?{query}")).await
    }

    /// `channel_not_found`, `member_not_found`, `channel_access_denied`.
    pub async fn get_member(&self, channel: i64, user: Uuid) -> Result<Member, Error> {
        self.get(&format!("/discourse/channel/{channel}/members/{user}")).await
    }

    /// `channel_not_found`, `channel_access_denied`, `creators_only`, `membership_not_needed`, `too_many_members`.
    pub async fn add_member(&self, channel: i64, user: Uuid) -> Result<Member, Error> {
        receive(self.request(Method::PUT, &format!("/discourse/channel/{channel}/members/{user}"))).await
    }

    /// `channel_not_found`, `member_not_found`, `channel_access_denied`, `creators_only`.
    pub async fn remove_member(&self, channel: i64, user: Uuid) -> Result<(), Error> {
        receive_nothing(self.request(Method::DELETE, &format!("/discourse/channel/{channel}/members/{user}"))).await
    }

    /// A page of the posts that the caller may read; `query` is such as `q=gold&author=…`.
    pub async fn list_posts(&self, query: &str) -> Result<PostList, Error> {
        self.get(&format!("/discourse/posts?{query}")).await
    }

    /// `post_not_found`, `channel_access_denied`.
    pub async fn get_post(&self, id: i64) -> Result<Seen<Post>, Error> {
        receive_seen(self.request(Method::GET, &format!("/discourse/post/{id}"))).await
    }

    /// `post_not_found`, `channel_access_denied`, `authors_only`, `pin_denied`, `version_conflict`.
    pub async fn update_post(&self, id: i64, etag: &str, change: &PostChange) -> Result<Seen<Post>, Error> {
        let request = self.request(Method::PUT, &format!("/discourse/post/{id}"));
        receive_seen(request.header(header::IF_MATCH, etag).json(change)).await
    }

    /// `post_not_found`, `channel_access_denied`, `authors_only`, `version_conflict`.
    pub async fn delete_post(&self, id: i64, etag: &str) -> Result<(), Error> {
        let request = self.request(Method::DELETE, &format!("/discourse/post/{id}"));
        receive_nothing(request.header(header::IF_MATCH, etag)).await
    }

    /// How the gateway finds itself and what is behind it, whatever HTTP status it says that with.
    pub async fn get_status(&self) -> Result<Status, Error> {
        let response = self.request(Method::GET, "/status").send().await?;
        let (status, body) = (response.status(), response.text().await?);
        serde_json::from_str(&body).map_err(|error| Error::unreadable(status, &body, error))
    }
}

async fn receive<T: DeserializeOwned>(request: RequestBuilder) -> Result<T, Error> {
    let (status, _, body) = succeed(request).await?;
    serde_json::from_str(&body).map_err(|error| Error::unreadable(status, &body, error))
}

/// What comes with an ETag; empty where the gateway gives none.
async fn receive_seen<T: DeserializeOwned>(request: RequestBuilder) -> Result<Seen<T>, Error> {
    let (status, headers, body) = succeed(request).await?;
    let etag = headers.get(header::ETAG).and_then(|etag| etag.to_str().ok()).unwrap_or_default().to_owned();
    let body = serde_json::from_str(&body).map_err(|error| Error::unreadable(status, &body, error))?;
    Ok(Seen { body, etag })
}

async fn receive_nothing(request: RequestBuilder) -> Result<(), Error> {
    succeed(request).await.map(drop)
}

/// The answer to a call, unless it is a refusal.
async fn succeed(request: RequestBuilder) -> Result<(StatusCode, HeaderMap, String), Error> {
    let response = request.send().await?;
    let (status, headers) = (response.status(), response.headers().clone());
    let wait = headers.get(header::RETRY_AFTER).and_then(|wait| wait.to_str().ok()?.parse().ok());
    let body = response.text().await?;
    if status.is_success() {
        return Ok((status, headers, body));
    }
    match serde_json::from_str::<Problem>(&body) {
        Ok(problem) => Err(Error::Problem(Box::new(Problem { retry_after: wait, ..problem }))),
        Err(error) => Err(Error::unreadable(status, &body, error)),
    }
}
