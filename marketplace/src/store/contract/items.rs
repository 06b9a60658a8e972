use std::cmp::Reverse;

use chrono::{TimeDelta, Utc};
use kernel::{Caller, Currency, Money, Page};
use proto::errors::ITEM_NOT_FOUND;
use runtime::context::Context;
use uuid::Uuid;

use super::{buy, draft, economy, first_page, sell, usd, user};
use crate::{
    id,
    item::{
        self, Category, FIRST_VERSION, Item, ItemFilter, ItemQuery, ItemSort, ItemStatus, Listing, NewItem, PriceRank,
    },
    store::Store,
    time,
};

pub(crate) async fn a_created_item_is_read_back(store: &dyn Store) {
    let seller = user("ada");
    let new = NewItem {
        name: "Näme".to_owned(),
        description: "line\n\"quoted\" \\ 💰".to_owned(),
        category: Category::Knowledge,
        price: Money { currency: Currency::Btc, minor_units: i64::MAX },
        is_premium: true,
        tags: vec!["b \"x\"".to_owned(), "a".to_owned()],
    };
    let created =
        item::create(store, &economy(), &Context::unasked(seller.clone()), (new.clone(), None)).await.expect("creates");
    let read = item::get(store, created.id).await.expect("is there");
    assert_eq!(read.item, created);
    assert_eq!((created.name, created.description, created.tags), (new.name, new.description, new.tags));
    assert_eq!((created.seller_id, created.status), (seller.id, ItemStatus::Available));
    assert_eq!((read.seller.id, read.seller.username.as_str()), (seller.id, "ada"));
    assert_eq!(read.transactions, []);
}

pub(crate) async fn an_unknown_item_is_none(store: &dyn Store) {
    assert_eq!(store.item(id::next()).await.expect("no failure"), None);
    let error = item::get(store, id::next()).await.expect_err("not there");
    assert_eq!(error.code(), ITEM_NOT_FOUND);
}

pub(crate) async fn a_sellers_counts_follow_listings_and_sales(store: &dyn Store) {
    let (seller, buyer) = (user("seller"), user("buyer"));
    let counts = async |item: &Item| {
        let seller = item::get(store, item.id).await.expect("is there").seller;
        (seller.active_listings, seller.completed_sales)
    };
    let first = sell(store, &seller, usd(1)).await;
    assert_eq!(counts(&first).await, (1, 0));
    let second = sell(store, &seller, usd(1)).await;
    let _someone_elses = sell(store, &buyer, usd(1)).await;
    assert_eq!(counts(&first).await, (2, 0));
    buy(store, &buyer, &first, None).await.expect("buys");
    assert_eq!((counts(&first).await, counts(&second).await), ((1, 1), (1, 1)));
    buy(store, &buyer, &first, None).await.expect_err("is sold");
    assert_eq!(counts(&first).await, (1, 1));
}

