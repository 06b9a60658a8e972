use std::time::Duration;

use kernel::{Currency, Money, Page};
use proto::errors::TREASURY_EXHAUSTED;

use super::{amounts, attempt, sell, usd, user};
use crate::{
    deposit::Deposit,
    id,
    item::{Item, ItemFilter, ItemQuery, ItemSort, Listing},
    store::{Error, Store},
    time,
};

/// Of the greatest opening balance the treasury has one to issue.
pub(crate) async fn a_wallet_too_many_is_refused_and_leaves_nothing(store: &dyn Store) {
    let (rich, late) = (user("rich"), user("late"));
    let item = sell(store, &rich, usd(1)).await;
    assert_eq!(amounts(store, &rich).await[2], 92_233_720_368 * Currency::Btc.scale());

    let exhausted = |error: &Error| matches!(error, Error::TreasuryExhausted(Currency::Btc));
    // Twice: a failure opens no account, and is not remembered under a key.
    for _ in 0..2 {
        let error = store.wallet(&late, None).await.expect_err("no money left");
        assert!(exhausted(&error), "{error:?}");
        let error = store.purchase(attempt(&late, &item, Some("key"))).await.expect_err("no money left");
        assert!(exhausted(&error), "{error:?}");
        let listing = Item { id: id::next(), seller_id: late.id, ..item.clone() };
        let error = store.create_item(Listing::new(late.clone(), listing, None)).await.expect_err("no money left");
        assert!(exhausted(&error), "{error:?}");
        let error = kernel::Error::from(error);
        assert_eq!(error.code(), TREASURY_EXHAUSTED);
    }
    let all = ItemQuery { filter: ItemFilter::default(), sort: ItemSort::Newest, page: Page { page: 1, limit: 20 } };
    assert_eq!(store.list_items(&all).await.expect("lists"), (vec![item], 1));
}

/// After the one wallet 0.54775807 BTC are left, and a day's limit is 0.2.
pub(crate) async fn a_deposit_too_many_is_refused_and_leaves_nothing(store: &dyn Store) {
    let rich = user("rich");
    let opened = amounts(store, &rich).await;
    let amount = Money { currency: Currency::Btc, minor_units: 20_000_000 };
    let on_day = async |day: u32| {
        let at = time::now() + day * Duration::from_secs(24 * 3600);
        store.deposit(Deposit::new(rich.clone(), amount, None, at)).await
    };
    for day in 0..2 {
        on_day(day).await.expect("no failure").expect("deposits");
    }
    for _ in 0..2 {
        let error = on_day(2).await.expect_err("no money left");
        assert!(matches!(error, Error::TreasuryExhausted(Currency::Btc)), "{error:?}");
    }
    assert_eq!(amounts(store, &rich).await, [opened[0], opened[1], opened[2] + 40_000_000, opened[3]]);
}
