//! Users who speak HTTP with the gateway.

use std::{net::SocketAddr, time::Duration};

use client::{Client, Method, RequestBuilder, header::HeaderMap};
use serde_json::Value;

use crate::Server;

/// What came back.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    /// Null where the body is no JSON.
    pub json: Value,
    pub text: String,
}

impl Answer {
    /// A header, empty where there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The `code` of a problem, which must be one in every respect.
    pub fn problem(&self) -> (u16, &str) {
        assert_eq!(self.header("content-type"), "application/problem+json", "{self:?}");
        assert_eq!(self.json["status"], self.status, "{self:?}");
        assert_eq!(self.json["type"], "about:blank");
        assert_eq!(self.json["requestId"], self.header("x-request-id"));
        for member in ["title", "detail"] {
            assert!(self.json[member].as_str().is_some_and(|text| !text.is_empty()), "{self:?}");
        }
        (self.status, self.json["code"].as_str().unwrap())
    }

    /// The fields that a problem names.
    pub fn fields(&self) -> Vec<&str> {
        let errors = self.json["errors"].as_array().map(Vec::as_slice).unwrap_or_default();
        errors.iter().map(|error| error["field"].as_str().unwrap()).collect()
    }
}

/// What has no whole answer by then never will: a request takes 10 s at most, says the contract.
const PATIENCE: Duration = Duration::from_secs(60);

/// The gateway of an address, for nobody yet.
fn gateway(address: SocketAddr) -> Client {
    Client::new(&format!("http://{address}"), PATIENCE).unwrap()
}

/// Somebody who calls the gateway.
#[derive(Clone)]
pub struct User {
    client: Client,
    /// UUID; empty for who is not registered.
    pub id: String,
    pub token: Option<String>,
}

impl User {
    /// Whoever has a token, or nobody, at the gateway of an address.
    pub(crate) fn new(address: SocketAddr, token: Option<String>) -> Self {
        Self { client: gateway(address), id: String::new(), token }
    }

    /// Whoever has another one's token, in the same place.
    pub fn as_bearer_of(&self, other: &Self) -> Self {
        Self { token: other.token.clone(), ..self.clone() }
    }

    /// The same user at another gateway.
    pub fn at(&self, gateway: &Server) -> Self {
        Self { client: self::gateway(gateway.address()), ..self.clone() }
    }

    /// A request to be changed before it is sent by [`send`].
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        match &self.token {
            Some(token) => self.client.with_token(token).request(method, path),
            None => self.client.request(method, path),
        }
    }

    /// The status code of `/status`; `None` where nobody listens yet.
    pub async fn status(&self) -> Option<u16> {
        self.request(Method::GET, "/status").send().await.ok().map(|answer| answer.status().as_u16())
    }

    /// Whether the gateway and all behind it are up.
    pub async fn is_up(&self) -> bool {
        self.client.get_status().await.is_ok_and(|status| status.is_healthy())
    }

    pub async fn get(&self, path: &str) -> Answer {
        send(self.request(Method::GET, path)).await
    }

    /// From the cache, or at least by way of it: one that does not answer within 50 ms is done without, which on a machine that
    /// is busy with other things may happen to any read.
    pub async fn get_by_cache(&self, path: &str) -> Answer {
        for _ in 0..20 {
            let answer = self.get(path).await;
            if answer.header("x-cache") != "BYPASS" {
                return answer;
            }
        }
        panic!("the cache never answered in time");
    }

    /// Past the cache.
    pub async fn get_fresh(&self, path: &str) -> Answer {
        send(self.request(Method::GET, path).header("cache-control", "no-cache")).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        send(self.request(Method::POST, path).json(body)).await
    }

    pub async fn put(&self, path: &str, body: &Value) -> Answer {
        send(self.request(Method::PUT, path).json(body)).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        send(self.request(Method::DELETE, path)).await
    }

    /// Lists something for sale that is well described but for `change`.
    pub async fn list_item(&self, change: Value) -> Answer {
        let mut item = serde_json::json!({
            "name": "Gold bar", "description": "1 kg, 999.9 fine", "category": "asset", "price": 12.5
        });
        item.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        self.post("/marketplace/item", &item).await
    }

    /// The id of a fresh item of this user.
    pub async fn new_item(&self) -> String {
        let created = self.list_item(serde_json::json!({})).await;
        assert_eq!(created.status, 201, "{created:?}");
        created.json["_id"].as_str().unwrap().to_owned()
    }

    pub async fn purchase(&self, item: &str, key: Option<&str>) -> Answer {
        let mut request =
            self.request(Method::POST, "/marketplace/purchase").json(&serde_json::json!({ "itemId": item }));
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        send(request).await
    }

    /// The balance in a currency, as its text.
    pub async fn balance(&self, currency: &str) -> String {
        let wallet = self.get("/marketplace/wallet").await;
        assert_eq!(wallet.status, 200, "{wallet:?}");
        // As text: a float could not hold every amount.
        let (_, rest) = wallet.text.split_once(&format!("\"currency\":\"{currency}\",\"balance\":")).unwrap();
        rest.split('}').next().unwrap().to_owned()
    }
}

/// A call of a replica by somebody, with the token that the gateway takes.
pub fn called_by<T>(user: &User, message: T) -> tonic::Request<T> {
    let mut request = tonic::Request::new(message);
    if let Some(token) = &user.token {
        request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    }
    request
}

/// Sends a request and reads all of its answer.
pub async fn send(request: RequestBuilder) -> Answer {
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let text = response.text().await.unwrap();
    Answer { status, headers, json: serde_json::from_str(&text).unwrap_or_default(), text }
}