pub(crate) async fn every_filter_sort_and_page_agrees_with_a_plain_model(store: &dyn Store) {
    let (items, [buyer, other]) = assorted(store).await;
    let (seller, price) = (items[0].0.seller_id, PriceRank::from(items[7].0.price));
    let whole = |text| PriceRank::parse(text, None).expect("bound");
    let filters = [
        ItemFilter::default(),
        ItemFilter { category: Some(Category::Innovation), ..Default::default() },
        ItemFilter { status: Some(ItemStatus::Available), ..Default::default() },
        ItemFilter { status: Some(ItemStatus::Sold), ..Default::default() },
        ItemFilter { status: Some(ItemStatus::Reserved), ..Default::default() },
        ItemFilter { currency: Some(Currency::Gold), ..Default::default() },
        ItemFilter { min_price: Some(price), ..Default::default() },
        ItemFilter { max_price: Some(price), ..Default::default() },
        ItemFilter { min_price: Some(price), max_price: Some(price), ..Default::default() },
        ItemFilter { min_price: Some(whole("1.5")), max_price: Some(whole("3.25")), ..Default::default() },
        ItemFilter { seller_id: Some(seller), ..Default::default() },
        ItemFilter { seller_id: Some(Uuid::nil()), ..Default::default() },
        ItemFilter { buyer_id: Some(buyer), ..Default::default() },
        ItemFilter { buyer_id: Some(other), ..Default::default() },
        ItemFilter { buyer_id: Some(seller), ..Default::default() },
        ItemFilter { buyer_id: Some(Uuid::nil()), ..Default::default() },
        ItemFilter { buyer_id: Some(buyer), status: Some(ItemStatus::Sold), ..Default::default() },
        ItemFilter { buyer_id: Some(buyer), status: Some(ItemStatus::Available), ..Default::default() },
        ItemFilter { is_premium: Some(true), ..Default::default() },
        ItemFilter { is_premium: Some(false), ..Default::default() },
        ItemFilter { tag: Some("even".to_owned()), ..Default::default() },
        ItemFilter { tag: Some("eve".to_owned()), ..Default::default() },
        ItemFilter { tag: Some("EVEN".to_owned()), ..Default::default() },
        ItemFilter {
            category: Some(Category::Asset),
            status: Some(ItemStatus::Available),
            currency: Some(Currency::Usd),
            is_premium: Some(true),
            ..Default::default()
        },
        ItemFilter {
            status: Some(ItemStatus::Available),
            min_price: Some(whole("1")),
            seller_id: Some(seller),
            tag: Some("third".to_owned()),
            ..Default::default()
        },
        ItemFilter {
            category: Some(Category::Service),
            max_price: Some(whole("3")),
            seller_id: Some(items[2].0.seller_id),
            buyer_id: Some(buyer),
            tag: Some("even".to_owned()),
            ..Default::default()
        },
    ];
    for filter in &filters {
        for sort in [ItemSort::Newest, ItemSort::Oldest, ItemSort::Price, ItemSort::PriceDesc] {
            let expected = model(&items, filter, sort);
            for limit in [1, 7, 100] {
                let mut pages = Vec::new();
                for page in 1..=expected.len() as u32 / limit + 2 {
                    let query = ItemQuery { filter: filter.clone(), sort, page: Page { page, limit } };
                    let (items, total) = store.list_items(&query).await.expect("lists");
                    assert_eq!(total, expected.len() as u64, "{query:?}");
                    assert!(items.len() <= limit as usize);
                    pages.extend(items);
                }
                assert_eq!(pages, expected, "{filter:?} {sort:?} {limit}");
            }
        }
    }
}

pub(crate) async fn a_buyers_list_has_what_they_bought_from_then_on(store: &dyn Store) {
    let (seller, buyer, late) = (user("seller"), user("buyer"), user("late"));
    let (item, unsold) = (sell(store, &seller, usd(1)).await, sell(store, &seller, usd(1)).await);
    let bought_by = async |user: &Caller| {
        let filter = ItemFilter { buyer_id: Some(user.id), ..Default::default() };
        store.list_items(&first_page(filter, ItemSort::Newest)).await.expect("lists")
    };
    assert_eq!(bought_by(&buyer).await, (vec![], 0));
    let first = buy(store, &buyer, &item, Some("key")).await.expect("buys").item;
    assert_eq!(buy(store, &buyer, &item, Some("key")).await.expect("retries").item, first);
    buy(store, &late, &item, None).await.expect_err("is sold");
    assert_eq!(bought_by(&buyer).await, (vec![first.clone()], 1));
    assert_eq!((bought_by(&seller).await, bought_by(&late).await), ((vec![], 0), (vec![], 0)));
    let second = buy(store, &buyer, &unsold, None).await.expect("buys").item;
    assert_eq!(bought_by(&buyer).await, (vec![second, first], 2));
}

pub(crate) async fn prices_are_ordered_across_currencies(store: &dyn Store) {
    let seller = user("seller");
    let dearest_first = [
        Money { currency: Currency::Usd, minor_units: i64::MAX },
        Money { currency: Currency::Gold, minor_units: i64::MAX },
        Money { currency: Currency::Btc, minor_units: i64::MAX },
        Money { currency: Currency::Eur, minor_units: 1_000 },
        Money { currency: Currency::Usd, minor_units: 999 },
        Money { currency: Currency::Gold, minor_units: 1 },
        Money { currency: Currency::Btc, minor_units: 1 },
        usd(0),
    ];
    for index in [3, 0, 7, 1, 6, 4, 2, 5] {
        sell(store, &seller, dearest_first[index]).await;
    }
    let (items, _) = store.list_items(&first_page(ItemFilter::default(), ItemSort::PriceDesc)).await.expect("lists");
    assert_eq!(items.iter().map(|item| item.price).collect::<Vec<_>>(), dearest_first);
    let (items, _) = store.list_items(&first_page(ItemFilter::default(), ItemSort::Price)).await.expect("lists");
    assert!(items.iter().map(|item| item.price).eq(dearest_first.into_iter().rev()));
}

