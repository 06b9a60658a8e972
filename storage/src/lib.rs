//! Where things are kept. It knows nothing of what is kept.
//!
//! | to find | look in |
//! |---|---|
//! | the embedded database: one writer with group commit, pooled readers | [`sqlite`] |

pub mod sqlite;
