//! Two gateways on one Redis are one system.

use serde_json::json;
use tests::eventually;

#[tokio::test]
async fn what_is_written_through_one_is_read_at_once_through_the_other() {
    let system = crate::builder().start().await;
    let second = system.gateway().twin("gateway-2");
    let ada = system.user("ada").await;
    let there = ada.at(&second);
    eventually("the second gateway is up", async || there.is_up().await).await;
    let channel = ada.post("/discourse/channel", &json!({"name": "Both"})).await.json["id"].as_i64().unwrap();
    let page = format!("/discourse/channel/{channel}");
    for round in 1..=25 {
        let (writer, reader) = if round % 2 == 0 { (&ada, &there) } else { (&there, &ada) };
        // Both have it in the cache.
        for user in [&ada, &there] {
            eventually("it is in the cache", async || user.get(&page).await.header("x-cache") == "HIT").await;
        }
        let posted = writer.post("/discourse/post", &json!({"channelId": channel, "content": "Hello."})).await;
        assert_eq!(posted.status, 201, "{posted:?}");
        let read = reader.get(&page).await;
        assert_ne!(read.header("x-cache"), "HIT", "round {round}");
        assert_eq!(read.json["postsPagination"]["total"], round);
    }
}

#[tokio::test]
async fn they_share_users_and_limits() {
    let system = crate::builder().auth_rate_limit(6).start().await;
    let second = system.gateway().twin("gateway-2");
    let ada = system.user("ada").await;
    let there = ada.at(&second);
    eventually("the second gateway is up", async || there.is_up().await).await;
    let credentials = json!({"username": "ADA", "password": "correct horse"});
    // Two of the six went into making her.
    for (nth, user) in [&there, &ada, &there, &there].into_iter().enumerate() {
        assert_eq!(user.post("/auth/login", &credentials).await.status, 200, "login {nth}");
    }
    for user in [&ada, &there] {
        let refused = user.post("/auth/login", &credentials).await;
        assert_eq!(refused.problem(), (429, "rate_limited"));
        assert!(refused.header("ratelimit").starts_with("\"auth\";r=0;t="), "{refused:?}");
    }
}
