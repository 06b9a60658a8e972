//! Posts one by one, members, and what becomes of channels: whatever is changed is seen at once, by whom it may be seen.

use reqwest::Method;
use serde_json::{Value, json};
use tests::{Answer, User, send};

/// Changes what has an ETag, or deletes it where there is no body.
async fn change(user: &User, path: &str, etag: &str, body: Option<Value>) -> Answer {
    let method = if body.is_some() { Method::PUT } else { Method::DELETE };
    let request = user.request(method, path).header("if-match", etag);
    send(match &body {
        Some(body) => request.json(body),
        None => request,
    })
    .await
}

async fn open(user: &User, kind: &str) -> Value {
    let opened = user.post("/discourse/channel", &json!({"name": "agora", "type": kind})).await;
    assert_eq!(opened.status, 201, "{opened:?}");
    opened.json["id"].clone()
}

async fn say(user: &User, channel: &Value, content: &str) -> String {
    let said = user.post("/discourse/post", &json!({"channelId": channel, "content": content})).await;
    assert_eq!(said.status, 201, "{said:?}");
    format!("/discourse/post/{}", said.json["id"])
}

/// The contents of what a user finds.
async fn found(user: &User, query: &str) -> Vec<String> {
    let list = user.get(&format!("/discourse/posts?{query}")).await;
    assert_eq!(list.status, 200, "{list:?}");
    let posts = list.json["posts"].as_array().unwrap();
    assert_eq!(list.json["pagination"]["total"], posts.len());
    posts.iter().map(|post| post["content"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_post_is_changed_and_deleted_by_who_has_seen_it() {
    let system = super::start().await;
    let (ada, bob) = (system.user("ada").await, system.user("bob").await);
    let channel = open(&ada, "public").await;
    let page = format!("/discourse/channel/{channel}");
    let path = say(&bob, &channel, "Gold is money").await;
    let post = bob.get(&path).await;
    assert_eq!((post.status, &post.json["tags"]), (200, &json!([])));
    let etag = post.header("etag").to_owned();
    assert!(etag.starts_with("\"1-") && etag.len() == 36, "{etag}");
    let known = send(bob.request(Method::GET, &path).header("if-none-match", &etag)).await;
    assert_eq!(known.status, 304);

    let body = json!({"content": "Silver is money", "topic": "strategic", "tags": ["a", " b ", "a"]});
    assert_eq!(bob.put(&path, &body).await.problem(), (428, "precondition_required"));
    assert_eq!(bob.delete(&path).await.problem(), (428, "precondition_required"));
    assert_eq!(change(&bob, &path, "7", Some(body.clone())).await.problem(), (400, "validation_failed"));
    assert_eq!(change(&ada, &path, &etag, Some(body.clone())).await.problem(), (403, "authors_only"));
    // These have been read, and are in the cache.
    assert_eq!(ada.get(&page).await.json["posts"][0]["content"], "Gold is money");
    assert_eq!(found(&ada, "q=gold").await, ["Gold is money"]);
    let changed = change(&bob, &path, &etag, Some(body.clone())).await;
    assert_eq!((changed.status, &changed.json["tags"]), (200, &json!(["a", "b"])), "{changed:?}");
    assert_eq!(ada.get(&path).await.json, changed.json);
    assert_eq!(ada.get(&path).await.header("etag"), changed.header("etag"));
    assert_eq!(ada.get(&page).await.json["posts"][0], changed.json);
    assert!(found(&ada, "q=gold").await.is_empty());
    assert_eq!(found(&ada, "q=silver&tag=b&topic=strategic").await, ["Silver is money"]);
    assert_eq!(change(&bob, &path, &etag, Some(body)).await.problem(), (412, "version_conflict"));
    assert_eq!(change(&bob, &path, &etag, None).await.problem(), (412, "version_conflict"));
    let empty = change(&bob, &path, "*", Some(json!({"content": " ", "tags": vec!["t"; 21]}))).await;
    assert_eq!((empty.problem(), empty.fields()), ((400, "validation_failed"), vec!["tags", "content"]));

    assert_eq!(change(&ada, &path, changed.header("etag"), None).await.status, 204, "the channel's creator");
    assert_eq!(ada.get(&path).await.problem(), (404, "post_not_found"));
    assert_eq!(ada.get(&page).await.json["posts"], json!([]));
    assert!(found(&ada, "").await.is_empty());
    assert_eq!(change(&bob, &path, "*", None).await.problem(), (404, "post_not_found"));
}

#[tokio::test]
async fn a_member_is_inside_until_removed_and_nobody_else_ever_is() {
    let system = super::start().await;
    let (ada, bob, eve) = (system.user("ada").await, system.user("bob").await, system.user("eve").await);
    let channel = open(&ada, "private").await;
    let page = format!("/discourse/channel/{channel}");
    let (members, member) = (format!("{page}/members"), format!("{page}/members/{}", bob.id));
    let path = say(&ada, &channel, "hush").await;
    let denied = (403, "channel_access_denied");
    let sees = async |user: &User| {
        let listed = user.get("/discourse/channels").await.json["pagination"]["total"] == 1;
        let (read, post) = (user.get(&page).await.status == 200, user.get(&path).await.status == 200);
        let shown = user.get(&members).await.status == 200;
        [listed, read, post, shown, !found(user, "q=hush").await.is_empty(), !found(user, "").await.is_empty()]
    };
    for (is_member, round) in [(false, 0), (true, 0), (false, 1), (true, 1)] {
        assert_eq!(sees(&ada).await, [true; 6], "{is_member} {round}");
        assert_eq!(sees(&bob).await, [is_member; 6], "{is_member} {round}");
        assert_eq!(sees(&eve).await, [false; 6], "{is_member} {round}");
        let said = bob.post("/discourse/post", &json!({"channelId": channel, "content": "me too"})).await;
        assert_eq!(said.status, if is_member { 201 } else { 403 }, "{said:?}");
        if is_member {
            let path = format!("/discourse/post/{}", said.json["id"]);
            assert_eq!(change(&bob, &path, "*", None).await.status, 204);
            assert_eq!(bob.get(&member).await.json["addedBy"], ada.id);
            assert_eq!(bob.put(&member, &json!({})).await.problem(), (403, "creators_only"));
            let leaver = if round == 0 { &ada } else { &bob };
            assert_eq!(leaver.delete(&member).await.status, 204);
        } else {
            for who in [&bob, &eve] {
                assert_eq!(who.put(&member, &json!({})).await.problem(), denied);
                assert_eq!(who.delete(&member).await.problem(), denied);
            }
            assert_eq!(ada.delete(&member).await.problem(), (404, "member_not_found"));
            for _ in 0..2 {
                let added = ada.put(&member, &json!({})).await;
                assert_eq!((added.status, &added.json["userId"]), (200, &json!(bob.id)), "{added:?}");
            }
        }
    }
    let own = format!("{members}/{}", ada.id);
    assert_eq!(ada.put(&own, &json!({})).await.problem(), (409, "membership_not_needed"));
    let nobody = ada.put(&format!("{members}/nobody"), &json!({})).await;
    assert_eq!((nobody.problem(), nobody.fields()), ((400, "validation_failed"), vec!["userId"]));
}

#[tokio::test]
async fn a_channel_is_changed_and_goes_with_all_that_is_in_it() {
    let system = super::start().await;
    let (ada, bob) = (system.user("ada").await, system.user("bob").await);
    let channel = open(&ada, "public").await;
    let page = format!("/discourse/channel/{channel}");
    let path = say(&bob, &channel, "Gold is money").await;
    let etag = ada.get(&page).await.header("etag").to_owned();
    assert_eq!(bob.get(&path).await.status, 200);
    assert_eq!(change(&bob, &page, &etag, Some(json!({}))).await.problem(), (403, "creators_only"));
    assert_eq!(ada.put(&page, &json!({})).await.problem(), (428, "precondition_required"));
    // Another post is another page, and the same channel.
    say(&bob, &channel, "Money is gold").await;
    let changed = change(&ada, &page, &etag, Some(json!({"name": "Gold bugs", "type": "private"}))).await;
    assert_eq!((changed.status, &changed.json["name"]), (200, &json!("Gold bugs")), "{changed:?}");
    assert_eq!(change(&ada, &page, &etag, None).await.problem(), (412, "version_conflict"));
    // What they have read is in the cache, and not for them any more.
    for denied in [&page, &path] {
        assert_eq!(bob.get(denied).await.problem(), (403, "channel_access_denied"), "{denied}");
    }
    assert!(found(&bob, "").await.is_empty());
    assert_eq!(change(&bob, &path, "*", None).await.problem(), (403, "channel_access_denied"));
    assert_eq!(ada.get("/discourse/channels").await.json["channels"][0]["name"], "Gold bugs");

    assert_eq!(change(&ada, &page, changed.header("etag"), None).await.status, 204);
    assert_eq!(ada.get(&page).await.problem(), (404, "channel_not_found"));
    assert_eq!(ada.get(&path).await.problem(), (404, "post_not_found"));
    assert_eq!(ada.get("/discourse/channels").await.json["channels"], json!([]));
    assert!(found(&ada, "").await.is_empty());
    let post = json!({"channelId": channel, "content": "echo"});
    assert_eq!(ada.post("/discourse/post", &post).await.problem(), (404, "channel_not_found"));
}

#[tokio::test]
async fn whatever_is_looked_for_is_words_or_refused() {
    let system = super::start().await;
    let ada = system.user("ada").await;
    let channel = open(&ada, "public").await;
    say(&ada, &channel, "Gold bars, or not").await;
    for nonsense in ["%22gold", "gold'", "gold%20OR", "(gold", "gold*", "-gold", "gold%20%26%20!", "title:gold"] {
        let list = ada.get(&format!("/discourse/posts?q={nonsense}")).await;
        assert_eq!(list.status, 200, "{nonsense}: {list:?}");
    }
    for (query, expected) in [("q=%22gold%20bars", 1), ("q=silver", 0), ("q=%22%27(", 0), ("q=", 1), ("q=%20&tag=", 1)]
    {
        assert_eq!(found(&ada, query).await.len(), expected, "{query}");
    }
    for (query, field) in [
        (format!("q={}", "x".repeat(201)), "q"),
        (format!("q={}", "x".repeat(10_000)), "q"),
        (format!("tag={}", "t".repeat(51)), "tag"),
        ("author=ada".to_owned(), "author"),
        ("channelId=x".to_owned(), "channelId"),
        ("channelId=0".to_owned(), "channelId"),
        ("topic=gossip".to_owned(), "topic"),
        ("limit=101".to_owned(), "limit"),
    ] {
        let refused = ada.get(&format!("/discourse/posts?{query}")).await;
        assert_eq!((refused.problem(), refused.fields()), ((400, "validation_failed"), vec![field]), "{field}");
    }
    assert_eq!(system.anybody().get("/discourse/posts").await.problem(), (401, "missing_token"));
}
