use kernel::{Caller, Currency, Money, Page};
use runtime::context::Context;

use super::{OPENING, amounts, buy, sell, usd, user};
use crate::{
    ledger::EntryKind,
    store::Store,
    wallet::{self, EntryPage, EntryQuery, WalletEntry},
};

const CENTS: i64 = OPENING * 100;

fn page(page: u32, limit: u32) -> EntryQuery {
    EntryQuery::Page(Page { page, limit })
}

async fn read(store: &dyn Store, owner: &Caller, query: EntryQuery) -> EntryPage {
    wallet::entries(store, &Context::unasked(owner.clone()), query).await.expect("reads")
}

fn numbers(entries: &[WalletEntry]) -> Vec<u64> {
    entries.iter().map(|entry| entry.number).collect()
}

pub(crate) async fn a_first_look_opens_the_wallet_and_shows_its_issue(store: &dyn Store) {
    let owner = user("owner");
    let EntryPage { entries, info, next } = read(store, &owner, page(1, 20)).await;
    assert_eq!((numbers(&entries), info.total, next), (vec![4, 3, 2, 1], 4, None));
    for (entry, currency) in entries.iter().rev().zip(Currency::ALL) {
        let opened = Money { currency, minor_units: OPENING * currency.scale() };
        assert_eq!((entry.kind, entry.amount, entry.balance), (EntryKind::Issue, opened, opened.minor_units));
        assert_eq!(entry.reference, owner.id.to_string());
    }
    assert_eq!(read(store, &owner, page(1, 20)).await.entries, entries, "once");
    assert_eq!(amounts(store, &owner).await[0], CENTS);
}

pub(crate) async fn both_sides_of_a_sale_have_it_with_the_balance_it_left(store: &dyn Store) {
    let (seller, buyer) = (user("seller"), user("buyer"));
    let (item, gift) = (sell(store, &seller, usd(250)).await, sell(store, &seller, usd(0)).await);
    let sale = buy(store, &buyer, &item, None).await.expect("buys").transaction;
    buy(store, &buyer, &gift, None).await.expect("buys");
    for (owner, amount) in [(&seller, 250), (&buyer, -250)] {
        let entries = read(store, owner, page(1, 2)).await.entries;
        let [of_gift, of_item] = &entries[..] else { panic!("two: {entries:?}") };
        let expected = WalletEntry {
            number: 5,
            kind: EntryKind::Sale,
            amount: usd(amount),
            balance: CENTS + amount,
            reference: sale.id.to_hex(),
            at: sale.created_at,
        };
        assert_eq!(*of_item, expected);
        assert_eq!((of_gift.number, of_gift.amount, of_gift.balance), (6, usd(0), CENTS + amount));
    }
}

pub(crate) async fn entries_are_paged_by_number_and_by_cursor(store: &dyn Store) {
    let (seller, buyer) = (user("seller"), user("buyer"));
    for price in 1..=7 {
        let item = sell(store, &seller, usd(price)).await;
        buy(store, &buyer, &item, None).await.expect("buys");
    }
    // 4 of the issue and 7 sales.
    let shown = async |query| {
        let EntryPage { entries, info, next } = read(store, &buyer, query).await;
        ((numbers(&entries), next), (info.page, info.limit, info.total, info.pages))
    };
    assert_eq!(shown(page(1, 5)).await, ((vec![11, 10, 9, 8, 7], Some(7)), (1, 5, 11, 3)));
    assert_eq!(shown(page(3, 5)).await, ((vec![1], None), (3, 5, 11, 3)));
    assert_eq!(shown(page(4, 5)).await, ((vec![], None), (4, 5, 11, 3)));
    assert_eq!(shown(page(u32::MAX, 100)).await.0, (vec![], None));
    let before = |before| EntryQuery::Before { before, limit: 5 };
    assert_eq!(shown(before(7)).await, ((vec![6, 5, 4, 3, 2], Some(2)), (2, 5, 11, 3)));
    assert_eq!(shown(before(2)).await.0, (vec![1], None));
    assert_eq!(shown(before(1)).await.0, (vec![], None));
    assert_eq!(shown(before(u64::MAX)).await.0, (vec![11, 10, 9, 8, 7], Some(7)));

    // What is new meanwhile moves nothing under a cursor.
    let item = sell(store, &seller, usd(8)).await;
    buy(store, &buyer, &item, None).await.expect("buys");
    assert_eq!(shown(before(7)).await.0, (vec![6, 5, 4, 3, 2], Some(2)));
    assert_eq!(shown(page(2, 5)).await.0.0, [7, 6, 5, 4, 3]);
    let amounts: Vec<_> = read(store, &buyer, page(1, 8)).await.entries.iter().map(|e| e.amount.minor_units).collect();
    assert_eq!(amounts, [-8, -7, -6, -5, -4, -3, -2, -1]);
}
