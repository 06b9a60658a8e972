//! What every process stands on. It knows nothing of markets, channels or the gateway.
//!
//! | to find | look in |
//! |---|---|
//! | the one-port server for gRPC and HTTP/1.1, its threads and its shutdown | [`server`], [`replica`], [`threads`], [`shutdown`], [`probe`] |
//! | what happens around every request | [`observe`], [`deadline`], [`protocol`] |
//! | what a request brings along to the last call | [`context`] |
//! | who calls, as the wire tells it; how many of each | [`identity`], [`counts`] |
//! | the one table from error kinds to gRPC and HTTP | [`status`] |
//! | whether the store answers | [`health`] |
//! | what a process does without being asked to | [`tasks`] |
//! | metrics, logs and traces | [`metrics`], [`telemetry`], [`access`], [`trace`] |

pub mod access;
pub mod context;
pub mod counts;
pub mod deadline;
pub mod health;
pub mod identity;
pub mod metrics;
pub mod observe;
#[cfg(feature = "otlp")]
mod otlp;
#[cfg(not(feature = "otlp"))]
#[path = "otlp/absent.rs"]
mod otlp;
pub mod probe;
mod process;
mod protocol;
pub mod replica;
pub mod server;
pub mod shutdown;
pub mod status;
pub mod tasks;
pub mod telemetry;
pub mod threads;
pub mod trace;
