//! Time, to the microsecond: what every store keeps.

use chrono::{DateTime, SubsecRound, Utc};

/// The present moment, cut to microseconds.
pub fn now() -> DateTime<Utc> {
    Utc::now().trunc_subsecs(6)
}