pub(crate) async fn min_above_max_matches_nothing(store: &dyn Store) {
    sell(store, &user("seller"), usd(150)).await;
    let rank = |minor_units| Some(PriceRank::from(usd(minor_units)));
    let filter = ItemFilter { min_price: rank(200), max_price: rank(100), ..Default::default() };
    assert_eq!(store.list_items(&first_page(filter, ItemSort::Newest)).await.expect("lists"), (vec![], 0));
}

/// 40 items of all sorts, some listed at the same moment or at the same price, a few of them sold to one of two buyers.
/// Each item stands beside who has bought it.
async fn assorted(store: &dyn Store) -> (Vec<(Item, Option<Uuid>)>, [Uuid; 2]) {
    let (sellers, now) = ([user("first"), user("second"), user("third")], time::now());
    let buyers = [user("buyer"), user("other")];
    let mut items = Vec::new();
    for n in 0..40_usize {
        let seller = &sellers[n % 3];
        let currency = Currency::ALL[n / 2 % 4];
        let price = Money { currency, minor_units: currency.scale() / 4 * (n as i64 * 7 % 16) };
        let tags = [(n % 2 == 0, "even"), (n % 3 == 0, "third")];
        // Not in the order of ids, and each moment three times.
        let created_at = now - TimeDelta::milliseconds((n * 11 % 40 / 3) as i64);
        let item = Item {
            id: id::next(),
            category: [Category::Asset, Category::Innovation, Category::Service, Category::Knowledge][n % 4],
            seller_id: seller.id,
            status: if n % 8 == 5 { ItemStatus::Reserved } else { ItemStatus::Available },
            is_premium: n % 5 == 0,
            tags: tags.iter().filter(|(has, _)| *has).map(|&(_, tag)| tag.to_owned()).collect(),
            created_at,
            updated_at: created_at,
            name: format!("item {n}"),
            description: draft(price).description,
            price,
            version: FIRST_VERSION,
        };
        store.create_item(Listing::new(seller.clone(), item.clone(), None)).await.expect("creates");
        let buyer = (n % 6 == 2).then(|| &buyers[n / 6 % 2]);
        let item = match buyer {
            Some(buyer) => buy(store, buyer, &item, None).await.expect("buys").item,
            None => item,
        };
        items.push((item, buyer.map(|buyer| buyer.id)));
    }
    assert!(items.iter().all(|(item, _)| item.created_at <= Utc::now()));
    (items, buyers.map(|buyer| buyer.id))
}

fn model(items: &[(Item, Option<Uuid>)], filter: &ItemFilter, sort: ItemSort) -> Vec<Item> {
    let matches = |(item, buyer): &&(Item, Option<Uuid>)| {
        filter.category.is_none_or(|category| item.category == category)
            && filter.status.is_none_or(|status| item.status == status)
            && filter.currency.is_none_or(|currency| item.price.currency == currency)
            && filter.min_price.is_none_or(|min| PriceRank::from(item.price) >= min)
            && filter.max_price.is_none_or(|max| PriceRank::from(item.price) <= max)
            && filter.seller_id.is_none_or(|seller| item.seller_id == seller)
            && filter.buyer_id.is_none_or(|bought_by| *buyer == Some(bought_by))
            && filter.is_premium.is_none_or(|is_premium| item.is_premium == is_premium)
            && filter.tag.as_ref().is_none_or(|tag| item.tags.contains(tag))
    };
    let mut items: Vec<Item> = items.iter().filter(matches).map(|(item, _)| item.clone()).collect();
    items.sort_by_key(|item| Reverse(item.id));
    match sort {
        ItemSort::Newest => items.sort_by_key(|item| Reverse(item.created_at)),
        ItemSort::Oldest => items.sort_by_key(|item| item.created_at),
        ItemSort::Price => items.sort_by_key(|item| PriceRank::from(item.price)),
        ItemSort::PriceDesc => items.sort_by_key(|item| Reverse(PriceRank::from(item.price))),
    }
    items
}
