use std::{path::Path, sync::Arc};

use diesel::RunQueryDsl;
use futures_util::future::join_all;

use super::*;
use crate::store::contract::{Fresh, amounts, assert_sound, buy, sell, store_contract, usd, user};

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
    let found =
        Discrepancy { owner: owner.id.to_string(), currency: Currency::Gold, balance: 10_000_001, entries: 10_000_000 };
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
fn an_opening_balance_beyond_64_bits_is_refused_by_name() {
    let directory = tempfile::tempdir().expect("directory");
    let error = open_with(directory.path(), 92_233_720_369).err().expect("too much");
    assert!(error.to_string().contains("OPENING_BALANCE"), "{error}");
}
