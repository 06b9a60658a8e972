//! Where things are kept. It knows nothing of what is kept.
//!
//! | to find | look in |
//! |---|---|
//! | the embedded database: one writer with group commit, pooled readers | [`sqlite`] |
//! | how a database on a server gets ready, and what calls do until it is | [`readiness`] |

pub mod readiness;
pub mod sqlite;
