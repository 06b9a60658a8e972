//! Rate limits.

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::json;
use tests::{Answer, User};

#[tokio::test]
async fn a_caller_has_a_burst_of_its_own_and_then_429() {
    let system = crate::builder().rate_limit(5).start().await;
    let (ada, bob) = (system.user("ada").await, system.user("bob").await);
    let answers = join_all((0..30).map(|_| ada.get("/marketplace/list"))).await;
    let (passed, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 200);
    // A burst of 10, and what a second or so gives back meanwhile.
    assert!((10..=20).contains(&passed.len()), "{}", passed.len());
    assert_eq!(passed[0].header("ratelimit-policy"), "\"calls\";q=10;w=2");
    assert!(passed[0].header("ratelimit").starts_with("\"calls\";r="), "{:?}", passed[0]);
    for answer in refused {
        assert_eq!(answer.problem(), (429, "rate_limited"));
        assert_eq!(answer.header("retry-after"), "1");
        assert_eq!(answer.header("ratelimit"), "\"calls\";r=0;t=1");
    }
    assert_eq!(bob.get("/marketplace/list").await.status, 200, "another user has a limit of its own");
    assert_eq!(ada.get("/status").await.status, 200, "operations have none");
    tests::eventually("the limit is over", async || ada.get("/marketplace/list").await.status == 200).await;
}

#[tokio::test]
async fn who_asks_for_large_pages_has_fewer_of_them() {
    let system = crate::builder().rate_limit(5).start().await;
    let ada = system.user("ada").await;
    let channel = ada.post("/discourse/channel", &json!({"name": "Large"})).await.json["id"].as_i64().unwrap();
    // Twelve times 60 kB, of which a page shows what fits into 256 KiB: more than ten calls' worth, the burst.
    let post = json!({"channelId": channel, "content": "€".repeat(20_000)});
    for number in 0..12 {
        // Each answer is as large as its post.
        let author = system.stranger(&format!("author-{number}"));
        assert_eq!(author.post("/discourse/post", &post).await.status, 201);
    }
    let page = format!("/discourse/channel/{channel}");
    let etag = ada.get(&page).await.header("etag").to_owned();
    for (who, method, headers) in [
        ("bob", Method::GET, vec![]),
        ("carol", Method::GET, vec![("cache-control", "no-cache"), ("if-none-match", &*etag)]),
        ("dave", Method::HEAD, vec![]),
    ] {
        let reader = system.stranger(who);
        let first =
            headers.iter().fold(reader.request(method.clone(), &page), |r, (name, value)| r.header(*name, *value));
        let first = tests::send(first).await;
        assert!(matches!(first.status, 200 | 304), "{who}: {first:?}");
        assert_eq!(first.header("ratelimit"), "\"calls\";r=0", "{who}: {first:?}");
        let refused = reader.get("/marketplace/list").await;
        assert_eq!(refused.problem(), (429, "rate_limited"), "{who}");
        assert!(refused.header("retry-after").parse::<u64>().unwrap() >= 1);
    }
    let small = system.stranger("eve");
    for _ in 0..8 {
        assert_eq!(small.get("/marketplace/list").await.status, 200, "others are not slowed down");
    }
}

/// An attempt to log in, by way of a proxy, from the address `from`.
async fn log_in(anybody: &User, from: &str, name: &str, password: &str) -> Answer {
    let request = anybody.request(Method::POST, "/auth/login").header("x-forwarded-for", from);
    tests::send(request.json(&json!({"username": name, "password": password}))).await
}

#[tokio::test]
async fn guessing_at_a_name_is_limited_wherever_it_comes_from() {
    let system = crate::builder().auth_rate_limit(60).behind_a_proxy().start().await;
    let anybody = system.anybody();
    system.user("ada").await;
    // Somebody who is not there is no easier to guess at.
    for name in ["ada", "nobody"] {
        for number in 0..15 {
            // What the client itself wrote, on the left, is not believed.
            let from = format!("203.0.113.{number}:4711, 198.51.100.{number}:443");
            let guess = log_in(&anybody, &from, name, "123456").await;
            if number < 10 {
                assert_eq!(guess.problem(), (401, "invalid_credentials"), "{name} {number}");
            } else {
                assert_eq!(guess.problem(), (429, "rate_limited"), "{name} {number}");
                let wait = guess.header("retry-after").parse::<u64>().unwrap();
                assert!((1..=61).contains(&wait), "slowed down, not locked out: {wait}");
            }
        }
    }
    assert_eq!(log_in(&anybody, "198.51.100.200", "ada", "correct horse").await.status, 429, "from everywhere");
    // She registered and logged in from this machine before: without the proxy.
    let at_home = anybody.post("/auth/login", &json!({"username": "Ada", "password": "correct horse"})).await;
    assert_eq!(at_home.status, 200, "but where she has logged in before");
    assert_eq!(log_in(&anybody, "198.51.100.200", "bob", "123456").await.status, 401, "and no other name");
}

#[tokio::test]
async fn what_is_no_failed_login_keeps_nobody_out() {
    let system = crate::builder().auth_rate_limit(5).start().await;
    let ada = system.user("ada").await;
    for body in [json!({}), json!({"username": "ada"}), json!({"username": "ada", "password": 1}), json!([])] {
        for _ in 0..4 {
            let status = ada.post("/auth/login", &body).await.status;
            assert!(matches!(status, 400 | 422), "{body}: {status}");
            let status = ada.post("/auth/register", &body).await.status;
            assert!(matches!(status, 400 | 422), "{body}: {status}");
        }
    }
    let right = json!({"username": "ada", "password": "correct horse"});
    for _ in 0..12 {
        assert_eq!(ada.post("/auth/login", &right).await.status, 200);
        assert_eq!(ada.post("/auth/register", &right).await.problem(), (409, "username_taken"));
    }
    let bob = json!({"username": "bob", "password": "correct horse"});
    assert_eq!(ada.post("/auth/register", &bob).await.status, 201, "others at that address");
    assert_eq!(ada.post("/auth/login", &bob).await.status, 200);
}

#[tokio::test]
async fn an_address_registers_so_many_a_minute() {
    let system = crate::builder().auth_rate_limit(3).start().await;
    let mut statuses = Vec::new();
    for number in 0..5 {
        let user = json!({"username": format!("user-{number}"), "password": "correct horse"});
        statuses.push(system.anybody().post("/auth/register", &user).await.status);
    }
    assert_eq!(statuses, [201, 201, 201, 429, 429]);
}

#[tokio::test]
async fn guessing_passwords_is_limited_by_address() {
    let system = crate::builder().auth_rate_limit(5).start().await;
    let anybody = system.anybody();
    let guess = json!({"username": "nobody", "password": "123456"});
    let mut statuses = Vec::new();
    for _ in 0..7 {
        statuses.push(anybody.post("/auth/login", &guess).await.status);
    }
    assert_eq!(statuses, [401, 401, 401, 401, 401, 429, 429]);
    let refused = anybody.post("/auth/register", &guess).await;
    assert_eq!(refused.problem(), (429, "rate_limited"));
    assert!(refused.header("retry-after").parse::<u64>().unwrap() >= 1);
}
