//! The server, by real sockets: what peers may have, and what becomes of those that take more.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod answers;
mod bodies;
mod connections;
mod peer;
mod replica;
