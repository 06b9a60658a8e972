use std::{
    collections::HashSet,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use bson::{Document, doc};
use events::Publisher;
use futures_util::{StreamExt, TryStreamExt, future::join_all};
use kernel::{Clock, Kind};
use mongodb::options::ServerAddress;
use runtime::identity::{Ended, Jwks, Verifier};
use storage::DataDir;
use tokio::{net::TcpListener, sync::Notify};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use self::proxy::Proxy;
use super::*;
use crate::{
    item::{ItemFilter, ItemSort, ItemStatus},
    ledger::TREASURY,
    purchase::{Transaction, TransactionStatus, TransactionType},
    store::contract::{Fresh, amounts, assert_sound, attempt, buy, sell, store_contract, usd, user},
};

mod faults;
mod proxy;
mod standalone;
mod wire;

/// A database of its own for one test, dropped at its end.
struct Scratch(String);

impl Scratch {
    fn new() -> Self {
        let server = std::env::var("TEST_MONGODB_URI")
            .expect("TEST_MONGODB_URI is not set: `make test` starts a throw-away server and sets it");
        let (server, options) = server.split_once('?').unwrap_or((&server, ""));
        Self(format!("{}/test-{}?{options}", server.trim_end_matches('/'), Uuid::new_v4()))
    }

    /// A store that has set up the database.
    async fn store(&self, opening_balance: i64) -> Mongo {
        prepared(Mongo::connect(&self.0, &opening(opening_balance)).await.expect("connects")).await
    }

    async fn settings(&self) -> ClientOptions {
        client::settings(&self.0).await.expect("settings")
    }

    /// The server itself, a host with its port.
    async fn server(&self) -> String {
        self.settings().await.hosts[0].to_string()
    }

    /// A store on the way through `proxy`, with all else that the URI says, credentials too.
    async fn through(&self, proxy: &Proxy) -> Mongo {
        prepared(self.unprepared_through(proxy).await).await
    }

    async fn unprepared_through(&self, proxy: &Proxy) -> Mongo {
        Mongo::on(self.settings_through(proxy).await, &opening(1_000)).expect("connects")
    }

    async fn settings_through(&self, proxy: &Proxy) -> ClientOptions {
        let mut settings = self.settings().await;
        settings.hosts = vec![ServerAddress::parse(proxy.address.to_string()).expect("an address")];
        settings.server_selection_timeout = Some(Duration::from_millis(300));
        // What it says of its replica set would lead past the proxy.
        (settings.direct_connection, settings.repl_set_name) = (Some(true), None);
        settings
    }
}

/// Whole units of each currency that wallets open with.
fn opening(units: i64) -> Options {
    Options { opening_balance: Amounts::each(units).expect("amounts"), ..Options::default() }
}

/// The store, when it is set up.
async fn prepared(store: Mongo) -> Mongo {
    let ready = async {
        while store.readiness.ready().await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let ready = tokio::time::timeout(Duration::from_secs(30), ready).await;
    ready.expect("TEST_MONGODB_URI: the server does not get ready");
    store
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let uri = std::mem::take(&mut self.0);
        // A runtime of its own: the test's may be about to end.
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
            runtime.block_on(async {
                let client = Client::with_options(client::settings(&uri).await.expect("settings"))?;
                client.default_database().expect("a name").drop().await
            })
        });
        // Not asserted: a test that has failed is to say why itself.
        let _ = dropped.join();
    }
}

async fn fresh(opening_balance: i64) -> Fresh {
    let scratch = Scratch::new();
    Fresh { store: Arc::new(scratch.store(opening_balance).await), _keep: Box::new(scratch) }
}

store_contract!(fresh);

