//! Purchases: one winner, exact money, idempotency keys.

use futures_util::future::join_all;
use serde_json::json;
use tests::{Answer, System, User};

fn crowd(system: &System, count: usize) -> Vec<User> {
    (0..count).map(|number| system.stranger(&format!("user-{number}"))).collect()
}

async fn assert_balanced(system: &System) {
    for (currency, sum) in system.items.imbalance().await.unwrap() {
        assert_eq!(sum, 0, "{currency}");
    }
}

#[tokio::test]
async fn of_64_concurrent_buyers_exactly_one_wins() {
    let system = super::start().await;
    let seller = system.user("seller").await;
    let item = seller.new_item().await;
    let buyers = crowd(&system, 64);

    let answers = join_all(buyers.iter().map(|buyer| buyer.purchase(&item, None))).await;
    let (won, lost): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 200);
    assert_eq!((won.len(), lost.len()), (1, 63));
    for answer in lost {
        assert_eq!(answer.problem(), (409, "item_not_available"));
    }
    assert_balanced(&system).await;
    assert_eq!(seller.balance("USD").await, "1000012.50");
    let balances = join_all(buyers.iter().map(|buyer| buyer.balance("USD"))).await;
    assert_eq!(balances.iter().filter(|balance| *balance == "999987.50").count(), 1);
    assert_eq!(balances.iter().filter(|balance| *balance == "1000000.00").count(), 63);
    let page = seller.get(&format!("/marketplace/item/{item}")).await;
    assert_eq!(page.json["transactionHistory"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_retry_with_one_key_returns_the_first_outcome() {
    let system = super::start().await;
    let (seller, buyer) = (system.user("seller").await, system.user("buyer").await);
    let item = seller.new_item().await;

    let answers: Vec<Answer> = join_all((0..20).map(|_| buyer.purchase(&item, Some("key-1")))).await;
    for answer in &answers {
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.text, answers[0].text);
    }
    assert_eq!(buyer.balance("USD").await, "999987.50");
    let page = seller.get(&format!("/marketplace/item/{item}")).await;
    assert_eq!(page.json["transactionHistory"], json!([answers[0].json["transaction"]]));

    let other = seller.new_item().await;
    let reused = buyer.purchase(&other, Some("key-1")).await;
    assert_eq!(reused.problem(), (422, "idempotency_key_reused"));
    // A key is its buyer's own.
    let third = system.user("third").await;
    assert_eq!(third.purchase(&other, Some("key-1")).await.status, 200);
    assert_balanced(&system).await;
}

#[tokio::test]
async fn a_refusal_is_remembered_under_its_key() {
    let system = crate::builder().opening_balance(10).start().await;
    let (seller, buyer) = (system.user("seller").await, system.user("buyer").await);
    let dear = seller.new_item().await;
    let refused = buyer.purchase(&dear, Some("key")).await;
    assert_eq!(refused.problem(), (409, "insufficient_funds"));
    assert!(refused.json["detail"].as_str().unwrap().contains("2.50 USD"), "{refused:?}");

    // Now the buyer could pay, but was told otherwise.
    let own = buyer.list_item(json!({"price": 5})).await;
    assert_eq!(seller.purchase(own.json["_id"].as_str().unwrap(), None).await.status, 200);
    assert_eq!(buyer.purchase(&dear, Some("key")).await.problem(), (409, "insufficient_funds"));
    assert_eq!(buyer.purchase(&dear, Some("new key".replace(' ', "-").as_str())).await.status, 200);
    assert_balanced(&system).await;
}

#[tokio::test]
async fn what_one_bought_is_on_ones_list_at_once_and_on_nobody_elses() {
    let system = super::start().await;
    let (seller, buyer) = (system.user("seller").await, system.user("buyer").await);
    let reader = system.stranger("reader");
    let bought_by = async |user: &User| {
        let list = reader.get_by_cache(&format!("/marketplace/list?buyerId={}", user.id)).await;
        assert_eq!(list.status, 200, "{list:?}");
        (list.json["items"].clone(), list.json["pagination"]["total"].clone())
    };
    let (first, second) = (seller.new_item().await, seller.new_item().await);
    // The list is in the cache before each purchase.
    for (item, total) in [(first, 1), (second, 2)] {
        assert_eq!(bought_by(&buyer).await.1, total - 1);
        let bought = buyer.purchase(&item, None).await;
        assert_eq!(bought.status, 200, "{bought:?}");
        let (items, now) = bought_by(&buyer).await;
        assert_eq!((&items[0], now), (&bought.json["item"], json!(total)));
    }
    assert_eq!(bought_by(&seller).await, (json!([]), json!(0)));
    let page =
        reader.get(&format!("/marketplace/list?buyerId={}&status=sold&sort=oldest&limit=1&page=2", buyer.id)).await;
    assert_eq!(page.json["pagination"], json!({"page": 2, "limit": 1, "total": 2, "pages": 2}));
    assert_eq!(page.json["items"], json!([bought_by(&buyer).await.0[0]]));
}

#[tokio::test]
async fn what_cannot_be_bought_says_why() {
    let system = super::start().await;
    let (seller, buyer) = (system.user("seller").await, system.user("buyer").await);
    let item = seller.new_item().await;
    assert_eq!(seller.purchase(&item, None).await.problem(), (409, "own_item"));
    assert_eq!(buyer.purchase("0123456789abcdef01234567", None).await.problem(), (404, "item_not_found"));
    let malformed = buyer.purchase("nonsense", None).await;
    assert_eq!((malformed.problem(), malformed.fields()), ((400, "validation_failed"), vec!["itemId"]));
    assert_eq!(buyer.purchase(&item.to_uppercase(), None).await.status, 200);
    assert_eq!(buyer.purchase(&item, None).await.problem(), (409, "item_not_available"));
}

#[tokio::test]
async fn concurrent_purchases_never_overdraw_a_wallet() {
    let system = crate::builder().opening_balance(100).start().await;
    let (seller, buyer) = (system.user("seller").await, system.user("buyer").await);
    let items = join_all((0..20).map(|_| seller.new_item())).await;
    let answers = join_all(items.iter().map(|item| buyer.purchase(item, None))).await;
    // 100.00 pays for 8 items at 12.50.
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 8);
    for answer in answers.iter().filter(|answer| answer.status != 200) {
        assert_eq!(answer.problem(), (409, "insufficient_funds"));
    }
    assert_eq!(buyer.balance("USD").await, "0.00");
    assert_balanced(&system).await;
}

#[tokio::test]
async fn a_gift_costs_nothing() {
    let system = super::start().await;
    let (seller, buyer) = (system.user("seller").await, system.user("buyer").await);
    let gift = seller.list_item(json!({"price": 0})).await;
    let bought = buyer.purchase(gift.json["_id"].as_str().unwrap(), None).await;
    assert_eq!(bought.status, 200, "{bought:?}");
    assert_eq!(buyer.balance("USD").await, "1000000.00");
    assert_balanced(&system).await;
}
