use proto::{
    errors::VALIDATION_FAILED,
    marketplace::words::{Category, ItemStatus},
};

use super::*;

fn create() -> pb::CreateItemRequest {
    pb::CreateItemRequest {
        name: " Press ".to_owned(),
        description: "Movable type".to_owned(),
        category: pb::Category::Asset.into(),
        price: Some(pb::Money { currency: 0, minor_units: 1250 }),
        is_premium: true,
        tags: vec!["print".to_owned()],
        idempotency_key: None,
    }
}

/// What is said to be wrong, as `field: message`; nothing where the request is accepted.
fn violations<T>(result: Result<T, Error>) -> Vec<String> {
    let Err(error) = result else { return Vec::new() };
    assert_eq!(error.code(), VALIDATION_FAILED);
    error.violations().iter().map(|v| format!("{}: {}", v.field, v.message)).collect()
}

fn create_with(change: impl FnOnce(&mut pb::CreateItemRequest)) -> Vec<String> {
    let mut request = create();
    change(&mut request);
    violations(new_item(request))
}

fn list_with(change: impl FnOnce(&mut pb::ListItemsRequest)) -> Vec<String> {
    let mut request = pb::ListItemsRequest::default();
    change(&mut request);
    violations(item_query(request))
}

#[test]
fn a_new_item_is_trimmed_and_in_dollars_unless_said() {
    let item = new_item(create()).expect("valid").0;
    assert_eq!((item.name.as_str(), item.category, item.is_premium), ("Press", Category::Asset, true));
    assert_eq!(item.price, Money { currency: Currency::Usd, minor_units: 1250 });
    assert_eq!(item.tags, ["print"]);
}

#[test]
fn a_new_item_has_limits_at_the_edge_and_one_past_it() {
    assert_eq!(create_with(|r| r.name = "ä".repeat(200)), [""; 0]);
    assert_eq!(create_with(|r| r.name = "ä".repeat(201)), ["name: must have 1 to 200 characters"]);
    assert_eq!(create_with(|r| r.description = "ä".repeat(5000)), [""; 0]);
    assert_eq!(create_with(|r| r.description = "ä".repeat(5001)), ["description: must have 1 to 5000 characters"]);
    let price = |currency, minor_units| create_with(|r| r.price = Some(pb::Money { currency, minor_units }));
    assert_eq!(price(3, i64::MAX), [""; 0]);
    assert_eq!(price(0, 0), [""; 0]);
    assert_eq!(price(0, -1), ["price: must not be negative"]);
    assert_eq!(price(5, 1), ["currency: must be one of USD, EUR, BTC, GOLD"]);
    assert_eq!(create_with(|r| r.category = 4), [""; 0]);
    let categories = "category: must be one of asset, innovation, service, knowledge";
    assert_eq!(create_with(|r| r.category = 5), [categories]);
    assert_eq!(create_with(|r| r.category = -1), [categories]);
    assert_eq!(create_with(|r| r.tags = vec!["t".to_owned(); 21]), ["tags: must be at most 20"]);
}

#[test]
fn everything_that_is_wrong_with_a_new_item_is_said_at_once() {
    assert_eq!(
        violations(new_item(pb::CreateItemRequest { tags: vec![String::new()], ..Default::default() })),
        [
            "name: is required",
            "description: is required",
            "category: is required",
            "price: is required",
            "tags[0]: is required"
        ]
    );
    assert_eq!(
        create_with(|r| r.price = Some(pb::Money { currency: 9, minor_units: -1 })),
        ["price: must not be negative", "currency: must be one of USD, EUR, BTC, GOLD"]
    );
}

#[test]
fn a_query_without_filters_is_the_first_page_of_all_newest_first() {
    let query = item_query(pb::ListItemsRequest::default()).expect("valid");
    assert_eq!((query.sort, query.page), (ItemSort::Newest, Page { page: 1, limit: 20 }));
    let ItemFilter { category, status, currency, min_price, max_price, seller_id, buyer_id, is_premium, tag } =
        query.filter;
    assert!(category.is_none() && status.is_none() && currency.is_none() && min_price.is_none());
    assert!(max_price.is_none() && seller_id.is_none() && buyer_id.is_none() && is_premium.is_none() && tag.is_none());
}

