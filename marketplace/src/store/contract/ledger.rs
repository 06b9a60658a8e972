use futures_util::future::{join, join_all, join3};

use super::{OPENING, amounts, buy, dollars, sell, usd, user};
use crate::{item, store::Store};

pub(crate) async fn a_wallet_opens_once_however_many_ask_at_once(store: &dyn Store) {
    let opened = [OPENING * 100, OPENING * 100, OPENING * 100_000_000, OPENING * 10_000];
    let (seller, newcomer) = (user("seller"), user("newcomer"));
    let gift = sell(store, &seller, usd(0)).await;
    let looks = join_all((0..32).map(|_| amounts(store, &newcomer)));
    let listings = join_all((0..8).map(|_| sell(store, &newcomer, usd(1))));
    let (looks, _, bought) = join3(looks, listings, buy(store, &newcomer, &gift, None)).await;
    bought.expect("buys");
    assert!(looks.into_iter().all(|amounts| amounts == opened));
    assert_eq!((amounts(store, &newcomer).await, amounts(store, &seller).await), (opened, opened));
}

pub(crate) async fn a_name_is_kept_from_the_first_appearance(store: &dyn Store) {
    let mut seller = user("first");
    dollars(store, &seller).await;
    "second".clone_into(&mut seller.name);
    let item = sell(store, &seller, usd(1)).await;
    assert_eq!(item::get(store, item.id).await.expect("is there").seller.username, "first");
}

/// 12 traders who list and buy from one another at once, with too little money to buy all that there is.
pub(crate) async fn money_goes_round_and_none_is_made_or_lost(store: &dyn Store) {
    let traders: Vec<_> = (0..12).map(|n| user(&format!("trader-{n}"))).collect();
    let cents = OPENING * 100;
    for round in 0..5 {
        let listings = traders.iter().map(|trader| sell(store, trader, usd(cents / 2 + round)));
        let items = join_all(listings).await;
        let purchases = traders.iter().flat_map(|buyer| items.iter().map(move |item| buy(store, buyer, item, None)));
        let (outcomes, imbalance) = join(join_all(purchases), store.imbalance()).await;
        assert!(imbalance.expect("imbalance").iter().all(|(_, sum)| *sum == 0), "at every instant");
        assert!(outcomes.iter().filter(|outcome| outcome.is_ok()).count() <= items.len());
    }
    let balances = join_all(traders.iter().map(|trader| dollars(store, trader))).await;
    assert!(balances.iter().all(|balance| *balance >= 0), "{balances:?}");
    assert_eq!(balances.iter().sum::<i64>(), 12 * cents);
}
