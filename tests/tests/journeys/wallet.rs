//! Deposits, and what moved in a wallet.

use reqwest::Method;
use serde_json::{Value, json};
use tests::{Answer, User, send};

async fn deposit(user: &User, currency: &str, amount: Value) -> Answer {
    user.post("/marketplace/deposit", &json!({"currency": currency, "amount": amount})).await
}

#[tokio::test]
async fn a_deposit_is_in_the_wallet_and_within_the_limit_of_the_day() {
    let system = super::start().await;
    let (ada, bob) = (system.user("ada").await, system.user("bob").await);
    let made = deposit(&ada, "USD", json!("9999.99")).await;
    assert_eq!(made.status, 201, "{made:?}");
    assert_eq!((&made.json["kind"], &made.json["number"]), (&json!("deposit"), &json!(5)));
    assert!(made.text.contains(r#""currency":"USD","amount":9999.99,"balance":1009999.99"#), "{}", made.text);
    assert_eq!(ada.balance("USD").await, "1009999.99");

    let refused = deposit(&ada, "USD", json!(0.02)).await;
    assert_eq!(refused.problem(), (409, "deposit_limit_exceeded"));
    assert!(refused.json["detail"].as_str().unwrap().contains("0.01 USD of it is left"), "{refused:?}");
    assert_eq!(deposit(&ada, "USD", json!(0.01)).await.status, 201);
    assert_eq!(deposit(&bob, "USD", json!(10_000)).await.status, 201, "another user's day");
    assert_eq!(deposit(&ada, "BTC", json!("0.2")).await.status, 201, "another currency");
    assert_eq!(deposit(&ada, "GOLD", json!("10.0001")).await.problem(), (409, "deposit_limit_exceeded"));
    for (_, sum) in system.items.imbalance().await.unwrap() {
        assert_eq!(sum, 0);
    }
    assert_eq!(system.items.audit().await.unwrap(), []);
}

#[tokio::test]
async fn what_is_no_deposit_is_refused_by_its_field() {
    let system = super::start().await;
    let ada = system.user("ada").await;
    for (body, fields) in [
        (json!({}), vec!["currency", "amount"]),
        (json!({"amount": 1}), vec!["currency"]),
        (json!({"currency": "USD"}), vec!["amount"]),
        (json!({"currency": "DOGE", "amount": 1}), vec!["currency"]),
        (json!({"currency": "USD", "amount": 0}), vec!["amount"]),
        (json!({"currency": "USD", "amount": -1}), vec!["amount"]),
        (json!({"currency": "USD", "amount": "1.005"}), vec!["amount"]),
    ] {
        let refused = ada.post("/marketplace/deposit", &body).await;
        assert_eq!((refused.problem(), refused.fields()), ((400, "validation_failed"), fields), "{body}");
    }
    let mut stranger = ada;
    stranger.token = None;
    assert_eq!(deposit(&stranger, "USD", json!(1)).await.problem(), (401, "missing_token"));
    assert_eq!(stranger.get("/marketplace/wallet/entries").await.problem(), (401, "missing_token"));
}

#[tokio::test]
async fn entries_are_ones_own_and_paged_in_json_and_csv() {
    let system = super::start().await;
    let (seller, buyer) = (system.user("seller").await, system.user("buyer").await);
    let item = seller.new_item().await;
    let bought = buyer.purchase(&item, None).await;
    let transaction = bought.json["transaction"]["_id"].as_str().unwrap();
    assert_eq!(deposit(&buyer, "EUR", json!(1)).await.status, 201);

    let page = buyer.get("/marketplace/wallet/entries?limit=2").await;
    assert_eq!((page.status, page.header("cache-control"), page.header("x-cache")), (200, "no-store", "BYPASS"));
    assert_eq!(page.json["pagination"], json!({"page": 1, "limit": 2, "total": 6, "pages": 3, "cursor": "5"}));
    let sale = &page.json["entries"][1];
    assert_eq!((&sale["kind"], &sale["reference"], &sale["number"]), (&json!("sale"), &json!(transaction), &json!(5)));
    assert!(page.text.contains(r#""currency":"USD","amount":-12.50,"balance":999987.50"#), "{}", page.text);
    let sold = seller.get("/marketplace/wallet/entries?limit=1").await;
    assert!(sold.text.contains(r#""currency":"USD","amount":12.50,"balance":1000012.50"#), "{}", sold.text);

    let csv =
        send(buyer.request(Method::GET, "/marketplace/wallet/entries?limit=2").header("accept", "text/csv")).await;
    assert_eq!(csv.status, 200, "{csv:?}");
    assert!(csv.header("content-type").starts_with("text/csv") && csv.header("vary").contains("accept"), "{csv:?}");
    let lines: Vec<_> = csv.text.split_terminator("\r\n").collect();
    assert_eq!((lines.len(), lines[0]), (3, "number,kind,currency,amount,balance,reference,createdAt"));
    let start = format!("5,sale,USD,-12.50,999987.50,{transaction},20");
    assert!(lines[1].starts_with("6,deposit,EUR,1.00,1000001.00,") && lines[2].starts_with(&start), "{lines:?}");

    // The header leads on to the last page, which has none.
    let mut next = csv.header("link").to_owned();
    let mut numbers = Vec::new();
    while let Some(path) = next.strip_prefix('<').and_then(|link| link.strip_suffix(">; rel=\"next\"")) {
        let page = buyer.get(path).await;
        assert_eq!(page.status, 200, "{page:?}");
        numbers.extend(page.json["entries"].as_array().unwrap().iter().map(|entry| entry["number"].as_i64().unwrap()));
        next = page.header("link").to_owned();
    }
    assert_eq!(numbers, [4, 3, 2, 1]);

    for (query, field) in
        [("page=0", "page"), ("limit=101", "limit"), ("cursor=x", "cursor"), ("cursor=5&page=1", "cursor")]
    {
        let refused = buyer.get(&format!("/marketplace/wallet/entries?{query}")).await;
        assert_eq!((refused.problem(), refused.fields()), ((400, "validation_failed"), vec![field]), "{query}");
    }
}
