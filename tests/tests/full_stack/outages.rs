//! Each store stopped and started again while requests flow.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tests::{Answer, Databases, StoreKind, StoreServer, System, User, eventually};

/// An answer without its store, at most: no call hangs.
const BOUND: Duration = Duration::from_secs(6);
/// Right answers after a store is back.
const RECOVERY: Duration = Duration::from_secs(5);

/// A system that has one store for its own.
async fn system_on(store: &StoreServer) -> System {
    crate::builder().databases(Databases::with(store).await).start().await
}

fn assert_no_restart(system: &mut System) {
    let servers = system.servers_mut();
    for server in servers {
        assert!(server.is_running(), "a server has ended");
    }
}

/// Calls one after the other until `stop`, each of which is done or refused with a 503 within [`BOUND`].
/// What was acknowledged.
async fn write_on(user: &User, path: &str, body: impl Fn(usize) -> Value, stop: &AtomicBool) -> Vec<Value> {
    let mut acknowledged = Vec::new();
    for number in 0.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let asked = Instant::now();
        let answer = user.post(path, &body(number)).await;
        assert!(asked.elapsed() < BOUND, "{path} took {:?}", asked.elapsed());
        match answer.status {
            201 => acknowledged.push(answer.json),
            503 => assert!(matches!(answer.problem().1, "unavailable" | "outcome_unknown"), "{answer:?}"),
            // A deadline that ran out while the store was going down.
            504 => assert_eq!(answer.problem().1, "deadline_exceeded"),
            _ => panic!("{answer:?}"),
        }
    }
    acknowledged
}

/// How many processes say in their metrics that they do not reach their store.
async fn without_store(system: &System) -> usize {
    let mut count = 0;
    for server in system.servers() {
        let metrics = reqwest::get(format!("http://{}/metrics", server.address())).await.unwrap().text().await.unwrap();
        let up: Vec<_> = metrics.lines().filter(|line| line.starts_with("store_up{")).collect();
        assert_eq!(up.len(), 1, "{}: {metrics}", server.address());
        count += usize::from(up[0].ends_with(" 0"));
    }
    count
}

/// Lets `store`, on which so many `replicas` stand, crash and come back while `writes` flow; `read` must work before and
/// after, and be refused between.
async fn crash_and_return(
    system: &mut System,
    store: &mut StoreServer,
    replicas: usize,
    read: impl AsyncFn() -> Answer,
    writes: impl Future<Output = Vec<Value>>,
    stop: &AtomicBool,
) -> Vec<Value> {
    let outage = async {
        assert_eq!(read().await.status, 200);
        store.crash().await;
        eventually("reads are refused", async || read().await.status == 503).await;
        let asked = Instant::now();
        assert_eq!(read().await.problem(), (503, "unavailable"));
        assert!(asked.elapsed() < Duration::from_secs(1), "a store that is down is an answer, not a hang");
        eventually("metrics tell", async || without_store(system).await == replicas).await;
        store.start().await;
        let back = Instant::now();
        eventually("reads work again", async || read().await.status == 200).await;
        assert!(back.elapsed() < RECOVERY, "it took {:?}", back.elapsed());
        system.all_up().await;
        eventually("metrics tell", async || without_store(system).await == 0).await;
        assert_no_restart(system);
        stop.store(true, Ordering::Relaxed);
    };
    let ((), acknowledged) = tokio::join!(outage, writes);
    acknowledged
}

#[tokio::test]
async fn postgresql_crashes_and_comes_back() {
    let mut store = StoreServer::running(StoreKind::PostgreSql).await;
    let mut system = system_on(&store).await;
    let ada = system.user("ada").await;
    let channel = ada.post("/discourse/channel", &json!({"name": "Crash"})).await.json["id"].clone();
    let stop = AtomicBool::new(false);
    let post = |number| json!({"channelId": channel, "content": format!("Number {number}")});
    let acknowledged = crash_and_return(
        &mut system,
        &mut store,
        6,
        async || ada.get_fresh("/discourse/channels").await,
        write_on(&ada, "/discourse/post", post, &stop),
        &stop,
    )
    .await;
    assert!(!acknowledged.is_empty());
    let kept = all_pages(&ada, &format!("/discourse/channel/{channel}"), "posts", "postsPagination").await;
    for post in acknowledged {
        assert!(kept.iter().any(|kept| kept["id"] == post["id"]), "{post} is lost");
    }
}

#[tokio::test]
async fn mongodb_crashes_and_comes_back() {
    let mut store = StoreServer::running(StoreKind::MongoDb).await;
    let mut system = system_on(&store).await;
    let ada = system.user("ada").await;
    let stop = AtomicBool::new(false);
    let item =
        |number| json!({"name": format!("Number {number}"), "description": "x", "category": "asset", "price": 1});
    let acknowledged = crash_and_return(
        &mut system,
        &mut store,
        3,
        async || ada.get_fresh("/marketplace/list").await,
        write_on(&ada, "/marketplace/item", item, &stop),
        &stop,
    )
    .await;
    assert!(!acknowledged.is_empty());
    let kept = all_pages(&ada, "/marketplace/list", "items", "pagination").await;
    for item in acknowledged {
        assert!(kept.iter().any(|kept| kept["_id"] == item["_id"]), "{item} is lost");
    }
    for (currency, sum) in system.items.imbalance().await.unwrap() {
        assert_eq!(sum, 0, "{currency:?}");
    }
}

