//! Exact money from JSON to disk and back.

use serde_json::{Value, json};
use tests::{User, send};

/// Lists an item whose price is this JSON text.
async fn list(user: &User, price: &str, currency: &str) -> tests::Answer {
    let body = format!(
        r#"{{"price": {price}, "currency": "{currency}", "name": "n", "description": "d", "category": "asset"}}"#
    );
    let request = user.request(reqwest::Method::POST, "/marketplace/item");
    send(request.header("content-type", "application/json").body(body)).await
}

#[tokio::test]
async fn prices_come_back_as_they_went_in() {
    let system = super::start().await;
    let ada = system.user("ada").await;
    for (price, currency, written) in [
        ("0.1", "USD", "0.10"),
        ("1e2", "USD", "100.00"),
        ("\"12.50\"", "USD", "12.50"),
        ("0", "EUR", "0.00"),
        ("-0", "USD", "0.00"),
        ("0.00000001", "BTC", "0.00000001"),
        ("0.3", "GOLD", "0.3000"),
        ("92233720368547758.07", "USD", "92233720368547758.07"),
        ("9007199254740993", "EUR", "9007199254740993.00"),
    ] {
        let created = list(&ada, price, currency).await;
        assert_eq!(created.status, 201, "{price} {currency}: {created:?}");
        let expected = format!(r#""price":{written},"currency":"{currency}""#);
        assert!(created.text.contains(&expected), "{}", created.text);
        let page = ada.get(created.header("location")).await;
        assert!(page.text.contains(&expected), "{}", page.text);
    }
}

#[tokio::test]
async fn what_is_no_price_is_refused() {
    let system = super::start().await;
    let ada = system.user("ada").await;
    for (price, currency) in [
        ("1.999", "USD"),
        ("0.000000001", "BTC"),
        ("-1", "USD"),
        ("\"NaN\"", "USD"),
        ("\"\"", "USD"),
        ("92233720368547758.08", "USD"),
        ("1e400", "USD"),
        ("null", "USD"),
    ] {
        let refused = list(&ada, price, currency).await;
        assert_eq!((refused.problem(), refused.fields()), ((400, "validation_failed"), vec!["price"]), "{price}");
    }
    for shape in ["true", "[1]", "{}"] {
        let refused = list(&ada, shape, "USD").await;
        assert_eq!((refused.problem(), refused.fields()), ((422, "invalid_body"), vec!["price"]), "{shape}");
    }
    let refused = list(&ada, "1", "DOGE").await;
    assert_eq!((refused.problem(), refused.fields()), ((400, "validation_failed"), vec!["currency"]));
}

#[tokio::test]
async fn prices_are_compared_by_whole_units_across_currencies() {
    let system = super::start().await;
    let ada = system.user("ada").await;
    for (price, currency) in [("2", "BTC"), ("10", "USD"), ("0.5", "GOLD"), ("9.99", "EUR")] {
        assert_eq!(list(&ada, price, currency).await.status, 201);
    }
    let order = async |query: &str| -> Vec<Value> {
        let answer = ada.get(&format!("/marketplace/list?{query}")).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json["items"].as_array().unwrap().iter().map(|item| item["currency"].clone()).collect()
    };
    assert_eq!(order("sort=price").await, [json!("GOLD"), json!("BTC"), json!("EUR"), json!("USD")]);
    assert_eq!(order("sort=-price").await, [json!("USD"), json!("EUR"), json!("BTC"), json!("GOLD")]);
    assert_eq!(order("sort=price&minPrice=2&maxPrice=9.99").await, [json!("BTC"), json!("EUR")]);
    assert_eq!(order("sort=oldest&currency=USD&minPrice=10.00").await, [json!("USD")]);
    assert!(order("minPrice=10&maxPrice=2").await.is_empty());
}
