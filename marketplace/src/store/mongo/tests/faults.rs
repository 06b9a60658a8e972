//! What the tests' server cannot be made to say on demand, said by a proxy in front of it.

use std::{
    collections::HashSet,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::Poll,
};

use bson::Bson;
use proto::marketplace::{GetItemRequest, marketplace_client::MarketplaceClient};
use tokio::sync::watch;
use tonic::{Code, transport::Channel};
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient};

use super::{proxy::Proxy, *};

/// Another act has the document: the transaction is to begin again.
fn write_conflict() -> Document {
    let labels = ["TransientTransactionError"];
    doc! { "ok": 0, "code": 112, "codeName": "WriteConflict", "errmsg": "write conflict", "errorLabels": labels }
}

/// There is such a key already, which the transaction may not see.
fn duplicate_key() -> Document {
    doc! { "ok": 1, "n": 0, "writeErrors": [{ "index": 0, "code": 11000, "errmsg": "E11000 duplicate key error" }] }
}

/// The `_id` of the document of `collection` that `command` updates.
fn updated(command: &Document, collection: &str) -> Option<Bson> {
    if command.get_str("findAndModify").is_ok_and(|updated| updated == collection) {
        return command.get_document("query").ok()?.get("_id").cloned();
    }
    command.get_str("update").ok().filter(|updated| *updated == collection)?;
    command.get_array("updates").ok()?.first()?.as_document()?.get_document("q").ok()?.get("_id").cloned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_that_stays_locked_stops_nobody_but_those_who_want_it() {
    const CONNECTIONS: u32 = 3;
    let scratch = Scratch::new();
    let (seller, store) = (user("seller"), scratch.store(1_000).await);
    let locked = sell(&store, &seller, usd(1)).await;
    let mut free = Vec::new();
    for _ in 0..2 {
        free.push(sell(&store, &seller, usd(1)).await);
    }
    // All others are thrown back once.
    let (locked_id, seen) = (locked.id, Mutex::new(HashSet::new()));
    let proxy = Proxy::with(scratch.server().await, move |command| {
        let id = updated(command, "items")?.as_object_id()?;
        let conflicts = id == locked_id || seen.lock().expect("lock").insert(id);
        conflicts.then(write_conflict)
    })
    .await;
    let mut settings = scratch.settings_through(&proxy).await;
    settings.max_pool_size = Some(CONNECTIONS);
    let store = prepared(Mongo::on(settings, &opening(1_000)).expect("connects")).await;
    // More than there are connections, so that those would not do if each kept one.
    let buyers: Vec<_> = (0..2 * CONNECTIONS).map(|n| user(&format!("buyer-{n}"))).collect();
    let purchases = join_all(buyers.iter().map(|buyer| store.purchase(attempt(buyer, &locked, None))));
    let mut purchases = std::pin::pin!(purchases);
    let bystanders = async {
        for item in &free {
            buy(&store, &user("bystander"), item, None).await.expect("buys");
        }
    };
    // Nobody gets the locked one within the deadline of 4 s.
    tokio::select! {
        biased;
        () = bystanders => {}
        outcomes = &mut purchases => panic!("ended before the bystanders: {outcomes:?}"),
    }
    for outcome in purchases.await {
        assert_eq!(kernel::Error::from(outcome.expect_err("is locked")).kind(), Kind::Unavailable);
    }
    // The driver aborts what was cut off at its deadline in the background, and the stand-in shows it until then.
    let aborted = async {
        while !store.audit().await.expect("audit").is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), aborted).await.expect("is sound");
    assert_sound(&store).await;
}

#[tokio::test]
async fn a_key_that_another_has_committed_since_is_a_conflict_and_no_failure() {
    let scratch = Scratch::new();
    let (seller, store) = (user("seller"), scratch.store(1_000).await);
    let item = sell(&store, &seller, usd(1)).await;
    let keys: [fn(&str) -> bool; 2] = [|collection| collection == "idempotency", |collection| collection == "accounts"];
    for (is_refused, item) in keys.into_iter().zip([item, sell(&store, &seller, usd(1)).await]) {
        let tries = AtomicUsize::new(0);
        let proxy = Proxy::with(scratch.server().await, move |command| {
            let refused = command.contains_key("txnNumber") && command.get_str("insert").is_ok_and(is_refused);
            (refused && tries.fetch_add(1, Ordering::Relaxed) < 3).then(duplicate_key)
        })
        .await;
        let store = scratch.through(&proxy).await;
        buy(&store, &user("buyer"), &item, Some("key")).await.expect("buys");
    }
    assert_sound(&store).await;
}

#[tokio::test]
async fn nobody_is_credited_what_nobody_was_debited() {
    let scratch = Scratch::new();
    let (seller, buyer, store) = (user("seller"), user("buyer"), scratch.store(1_000).await);
    let item = sell(&store, &seller, usd(1)).await;
    amounts(&store, &buyer).await;
    let (updates, updated_id) = watch::channel(Vec::new());
    let proxy = Proxy::with(scratch.server().await, move |command| {
        updates.send_modify(|ids| ids.extend(updated(command, "accounts")));
        None
    })
    .await;
    let store = scratch.through(&proxy).await;
    let overdrawn = overdrawn(&item, &buyer);
    let refused = store.transactions.try_once(&overdrawn, &|act, overdrawn| ledger::pay(act, overdrawn).boxed()).await;
    assert!(matches!(refused, Err(transaction::Halt::Changed)), "{refused:?}");
    assert_eq!(*updated_id.borrow(), [Bson::from(buyer.id.to_string())]);
    assert_sound(&store).await;
}