/// Everything in a list.
async fn all_pages(user: &User, path: &str, member: &str, pagination: &str) -> Vec<Value> {
    let mut all = Vec::new();
    for page in 1.. {
        let answer = user.get_fresh(&format!("{path}?limit=100&page={page}")).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        all.extend(answer.json[member].as_array().unwrap().iter().cloned());
        if answer.json[pagination]["pages"].as_i64().unwrap() <= page {
            break;
        }
    }
    all
}

#[tokio::test]
async fn redis_crashes_and_comes_back() {
    let mut store = StoreServer::running(StoreKind::Redis).await;
    let mut system = system_on(&store).await;
    let ada = system.user("ada").await;
    let channel = ada.post("/discourse/channel", &json!({"name": "Crash"})).await.json["id"].clone();
    let page = format!("/discourse/channel/{channel}");
    let read = async || {
        let answer = ada.get(&page).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer
    };
    let posts = |answer: &Answer| answer.json["postsPagination"]["total"].clone();
    read().await;
    assert_eq!(read().await.header("x-cache"), "HIT");

    store.crash().await;
    for number in 1..=10 {
        // Without a cache to be invalidated, writes are read at once all the same.
        let posted = ada.post("/discourse/post", &json!({"channelId": channel, "content": "Hello."})).await;
        assert_eq!(posted.status, 201, "{posted:?}");
        let answer = read().await;
        assert_eq!((answer.header("x-cache"), posts(&answer)), ("BYPASS", json!(number)));
    }
    system.user("bob").await;
    let status = ada.get("/status").await;
    assert_eq!((status.status, &status.json["status"]), (200, &json!("degraded")));
    assert_eq!(status.json["unavailable"][0], "redis");
    // The gateway, and the replicas of the feed.
    eventually("all who stand on it say so", async || without_store(&system).await == 4).await;
    eventually("nothing is live", async || ada.get("/status").await.json["unavailable"] == json!(["redis", "feed"]))
        .await;
    assert_eq!(ada.get("/status").await.status, 200, "but all else is served");

    store.start().await;
    let back = Instant::now();
    // What the cache had from before the crash is older than what was posted meanwhile.
    eventually("the cache works again", async || {
        let answer = read().await;
        assert_eq!(posts(&answer), 10, "{}", answer.header("x-cache"));
        answer.header("x-cache") == "HIT"
    })
    .await;
    assert!(back.elapsed() < RECOVERY, "it took {:?}", back.elapsed());
    eventually("it is known to be back", async || without_store(&system).await == 0).await;
    system.all_up().await;
    let posts = async || ada.get("/activity?type=post.created").await.json["pagination"]["total"] == 10;
    eventually("the feed has what happened meanwhile", posts).await;
    assert_no_restart(&mut system);
}

/// How long most reads take.
async fn median(read: impl AsyncFn() -> Answer) -> Duration {
    let mut took = Vec::new();
    for _ in 0..51 {
        let asked = Instant::now();
        let answer = read().await;
        assert_eq!(answer.status, 200, "{answer:?}");
        took.push(asked.elapsed());
    }
    took.sort();
    took[25]
}

#[tokio::test]
async fn a_frozen_redis_holds_up_one_read_and_then_none() {
    let store = StoreServer::running(StoreKind::Redis).await;
    let system = system_on(&store).await;
    let ada = system.user("ada").await;
    let path = "/marketplace/list";
    eventually("it is in the cache", async || ada.get(path).await.header("x-cache") == "HIT").await;
    let uncached = median(async || ada.get_fresh(path).await).await;
    store.freeze();
    let frozen = median(async || ada.get(path).await).await;
    // Waiting for Redis would take 50 ms longer.
    assert!(frozen < uncached + Duration::from_millis(25), "{frozen:?} with Redis frozen, {uncached:?} past the cache");
    assert_eq!(ada.get(path).await.header("x-cache"), "BYPASS");
    // A write that Redis cannot be told of before it goes on.
    let listed = ada.list_item(json!({"name": "While frozen"})).await;
    assert_eq!(listed.status, 201);
    store.thaw();
    eventually("the cache works again", async || {
        let answer = ada.get(path).await;
        assert_eq!(answer.json["items"][0]["name"], "While frozen", "{}", answer.header("x-cache"));
        answer.header("x-cache") == "HIT"
    })
    .await;
}

#[tokio::test]
async fn a_store_that_is_not_there_yet_is_waited_for() {
    for kind in [StoreKind::Redis, StoreKind::PostgreSql, StoreKind::MongoDb] {
        let mut store = StoreServer::absent(kind);
        let mut system = crate::builder().databases(Databases::with(&store).await).launch().await;
        let anybody = system.anybody();
        eventually("/status says so", async || match kind {
            // Nothing is kept there that may not be lost.
            StoreKind::Redis => anybody.status().await == Some(200),
            _ => anybody.status().await == Some(503),
        })
        .await;
        assert!(!anybody.is_up().await, "{kind:?}");
        store.start().await;
        system.all_up().await;
        let ada = system.user("ada").await;
        assert_eq!(ada.get("/marketplace/list").await.status, 200, "{kind:?}");
        assert_eq!(ada.get("/discourse/channels").await.status, 200, "{kind:?}");
        assert_no_restart(&mut system);
    }
}
