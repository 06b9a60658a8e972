use std::time::Duration;

use futures_util::future::join_all;
use kernel::{Caller, Currency, Money};
use storage::sweep::BATCH;

use super::{OPENING, amounts, attempt, buy, dollars, sell, usd, user};
use crate::{
    id,
    item::{self, Item, ItemNotFound, ItemStatus, Listing},
    purchase::{Attempt, Order, PurchaseError, Sale, TransactionStatus, TransactionType},
    store::{Error, Store},
    time,
};

/// US cents that wallets open with.
const CENTS: i64 = OPENING * 100;

pub(crate) async fn a_purchase_moves_item_and_money_and_is_on_record(store: &dyn Store) {
    let (seller, buyer) = (user("seller"), user("buyer"));
    let listed = sell(store, &seller, Money { currency: Currency::Gold, minor_units: 12_345 }).await;
    let mut attempt = attempt(&buyer, &listed, None);
    attempt.order.kind = TransactionType::Trade;
    let sale = store.purchase(attempt.clone()).await.expect("no failure").expect("buys");

    let transaction = sale.transaction;
    assert_eq!((transaction.id, transaction.created_at), (attempt.transaction_id, attempt.at));
    assert_eq!((transaction.buyer_id, transaction.seller_id), (buyer.id, seller.id));
    assert_eq!((transaction.item_id, transaction.price), (listed.id, listed.price));
    assert_eq!((transaction.kind, transaction.status), (TransactionType::Trade, TransactionStatus::Completed));
    assert_eq!(sale.item, Item { status: ItemStatus::Sold, updated_at: attempt.at, version: 2, ..listed });

    let details = item::get(store, sale.item.id).await.expect("is there");
    assert_eq!((details.item, details.transactions), (sale.item, vec![transaction]));
    let opened = [CENTS, CENTS, OPENING * 100_000_000, OPENING * 10_000];
    let [usd, eur, btc, gold] = opened;
    assert_eq!(amounts(store, &buyer).await, [usd, eur, btc, gold - 12_345]);
    assert_eq!(amounts(store, &seller).await, [usd, eur, btc, gold + 12_345]);
}

pub(crate) async fn what_costs_nothing_can_be_bought(store: &dyn Store) {
    let (seller, buyer) = (user("seller"), user("buyer"));
    let item = sell(store, &seller, usd(0)).await;
    assert_eq!(buy(store, &buyer, &item, None).await.expect("buys").transaction.price, usd(0));
    assert_eq!((dollars(store, &buyer).await, dollars(store, &seller).await), (CENTS, CENTS));
}

pub(crate) async fn the_last_cent_can_be_spent_and_no_more(store: &dyn Store) {
    let (seller, buyer) = (user("seller"), user("buyer"));
    let (all, cent) = (sell(store, &seller, usd(CENTS)).await, sell(store, &seller, usd(1)).await);
    buy(store, &buyer, &all, None).await.expect("buys");
    assert_eq!(dollars(store, &buyer).await, 0);
    let refusal = buy(store, &buyer, &cent, None).await;
    assert_eq!(refusal, Err(PurchaseError::InsufficientFunds { price: usd(1), balance: usd(0) }));
    assert_eq!((dollars(store, &buyer).await, dollars(store, &seller).await), (0, 2 * CENTS));
}

pub(crate) async fn refusals_come_in_order_and_change_nothing(store: &dyn Store) {
    let (seller, buyer, poor) = (user("seller"), user("buyer"), user("poor"));
    let (sold, dear) = (sell(store, &seller, usd(1)).await, sell(store, &seller, usd(CENTS + 1)).await);
    buy(store, &buyer, &sold, None).await.expect("buys");
    let nowhere = Item { id: id::next(), ..sold.clone() };

    let cases: [(&Caller, &Item, PurchaseError); 5] = [
        (&poor, &nowhere, ItemNotFound.into()),
        (&seller, &dear, PurchaseError::OwnItem),
        // Also where it is sold already.
        (&seller, &sold, PurchaseError::OwnItem),
        (&buyer, &sold, PurchaseError::ItemNotAvailable),
        (&poor, &dear, PurchaseError::InsufficientFunds { price: usd(CENTS + 1), balance: usd(CENTS) }),
    ];
    for (caller, item, refusal) in cases {
        assert_eq!(buy(store, caller, item, None).await, Err(refusal));
    }
    assert_eq!(item::get(store, dear.id).await.expect("is there").item, dear);
    assert_eq!(item::get(store, sold.id).await.expect("is there").transactions.len(), 1);
    assert_eq!(dollars(store, &poor).await, CENTS);
}

