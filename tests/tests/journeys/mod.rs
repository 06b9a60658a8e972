//! Journeys through the public doors of the whole system, HTTP at the gateway and gRPC at a replica, on whatever stack
//! `crate::builder` gives.

mod accounts;
mod activity;
mod auth;
mod balancing;
mod cache;
mod discourse;
mod edge;
mod events;
mod grpc;
mod http;
mod idempotency;
mod identity;
mod limits;
mod metrics;
mod money;
mod privacy;
mod purchase;
mod validation;
mod wallet;

use tests::System;

async fn start() -> System {
    crate::builder().start().await
}
