//! `capsim seed`: people, listings, purchases, channels and posts to look at, made through the public API.
//!
//! What is there is left as it is, so that it may run twice: people log in where their name is taken, listings and
//! channels are known by their names, posts by their words, purchases by their idempotency keys.

mod api;

use std::{collections::HashMap, fmt::Write};

use anyhow::Context;
use serde::Deserialize;
use serde_json::{Value, json};

use self::api::{Api, PASSWORD};

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

/// Fills the system whose gateway is at `gateway`, and says what it made and who can log in. `progress` is told which
/// records it is at, how many of them are done, and how many there are.
pub async fn seed(gateway: &str, progress: impl Fn(&str, usize, usize)) -> anyhow::Result<String> {
    let records: Records = serde_json::from_str(include_str!("seed.json"))?;
    let api = Api::find(gateway).await?;
    let mut made = [0; 4];

    let mut people = HashMap::new();
    for (done, name) in (1..).zip(&records.people) {
        people.insert(name.as_str(), api.log_in(name).await?);
        progress("people", done, records.people.len());
    }
    let person = |name: &str| people.get(name).with_context(|| format!("nobody is called {name}"));

    let mut items = HashMap::new();
    for (name, person) in &people {
        let path = format!("/marketplace/list?limit=100&sellerId={}", person.id);
        for item in list(&api.get(&person.token, &path).await?, "items") {
            items.insert((*name, text(&item, "name")), text(&item, "_id"));
        }
    }
    for (done, Item { seller, name, rest }) in (1..).zip(&records.items) {
        if !items.contains_key(&(seller.as_str(), name.clone())) {
            let item = api.post(&person(seller)?.token, "/marketplace/item", &named(rest, name), None).await?;
            items.insert((seller, name.clone()), text(&item, "_id"));
            made[0] += 1;
        }
        progress("listings", done, records.items.len());
    }
    for (done, Purchase { buyer, item: wanted, kind }) in (1..).zip(&records.purchases) {
        let (_, id) = items.iter().find(|((_, name), _)| name == wanted).with_context(|| wanted.clone())?;
        let token = &person(buyer)?.token;
        if text(&api.get(token, &format!("/marketplace/item/{id}")).await?, "status") == "available" {
            let body = json!({"itemId": id, "type": kind});
            api.post(token, "/marketplace/purchase", &body, Some(&format!("seed-{id}"))).await?;
            made[1] += 1;
        }
        progress("purchases", done, records.purchases.len());
    }

    let mut channels = HashMap::new();
    for (done, Channel { owner, name, rest }) in (1..).zip(&records.channels) {
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
        progress("channels", done, records.channels.len());
    }
    for (done, Post { author, channel, content, rest }) in (1..).zip(&records.posts) {
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
        progress("posts", done, records.posts.len());
    }

    let [items, purchases, channels, posts] = made;
    let mut summary =
        format!("\n  New: {items} listings, {purchases} purchases, {channels} channels, {posts} posts.\n\n");
    let _ = writeln!(summary, "  Log in as {}: the password of each is '{PASSWORD}'.\n", records.people.join(", "));
    Ok(summary)
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
