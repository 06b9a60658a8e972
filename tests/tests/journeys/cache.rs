//! The response cache: hits, read your writes, one upstream call for concurrent misses.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use futures_util::future::join_all;
use serde_json::json;
use tests::{Stack, send};

#[tokio::test]
async fn status_counts_requests_hits_and_misses() {
    let system = super::start().await;
    // Two requests: to register, and to log in.
    let ada = system.user("ada").await;
    for _ in 0..3 {
        ada.get_by_cache("/marketplace/list").await;
    }
    let status = system.anybody().get("/status").await.json;
    assert_eq!(status["cache"], json!({"hits": 2, "misses": 1}));
    // More where the cache had to be asked again.
    assert!(status["requests"].as_u64().is_some_and(|requests| requests >= 5), "{status}");
}

#[tokio::test]
async fn the_second_read_is_a_hit_and_unknown_parameters_change_nothing() {
    let system = super::start().await;
    let (ada, bob) = (system.user("ada").await, system.user("bob").await);
    let item = ada.new_item().await;
    let channel = ada.post("/discourse/channel", &json!({"name": "c"})).await.json["id"].clone();
    for path in [
        "/marketplace/list?category=asset&page=1".to_owned(),
        format!("/marketplace/item/{item}"),
        "/discourse/channels".to_owned(),
        format!("/discourse/channel/{channel}"),
    ] {
        let miss = ada.get_by_cache(&path).await;
        assert_eq!((miss.status, miss.header("x-cache"), miss.header("age")), (200, "MISS", "0"), "{path}");
        let hit = ada.get_by_cache(&path).await;
        assert_eq!(hit.header("x-cache"), "HIT", "{path}");
        assert_eq!((&hit.text, hit.header("etag")), (&miss.text, miss.header("etag")));
        assert_eq!(ada.get_fresh(&path).await.header("x-cache"), "BYPASS");

        let known = ada.request(reqwest::Method::GET, &path).header("if-none-match", miss.header("etag"));
        let unchanged = send(known).await;
        assert_eq!((unchanged.status, unchanged.text.as_str()), (304, ""), "{path}");
        assert_eq!(unchanged.header("etag"), miss.header("etag"));
    }
    let reordered = bob.get_by_cache("/marketplace/list?utm_source=mail&page=1&category=asset").await;
    assert_eq!(reordered.header("x-cache"), "HIT", "one list for all viewers, however it is written");
    let upper = bob.get_by_cache(&format!("/marketplace/item/{}", item.to_uppercase())).await;
    assert_eq!((upper.status, upper.header("x-cache")), (200, "HIT"));
    let wallet = ada.get("/marketplace/wallet").await;
    assert_eq!((wallet.header("x-cache"), wallet.header("cache-control")), ("BYPASS", "no-store"));

    let metrics = ada.get("/metrics").await.text;
    assert!(metrics.contains(r#"cache_hits_total{path="/marketplace/item/{id}"} 3"#), "{metrics}");
    assert!(metrics.contains(r#"cache_misses_total{path="/marketplace/item/{id}"} 1"#), "{metrics}");
}

#[tokio::test]
async fn errors_are_never_cached() {
    let system = super::start().await;
    let ada = system.user("ada").await;
    assert_eq!(ada.get("/discourse/channel/1").await.problem(), (404, "channel_not_found"));
    ada.post("/discourse/channel", &json!({"name": "first"})).await;
    assert_eq!(ada.get("/discourse/channel/1").await.status, 200);
}

#[tokio::test]
async fn a_ttl_of_zero_turns_the_cache_off() {
    let system = crate::builder().cache_ttl(0).start().await;
    let ada = system.user("ada").await;
    for _ in 0..2 {
        assert_eq!(ada.get("/marketplace/list").await.header("x-cache"), "BYPASS");
    }
}

#[tokio::test]
async fn an_entry_lives_for_the_ttl() {
    let system = crate::builder().cache_ttl(1).start().await;
    let ada = system.user("ada").await;
    assert_eq!(ada.get_by_cache("/marketplace/list").await.header("x-cache"), "MISS");
    tests::eventually("the entry expires", async || ada.get("/marketplace/list").await.header("x-cache") == "MISS")
        .await;
}

#[tokio::test]
async fn concurrent_misses_make_one_upstream_call() {
    let system = super::start().await;
    let ada = system.user("ada").await;
    ada.new_item().await;
    let calls = async || system.calls("marketplace").await.iter().sum::<u64>();
    // A cache that does not answer within 50 ms is done without: on a machine that is busy with other things, once more.
    for limit in 1..=20 {
        let before = calls().await;
        let path = format!("/marketplace/list?limit={limit}");
        let answers = join_all((0..100).map(|_| ada.get(&path))).await;
        assert!(answers.iter().all(|answer| answer.status == 200 && answer.text == answers[0].text));
        if answers.iter().all(|answer| answer.header("x-cache") != "BYPASS") {
            assert_eq!(calls().await - before, 1);
            return;
        }
    }
    panic!("the cache never answered in time");
}

#[tokio::test]
async fn writes_are_read_at_once_while_others_hammer_the_same_keys() {
    let system = Arc::new(super::start().await);
    let (ada, bob) = (system.user("ada").await, system.user("bob").await);
    let channel = ada.post("/discourse/channel", &json!({"name": "c"})).await.json["id"].clone();
    let channel_path = format!("/discourse/channel/{channel}?limit=1");
    let (done, reads) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let mut hammers = Vec::new();
    for path in ["/marketplace/list?limit=1", "/marketplace/list?status=sold&limit=1", channel_path.as_str()] {
        for _ in 0..2 {
            let (reader, done, reads, path) = (bob.clone(), done.clone(), reads.clone(), path.to_owned());
            hammers.push(tokio::spawn(async move {
                while !done.load(Ordering::Relaxed) {
                    assert_eq!(reader.get(&path).await.status, 200);
                    reads.fetch_add(1, Ordering::Relaxed);
                }
            }));
        }
    }
    let rounds = match system.stack {
        Stack::Embedded => 200_u64,
        Stack::Full => 25,
    };
    for round in 0..rounds {
        let item = ada.new_item().await;
        let list = ada.get("/marketplace/list?limit=1").await;
        assert_eq!(list.json["items"][0]["_id"], item, "round {round}: the list lacks the newest item");
        let page = bob.get(&format!("/marketplace/item/{item}")).await;
        assert_eq!((&page.json["status"], &page.json["seller"]["activeListings"]), (&json!("available"), &json!(1)));

        assert_eq!(bob.purchase(&item, None).await.status, 200);
        let page = bob.get(&format!("/marketplace/item/{item}")).await;
        assert_eq!(page.json["status"], "sold", "round {round}: the item page is stale");
        assert_eq!(page.json["seller"]["completedSales"], round + 1);
        let sold = bob.get("/marketplace/list?status=sold&limit=1").await;
        assert_eq!(sold.json["items"][0]["_id"], item, "round {round}: the list of sold items is stale");

        let post = json!({"channelId": channel, "content": format!("round {round}")});
        let post = bob.post("/discourse/post", &post).await;
        let read = bob.get(&channel_path).await;
        assert_eq!(read.json["posts"][0], post.json, "round {round}: the channel is stale");
    }
    done.store(true, Ordering::Relaxed);
    for hammer in hammers {
        hammer.await.unwrap();
    }
    assert!(reads.load(Ordering::Relaxed) > rounds);
}
