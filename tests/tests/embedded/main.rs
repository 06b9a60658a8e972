//! The embedded default: all journeys on one process' stores, and `capsim` itself.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod access_log;
mod admin;
mod clock;
mod crash;
mod data_dir;
mod disk;
#[path = "../journeys/mod.rs"]
mod journeys;
mod listen;
mod process;
mod quick_start;
mod seed;
mod traces;
mod unknown;

use tests::{Stack, System, SystemBuilder};

/// What the journeys run on.
fn builder() -> SystemBuilder {
    System::builder(Stack::Embedded)
}
