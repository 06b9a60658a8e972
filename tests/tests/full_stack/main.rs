//! The full stack: all journeys on MongoDB, PostgreSQL and Redis with a process a server, and what happens to them
//! when a store goes away.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

#[path = "../journeys/mod.rs"]
mod journeys;
mod outages;
mod two_gateways;

use tests::{Stack, System, SystemBuilder};

/// What the journeys run on.
fn builder() -> SystemBuilder {
    System::builder(Stack::Full)
}

#[tokio::test]
async fn every_process_ends_when_it_is_asked_to() {
    let mut system = builder().start().await;
    let ada = system.user("ada").await;
    ada.new_item().await;
    for path in ["/marketplace/list", "/discourse/channels"] {
        assert_eq!(ada.get(path).await.status, 200);
    }
    let servers = system.servers_mut();
    for server in servers {
        let stopped = tokio::time::timeout(std::time::Duration::from_secs(15), server.stop());
        stopped.await.expect("it ends");
    }
}
