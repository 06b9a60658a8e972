//! The edge under peers that want to hold things: slow bodies, answers unread, requests answered early.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;
use tests::{System, User};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// Longer than anything takes here, on the slowest machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// A connection to the gateway that says what no client library would.
struct Raw(TcpStream);

impl Raw {
    async fn connect(system: &System) -> Self {
        Self(TcpStream::connect(system.gateway().address()).await.unwrap())
    }

    async fn say(&mut self, text: impl AsRef<[u8]>) {
        self.0.write_all(text.as_ref()).await.unwrap();
    }

    /// Status, head and body of one answer.
    async fn answer(&mut self) -> (u16, String, String) {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(timeout(PATIENCE, self.0.read_u8()).await.expect("it answers").unwrap());
        }
        let head = String::from_utf8(head).unwrap();
        let length =
            head.lines().find_map(|line| line.strip_prefix("content-length: ")).map_or(0, |n| n.parse().unwrap());
        let mut body = vec![0; length];
        timeout(PATIENCE, self.0.read_exact(&mut body)).await.expect("it answers").unwrap();
        (head[9..12].parse().unwrap(), head, String::from_utf8(body).unwrap())
    }
}

fn post(user: &User, path: &str, length: usize) -> String {
    let token = user.token.as_deref().unwrap();
    format!(
        "POST {path} HTTP/1.1\r\nhost: test\r\nauthorization: Bearer {token}\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\n\r\n"
    )
}

#[tokio::test]
async fn slow_bodies_hold_one_callers_calls_and_no_others() {
    let system = super::start().await;
    let (ada, bob) = (system.user("ada").await, system.user("bob").await);
    let mut slow = Vec::new();
    // On a busy machine the first are given up before the last are there: then there are more.
    let refused = loop {
        slow.extend(
            join_all((0..128).map(async |_| {
                let mut peer = Raw::connect(&system).await;
                peer.say(post(&ada, "/discourse/channel", 100) + "{").await;
                peer
            }))
            .await,
        );
        let answer = ada.get("/marketplace/list").await;
        if answer.status == 429 {
            break answer;
        }
        assert!(slow.len() < 20 * 128, "all of hers are under way: {answer:?}");
    };
    assert_eq!(refused.problem(), (429, "too_many_at_once"));
    assert_eq!(refused.header("retry-after"), "1");
    assert_eq!(bob.get("/marketplace/list").await.status, 200);
    let mut slow = slow.into_iter();
    let (status, head, body) = slow.next().unwrap().answer().await;
    assert!(status == 408 && body.contains("request_timeout"), "{head}{body}");
    assert!(head.contains("connection: close"), "{head}");
    drop(slow);
    tests::eventually("hers are free again", async || ada.get("/marketplace/list").await.status == 200).await;
}

#[tokio::test]
async fn requests_that_are_refused_early_are_answered_every_one() {
    let system = crate::builder().rate_limit(5).start().await;
    let ada = system.user("ada").await;
    let body = json!({"name": "x".repeat(300), "description": "x".repeat(40_000)}).to_string();
    let statuses = join_all((0..10).map(async |_| {
        let mut statuses = Vec::new();
        let mut peer = Raw::connect(&system).await;
        for _ in 0..150 {
            peer.say(post(&ada, "/marketplace/item", body.len())).await;
            for part in body.as_bytes().chunks(16 * 1024) {
                peer.say(part).await;
            }
            statuses.push(peer.answer().await.0);
        }
        statuses
    }))
    .await
    .concat();
    assert_eq!(statuses.len(), 1500, "each is answered, on the same connections");
    assert!(statuses.iter().filter(|status| **status == 429).count() > 1000);
    assert!(statuses.iter().all(|status| matches!(status, 400 | 429)), "{statuses:?}");
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_and_the_refusal_arrives() {
    let system = super::start().await;
    let ada = system.user("ada").await;
    for path in ["/marketplace/item", "/nowhere"] {
        let mut peer = Raw::connect(&system).await;
        peer.say(post(&ada, path, 5_000_000)).await;
        for _ in 0..50 {
            peer.say(&[b'x'; 100_000]).await;
        }
        let (status, head, body) = peer.answer().await;
        assert!(head.contains("connection: close"), "{head}");
        assert_eq!(status, if path == "/nowhere" { 404 } else { 413 }, "{body}");
    }
}

#[tokio::test]
async fn what_can_be_read_in_two_ways_is_refused() {
    let system = super::start().await;
    for (headers, status) in [
        ("host: a\r\nhost: b\r\n", 400),
        ("host: a\r\nauthorization: Bearer a\r\nauthorization: Bearer b\r\n", 400),
        ("host: a\r\n", 200),
    ] {
        let mut peer = Raw::connect(&system).await;
        peer.say(format!("GET / HTTP/1.1\r\n{headers}\r\n")).await;
        let (told, _, body) = peer.answer().await;
        assert_eq!(told, status, "{headers}");
        assert_eq!(body.contains("\"ambiguous_request\""), status == 400, "{body}");
    }
}

#[tokio::test]
async fn a_page_of_long_texts_is_cut_and_nothing_is_lost() {
    let system = super::start().await;
    let ada = system.user("ada").await;
    let channel = ada.post("/discourse/channel", &json!({"name": "Long"})).await.json["id"].clone();
    let long = "ä".repeat(16_000);
    for _ in 0..30 {
        let made = ada.post("/discourse/post", &json!({"channelId": channel, "content": long})).await;
        assert_eq!((made.status, made.json["content"] == long.as_str()), (201, true));
        assert!(made.json.get("isExcerpt").is_none(), "{made:?}");
    }
    ada.post("/discourse/post", &json!({"channelId": channel, "content": "short"})).await;
    let page = ada.get(&format!("/discourse/channel/{channel}?limit=100")).await;
    assert!(page.status == 200 && page.text.len() <= 256 * 1024, "{}", page.text.len());
    let posts = page.json["posts"].as_array().unwrap();
    assert_eq!((posts.len(), &posts[0]["content"]), (31, &json!("short")));
    assert!(posts[0].get("isExcerpt").is_none());
    for post in &posts[1..] {
        let content = post["content"].as_str().unwrap();
        assert!(post["isExcerpt"] == true && content.ends_with("ä…") && content.len() > 5000, "{}", content.len());
    }
    let one = ada.get(&format!("/discourse/channel/{channel}?limit=1&page=2")).await;
    assert_eq!(one.json["posts"][0]["content"], long.as_str());
    assert!(one.json["posts"][0].get("isExcerpt").is_none());

    for _ in 0..60 {
        assert_eq!(ada.list_item(json!({"description": "\"".repeat(5000)})).await.status, 201);
    }
    let list = ada.get("/marketplace/list?limit=100").await;
    assert!(list.status == 200 && list.text.len() <= 256 * 1024, "{}", list.text.len());
    let item = &list.json["items"][0];
    assert_eq!(item["isExcerpt"], true);
    let whole = ada.get(&format!("/marketplace/item/{}", item["_id"].as_str().unwrap())).await;
    assert_eq!(whole.json["description"], "\"".repeat(5000));
    assert!(whole.json.get("isExcerpt").is_none());
}