#[tokio::test]
async fn what_cannot_be_told_is_not_done() {
    let scratch = Scratch::new();
    let (seller, buyer, store) = (user("seller"), user("buyer"), scratch.store(1_000).await);
    let item = sell(&store, &seller, usd(1)).await;
    let before = [amounts(&store, &seller).await, amounts(&store, &buyer).await];
    let proxy = Proxy::with(scratch.server().await, move |command| {
        let tells = command.get_str("insert").is_ok_and(|collection| collection == "outbox");
        tells.then(|| doc! { "ok": 0, "code": 2, "codeName": "BadValue", "errmsg": "not here" })
    })
    .await;
    let mute = scratch.through(&proxy).await;
    let listing = Listing::new(seller.clone(), Item { id: crate::id::next(), ..item.clone() }, None);
    mute.create_item(listing).await.expect_err("is not told");
    mute.purchase(attempt(&buyer, &item, None)).await.expect_err("is not told");
    let deposit = Deposit::new(buyer.clone(), usd(1), None, time::now());
    mute.deposit(deposit).await.expect_err("is not told");
    mute.wallet(&user("new"), None).await.expect_err("is not told");
    assert_eq!([amounts(&store, &seller).await, amounts(&store, &buyer).await], before);
    let details = store.item(item.id).await.expect("reads").expect("is there");
    assert_eq!((details.item, details.seller.active_listings), (item, 1));
    assert_sound(&store).await;
}

#[tokio::test]
async fn a_server_that_only_reads_is_read_and_its_check_of_writes_fails_until_it_writes() {
    let scratch = Scratch::new();
    let full = Arc::new(AtomicBool::new(false));
    let refuses = Arc::clone(&full);
    let proxy = Proxy::with(scratch.server().await, move |command| {
        let writes = ["insert", "update", "delete"].iter().any(|name| command.contains_key(name));
        let message = "no space left on device";
        (writes && refuses.load(Ordering::Relaxed))
            .then(|| doc! { "ok": 0, "code": 14031, "codeName": "OutOfDiskSpace", "errmsg": message })
    })
    .await;
    let store = scratch.through(&proxy).await;
    let (seller, replica) = (user("seller"), "marketplace-1");
    let item = sell(&store, &seller, usd(1)).await;
    for _ in 0..2 {
        store.check_write(replica).await.expect("writes");
    }
    full.store(true, Ordering::Relaxed);
    store.check_read().await.expect("reads");
    assert!(store.item(item.id).await.expect("reads").is_some());
    for refused in [
        store.check_write(replica).await,
        store.create_item(Listing::new(seller.clone(), item.clone(), None)).await.map(drop),
    ] {
        assert_eq!(kernel::Error::from(refused.expect_err("is full")).kind(), Kind::Unavailable);
    }
    full.store(false, Ordering::Relaxed);
    store.check_write(replica).await.expect("writes again");
    let rows = store.database.collection::<Document>("health").count_documents(doc! {}).await.expect("counts");
    assert_eq!(rows, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_set_up_takes_its_time_no_call_fails_that_was_not_refused_unseen() {
    let scratch = Scratch::new();
    let (built, proxy) = index_builds_that_wait(&scratch).await;
    let store = scratch.unprepared_through(&proxy).await;
    let mut early = Box::pin(store.item(crate::id::next()));
    assert!(matches!(futures_util::poll!(&mut early), Poll::Pending));

    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let address = listener.local_addr().expect("address");
    let other = Arc::new(scratch.unprepared_through(&proxy).await);
    let shutdown = CancellationToken::new();
    let name = "marketplace-1".to_owned();
    let (publisher, _log) = publisher();
    let serving = tokio::spawn(crate::serve(listener, name, other, publisher, nobody(), shutdown.clone()));
    let channel = Channel::from_shared(format!("http://{address}")).expect("uri").connect_lazy();
    let health = async || {
        let request = HealthCheckRequest { service: crate::SERVICE.to_owned() };
        HealthClient::new(channel.clone()).check(request).await.expect("answers").into_inner().status()
    };
    let get = async || {
        let id = crate::id::next().to_hex();
        MarketplaceClient::new(channel.clone()).get_item(GetItemRequest { id }).await.expect_err("there is none")
    };
    assert_eq!(health().await, ServingStatus::NotServing);
    let refused = get().await;
    assert!(refused.metadata().contains_key("x-not-serving"), "{refused:?}");

    built.send_replace(true);
    assert_eq!(early.await.expect("waited"), None);
    let serves = async { while health().await != ServingStatus::Serving {} };
    tokio::time::timeout(Duration::from_secs(20), serves).await.expect("serves");
    assert_eq!(get().await.code(), Code::NotFound);
    shutdown.cancel();
    serving.await.expect("ends").expect("well");
}

/// A server whose indexes are built when the sender says so.
async fn index_builds_that_wait(scratch: &Scratch) -> (watch::Sender<bool>, Proxy) {
    let (built, wait) = watch::channel(false);
    let fault = move |command: Document| {
        let mut wait = wait.clone();
        async move {
            if command.contains_key("createIndexes") {
                let _ = wait.wait_for(|built| *built).await;
            }
            None
        }
        .boxed()
    };
    (built, Proxy::holding(scratch.server().await, Arc::new(fault)).await)
}
