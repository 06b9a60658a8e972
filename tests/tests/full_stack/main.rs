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
