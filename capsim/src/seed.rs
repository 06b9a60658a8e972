//! `capsim seed`: people, listings, purchases, channels and posts to look at, made through the public API.
//!
//! What is there is left as it is, so that it may run twice: people log in where their name is taken, listings and
//! channels are known by their names, posts by their words, purchases by their idempotency keys.

use std::{collections::HashMap, fmt::Write, time::Duration};

use anyhow::{Context, bail};
use reqwest::{Method, StatusCode, header};
use serde::Deserialize;
use serde_json::{Value, json};

/// Of all seeded people. They own nothing but play money.
const PASSWORD: &str = "correct horse";
/// How often a call is repeated that met a rate limit or a busy gateway.
const ATTEMPTS: u32 = 20;

#[derive(Deserialize)]
struct Records {
    people: Vec<String>,
    items: Vec<Item>,
    purchases: Vec<Purchase>,
    channels: Vec<Channel>,
    posts: Vec<Post>,
}

/// A record with somebody's name beside what the API takes.
#[derive(Deserialize)]
struct Item {
    seller: String,
    name: String,
    #[serde(flatten)]
    rest: serde_json::Map<String, Value>,
}

#[derive(Deserialize)]
struct Purchase {
    buyer: String,
    item: String,
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Deserialize)]
struct Channel {
    owner: String,
    name: String,
    #[serde(flatten)]
    rest: serde_json::Map<String, Value>,
}

#[derive(Deserialize)]
struct Post {
    author: String,
    channel: String,
    content: String,
    #[serde(flatten)]
    rest: serde_json::Map<String, Value>,
}

/// Fills the system whose gateway is at `gateway`, and says what it made and who can log in.
pub async fn seed(gateway: &str) -> anyhow::Result<String> {
    let records: Records = serde_json::from_str(include_str!("seed.json"))?;
    let api = Api { http: reqwest::Client::new(), gateway: gateway.trim_end_matches('/').to_owned() };
    let mut made = [0; 4];

    let mut people = HashMap::new();
    for name in &records.people {
        people.insert(name.as_str(), api.log_in(name).await?);
    }
    let person = |name: &str| people.get(name).with_context(|| format!("nobody is called {name}"));

    let mut items = HashMap::new();
    for (name, person) in &people {
        let path = format!("/marketplace/list?limit=100&sellerId={}", person.id);
        for item in list(&api.get(&person.token, &path).await?, "items") {
            items.insert((*name, text(&item, "name")), text(&item, "_id"));
        }
    }
    for Item { seller, name, rest } in &records.items {
        if !items.contains_key(&(seller.as_str(), name.clone())) {
            let item = api.post(&person(seller)?.token, "/marketplace/item", &named(rest, name), None).await?;
            items.insert((seller, name.clone()), text(&item, "_id"));
            made[0] += 1;
        }
    }
    for Purchase { buyer, item: wanted, kind } in &records.purchases {
        let (_, id) = items.iter().find(|((_, name), _)| name == wanted).with_context(|| wanted.clone())?;
        let token = &person(buyer)?.token;
        if text(&api.get(token, &format!("/marketplace/item/{id}")).await?, "status") == "available" {
            let body = json!({"itemId": id, "type": kind});
            api.post(token, "/marketplace/purchase", &body, Some(&format!("seed-{id}"))).await?;
            made[1] += 1;
        }
    }

    let mut channels = HashMap::new();
    for Channel { owner, name, rest } in &records.channels {
        let owner = person(owner)?;
        let path = format!("/discourse/channels?limit=100&createdBy={}", owner.id);
        let mine = list(&api.get(&owner.token, &path).await?, "channels");
        let channel = match mine.into_iter().find(|channel| channel["name"] == *name) {
            Some(channel) => channel,
            None => {
                made[2] += 1;
                api.post(&owner.token, "/discourse/channel", &named(rest, name), None).await?
            }
        };
        channels.insert(name.as_str(), channel["id"].clone());
    }
    for Post { author, channel, content, rest } in &records.posts {
        let token = &person(author)?.token;
        let id = channels.get(channel.as_str()).with_context(|| format!("no channel is called {channel}"))?;
        let there = api.get(token, &format!("/discourse/channel/{id}?limit=100")).await?;
        if !list(&there, "posts").iter().any(|post| post["content"] == *content) {
            let mut body = rest.clone();
            body.insert("channelId".to_owned(), id.clone());
            body.insert("content".to_owned(), content.as_str().into());
            api.post(token, "/discourse/post", &body.into(), None).await?;
            made[3] += 1;
        }
    }

    let [items, purchases, channels, posts] = made;
    let mut summary =
        format!("\n  New: {items} listings, {purchases} purchases, {channels} channels, {posts} posts.\n\n");
    let _ = writeln!(summary, "  Log in as {}: the password of each is '{PASSWORD}'.\n", records.people.join(", "));
    Ok(summary)
}

