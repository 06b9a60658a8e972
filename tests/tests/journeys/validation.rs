//! Every limit at the edge and one past it.

use serde_json::{Value, json};
use tests::{Answer, User};

/// Asserts that `answer` refuses exactly these fields.
fn refuses(answer: &Answer, fields: &[&str]) {
    assert_eq!(answer.problem(), (400, "validation_failed"), "{answer:?}");
    assert_eq!(answer.fields(), fields, "{answer:?}");
}

fn text(length: usize) -> Value {
    // Two bytes a character: limits count characters.
    json!("ä".repeat(length))
}

#[tokio::test]
async fn items() {
    let system = super::start().await;
    let ada = system.user("ada").await;
    let tags = |count: usize| json!((0..count).map(|number| format!("tag-{number}")).collect::<Vec<_>>());
    for good in [
        json!({"name": text(1)}),
        json!({"name": text(200)}),
        json!({"name": format!("  {}  ", "x".repeat(200))}),
        json!({"name": "\u{5E9}\u{5DC}\u{5D5}\u{5DD}\u{200F}!", "description": "👩\u{200D}🚀"}),
        json!({"description": text(1)}),
        json!({"description": text(5000)}),
        json!({"tags": []}),
        json!({"tags": tags(20)}),
        json!({"tags": [text(1), text(50)]}),
        json!({"category": "innovation"}),
        json!({"category": "service", "isPremium": true, "unknown": {"ignored": 1}}),
        json!({"category": "knowledge", "isPremium": null, "tags": null, "currency": null}),
    ] {
        let created = ada.list_item(good.clone()).await;
        assert_eq!(created.status, 201, "{good}: {created:?}");
    }
    for (bad, field) in [
        (json!({"name": ""}), "name"),
        (json!({"name": " \t\n"}), "name"),
        (json!({"name": null}), "name"),
        (json!({"name": text(201)}), "name"),
        (json!({"name": "a\u{0}b"}), "name"),
        (json!({"name": "invoice\u{202E}fdp.exe"}), "name"),
        (json!({"description": "\u{2067}never closed"}), "description"),
        (json!({"description": "  "}), "description"),
        (json!({"description": text(5001)}), "description"),
        (json!({"category": "spaceship"}), "category"),
        (json!({"category": null}), "category"),
        (json!({"currency": "usd"}), "currency"),
        (json!({"price": null}), "price"),
        (json!({"tags": tags(21)}), "tags"),
        (json!({"tags": ["good", ""]}), "tags[1]"),
        (json!({"tags": [text(51)]}), "tags[0]"),
    ] {
        refuses(&ada.list_item(bad).await, &[field]);
    }
    refuses(&ada.post("/marketplace/item", &json!({})).await, &["name", "description", "category", "price"]);

    let created = ada.list_item(json!({"name": "  trimmed ", "tags": [" a ", "a", "b"]})).await;
    assert_eq!((&created.json["name"], &created.json["tags"]), (&json!("trimmed"), &json!(["a", "b"])));
}

#[tokio::test]
async fn channels_and_posts() {
    let system = super::start().await;
    let ada = system.user("ada").await;
    let open = async |change: Value| {
        let mut channel = json!({"name": "agora"});
        channel.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        ada.post("/discourse/channel", &channel).await
    };
    for good in [
        json!({"name": text(1)}),
        json!({"name": text(255)}),
        json!({"description": text(5000), "zone": text(100), "type": "sovereign"}),
        json!({"description": "", "zone": null, "type": null}),
    ] {
        assert_eq!(open(good.clone()).await.status, 201, "{good}");
    }
    for (bad, field) in [
        (json!({"name": " "}), "name"),
        (json!({"name": text(256)}), "name"),
        (json!({"description": text(5001)}), "description"),
        (json!({"zone": text(101)}), "zone"),
        (json!({"type": "secret"}), "type"),
    ] {
        refuses(&open(bad).await, &[field]);
    }

    let channel = open(json!({})).await.json["id"].clone();
    let post = async |change: Value| {
        let mut post = json!({"channelId": channel, "content": "words"});
        post.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        ada.post("/discourse/post", &post).await
    };
    for good in [
        json!({"content": text(1)}),
        json!({"content": text(20_000)}),
        json!({"title": text(500), "topic": "strategic"}),
        json!({"title": "", "topic": null, "isPinned": null}),
    ] {
        assert_eq!(post(good.clone()).await.status, 201, "{good}");
    }
    for (bad, field) in [
        (json!({"content": "\n"}), "content"),
        (json!({"content": text(20_001)}), "content"),
        (json!({"title": text(501)}), "title"),
        (json!({"topic": "weather"}), "topic"),
        (json!({"channelId": null}), "channelId"),
        (json!({"channelId": 0}), "channelId"),
    ] {
        refuses(&post(bad).await, &[field]);
    }
    assert_eq!(post(json!({"channelId": i64::MAX})).await.problem(), (404, "channel_not_found"));
}

