//! The edge: what is no good request, and what every answer carries.

use reqwest::Method;
use serde_json::json;
use tests::send;

#[tokio::test]
async fn bodies_that_are_no_good_are_told_apart() {
    let system = super::start().await;
    let ada = system.user("ada").await;
    let post = async |content_type: &str, body: &str| {
        let request = ada.request(Method::POST, "/marketplace/item").body(body.to_owned());
        let request = if content_type.is_empty() { request } else { request.header("content-type", content_type) };
        send(request).await
    };
    for content_type in ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"] {
        assert_eq!(post(content_type, "{}").await.problem(), (415, "unsupported_media_type"), "{content_type}");
    }
    for broken in ["", "{", "not json", "{\"name\": }", "{} trailing", "{\"name\": \"\\ud800\"}"] {
        assert_eq!(post("application/json", broken).await.problem(), (400, "malformed_json"), "{broken}");
    }
    for (shape, field) in [
        (r#"{"name": 5}"#, "name"),
        (r#"{"tags": [1]}"#, "tags[0]"),
        (r#"{"tags": "gold"}"#, "tags"),
        (r#"{"isPremium": "yes"}"#, "isPremium"),
        ("[1]", "."),
        ("\"text\"", "."),
    ] {
        let refused = post("application/json; charset=utf-8", shape).await;
        assert_eq!(refused.problem(), (422, "invalid_body"), "{shape}");
        if field != "." {
            assert_eq!(refused.fields(), [field], "{shape}");
        }
    }
    let deep = format!(r#"{{"unknown": {}"#, "[".repeat(10_000));
    assert_eq!(post("application/json", &deep).await.problem(), (400, "malformed_json"));
}

#[tokio::test]
async fn a_body_may_have_64_kib_and_not_a_byte_more() {
    let system = super::start().await;
    let ada = system.user("ada").await;
    let body = |length: usize| {
        let rest = length - r#"{"junk":""}"#.len();
        format!(r#"{{"junk":"{}"}}"#, "x".repeat(rest))
    };
    let post = async |body: reqwest::Body| {
        let request = ada.request(Method::POST, "/discourse/channel").header("content-type", "application/json");
        send(request.body(body)).await
    };
    assert_eq!(post(body(65_536).into()).await.problem(), (400, "validation_failed"));
    assert_eq!(post(body(65_537).into()).await.problem(), (413, "body_too_large"));
}

#[tokio::test]
async fn unknown_routes_and_methods_are_problems() {
    let system = super::start().await;
    let anybody = system.anybody();
    for path in ["/nowhere", "/marketplace", "/marketplace/list/", "/marketplace/item/", "/docs/nowhere.js"] {
        let answer = anybody.get(path).await;
        assert_eq!(answer.status, 404, "{path}");
    }
    assert_eq!(anybody.get("/nowhere").await.problem(), (404, "route_not_found"));
    let wrong = send(anybody.request(Method::DELETE, "/marketplace/list")).await;
    assert_eq!(wrong.problem(), (405, "method_not_allowed"));
    assert_eq!(wrong.header("allow"), "GET,HEAD");
    assert_eq!(send(anybody.request(Method::GET, "/auth/login")).await.problem(), (405, "method_not_allowed"));
    let ada = system.user("ada").await;
    assert_eq!(send(ada.request(Method::GET, "/marketplace/item/%ff")).await.problem().0, 400);
    let metrics = anybody.get("/metrics").await.text;
    assert!(metrics.contains(r#"path="unmatched""#) && !metrics.contains("nowhere"), "{metrics}");
}

#[tokio::test]
async fn every_answer_has_its_request_id_and_security_headers() {
    let system = super::start().await;
    let anybody = system.anybody();
    let named = send(anybody.request(Method::GET, "/status").header("x-request-id", "my-id-1")).await;
    assert_eq!(named.header("x-request-id"), "my-id-1");
    for bad in ["", "with space", &"x".repeat(129)] {
        let renamed = send(anybody.request(Method::GET, "/nowhere").header("x-request-id", bad)).await;
        assert_eq!(renamed.header("x-request-id").len(), 36, "{bad}");
        assert_eq!(renamed.problem().0, 404);
    }
    for path in ["/", "/nowhere", "/docs/", "/marketplace/list"] {
        let answer = anybody.get(path).await;
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(answer.header("x-frame-options"), "DENY", "{path}");
        assert!(answer.header("content-security-policy").contains("frame-ancestors 'none'"), "{path}");
    }
}

#[tokio::test]
async fn browsers_of_any_origin_may_call() {
    let system = super::start().await;
    let preflight = system
        .anybody()
        .request(Method::OPTIONS, "/marketplace/purchase")
        .header("origin", "http://localhost:3000")
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "authorization,content-type,idempotency-key,if-match");
    let answer = send(preflight).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("access-control-allow-origin"), "*");
    for name in ["idempotency-key", "if-match"] {
        assert!(answer.header("access-control-allow-headers").contains(name), "{name}");
    }
    let refused = send(system.anybody().request(Method::GET, "/marketplace/list").header("origin", "http://x")).await;
    assert_eq!(refused.header("access-control-allow-origin"), "*", "a script must be able to read the 401");
    assert!(refused.header("access-control-expose-headers").contains("retry-after"));
}

#[tokio::test]
async fn the_description_is_served_and_knows_every_route() {
    let system = super::start().await;
    let api = system.anybody().get("/openapi.json").await;
    assert_eq!(api.status, 200);
    assert!(api.json["openapi"].as_str().unwrap().starts_with("3.1"), "{}", api.json["openapi"]);
    let paths: Vec<_> = api.json["paths"].as_object().unwrap().keys().map(String::as_str).collect();
    let mut expected = [
        "/",
        "/.well-known/jwks.json",
        "/activity",
        "/activity/live",
        "/activity/stats",
        "/activity/ticket",
        "/activity/user/{id}",
        "/auth/login",
        "/auth/logout",
        "/auth/password",
        "/auth/register",
        "/auth/validate",
        "/discourse/channel",
        "/discourse/channel/{id}",
        "/discourse/channel/{id}/members",
        "/discourse/channel/{id}/members/{userId}",
        "/discourse/channels",
        "/discourse/post",
        "/discourse/post/{id}",
        "/discourse/posts",
        "/health",
        "/marketplace/deposit",
        "/marketplace/item",
        "/marketplace/item/{id}",
        "/marketplace/list",
        "/marketplace/purchase",
        "/marketplace/wallet",
        "/marketplace/wallet/entries",
        "/metrics",
        "/notifications",
        "/notifications/read",
        "/profile",
        "/status",
        "/users",
        "/users/{id}",
    ];
    expected.sort_unstable();
    assert_eq!(paths, expected);
    assert_eq!(api.json["components"]["securitySchemes"]["bearer"]["scheme"], "bearer");
    assert_eq!(api.json["paths"]["/marketplace/list"]["get"]["security"], json!([{"bearer": []}]));

    let docs = system.anybody().get("/docs/").await;
    assert_eq!(docs.status, 200);
    assert!(docs.text.contains("swagger-ui"), "{}", docs.text);
    let redirect = system.anybody().get("/docs").await;
    assert!(redirect.status == 200 || redirect.header("location").ends_with("/docs/"), "{redirect:?}");
}