struct Person {
    id: String,
    token: String,
}

struct Api {
    http: reqwest::Client,
    gateway: String,
}

impl Api {
    async fn log_in(&self, username: &str) -> anyhow::Result<Person> {
        let credentials = json!({"username": username, "password": PASSWORD});
        let (status, answer) = self.call(Method::POST, "/auth/register", None, Some(&credentials), None).await?;
        if status != StatusCode::CREATED && text(&answer, "code") != "username_taken" {
            bail!("POST /auth/register: {status} {answer}");
        }
        let (status, answer) = self.call(Method::POST, "/auth/login", None, Some(&credentials), None).await?;
        match status {
            StatusCode::OK => Ok(Person { id: text(&answer, "user_id"), token: text(&answer, "token") }),
            StatusCode::UNAUTHORIZED => bail!("{username} exists with another password: seed a fresh system"),
            _ => bail!("POST /auth/login: {status} {answer}"),
        }
    }

    async fn get(&self, token: &str, path: &str) -> anyhow::Result<Value> {
        let (status, answer) = self.call(Method::GET, path, Some(token), None, None).await?;
        anyhow::ensure!(status.is_success(), "GET {path}: {status} {answer}");
        Ok(answer)
    }

    async fn post(&self, token: &str, path: &str, body: &Value, key: Option<&str>) -> anyhow::Result<Value> {
        let (status, answer) = self.call(Method::POST, path, Some(token), Some(body), key).await?;
        anyhow::ensure!(status.is_success(), "POST {path} of {body}: {status} {answer}");
        Ok(answer)
    }

    /// Status and JSON of the answer; waits and tries again where the gateway asks for it.
    async fn call(
        &self,
        method: Method,
        path: &str,
        token: Option<&str>,
        body: Option<&Value>,
        idempotency_key: Option<&str>,
    ) -> anyhow::Result<(StatusCode, Value)> {
        for _ in 0..ATTEMPTS {
            let mut request = self.http.request(method.clone(), format!("{}{path}", self.gateway));
            if let Some(token) = token {
                request = request.bearer_auth(token);
            }
            if let Some(key) = idempotency_key {
                request = request.header("idempotency-key", key);
            }
            if let Some(body) = body {
                request = request.json(body);
            }
            let answer = request.send().await.with_context(|| format!("no gateway at {}", self.gateway))?;
            if answer.status() != StatusCode::TOO_MANY_REQUESTS {
                return Ok((answer.status(), answer.json().await?));
            }
            let wait = answer.headers().get(header::RETRY_AFTER).and_then(|wait| wait.to_str().ok()?.parse().ok());
            tokio::time::sleep(Duration::from_secs(wait.unwrap_or(1))).await;
        }
        bail!("{method} {path}: refused {ATTEMPTS} times by the rate limit")
    }
}

fn named(rest: &serde_json::Map<String, Value>, name: &str) -> Value {
    let mut body = rest.clone();
    body.insert("name".to_owned(), name.into());
    body.into()
}

fn list(answer: &Value, member: &str) -> Vec<Value> {
    answer[member].as_array().cloned().unwrap_or_default()
}

fn text(answer: &Value, member: &str) -> String {
    answer[member].as_str().unwrap_or_default().to_owned()
}
