//! Journeys through the public doors of the whole system: HTTP at the gateway, gRPC at a replica.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod auth;
mod balancing;
mod cache;
mod crash;
mod grpc;
mod http;
mod limits;
mod metrics;
mod money;
mod privacy;
mod purchase;
mod quick_start;
mod traces;
mod validation;
