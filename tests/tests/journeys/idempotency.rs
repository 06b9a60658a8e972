//! `Idempotency-Key` on whatever makes something: the same for all.

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use tests::{Answer, System, User, send};

async fn post(user: &User, path: &str, body: &Value, key: &str) -> Answer {
    send(user.request(Method::POST, path).header("idempotency-key", key).json(body)).await
}

/// Each route that takes a key, two bodies for it, and its status.
async fn acts(system: &System) -> [(&'static str, [Value; 2], u16); 5] {
    let seller = system.user("seller").await;
    let items = [seller.new_item().await, seller.new_item().await];
    let channel = seller.post("/discourse/channel", &json!({"name": "Agora"})).await.json["id"].clone();
    let item = |name| json!({"name": name, "description": "d", "category": "asset", "price": "1.50"});
    [
        ("/marketplace/item", [item("one"), item("other")], 201),
        ("/marketplace/purchase", items.map(|item| json!({"itemId": item})), 200),
        ("/marketplace/deposit", ["1.50", "2.50"].map(|amount| json!({"currency": "USD", "amount": amount})), 201),
        ("/discourse/channel", ["one", "other"].map(|name| json!({"name": name})), 201),
        ("/discourse/post", ["one", "other"].map(|text| json!({"channelId": channel, "content": text})), 201),
    ]
}

#[tokio::test]
async fn a_retry_of_whatever_makes_something_gets_the_first_outcome() {
    let system = super::start().await;
    let (caller, third) = (system.user("caller").await, system.user("third").await);
    for (path, [body, other], status) in acts(&system).await {
        let answers = join_all((0..10).map(|_| post(&caller, path, &body, "key-1"))).await;
        for answer in &answers {
            assert_eq!(answer.status, status, "{path}: {answer:?}");
            assert_eq!(answer.text, answers[0].text, "{path}");
            assert_eq!(answer.header("location"), answers[0].header("location"), "{path}");
        }
        let reused = post(&caller, path, &other, "key-1").await;
        assert_eq!(reused.problem(), (422, "idempotency_key_reused"), "{path}");
        // A key is its caller's own.
        let of_third = post(&third, path, &other, "key-1").await;
        assert_eq!(of_third.status, status, "{path}: {of_third:?}");
        for wrong in ["", "a b", &"k".repeat(256)] {
            let refused = post(&caller, path, &body, wrong).await;
            assert_eq!((refused.problem(), refused.fields()), ((400, "validation_failed"), vec!["idempotencyKey"]));
        }
    }
    let total = async |path: &str| caller.get_fresh(path).await.json["pagination"]["total"].clone();
    assert_eq!(total(&format!("/marketplace/list?sellerId={}", caller.id)).await, 1);
    assert_eq!(total(&format!("/marketplace/list?buyerId={}", caller.id)).await, 1);
    assert_eq!(total(&format!("/discourse/channels?createdBy={}", caller.id)).await, 1);
    // 4 of the issue, one purchase, one deposit: 12.50 out, 1.50 in.
    assert_eq!(total("/marketplace/wallet/entries").await, 6);
    assert_eq!(caller.balance("USD").await, "999989.00");
}

#[tokio::test]
async fn what_was_refused_stays_refused_under_its_key() {
    let system = super::start().await;
    let author = system.user("author").await;
    let channel = author.post("/discourse/channel", &json!({"name": "Agora"})).await.json["id"].as_i64().unwrap();
    let body = json!({"channelId": channel + 1, "content": "words"});
    assert_eq!(post(&author, "/discourse/post", &body, "key").await.problem(), (404, "channel_not_found"));
    let next = author.post("/discourse/channel", &json!({"name": "Next"})).await;
    assert_eq!(next.json["id"], channel + 1);
    assert_eq!(post(&author, "/discourse/post", &body, "key").await.problem(), (404, "channel_not_found"));
    assert_eq!(post(&author, "/discourse/post", &body, "another").await.status, 201);
}
