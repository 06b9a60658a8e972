//! `capsim seed`: people, listings, purchases, channels and posts to look at, made through the public API.
//!
//! What is there is left as it is, so that it may run twice: people log in where their name is taken, listings and
//! channels are known by their names, posts by their words, purchases by their idempotency keys.

mod api;

use std::{collections::HashMap, fmt::Write};

use anyhow::Context;
use client::body::{NewChannel, NewItem, NewPost, NewPurchase};
use proto::{
    discourse::words::Topic,
    marketplace::words::{ItemStatus, TransactionType},
};
use serde::Deserialize;

use self::api::{PASSWORD, patiently};

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
    #[serde(flatten)]
    new: NewItem,
}

#[derive(Deserialize)]
struct Purchase {
    buyer: String,
    item: String,
    #[serde(rename = "type")]
    kind: TransactionType,
}

#[derive(Deserialize)]
struct Channel {
    owner: String,
    #[serde(flatten)]
    new: NewChannel,
}

/// A post by the name of its channel, whose id is not known before it is there.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Post {
    author: String,
    channel: String,
    #[serde(default)]
    title: String,
    content: String,
    topic: Option<Topic>,
    #[serde(default)]
    is_pinned: bool,
}

/// Fills the system whose gateway is at `gateway`, and says what it made and who can log in. `progress` is told which
/// records it is at, how many of them are done, and how many there are.
pub async fn seed(gateway: &str, progress: impl Fn(&str, usize, usize)) -> anyhow::Result<String> {
    let records: Records = serde_json::from_str(include_str!("seed.json"))?;
    let nobody = api::find(gateway).await?;
    let mut made = [0; 4];

    let mut people = HashMap::new();
    for (done, name) in (1..).zip(&records.people) {
        people.insert(name.as_str(), api::log_in(&nobody, name).await?);
        progress("people", done, records.people.len());
    }
    let person = |name: &str| people.get(name).with_context(|| format!("nobody is called {name}"));

    let mut items = HashMap::new();
    for (name, person) in &people {
        let query = format!("limit=100&sellerId={}", person.id);
        for item in patiently(async || person.client.list_items(&query).await).await?.items {
            items.insert((*name, item.name), item.id);
        }
    }
    for (done, Item { seller, new }) in (1..).zip(&records.items) {
        if !items.contains_key(&(seller.as_str(), new.name.clone())) {
            let client = &person(seller)?.client;
            let item = patiently(async || client.create_item(new, None).await).await?;
            items.insert((seller, item.name), item.id);
            made[0] += 1;
        }
        progress("listings", done, records.items.len());
    }
    for (done, Purchase { buyer, item: wanted, kind }) in (1..).zip(&records.purchases) {
        let (_, id) = items.iter().find(|((_, name), _)| name == wanted).with_context(|| wanted.clone())?;
        let client = &person(buyer)?.client;
        if patiently(async || client.get_item(id).await).await?.status == ItemStatus::Available {
            let (purchase, key) = (NewPurchase { item_id: id.clone(), kind: *kind }, format!("seed-{id}"));
            patiently(async || client.purchase_item(&purchase, Some(&key)).await).await?;
            made[1] += 1;
        }
        progress("purchases", done, records.purchases.len());
    }

    let mut channels = HashMap::new();
    for (done, Channel { owner, new }) in (1..).zip(&records.channels) {
        let owner = person(owner)?;
        let query = format!("limit=100&createdBy={}", owner.id);
        let mine = patiently(async || owner.client.list_channels(&query).await).await?.channels;
        let channel = match mine.into_iter().find(|channel| channel.name == new.name) {
            Some(channel) => channel,
            None => {
                made[2] += 1;
                patiently(async || owner.client.create_channel(new, None).await).await?
            }
        };
        channels.insert(new.name.as_str(), channel.id);
        progress("channels", done, records.channels.len());
    }
    let count = records.posts.len();
    for (done, Post { author, channel, title, content, topic, is_pinned }) in (1..).zip(records.posts) {
        let client = &person(&author)?.client;
        let id = channels.get(channel.as_str()).with_context(|| format!("no channel is called {channel}"))?;
        let there = patiently(async || client.get_channel(*id, "limit=100").await).await?;
        if !there.posts.iter().any(|post| post.content == content) {
            let post = NewPost { channel_id: *id, title, content, topic, is_pinned, tags: vec![] };
            patiently(async || client.create_post(&post, None).await).await?;
            made[3] += 1;
        }
        progress("posts", done, count);
    }

    let [items, purchases, channels, posts] = made;
    let mut summary =
        format!("\n  New: {items} listings, {purchases} purchases, {channels} channels, {posts} posts.\n\n");
    let _ = writeln!(summary, "  Log in as {}: the password of each is '{PASSWORD}'.\n", records.people.join(", "));
    Ok(summary)
}
