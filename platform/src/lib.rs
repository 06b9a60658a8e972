//! What every process of the system stands on. It knows nothing of markets, channels or the gateway.
//!
//! | to find | look in |
//! |---|---|
//! | the closed set of error kinds, and the one table to gRPC and HTTP | [`error`] |
//! | checks of input that name the field | [`validate`], [`page`], [`word`] |
//! | exact money | [`money`] |
//! | who calls | [`caller`] |
//! | values that are not for logs | [`secret`] |
//! | the one-port server for gRPC and HTTP/1.1, its threads and its shutdown | [`server`], [`replica`], [`runtime`], [`shutdown`], [`probe`] |
//! | what happens around every request | [`observe`], [`deadline`] |
//! | metrics, logs and traces | [`metrics`], [`telemetry`], [`trace`] |
//! | the embedded database: one writer with group commit, pooled readers | [`sqlite`] |

pub mod caller;
pub mod deadline;
pub mod error;
pub mod health;
pub mod metrics;
pub mod money;
pub mod observe;
pub mod page;
pub mod probe;
mod process;
pub mod replica;
pub mod runtime;
pub mod secret;
pub mod server;
pub mod shutdown;
pub mod sqlite;
pub mod telemetry;
pub mod time;
pub mod trace;
pub mod validate;
pub mod word;

pub use caller::Caller;
pub use error::{Error, Kind, Violation};
pub use money::{Currency, Money};
pub use page::{Page, PageInfo};
pub use secret::Secret;
