use std::{num::NonZeroU32, time::Instant};

use axum::body::Body as AnyBody;
use uuid::Uuid;

use super::*;
use crate::redis::testing::Scratch;

const ADA: Key = Key::User(Uuid::from_u128(1));

fn quota(interval: Duration, burst: u32) -> Quota {
    Quota::new(interval, NonZeroU32::new(burst).expect("not zero"))
}

fn limit(quota: Quota, redis: Option<&Redis>) -> Calls {
    let policy = HeaderValue::from_static("");
    Calls { buckets: Buckets::new("calls", quota, redis), leases: Leases::new(quota), policy }
}

fn answer(bytes: u64) -> Response {
    Response::new(AnyBody::from(vec![0; usize::try_from(bytes).expect("fits")]))
}

/// How many of `calls` calls are allowed, turn by turn over `limits`.
async fn allowed(limits: &[&Calls], calls: usize) -> usize {
    let mut allowed = 0;
    for limit in limits.iter().cycle().take(calls) {
        allowed += usize::from(limit.take(ADA).await.taken == 1);
    }
    allowed
}

#[tokio::test]
async fn an_answer_is_charged_by_its_bytes_with_and_without_redis() {
    let scratch = Scratch::new();
    let redis = scratch.connect().await;
    // None comes back while the test runs.
    let quota = quota(Duration::from_secs(60), 10);
    for limit in [limit(quota, None), limit(quota, Some(&redis))] {
        for (bytes, calls) in [(0, 0), (BYTES_A_CALL - 1, 0), (BYTES_A_CALL, 1), (3 * BYTES_A_CALL - 1, 2)] {
            assert_eq!(limit.charge(ADA, &answer(bytes)), calls, "{bytes}");
        }
        // Three of ten are gone.
        assert_eq!(allowed(&[&limit], 20).await, 7);
        let mut not_modified = answer(0);
        not_modified.extensions_mut().insert(Weight(BYTES_A_CALL));
        assert_eq!(limit.charge(ADA, &not_modified), 1, "what was made and is not sent costs as much");
        let wait = limit.take(ADA).await.wait.expect("refused");
        assert!(wait > Duration::from_secs(60) && wait <= Duration::from_secs(120), "it is in debt: {wait:?}");
    }
}

#[tokio::test]
async fn leases_never_give_more_than_the_bucket_has() {
    let scratch = Scratch::new();
    // Leases of 100 calls, and one comes back every millisecond.
    let (one, two) = (scratch.connect().await, scratch.connect().await);
    let quota = quota(Duration::from_millis(1), 2_000);
    let (one, two) = (limit(quota, Some(&one)), limit(quota, Some(&two)));
    let begin = Instant::now();
    let allowed = allowed(&[&one, &two], 4_000).await;
    let most = 2_000 + usize::try_from(begin.elapsed().as_millis()).expect("fits") + 1;
    // Each may be left with a lease that the other had use for.
    assert!((1_800..=most).contains(&allowed), "{allowed} of at most {most}");
}

#[tokio::test]
async fn an_answer_that_costs_more_than_the_lease_is_charged_to_the_bucket() {
    let scratch = Scratch::new();
    let (one, two) = (scratch.connect().await, scratch.connect().await);
    // Leases of two calls; none comes back to speak of.
    let quota = quota(Duration::from_millis(50), 1_000);
    let (one, two) = (limit(quota, Some(&one)), limit(quota, Some(&two)));
    assert_eq!(one.take(ADA).await.taken, 1);
    one.charge(ADA, &answer(900 * BYTES_A_CALL));
    // The next call takes the debt along, and then all gateways know.
    assert_eq!(one.take(ADA).await.taken, 1);
    let left = two.take(ADA).await.left;
    assert!(left < 200, "{left}");
}
