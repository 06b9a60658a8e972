//! Round robin, ejection, return.

use std::time::Duration;

use serde_json::json;
use tests::eventually;

#[tokio::test]
async fn three_hundred_calls_go_100_100_100() {
    let system = super::start().await;
    let ada = system.user("ada").await;
    for (service, path) in [("marketplace", "/marketplace/list"), ("discourse", "/discourse/channels")] {
        let before = system.calls(service).await;
        for _ in 0..300 {
            let answer = ada.get_fresh(path).await;
            assert_eq!((answer.status, answer.header("x-cache")), (200, "BYPASS"));
        }
        let after = system.calls(service).await;
        let spread: Vec<_> = after.iter().zip(&before).map(|(after, before)| after - before).collect();
        assert_eq!(spread, [100, 100, 100], "{service}");
    }
}

#[tokio::test]
async fn a_killed_replica_fails_no_request_and_is_used_again_after_it_returns() {
    let mut system = super::start().await;
    let ada = system.user("ada").await;
    let bob = system.user("bob").await;
    for round in 0..3 {
        system.replicas_mut("marketplace")[round].kill().await;
        // One of three in a row meets the dead replica: a write that was never sent goes to the next one too.
        for _ in 0..3 {
            ada.new_item().await;
        }
        for _ in 0..30 {
            assert_eq!(ada.get_fresh("/marketplace/list").await.status, 200);
            let item = ada.new_item().await;
            assert_eq!(bob.purchase(&item, None).await.status, 200);
        }
        let status = ada.get("/status").await;
        assert_eq!((status.status, &status.json["status"]), (200, &json!("degraded")));
        system.replicas_mut("marketplace")[round].revive();
        system.all_up().await;
        let before = system.calls("marketplace").await;
        for _ in 0..3 {
            ada.get_fresh("/marketplace/list").await;
        }
        assert_eq!(system.calls("marketplace").await[round], before[round] + 1);
    }
}

#[tokio::test]
async fn a_replica_killed_under_load_fails_no_read_and_no_purchase_with_a_key() {
    let mut system = super::start().await;
    let ada = system.user("ada").await;
    let bob = system.user("bob").await;
    let mut items = Vec::new();
    for _ in 0..100 {
        items.push(ada.new_item().await);
    }
    let reads = (0..4).map(|_| {
        let ada = ada.clone();
        tokio::spawn(async move {
            for _ in 0..100 {
                let answer = ada.get_fresh("/marketplace/list").await;
                assert_eq!(answer.status, 200, "{answer:?}");
            }
        })
    });
    let reads: Vec<_> = reads.collect();
    let purchases = tokio::spawn(async move {
        for item in items {
            let answer = bob.purchase(&item, Some(&format!("key-{item}"))).await;
            assert_eq!(answer.status, 200, "{answer:?}");
        }
        bob
    });
    for victim in [0, 1, 2, 0] {
        let calls = system.calls("marketplace").await[victim];
        eventually("the victim is in use", async || system.calls("marketplace").await[victim] > calls).await;
        system.replicas_mut("marketplace")[victim].kill().await;
        system.replicas_mut("marketplace")[victim].revive();
        system.all_up().await;
        if purchases.is_finished() {
            break;
        }
    }
    let bob = purchases.await.unwrap();
    for read in reads {
        read.await.unwrap();
    }
    // 100 items at 12.50, each paid once.
    assert_eq!(bob.balance("USD").await, "998750.00");
}

#[tokio::test]
async fn without_a_live_replica_the_answer_is_503_in_milliseconds_and_recovers() {
    let mut system = super::start().await;
    let ada = system.user("ada").await;
    for replica in system.replicas_mut("discourse") {
        replica.kill().await;
    }
    // The first may find out by itself; from then on nothing is tried.
    ada.get_fresh("/discourse/channels").await;
    let start = std::time::Instant::now();
    let answer = ada.get_fresh("/discourse/channels").await;
    assert_eq!(answer.problem(), (503, "unavailable"));
    assert_eq!(answer.header("retry-after"), "1");
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());

    let status = ada.get("/status").await;
    assert_eq!((status.status, &status.json["status"]), (503, &json!("unhealthy")));
    assert_eq!(status.json["services"]["marketplace"]["status"], "healthy");
    assert_eq!(ada.get_fresh("/marketplace/list").await.status, 200, "the other service goes on");

    for replica in system.replicas_mut("discourse") {
        replica.revive();
    }
    eventually("discourse is back", async || ada.get_fresh("/discourse/channels").await.status == 200).await;
}