pub(crate) async fn of_64_buyers_at_once_one_wins(store: &dyn Store) {
    let seller = user("seller");
    let item = sell(store, &seller, usd(500)).await;
    let buyers: Vec<_> = (0..64).map(|n| user(&format!("buyer-{n}"))).collect();
    let outcomes = join_all(buyers.iter().map(|buyer| buy(store, buyer, &item, None))).await;
    let (won, lost): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(Result::is_ok);
    assert_eq!((won.len(), lost.len()), (1, 63));
    assert!(lost.into_iter().all(|outcome| outcome == Err(PurchaseError::ItemNotAvailable)));
    let balances = join_all(buyers.iter().map(|buyer| dollars(store, buyer))).await;
    assert_eq!(balances.iter().sum::<i64>(), 64 * CENTS - 500);
    assert_eq!(dollars(store, &seller).await, CENTS + 500);
}

pub(crate) async fn a_buyer_cannot_spend_money_twice_at_once(store: &dyn Store) {
    let (seller, buyer) = (user("seller"), user("buyer"));
    let price = CENTS / 4 - 1;
    let items = join_all((0..20).map(|_| sell(store, &seller, usd(price)))).await;
    let outcomes = join_all(items.iter().map(|item| buy(store, &buyer, item, None))).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 4);
    let refused = PurchaseError::InsufficientFunds { price: usd(price), balance: usd(4) };
    assert!(outcomes.iter().filter_map(|outcome| outcome.as_ref().err()).all(|error| *error == refused));
    assert_eq!(dollars(store, &buyer).await, 4);
}

pub(crate) async fn retries_at_once_end_as_one_purchase(store: &dyn Store) {
    let (seller, buyer) = (user("seller"), user("buyer"));
    let item = sell(store, &seller, usd(100)).await;
    let outcomes = join_all((0..20).map(|_| buy(store, &buyer, &item, Some("once")))).await;
    let first = outcomes[0].clone().expect("buys");
    assert!(outcomes.into_iter().all(|outcome| outcome.as_ref() == Ok(&first)));
    assert_eq!(buy(store, &buyer, &item, Some("once")).await, Ok(first));
    assert_eq!(dollars(store, &buyer).await, CENTS - 100);
    assert_eq!(buy(store, &buyer, &item, Some("twice")).await, Err(PurchaseError::ItemNotAvailable));
}

pub(crate) async fn a_key_is_for_one_purchase_of_one_buyer(store: &dyn Store) {
    let (seller, buyer, other) = (user("seller"), user("buyer"), user("other"));
    let items = join_all((0..3).map(|_| sell(store, &seller, usd(1)))).await;
    let first = buy(store, &buyer, &items[0], Some("key")).await.expect("buys");
    assert!(is_reused(store.purchase(attempt(&buyer, &items[1], Some("key"))).await));
    let order = Order { item_id: items[0].id, kind: TransactionType::Investment };
    let of_another_type = Attempt::new(buyer.clone(), order, Some("key".parse().expect("key")));
    assert!(is_reused(store.purchase(of_another_type).await));
    // Neither took the key's first outcome away, nor the item.
    assert_eq!(buy(store, &buyer, &items[0], Some("key")).await, Ok(first));
    buy(store, &other, &items[1], Some("key")).await.expect("another buyer's keys are others");
    buy(store, &buyer, &items[2], Some("KEY")).await.expect("another key");
}

pub(crate) async fn a_refusal_is_remembered(store: &dyn Store) {
    let (seller, buyer) = (user("seller"), user("buyer"));
    let nowhere = Item { id: id::next(), ..sell(store, &seller, usd(1)).await };
    for _ in 0..2 {
        assert_eq!(buy(store, &buyer, &nowhere, Some("nowhere")).await, Err(ItemNotFound.into()));
    }
    // The item that was not there appears: a retry must not buy what its client was told it could not.
    store.create_item(Listing::new(seller.clone(), nowhere.clone(), None)).await.expect("creates");
    assert_eq!(buy(store, &buyer, &nowhere, Some("nowhere")).await, Err(ItemNotFound.into()));

    let dear = sell(store, &seller, usd(CENTS + 1)).await;
    let poor = Err(PurchaseError::InsufficientFunds { price: usd(CENTS + 1), balance: usd(CENTS) });
    assert_eq!(buy(store, &buyer, &dear, Some("dear")).await, poor);
    let own = sell(store, &buyer, usd(10)).await;
    buy(store, &seller, &own, None).await.expect("the buyer now has enough");
    assert_eq!(buy(store, &buyer, &dear, Some("dear")).await, poor);
    buy(store, &buyer, &dear, Some("again")).await.expect("a new key is a new try");

    let late = user("late");
    assert_eq!(buy(store, &late, &dear, Some("late")).await, Err(PurchaseError::ItemNotAvailable));
    assert_eq!(buy(store, &late, &dear, Some("late")).await, Err(PurchaseError::ItemNotAvailable));
    assert_eq!(buy(store, &seller, &dear, Some("own")).await, Err(PurchaseError::OwnItem));
    assert_eq!(buy(store, &seller, &dear, Some("own")).await, Err(PurchaseError::OwnItem));
}

