//! The laboratory: runs whole systems, and does to them what networks, machines and operators do.
//!
//! | to find | look in |
//! |---|---|
//! | which services there are, and how each is started | [`capsim::catalogue`] |
//! | one server of ours: start, stop, kill, freeze, thaw, ready | [`process`] |
//! | one server of a database, likewise | [`stores`] |
//! | the network between two servers: delays, cuts, black holes | [`proxy`] |
//! | gateways and replicas of every service, wired up | [`system`] |
//!
//! Everything listens on loopback, on ports that stay reserved while a server is dead, and ends with its handle. What
//! cannot be done (no such program, no free port) is a panic: an experiment that did not take place has no result.

#![expect(clippy::unwrap_used, reason = "an experiment that cannot go on should say where")]

pub mod process;
pub mod proxy;
pub mod stores;
pub mod system;

use std::time::Duration;

pub use capsim::catalogue;

/// Polls until `condition` holds; panics after 20 seconds.
pub async fn eventually(what: &str, condition: impl AsyncFn() -> bool) {
    within(Duration::from_secs(20), what, condition).await;
}

/// Polls until `condition` holds; panics after `patience`.
pub async fn within(patience: Duration, what: &str, condition: impl AsyncFn() -> bool) {
    let give_up = tokio::time::Instant::now() + patience;
    while !condition().await {
        assert!(tokio::time::Instant::now() < give_up, "not within {patience:?}: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