#[tokio::test]
async fn users() {
    let system = super::start().await;
    let anybody = system.anybody();
    let register = async |username: &str, password: &str| {
        anybody.post("/auth/register", &json!({"username": username, "password": password})).await
    };
    for (username, password) in [("abc", "123456"), (&"x".repeat(64), &"🦀".repeat(128))] {
        let registered = register(username, password).await;
        assert_eq!(registered.status, 201, "{registered:?}");
    }
    for (username, password, fields) in [
        ("ab", "123456", ["username"].as_slice()),
        (&"x".repeat(65), "123456", &["username"]),
        ("a b c", "123456", &["username"]),
        ("äöü", "123456", &["username"]),
        ("abcd", "12345", &["password"]),
        ("abcd", &"x".repeat(129), &["password"]),
        ("", "", &["username", "password"]),
    ] {
        refuses(&register(username, password).await, fields);
    }
    refuses(&anybody.post("/auth/register", &json!({})).await, &["username", "password"]);
    refuses(&anybody.post("/auth/login", &json!({})).await, &["username", "password"]);
}

async fn query(user: &User, path: &str) -> (u16, Vec<String>) {
    let answer = user.get(path).await;
    if answer.status != 200 {
        assert_eq!(answer.problem().1, "validation_failed");
    }
    (answer.status, answer.fields().into_iter().map(str::to_owned).collect())
}

#[tokio::test]
async fn queries() {
    let system = super::start().await;
    let ada = system.user("ada").await;
    ada.post("/discourse/channel", &json!({"name": "agora"})).await;
    for list in ["/marketplace/list", "/discourse/channels", "/discourse/channel/1"] {
        for good in ["page=1", "limit=1", "limit=100", "page=4294967295&limit=100", "unknown=1", ""] {
            assert_eq!(query(&ada, &format!("{list}?{good}")).await.0, 200, "{list}?{good}");
        }
        for (bad, field) in [
            ("page=0", "page"),
            ("page=-1", "page"),
            ("page=one", "page"),
            ("page=4294967296", "page"),
            ("page=", "page"),
            ("limit=0", "limit"),
            ("limit=101", "limit"),
            ("limit=1.5", "limit"),
        ] {
            assert_eq!(query(&ada, &format!("{list}?{bad}")).await, (400, vec![field.to_owned()]), "{list}?{bad}");
        }
    }
    for (bad, field) in [
        ("/marketplace/list?category=x", "category"),
        ("/marketplace/list?status=x", "status"),
        ("/marketplace/list?currency=x", "currency"),
        ("/marketplace/list?sort=x", "sort"),
        ("/marketplace/list?isPremium=x", "isPremium"),
        ("/marketplace/list?minPrice=x", "minPrice"),
        ("/marketplace/list?minPrice=-1", "minPrice"),
        ("/marketplace/list?maxPrice=1e99", "maxPrice"),
        ("/marketplace/list?maxPrice=0.001&currency=USD", "maxPrice"),
        ("/marketplace/list?sellerId=x", "sellerId"),
        ("/marketplace/list?buyerId=me", "buyerId"),
        ("/marketplace/item/x", "id"),
        ("/marketplace/item/0123456789abcdef0123456", "id"),
        ("/marketplace/item/0123456789abcdef0123456g", "id"),
        ("/discourse/channels?type=x", "type"),
        ("/discourse/channels?createdBy=x", "createdBy"),
        ("/discourse/channel/1?topic=x", "topic"),
        ("/discourse/channel/0", "id"),
        ("/discourse/channel/-1", "id"),
        ("/discourse/channel/x", "id"),
        ("/discourse/channel/9223372036854775808", "id"),
    ] {
        assert_eq!(query(&ada, bad).await, (400, vec![field.to_owned()]), "{bad}");
    }
    let missing = ada.get("/marketplace/item/0123456789abcdef01234567").await;
    assert_eq!(missing.problem(), (404, "item_not_found"));
    assert_eq!(ada.get("/discourse/channel/9223372036854775807").await.problem(), (404, "channel_not_found"));
}

#[tokio::test]
async fn idempotency_keys() {
    let system = super::start().await;
    let (seller, buyer) = (system.user("seller").await, system.user("buyer").await);
    for key in ["!", "~", &"k".repeat(255)] {
        let item = seller.new_item().await;
        assert_eq!(buyer.purchase(&item, Some(key)).await.status, 200, "{key}");
    }
    let item = seller.new_item().await;
    for key in ["", "with space", "ümlaut", &"k".repeat(256)] {
        refuses(&buyer.purchase(&item, Some(key)).await, &["idempotencyKey"]);
    }
    refuses(&buyer.post("/marketplace/purchase", &json!({"itemId": item, "type": "theft"})).await, &["type"]);
    refuses(&buyer.post("/marketplace/purchase", &json!({})).await, &["itemId"]);
}

#[tokio::test]
async fn paging_covers_everything_once() {
    let system = super::start().await;
    let ada = system.user("ada").await;
    let mut items = Vec::new();
    for _ in 0..7 {
        items.push(json!(ada.new_item().await));
    }
    items.reverse();
    let mut seen = Vec::new();
    for page in 1..=4 {
        let answer = ada.get(&format!("/marketplace/list?limit=3&page={page}")).await;
        assert_eq!(answer.json["pagination"], json!({"page": page, "limit": 3, "total": 7, "pages": 3}));
        seen.extend(answer.json["items"].as_array().unwrap().iter().map(|item| item["_id"].clone()));
    }
    assert_eq!(seen, items, "newest first, each once");
}
