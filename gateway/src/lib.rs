//! The REST gateway: authenticates, limits, caches, and translates every call into an RPC to one of the replicas.
//!
//! | to find | look in |
//! |---|---|
//! | which routes there are | [`routes`], a table |
//! | one route: its types, its docs, its handler | `routes/{marketplace,discourse,activity}/…`, `routes/auth.rs`, `routes/ops.rs` |
//! | what happens around every request | [`middleware`], one function |
//! | what happens, as it happens | [`live`], [`activity`] |
//! | calls that are safe to repeat | `idempotency` |
//! | ETags with a version, and what a change is asked of it | `etag` |
//! | bodies, and places in flight | `body`, `in_flight` |
//! | round robin, ejection, retries, deadlines | the crate `upstream` |
//! | the response cache and its generations | [`cache`] |
//! | tokens | [`auth`] |
//! | the connection to Redis, and its breaker | `redis` |
//! | errors as clients see them | [`error`] |
//! | settings, and what is made of them | [`config`], [`app`] |
//! | how it starts and stops | [`serve`] |

mod activity;
mod ambiguous;
pub mod app;
pub mod auth;
mod body;
pub mod cache;
mod call;
pub mod config;
pub mod error;
mod etag;
mod extract;
mod idempotency;
mod in_flight;
mod live;
mod middleware;
mod openapi;
mod rate_limit;
#[cfg(feature = "redis")]
mod redis;
#[cfg(not(feature = "redis"))]
#[path = "redis/absent.rs"]
mod redis;
mod routes;
mod serve;
mod time;

pub use app::Settings;
pub use config::Stores;
pub use routes::description as openapi;
#[cfg(any(test, fuzzing))]
pub use routes::fuzzing;
pub use serve::serve;
