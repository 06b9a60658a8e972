//! The embedded default: all journeys on one process' stores, and `capsim` itself.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod crash;
#[path = "../journeys/mod.rs"]
mod journeys;
mod listen;
mod quick_start;
mod seed;
mod traces;

use tests::{Stack, System, SystemBuilder};

/// What the journeys run on.
fn builder() -> SystemBuilder {
    System::builder(Stack::Embedded)
}
