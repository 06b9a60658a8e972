use std::{path::Path, sync::Arc};

use diesel::{Connection, RunQueryDsl, SqliteConnection, connection::SimpleConnection};
use futures_util::future::join_all;
use proto::marketplace::words::{Category, EntryKind, ItemStatus, TransactionStatus, TransactionType};
use storage::testing::checked_words;

use super::*;
use crate::store::contract::{Fresh, amounts, assert_sound, attempt, buy, sell, store_contract, usd, user};

async fn fresh(opening_balance: i64) -> Fresh {
    let directory = tempfile::tempdir().expect("directory");
    let store = Arc::new(open_with(directory.path(), opening_balance).expect("opens"));
    Fresh { store, _keep: Box::new(directory) }
}

store_contract!(fresh);

fn open(data_dir: &Path) -> Embedded {
    open_with(data_dir, 1_000).expect("opens")
}

fn open_with(data_dir: &Path, opening_balance: i64) -> anyhow::Result<Embedded> {
    let opening_balance = Amounts::each(opening_balance).expect("amounts");
    let options = Options { opening_balance, ..Options::default() };
    Embedded::open(&DataDir::open(data_dir, true)?, &options)
}

async fn execute(store: &Embedded, sql: &'static str) -> Result<usize, Error> {
    store.db.write(move |connection| Ok(diesel::sql_query(sql).execute(connection)?)).await
}

