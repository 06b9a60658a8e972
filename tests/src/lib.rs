//! The harness of the journeys in `tests/`: a whole system over real ports, whose replicas can be killed and started
//! again, and users who speak HTTP with it.
//!
//! Every system has a data directory, ports and a secret of its own, so tests run in parallel and twice in a row.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod client;
mod replica;
mod system;

pub use self::{
    client::{Answer, User, send},
    replica::Replica,
    system::{JWT_SECRET, System, SystemBuilder, eventually},
};
