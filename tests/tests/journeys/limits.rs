//! Rate limits.

use futures_util::future::join_all;
use serde_json::json;

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