#[tokio::test]
async fn everything_is_there_after_reopening() {
    let directory = tempfile::tempdir().expect("directory");
    let (seller, buyer) = (user("seller"), user("buyer"));
    let store = open(directory.path());
    let (item, unsold) = (sell(&store, &seller, usd(250)).await, sell(&store, &seller, usd(1)).await);
    let sale = buy(&store, &buyer, &item, Some("key")).await.expect("buys");
    // Not closed: what was acknowledged needs no farewell.
    let reopened = open(directory.path());
    assert_eq!(buy(&reopened, &buyer, &item, Some("key")).await, Ok(sale));
    assert_eq!(reopened.item(unsold.id).await.expect("reads").expect("is there").item, unsold);
    assert_eq!((amounts(&reopened, &buyer).await[0], amounts(&reopened, &seller).await[0]), (99_750, 100_250));
    assert_sound(&reopened).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_that_share_the_file_sell_an_item_once() {
    let directory = tempfile::tempdir().expect("directory");
    let stores: Vec<_> = (0..3).map(|_| open(directory.path())).collect();
    let item = sell(&stores[0], &user("seller"), usd(1)).await;
    let buyers: Vec<_> = (0..30).map(|n| user(&format!("buyer-{n}"))).collect();
    let purchases = buyers.iter().zip(stores.iter().cycle()).map(|(buyer, store)| buy(store, buyer, &item, None));
    let outcomes = join_all(purchases).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    assert_sound(&stores[2]).await;
}

#[tokio::test]
async fn a_balance_that_was_tampered_with_is_found() {
    let directory = tempfile::tempdir().expect("directory");
    let (store, owner) = (open(directory.path()), user("owner"));
    amounts(&store, &owner).await;
    execute(&store, "UPDATE balances SET balance = balance + 1 WHERE owner <> 'treasury' AND currency = 'GOLD'")
        .await
        .expect("updates");
    let mut imbalance = store.imbalance().await.expect("imbalance");
    imbalance.retain(|(_, sum)| *sum != 0);
    assert_eq!(imbalance, [(Currency::Gold, 1)]);
    let (owner, currency) = (owner.id.to_string(), Currency::Gold);
    let found = Discrepancy::Balance { owner, currency, balance: 10_000_001, postings: 10_000_000 };
    assert_eq!(store.audit().await.expect("audit"), [found]);
}

#[tokio::test]
async fn the_imbalance_is_exact_where_64_bits_are_too_few() {
    let directory = tempfile::tempdir().expect("directory");
    let store = open(directory.path());
    for name in ["one", "two", "three"] {
        amounts(&store, &user(name)).await;
    }
    execute(&store, "UPDATE balances SET balance = 9223372036854775807 WHERE currency = 'USD' AND owner <> 'treasury'")
        .await
        .expect("updates");
    execute(&store, "UPDATE balances SET balance = -1 WHERE currency = 'USD' AND owner = 'treasury'")
        .await
        .expect("updates");
    let imbalance = store.imbalance().await.expect("imbalance");
    assert!(imbalance.contains(&(Currency::Usd, 3 * i128::from(i64::MAX) - 1)), "{imbalance:?}");
}

#[tokio::test]
async fn what_cannot_be_told_is_not_done() {
    let directory = tempfile::tempdir().expect("directory");
    let (store, seller, buyer) = (open(directory.path()), user("seller"), user("buyer"));
    let item = sell(&store, &seller, usd(1)).await;
    let before = [amounts(&store, &seller).await, amounts(&store, &buyer).await];
    execute(&store, "ALTER TABLE outbox RENAME TO elsewhere").await.expect("renames");
    let at = time::now();
    let listing = Listing::new(seller.clone(), Item { id: crate::id::next(), ..item.clone() }, None);
    store.create_item(listing).await.expect_err("is not told");
    store.purchase(attempt(&buyer, &item, None)).await.expect_err("is not told");
    store.deposit(Deposit::new(buyer.clone(), usd(1), None, at)).await.expect_err("is not told");
    store.wallet(&user("new"), None).await.expect_err("is not told");
    execute(&store, "ALTER TABLE elsewhere RENAME TO outbox").await.expect("renames");
    assert_eq!([amounts(&store, &seller).await, amounts(&store, &buyer).await], before);
    let details = store.item(item.id).await.expect("reads").expect("is there");
    assert_eq!((details.item, details.seller.active_listings), (item, 1));
    assert_sound(&store).await;
}

#[tokio::test]
async fn an_item_of_before_there_were_versions_has_the_first() {
    let directory = tempfile::tempdir().expect("directory");
    let store = open(directory.path());
    let item = sell(&store, &user("seller"), usd(1)).await;
    for sql in
        ["ALTER TABLE items DROP COLUMN version", "DELETE FROM __diesel_schema_migrations WHERE version = '0005'"]
    {
        execute(&store, sql).await.expect("goes back");
    }
    drop(store);
    let store = open(directory.path());
    assert_eq!(store.item(item.id).await.expect("reads").expect("is there").item, item);
    assert_eq!(buy(&store, &user("buyer"), &item, None).await.expect("buys").item.version, 2);
}

#[tokio::test]
async fn the_schema_refuses_a_debt_and_an_overflow() {
    let directory = tempfile::tempdir().expect("directory");
    let store = open(directory.path());
    amounts(&store, &user("owner")).await;
    for set in [
        "UPDATE balances SET balance = -1 WHERE owner <> 'treasury'",
        "UPDATE balances SET balance = 9223372036854775807 + 1 WHERE owner <> 'treasury'",
    ] {
        execute(&store, set).await.expect_err("is refused");
    }
}

#[test]
fn a_file_of_before_the_journal_is_refused_and_nothing_in_it_is_touched() {
    let directory = tempfile::tempdir().expect("directory");
    let path = directory.path().join("marketplace.db");
    let mut before = SqliteConnection::establish(&path.to_string_lossy()).expect("made");
    let of_before =
        "CREATE TABLE __diesel_schema_migrations (version VARCHAR(50) PRIMARY KEY NOT NULL, run_on TIMESTAMP);
         INSERT INTO __diesel_schema_migrations (version) VALUES ('0001'), ('0002'), ('0003');
         CREATE TABLE entries (id INTEGER PRIMARY KEY, amount INTEGER NOT NULL); INSERT INTO entries VALUES (1, 7);";
    before.batch_execute(of_before).expect("made");
    drop(before);
    let kept = std::fs::read(&path).expect("reads");
    for _ in 0..2 {
        let error = open_with(directory.path(), 1_000).err().expect("is refused").to_string();
        for part in ["marketplace.db", "schema 0001", "DATA_DIR"] {
            assert!(error.contains(part), "{error}");
        }
    }
    let mut after = SqliteConnection::establish(&path.to_string_lossy()).expect("opens");
    let tables = diesel::sql_query("SELECT count(*) AS count FROM sqlite_schema WHERE type = 'table'");
    #[derive(diesel::QueryableByName)]
    struct Count {
        #[diesel(sql_type = diesel::sql_types::BigInt)]
        count: i64,
    }
    assert_eq!(tables.get_result::<Count>(&mut after).expect("counts").count, 2);
    drop(after);
    // All but SQLite's own header, which says that it is read in WAL mode now.
    assert_eq!(std::fs::read(&path).expect("reads")[100..], kept[100..]);
}

#[test]
fn the_schema_lets_in_the_words_of_the_contract() {
    let schema = include_str!("../../../migrations/0004_journal/up.sql");
    for (table, column, words) in [
        ("items", "category", Category::WORDS),
        ("items", "status", ItemStatus::WORDS),
        ("items", "currency", Currency::WORDS),
        ("balances", "currency", Currency::WORDS),
        ("transactions", "type", TransactionType::WORDS),
        ("transactions", "status", TransactionStatus::WORDS),
        ("journal", "kind", EntryKind::WORDS),
    ] {
        assert_eq!(checked_words(schema, table, column), words, "{table}.{column}");
    }
}
