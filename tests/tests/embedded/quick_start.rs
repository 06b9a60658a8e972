//! The quick start of the README, step by step.

use serde_json::json;
use tests::System;

#[tokio::test]
async fn two_users_trade_and_talk() {
    let system = crate::builder().start().await;
    let anybody = system.anybody();

    let index = anybody.get("/").await;
    assert_eq!((index.status, &index.json["links"]["docs"]), (200, &json!("/docs")));

    let ada = system.user("ada").await;
    let bob = system.user("bob").await;

    let listed =
        ada.list_item(json!({"price": "250.50", "currency": "EUR", "isPremium": true, "tags": ["gold"]})).await;
    assert_eq!(listed.status, 201, "{listed:?}");
    let id = listed.json["_id"].as_str().unwrap();
    assert_eq!(listed.header("location"), format!("/marketplace/item/{id}"));
    assert_eq!(listed.json["sellerId"], ada.id);
    assert_eq!(listed.json["status"], "available");
    assert!(listed.text.contains(r#""price":250.50,"currency":"EUR""#), "{}", listed.text);

    let list = bob.get("/marketplace/list?category=asset&currency=EUR&minPrice=250&maxPrice=251&tag=gold").await;
    assert_eq!(list.json["items"], json!([listed.json]));
    assert_eq!(list.json["pagination"], json!({"page": 1, "limit": 20, "total": 1, "pages": 1}));

    let bought = bob.purchase(id, None).await;
    assert_eq!(bought.status, 200, "{bought:?}");
    assert_eq!(bought.json["item"]["status"], "sold");
    let transaction = &bought.json["transaction"];
    assert_eq!(transaction["itemId"], id);
    assert_eq!(transaction["buyerId"], bob.id);
    assert_eq!(transaction["sellerId"], ada.id);
    assert_eq!((&transaction["type"], &transaction["status"]), (&json!("purchase"), &json!("completed")));

    assert_eq!(bob.balance("EUR").await, "999749.50");
    assert_eq!(ada.balance("EUR").await, "1000250.50");
    assert_eq!(ada.balance("USD").await, "1000000.00");

    let page = ada.get(&format!("/marketplace/item/{id}")).await;
    assert_eq!(page.json["seller"], json!({"id": ada.id, "username": "ada", "activeListings": 0, "completedSales": 1}));
    assert_eq!(page.json["transactionHistory"], json!([transaction]));

    let channel = ada.post("/discourse/channel", &json!({"name": "Gold bugs", "zone": "austrian"})).await;
    assert_eq!(channel.status, 201, "{channel:?}");
    let channel_id = channel.json["id"].as_i64().unwrap();
    assert_eq!(channel.header("location"), format!("/discourse/channel/{channel_id}"));
    assert_eq!((&channel.json["type"], &channel.json["createdBy"]), (&json!("public"), &json!(ada.id)));

    let post = json!({"channelId": channel_id, "title": "On value", "content": "The market sets the price of money."});
    let post = bob.post("/discourse/post", &post).await;
    assert_eq!(post.status, 201, "{post:?}");
    assert_eq!((&post.json["topic"], &post.json["authorId"]), (&json!("economic"), &json!(bob.id)));

    let pinned = json!({"channelId": channel_id, "content": "Be kind.", "isPinned": true, "topic": "general"});
    let pinned = ada.post("/discourse/post", &pinned).await;
    assert_eq!(pinned.status, 201, "{pinned:?}");

    let page = bob.get(&format!("/discourse/channel/{channel_id}")).await;
    assert_eq!(page.json["posts"], json!([pinned.json, post.json]));
    assert_eq!(page.json["postsPagination"]["total"], 2);
    let economic = bob.get(&format!("/discourse/channel/{channel_id}?topic=economic")).await;
    assert_eq!(economic.json["posts"], json!([post.json]));

    let channels = bob.get("/discourse/channels?zone=austrian&type=public").await;
    assert_eq!(channels.json["channels"][0]["id"], channel_id);

    let status = anybody.get("/status").await;
    assert_eq!((status.status, &status.json["status"]), (200, &json!("healthy")));
    let metrics = anybody.get("/metrics").await;
    assert!(metrics.text.contains("http_requests_total{"), "{}", metrics.text);
}

#[tokio::test]
async fn a_gateway_that_stops_has_finished_what_was_begun() {
    let mut system = crate::builder().start().await;
    let ada = system.user("ada").await;
    let item = ada.new_item().await;
    let bob = system.user("bob").await;
    let purchase = tokio::spawn(async move { bob.purchase(&item, None).await });
    // Whether the purchase has arrived yet or not, it is answered or refused, never cut off in the middle.
    tests::eventually("the purchase is under way", async || system.calls("marketplace").await.iter().sum::<u64>() > 1)
        .await;
    system.gateway_mut().stop().await;
    assert_eq!(purchase.await.unwrap().status, 200);
    assert_eq!(sum(&system).await, [0; 4]);
}

async fn sum(system: &System) -> [i128; 4] {
    let imbalance = system.items.imbalance().await.unwrap();
    let mut sums = [0; 4];
    for (sum, of) in sums.iter_mut().zip(imbalance) {
        *sum = of.1;
    }
    sums
}
