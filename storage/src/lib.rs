//! Where things are kept. It knows nothing of what is kept.
//!
//! | to find | look in |
//! |---|---|
//! | where embedded stores are, whose that is, and who may read it | [`data_dir`] |
//! | the embedded database: one writer with group commit, pooled readers | [`sqlite`] |
//! | what a call with an `Idempotency-Key` was told the first time, and for how long | [`idempotency`] |
//! | how a database on a server gets ready, and what calls do until it is | [`readiness`] |

pub mod data_dir;
pub mod idempotency;
pub mod readiness;
pub mod sqlite;

pub use data_dir::DataDir;