#[test]
fn filters_are_read_and_unspecified_ones_are_none() {
    let (seller, buyer) = (Uuid::new_v4(), Uuid::new_v4());
    let query = item_query(pb::ListItemsRequest {
        category: Some(2),
        status: Some(3),
        currency: Some(2),
        min_price: Some("1.5".to_owned()),
        max_price: Some("2".to_owned()),
        seller_id: Some(seller.to_string()),
        buyer_id: Some(buyer.to_string()),
        is_premium: Some(false),
        tag: Some(" rare ".to_owned()),
        sort: 4,
        page: Some(3),
        limit: Some(50),
    })
    .expect("valid");
    let rank = |text| PriceRank::parse(text, None).ok();
    assert_eq!((query.sort, query.page), (ItemSort::PriceDesc, Page { page: 3, limit: 50 }));
    let filter = query.filter;
    assert_eq!((filter.category, filter.status), (Some(Category::Innovation), Some(ItemStatus::Reserved)));
    assert_eq!((filter.currency, filter.seller_id, filter.buyer_id), (Some(Currency::Eur), Some(seller), Some(buyer)));
    assert_eq!((filter.min_price, filter.max_price), (rank("1.5"), rank("2")));
    assert_eq!((filter.is_premium, filter.tag.as_deref()), (Some(false), Some("rare")));

    let unspecified = pb::ListItemsRequest {
        category: Some(0),
        status: Some(0),
        currency: Some(0),
        tag: Some(" ".to_owned()),
        ..Default::default()
    };
    let filter = item_query(unspecified).expect("valid").filter;
    assert!(filter.category.is_none() && filter.status.is_none() && filter.currency.is_none());
    assert!(filter.tag.is_none());
}

#[test]
fn everything_that_is_wrong_with_a_query_is_said_at_once() {
    let wrong = list_with(|r| {
        r.category = Some(5);
        r.status = Some(4);
        r.currency = Some(5);
        r.min_price = Some("cheap".to_owned());
        r.max_price = Some("-1".to_owned());
        r.seller_id = Some("treasury".to_owned());
        r.buyer_id = Some("me".to_owned());
        r.sort = 5;
        r.page = Some(0);
        r.limit = Some(101);
    });
    assert_eq!(
        wrong,
        [
            "currency: must be one of USD, EUR, BTC, GOLD",
            "category: must be one of asset, innovation, service, knowledge",
            "status: must be one of available, sold, reserved",
            "min_price: must be a decimal number such as 12.50",
            "max_price: must not be negative",
            "seller_id: must be a UUID",
            "buyer_id: must be a UUID",
            "sort: must be one of newest, oldest, price, -price",
            "page: must be 1 or more",
            "limit: must be 1 to 100",
        ]
    );
}

#[test]
fn price_bounds_have_the_places_of_the_currency_that_is_asked_for() {
    let bound = |currency, text: &str| {
        list_with(|r| {
            r.currency = currency;
            r.min_price = Some(text.to_owned());
        })
    };
    assert_eq!(bound(Some(4), "0.0001"), [""; 0]);
    assert_eq!(bound(Some(4), "0.00001"), ["min_price: must have at most 4 decimal places"]);
    assert_eq!(bound(None, "0.00000001"), [""; 0]);
    assert_eq!(bound(None, "0.000000001"), ["min_price: must have at most 8 decimal places"]);
}

#[test]
fn ids_and_keys_are_checked_by_name() {
    assert_eq!(violations(item_id(pb::GetItemRequest { id: "1".to_owned() })), ["id: must be 24 hex digits"]);
    let request = pb::PurchaseItemRequest { item_id: "1".to_owned(), r#type: 4, idempotency_key: Some(String::new()) };
    assert_eq!(
        violations(order(request)),
        [
            "item_id: must be 24 hex digits",
            "type: must be one of purchase, investment, trade",
            "idempotency_key: must be 1 to 255 visible ASCII characters"
        ]
    );
    let request = pb::PurchaseItemRequest { item_id: "a".repeat(24), r#type: 0, idempotency_key: None };
    assert_eq!(order(request).expect("valid").0.kind, TransactionType::Purchase);
}

#[test]
fn a_page_of_the_longest_listings_is_cut_and_one_is_whole() {
    let longest = |count| "\u{1}".repeat(count);
    let item = pb::Item {
        name: longest(200),
        description: "𝄞".repeat(5000),
        tags: vec![longest(50); 20],
        ..Default::default()
    };
    let mut items = vec![item.clone(); 100];
    items[7] = pb::Item { description: "short".to_owned(), ..Default::default() };
    excerpt::fit(&mut items, item_bytes, cut_item);
    assert!(items.iter().map(|item| item_bytes(item, json_bytes)).sum::<usize>() <= excerpt::PAGE_BYTES);
    assert!(items[0].is_excerpt && items[0].name == item.name && items[0].tags.len() < 20);
    assert!(!items[7].is_excerpt && items[7].description == "short");
    let mut one = vec![item.clone()];
    excerpt::fit(&mut one, item_bytes, cut_item);
    assert_eq!(one, [item]);
}
