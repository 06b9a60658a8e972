//! What every store must do, as one test suite: `store_contract!` makes a test of each case on fresh stores.

pub(super) mod deposits;
pub(super) mod entries;
pub(super) mod events;
pub(super) mod items;
pub(super) mod keys;
pub(super) mod ledger;
pub(super) mod purchases;
pub(super) mod treasury;

use std::{any::Any, sync::Arc};

use kernel::{Caller, Currency, Money, Page};
use runtime::{context::Context, metrics::Metrics};
use uuid::Uuid;

use super::Store;
use crate::{
    economy::Economy,
    item::{self, Category, Item, ItemFilter, ItemQuery, ItemSort, NewItem},
    purchase::{Attempt, Order, PurchaseError, Sale, TransactionType},
};

/// Whole units of each currency that wallets open with in most cases.
const OPENING: i64 = 1_000;

/// An empty store, and what must outlive it.
pub(super) struct Fresh {
    pub(super) store: Arc<dyn Store>,
    pub(super) _keep: Box<dyn Any + Send>,
}

/// Makes the tests of a store from a function that opens a fresh one, with an opening balance in whole units.
macro_rules! store_contract {
    ($fresh:path) => {
        $crate::store::contract::store_contract! { @cases $fresh, 1_000,
            items: [
                a_created_item_is_read_back,
                an_unknown_item_is_none,
                a_sellers_counts_follow_listings_and_sales,
                every_filter_sort_and_page_agrees_with_a_plain_model,
                a_buyers_list_has_what_they_bought_from_then_on,
                prices_are_ordered_across_currencies,
                min_above_max_matches_nothing,
            ]
        }
        $crate::store::contract::store_contract! { @cases $fresh, 1_000,
            purchases: [
                a_purchase_moves_item_and_money_and_is_on_record,
                what_costs_nothing_can_be_bought,
                the_last_cent_can_be_spent_and_no_more,
                refusals_come_in_order_and_change_nothing,
                of_64_buyers_at_once_one_wins,
                a_buyer_cannot_spend_money_twice_at_once,
                retries_at_once_end_as_one_purchase,
                a_key_is_for_one_purchase_of_one_buyer,
                a_refusal_is_remembered,
                outcomes_count_for_their_time_and_not_longer,
                old_outcomes_are_forgotten_and_no_others,
            ]
        }
        $crate::store::contract::store_contract! { @cases $fresh, 1_000,
            deposits: [
                a_deposit_comes_from_the_treasury_and_is_an_entry,
                the_limit_is_for_each_user_currency_and_day,
                deposits_at_once_stay_within_the_limit,
                a_refused_deposit_is_remembered,
            ]
        }
        $crate::store::contract::store_contract! { @cases $fresh, 1_000,
            entries: [
                a_first_look_opens_the_wallet_and_shows_its_issue,
                both_sides_of_a_sale_have_it_with_the_balance_it_left,
                entries_are_paged_by_number_and_by_cursor,
            ]
        }
        $crate::store::contract::store_contract! { @cases $fresh, 1_000,
            keys: [
                retries_of_any_act_at_once_do_it_once,
                a_key_is_for_one_request_of_one_caller_and_act,
                what_was_done_counts_for_its_time_and_not_longer,
            ]
        }
        $crate::store::contract::store_contract! { @cases $fresh, 1_000,
            events: [
                acts_are_told_whole_in_their_trace,
                a_first_look_at_the_entries_is_told_and_no_other,
                a_refusal_is_not_told,
                a_retry_is_not_told_again,
                every_act_that_is_done_is_told_and_no_other,
            ]
        }
        $crate::store::contract::store_contract! { @cases $fresh, 1_000,
            ledger: [
                a_wallet_opens_once_however_many_ask_at_once,
                a_name_is_kept_from_the_first_appearance,
                money_goes_round_and_none_is_made_or_lost,
            ]
        }
        $crate::store::contract::store_contract! { @cases $fresh, 92_233_720_368,
            treasury: [
                a_wallet_too_many_is_refused_and_leaves_nothing,
                a_deposit_too_many_is_refused_and_leaves_nothing,
            ]
        }
    };
    (@cases $fresh:path, $opening:literal, $module:ident: [$($case:ident),* $(,)?]) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
        async fn $case() {
            let fresh = $fresh($opening).await;
            $crate::store::contract::$module::$case(&*fresh.store).await;
            $crate::store::contract::assert_sound(&*fresh.store).await;
        }
    )*};
}

pub(super) use store_contract;

/// The ledger adds up, in sum and account by account.
pub(super) async fn assert_sound(store: &dyn Store) {
    let mut imbalance = store.imbalance().await.expect("imbalance");
    imbalance.sort();
    assert_eq!(imbalance, Currency::ALL.map(|currency| (currency, 0)));
    assert_eq!(store.audit().await.expect("audit"), []);
}

pub(super) fn user(name: &str) -> Caller {
    Caller { id: Uuid::new_v4(), name: name.to_owned(), is_admin: false }
}

pub(super) fn usd(minor_units: i64) -> Money {
    Money { currency: Currency::Usd, minor_units }
}

fn draft(price: Money) -> NewItem {
    NewItem {
        name: "Printing press".to_owned(),
        description: "Movable type".to_owned(),
        category: Category::Asset,
        price,
        is_premium: false,
        tags: vec![],
    }
}

pub(super) async fn sell(store: &dyn Store, seller: &Caller, price: Money) -> Item {
    item::create(store, &economy(), &Context::unasked(seller.clone()), (draft(price), None)).await.expect("creates")
}

/// Counters that nobody looks at.
pub(super) fn economy() -> Economy {
    Economy::new(Metrics::new("marketplace").expect("metrics").meter())
}

pub(super) fn attempt(buyer: &Caller, item: &Item, key: Option<&str>) -> Attempt {
    let order = Order { item_id: item.id, kind: TransactionType::Purchase };
    Attempt::new(buyer.clone(), order, key.map(|key| key.parse().expect("key")))
}

pub(super) async fn buy(
    store: &dyn Store,
    buyer: &Caller,
    item: &Item,
    key: Option<&str>,
) -> Result<Sale, PurchaseError> {
    store.purchase(attempt(buyer, item, key)).await.expect("no failure")
}

/// What a user has of the currencies in order, minor units.
pub(super) async fn amounts(store: &dyn Store, user: &Caller) -> [i64; 4] {
    let wallet = store.wallet(user, None).await.expect("wallet");
    assert_eq!(wallet.owner, user.id);
    Currency::ALL.map(|currency| wallet.balances.get(currency).minor_units)
}

async fn dollars(store: &dyn Store, user: &Caller) -> i64 {
    amounts(store, user).await[0]
}

fn first_page(filter: ItemFilter, sort: ItemSort) -> ItemQuery {
    ItemQuery { filter, sort, page: Page { page: 1, limit: 100 } }
}