#[tokio::test(flavor = "multi_thread")]
async fn the_pool_tells_who_is_connected() {
    let scratch = Scratch::new();
    // Reads are held until they have been seen.
    let (held, released) = (Arc::new(AtomicBool::new(false)), Arc::new(Notify::new()));
    let (hold, release) = (Arc::clone(&held), Arc::clone(&released));
    let fault = move |command: Document| {
        let (hold, release) = (Arc::clone(&hold), Arc::clone(&release));
        async move {
            if command.contains_key("find") && hold.load(Ordering::Relaxed) {
                release.notified().await;
            }
            None
        }
        .boxed()
    };
    let proxy = Proxy::holding(scratch.server().await, Arc::new(fault)).await;
    let store = scratch.through(&proxy).await;
    let seller = user("seller");
    sell(&store, &seller, usd(1)).await;
    let becomes = async |wanted: fn(PoolState) -> bool| {
        let give_up = Instant::now() + Duration::from_secs(10);
        while !wanted(store.pool()) {
            assert!(Instant::now() < give_up, "{:?}", store.pool());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    // A connection comes back a little after the answer that it brought.
    becomes(|pool| pool.in_use == 0 && (1..=pool.max).contains(&pool.idle)).await;
    assert_eq!(store.pool().max, 32);
    held.store(true, Ordering::Relaxed);
    let seen = async {
        becomes(|pool| pool.in_use == 16).await;
        held.store(false, Ordering::Relaxed);
        released.notify_waiters();
    };
    let (answers, ()) = tokio::join!(join_all((0..16).map(|_| store.wallet(&seller, None))), seen);
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    becomes(|pool| pool.in_use == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn several_replicas_set_up_an_empty_database_at_once_and_share_it() {
    let scratch = Scratch::new();
    let stores = join_all((0..3).map(|_| scratch.store(1_000))).await;
    for store in &stores {
        store.check_read().await.expect("answers");
    }
    let item = sell(&stores[0], &user("seller"), usd(1)).await;
    let buyers: Vec<_> = (0..12).map(|n| user(&format!("buyer-{n}"))).collect();
    let purchases = buyers.iter().zip(stores.iter().cycle()).map(|(buyer, store)| buy(store, buyer, &item, None));
    let outcomes = join_all(purchases).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    assert_sound(&stores[2]).await;
}

#[tokio::test]
async fn a_second_set_up_changes_nothing() {
    let scratch = Scratch::new();
    let (seller, buyer) = (user("seller"), user("buyer"));
    let store = scratch.store(1_000).await;
    let item = sell(&store, &seller, usd(250)).await;
    let sale = buy(&store, &buyer, &item, Some("key")).await.expect("buys");
    let reopened = scratch.store(5).await;
    assert_eq!(buy(&reopened, &buyer, &item, Some("key")).await, Ok(sale));
    assert_eq!((amounts(&reopened, &buyer).await[0], amounts(&reopened, &seller).await[0]), (99_750, 100_250));
    assert_sound(&reopened).await;
}

#[tokio::test]
async fn every_collection_has_its_validator_and_indexes() {
    let scratch = Scratch::new();
    let store = scratch.store(1_000).await;
    let specifications = store.database.list_collections().await.expect("lists");
    let specifications: Vec<_> = specifications.try_collect().await.expect("lists");
    for (name, validator) in validators::all() {
        let specification = specifications.iter().find(|specification| specification.name == name).expect(name);
        assert_eq!(specification.options.validator.as_ref(), Some(&validator), "{name}");
    }
    for (name, wanted) in indexes::all() {
        let present = store.database.collection::<Document>(name).list_indexes().await.expect("lists");
        let present: Vec<_> = present.map(|index| index.expect("index")).collect().await;
        for index in wanted {
            let unique = |model: &mongodb::IndexModel| model.options.as_ref().and_then(|options| options.unique);
            let found = present.iter().any(|other| other.keys == index.keys && unique(other) == unique(&index));
            assert!(found, "{name}: {:?}", index.keys);
        }
    }
    let treasury = store.transactions.collections.accounts.find_one(doc! { "_id": TREASURY }).await.expect("finds");
    assert!(treasury.is_some());
}

#[tokio::test]
async fn pages_at_any_depth_make_up_the_whole_list() {
    let scratch = Scratch::new();
    let store = scratch.store(1_000).await;
    let seller = user("seller");
    for price in 0..230 {
        sell(&store, &seller, usd(price % 7)).await;
    }
    let mut seen = HashSet::new();
    let mut prices = Vec::new();
    for page in 1..=24 {
        let query = ItemQuery {
            filter: ItemFilter { seller_id: Some(seller.id), ..Default::default() },
            sort: ItemSort::Price,
            page: kernel::Page { page, limit: 10 },
        };
        let (items, total) = store.list_items(&query).await.expect("lists");
        assert_eq!((items.len(), total), (if page <= 23 { 10 } else { 0 }, 230));
        prices.extend(items.iter().map(|item| item.price.minor_units));
        seen.extend(items.into_iter().map(|item| item.id));
    }
    assert!(prices.is_sorted());
    assert_eq!(seen.len(), 230);
}

#[tokio::test]
async fn a_balance_that_was_tampered_with_is_found() {
    let scratch = Scratch::new();
    let (store, owner) = (scratch.store(1_000).await, user("owner"));
    amounts(&store, &owner).await;
    let id = owner.id.to_string();
    let more = doc! { "$inc": { "balances.GOLD": 1_i64 } };
    store.transactions.collections.accounts.update_one(doc! { "_id": &id }, more).await.expect("updates");
    let mut imbalance = store.imbalance().await.expect("imbalance");
    imbalance.retain(|(_, sum)| *sum != 0);
    assert_eq!(imbalance, [(Currency::Gold, 1)]);
    let currency = Currency::Gold;
    let found = Discrepancy::Balance { owner: id, currency, balance: 10_000_001, postings: 10_000_000 };
    assert_eq!(store.audit().await.expect("audit"), [found]);
}

#[tokio::test]
async fn what_was_read_and_is_so_no_longer_throws_the_purchase_back() {
    let scratch = Scratch::new();
    let (store, seller, buyer) = (scratch.store(1_000).await, user("seller"), user("buyer"));
    let item = sell(&store, &seller, usd(1)).await;
    let sale = buy(&store, &buyer, &item, None).await.expect("buys");
    let sold_again = store.transactions.try_once(&sale.item, &|act, item| items::mark_sold(act, item).boxed()).await;
    assert!(matches!(sold_again, Err(transaction::Halt::Changed)), "{sold_again:?}");
    let of_later = doc! { "$set": { "status": ItemStatus::Available.as_str(), "version": 2_i64 } };
    store.transactions.collections.items.update_one(doc! { "_id": item.id }, of_later).await.expect("updates");
    let sold_unseen = store.transactions.try_once(&sale.item, &|act, item| items::mark_sold(act, item).boxed()).await;
    assert!(matches!(sold_unseen, Err(transaction::Halt::Changed)), "{sold_unseen:?}");
    let before = amounts(&store, &seller).await;
    let overdrawn = overdrawn(&item, &buyer);
    let overdrawn =
        store.transactions.try_once(&overdrawn, &|act, overdrawn| ledger::pay(act, overdrawn).boxed()).await;
    assert!(matches!(overdrawn, Err(transaction::Halt::Changed)), "{overdrawn:?}");
    assert_eq!(amounts(&store, &seller).await, before, "the credit was taken back");
    assert_sound(&store).await;
}

#[tokio::test]
async fn an_item_of_before_there_were_versions_has_the_first() {
    let scratch = Scratch::new();
    let store = scratch.store(1_000).await;
    let item = sell(&store, &user("seller"), usd(1)).await;
    let of_before = doc! { "$unset": { "version": "" } };
    store.transactions.collections.items.update_one(doc! { "_id": item.id }, of_before).await.expect("updates");
    assert_eq!(store.item(item.id).await.expect("reads").expect("is there").item, item);
    let sold = buy(&store, &user("buyer"), &item, None).await.expect("buys").item;
    assert_eq!((sold.version, store.item(item.id).await.expect("reads").expect("is there").item), (2, sold));
}

#[tokio::test]
async fn a_deposit_on_top_of_one_that_was_not_seen_is_thrown_back() {
    let scratch = Scratch::new();
    let (store, owner, limits) = (scratch.store(1_000).await, user("owner"), Options::default().deposit_limit);
    amounts(&store, &owner).await;
    let of_owner = doc! { "_id": owner.id.to_string() };
    let seen = async || {
        let account = store.transactions.collections.accounts.find_one(of_owner.clone()).await;
        account.expect("finds").expect("is there")
    };
    let deposit = || Deposit::new(owner.clone(), usd(1), None, time::now());
    let mut before = amounts(&store, &owner).await;
    // Neither the first of all nor a later one.
    for _ in 0..2 {
        let stale = seen().await;
        store.deposit(deposit()).await.expect("no failure").expect("deposits");
        before[0] += 1;
        let what = (deposit(), stale, limits);
        let late = store
            .transactions
            .try_once(&what, &|act, (deposit, stale, limits)| ledger::deposit(act, deposit, stale, limits).boxed());
        let late = late.await;
        assert!(matches!(late, Err(transaction::Halt::Changed)), "{late:?}");
        assert_eq!(amounts(&store, &owner).await, before, "the treasury's debit was taken back");
    }
    assert_sound(&store).await;
}

/// A sale of `item` for more than a buyer has.
fn overdrawn(item: &Item, buyer: &Caller) -> Transaction {
    Transaction {
        id: crate::id::next(),
        item_id: item.id,
        buyer_id: buyer.id,
        seller_id: item.seller_id,
        price: usd(100_001),
        kind: TransactionType::Purchase,
        status: TransactionStatus::Completed,
        created_at: time::now(),
    }
}

#[tokio::test]
async fn without_a_server_every_call_is_unavailable_and_soon() {
    let address = unused_address().await;
    let uri = format!("mongodb://{address}/market?serverSelectionTimeoutMS=300");
    let store = Mongo::connect(&uri, &Options::default()).await.expect("no server is no error");
    let begin = Instant::now();
    let item = store.item(crate::id::next()).await.expect_err("no server");
    assert_eq!(kernel::Error::from(item).kind(), Kind::Unavailable);
    let wallet = store.wallet(&user("nobody"), None).await.expect_err("no server");
    assert_eq!(kernel::Error::from(wallet).kind(), Kind::Unavailable);
    let ping = store.check_read().await.expect_err("no server");
    assert_eq!(kernel::Error::from(ping).kind(), Kind::Unavailable);
    assert!(begin.elapsed() < Duration::from_secs(3), "{:?}", begin.elapsed());
}

#[tokio::test]
async fn a_server_that_goes_is_unavailable_until_it_is_back() {
    let scratch = Scratch::new();
    let (seller, buyer) = (user("seller"), user("buyer"));
    let mut proxy = Proxy::to(scratch.server().await).await;
    let store = scratch.through(&proxy).await;
    store.check_read().await.expect("answers");
    let item = sell(&store, &seller, usd(1)).await;

    proxy.cut().await;
    let begin = Instant::now();
    // The first call finds out, the second one knows.
    for _ in 0..2 {
        for error in [
            store.check_read().await.expect_err("is gone"),
            store.item(item.id).await.expect_err("is gone"),
            store.wallet(&buyer, None).await.expect_err("is gone"),
            store.create_item(Listing::new(seller.clone(), item.clone(), None)).await.expect_err("is gone"),
        ] {
            assert_eq!(kernel::Error::from(error).kind(), Kind::Unavailable);
        }
    }
    assert!(begin.elapsed() < 2 * DEADLINE, "{:?}", begin.elapsed());

    proxy.mend().await;
    let back = async { while store.item(item.id).await.is_err() || store.check_write("a").await.is_err() {} };
    tokio::time::timeout(Duration::from_secs(20), back).await.expect("answers again");
    buy(&store, &buyer, &item, None).await.expect("buys");
    assert_sound(&store).await;
}

/// To a log that nobody reads, and the directory that it is in.
fn publisher() -> (Publisher, tempfile::TempDir) {
    let directory = tempfile::tempdir().expect("directory");
    let publisher = events::options::Options::default().publisher("test", || DataDir::open(directory.path(), true));
    (publisher.expect("a log"), directory)
}

/// Takes no token.
fn nobody() -> Verifier {
    Verifier::new(&Jwks { keys: Vec::new() }, Clock::system(), Ended::default()).expect("no keys")
}

#[tokio::test]
async fn a_server_without_transactions_stops_the_process_with_the_fix() {
    let uri = format!("mongodb://{}", standalone::start().await);
    let store = Arc::new(Mongo::connect(&uri, &Options::default()).await.expect("connects"));
    let ping = store.check_read().await.expect_err("not of use");
    assert_eq!(kernel::Error::from(ping).kind(), Kind::Unavailable);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let (publisher, _log) = publisher();
    let serving =
        crate::serve(listener, "marketplace-1".to_owned(), store, publisher, nobody(), CancellationToken::new());
    let ended = tokio::time::timeout(Duration::from_secs(10), serving).await.expect("in time");
    let error = ended.expect_err("cannot work").to_string();
    for part in ["MONGODB_URI", "--replSet", "rs.initiate()"] {
        assert!(error.contains(part), "{error}");
    }
}

#[tokio::test]
async fn a_silent_server_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let uri = format!("mongodb://{}/?serverSelectionTimeoutMS=300", listener.local_addr().expect("address"));
    let store = Mongo::connect(&uri, &Options::default()).await.expect("no answer is no error");
    let begin = Instant::now();
    store.check_read().await.expect_err("no answer");
    assert!(begin.elapsed() < Duration::from_secs(3), "{:?}", begin.elapsed());
}

#[tokio::test]
async fn a_uri_that_is_none_is_refused_by_the_name_of_its_variable_and_without_its_password() {
    for uri in [
        "",
        "localhost:27017",
        "postgres://host/db",
        "mongodb://",
        "mongodb://user:hunter2:x@host",
        "mongodb://a:hunter2@h:x/",
    ] {
        let error = format!("{:?}", Mongo::connect(uri, &Options::default()).await.err().expect(uri));
        assert!(error.contains("MONGODB_URI") && error.contains("mongodb://host:27017/database"), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
    let error = Mongo::connect("mongodb://host/?maxPoolSize=many", &Options::default()).await.err().expect("no number");
    assert!(error.to_string().contains("maxpoolsize"), "{error}");
}

#[tokio::test]
async fn the_uri_names_the_database() {
    for (uri, name) in [("mongodb://host", "marketplace"), ("mongodb://host/shop?replicaSet=rs0", "shop")] {
        assert_eq!(Mongo::connect(uri, &Options::default()).await.expect("connects").database(), name);
    }
}

#[tokio::test]
async fn a_database_of_before_the_journal_is_refused_and_nothing_in_it_is_touched() {
    let scratch = Scratch::new();
    let database = Client::with_options(scratch.settings().await).expect("connects");
    let database = database.default_database().expect("a name");
    database.collection("entries").insert_one(doc! { "_id": "issue/1" }).await.expect("inserts");
    let store = Mongo::connect(&scratch.0, &Options::default()).await.expect("connects");
    let why = tokio::time::timeout(Duration::from_secs(20), store.unusable()).await.expect("in time").to_string();
    for part in ["MONGODB_URI", database.name(), "empty database"] {
        assert!(why.contains(part), "{why}");
    }
    assert_eq!(database.list_collection_names().await.expect("lists"), ["entries"]);
}

/// Where nobody listens.
async fn unused_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    listener.local_addr().expect("address")
}
