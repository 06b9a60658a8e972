//! A private channel never shows to another user.

use serde_json::json;

#[tokio::test]
async fn a_private_channel_never_shows_to_another_user() {
    let system = super::start().await;
    let (ada, eve) = (system.user("ada").await, system.user("eve").await);
    let created = ada.post("/discourse/channel", &json!({"name": "diary", "type": "private", "zone": "z"})).await;
    assert_eq!(created.status, 201, "{created:?}");
    let path = format!("/discourse/channel/{}", created.json["id"]);
    let post = json!({"channelId": created.json["id"], "content": "secret"});
    assert_eq!(ada.post("/discourse/post", &post).await.status, 201);

    // Twice, so that the creator's answers are in the cache when the other asks.
    for _ in 0..2 {
        for list in ["/discourse/channels", "/discourse/channels?type=private", "/discourse/channels?zone=z"] {
            assert_eq!(ada.get(list).await.json["pagination"]["total"], 1, "{list}");
            let seen = eve.get(list).await;
            assert_eq!((&seen.json["channels"], &seen.json["pagination"]["total"]), (&json!([]), &json!(0)), "{list}");
        }
        let by_creator = format!("/discourse/channels?createdBy={}", ada.id);
        assert_eq!(eve.get(&by_creator).await.json["pagination"]["total"], 0);

        let read = ada.get(&path).await;
        assert_eq!((read.status, &read.json["posts"][0]["content"]), (200, &json!("secret")));
        let denied = eve.get(&path).await;
        assert_eq!(denied.problem(), (403, "channel_access_denied"));
        assert!(!denied.text.contains("diary") && !denied.text.contains("secret"), "{}", denied.text);
        assert_eq!(eve.post("/discourse/post", &post).await.problem(), (403, "channel_access_denied"));
        let etag = read.header("etag").to_owned();
        let known = eve.request(reqwest::Method::GET, &path).header("if-none-match", etag);
        assert_eq!(tests::send(known).await.status, 403, "a guessed ETag tells nothing");
    }
}

#[tokio::test]
async fn a_sovereign_channel_is_read_by_all_and_written_by_its_creator() {
    let system = super::start().await;
    let (ada, bob) = (system.user("ada").await, system.user("bob").await);
    let created = ada.post("/discourse/channel", &json!({"name": "decrees", "type": "sovereign"})).await;
    let post = json!({"channelId": created.json["id"], "content": "hear, hear"});
    assert_eq!(ada.post("/discourse/post", &post).await.status, 201);
    assert_eq!(bob.post("/discourse/post", &post).await.problem(), (403, "channel_access_denied"));
    let read = bob.get(&format!("/discourse/channel/{}", created.json["id"])).await;
    assert_eq!((read.status, &read.json["postsPagination"]["total"]), (200, &json!(1)));
    assert_eq!(bob.get("/discourse/channels").await.json["pagination"]["total"], 1);
}

#[tokio::test]
async fn only_the_creator_pins() {
    let system = super::start().await;
    let (ada, bob) = (system.user("ada").await, system.user("bob").await);
    let channel = ada.post("/discourse/channel", &json!({"name": "agora"})).await.json["id"].clone();
    let pin = json!({"channelId": channel, "content": "look at me", "isPinned": true});
    assert_eq!(bob.post("/discourse/post", &pin).await.problem(), (403, "pin_denied"));
    assert_eq!(ada.post("/discourse/post", &pin).await.status, 201);
}