/// How an attempt ends that comes so long after another one.
async fn buy_after(
    store: &dyn Store,
    buyer: &Caller,
    item: &Item,
    key: &str,
    later: Duration,
) -> Result<Sale, PurchaseError> {
    let mut attempt = attempt(buyer, item, Some(key));
    attempt.at += later;
    store.purchase(attempt).await.expect("no failure")
}

pub(super) fn is_reused<T>(outcome: Result<T, Error>) -> bool {
    matches!(outcome, Err(Error::KeyReused(_)))
}

pub(super) const HOUR: Duration = Duration::from_secs(3600);
pub(super) const WEEK: Duration = Duration::from_secs(7 * 24 * 3600);
/// As long as a test may take.
pub(super) const MINUTE: Duration = Duration::from_secs(60);

pub(crate) async fn outcomes_count_for_their_time_and_not_longer(store: &dyn Store) {
    let (seller, buyer) = (user("seller"), user("buyer"));
    let (item, other) = (sell(store, &seller, usd(1)).await, sell(store, &seller, usd(1)).await);
    let nowhere = Item { id: id::next(), ..item.clone() };

    let sale = buy(store, &buyer, &item, Some("sale")).await;
    assert!(sale.is_ok());
    assert_eq!(buy_after(store, &buyer, &item, "sale", WEEK - MINUTE).await, sale);
    let reused_after = async |later| {
        let mut attempt = attempt(&buyer, &other, Some("sale"));
        attempt.at += later;
        is_reused(store.purchase(attempt).await)
    };
    assert!(reused_after(WEEK - MINUTE).await);
    // From then on it is a new key: what it bought stays bought.
    let late = buy_after(store, &buyer, &item, "sale", WEEK + MINUTE).await;
    assert_eq!(late, Err(PurchaseError::ItemNotAvailable));
    assert!(reused_after(WEEK + 2 * MINUTE).await, "it is remembered again");

    let missing = buy(store, &buyer, &nowhere, Some("refusal")).await;
    assert_eq!(missing, Err(ItemNotFound.into()));
    store.create_item(Listing::new(seller.clone(), nowhere.clone(), None)).await.expect("creates");
    assert_eq!(buy_after(store, &buyer, &nowhere, "refusal", HOUR - MINUTE).await, missing);
    buy_after(store, &buyer, &nowhere, "refusal", HOUR + MINUTE).await.expect("counts no longer");
    assert_eq!(dollars(store, &buyer).await, CENTS - 2);
}

pub(crate) async fn old_outcomes_are_forgotten_and_no_others(store: &dyn Store) {
    let (seller, buyer) = (user("seller"), user("buyer"));
    let item = sell(store, &seller, usd(1)).await;
    let nowhere = Item { id: id::next(), ..item.clone() };
    let sale = buy(store, &buyer, &item, Some("sale")).await;
    let keys: Vec<_> = (0..BATCH + 3).map(|n| format!("refusal-{n}")).collect();
    for some in keys.chunks(50) {
        join_all(some.iter().map(|key| buy(store, &buyer, &nowhere, Some(key)))).await;
    }
    let now = time::now();
    let forget = async |later| store.forget_outcomes(now + later).await.expect("no failure");
    assert_eq!(forget(HOUR - 5 * MINUTE).await, 0);
    assert_eq!(forget(HOUR + MINUTE).await, BATCH, "at once");
    assert_eq!(forget(HOUR + MINUTE).await, 3);
    assert_eq!(forget(HOUR + MINUTE).await, 0);
    assert_eq!(buy(store, &buyer, &item, Some("sale")).await, sale, "a sale is kept");
    assert_eq!(forget(WEEK + MINUTE).await, 1);
    assert_eq!(buy(store, &buyer, &item, Some("sale")).await, Err(PurchaseError::ItemNotAvailable));
}
