//! The harness of the journeys in `tests/`: a whole system over real ports, whose servers can be killed and started
//! again, and users who speak HTTP with it.
//!
//! Every system has data and ports of its own, so tests run in parallel and twice in a row.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

pub mod chaos;
mod client;
mod database;
mod live;
mod system;

pub use lab::{
    eventually,
    process::{Server, binary},
    stores::{StoreKind, StoreServer},
};

pub use self::{
    client::{Answer, User, called_by, send},
    database::Databases,
    live::{Event, Watching},
    system::{JWT_KEY, Stack, System, SystemBuilder, claims, jwks, sign},
};
