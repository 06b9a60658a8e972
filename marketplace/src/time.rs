//! Time, to the millisecond: what every store of this service keeps, since a BSON date has no more.

use chrono::{DateTime, SubsecRound, Utc};

/// The present moment, cut to milliseconds.
pub(crate) fn now() -> DateTime<Utc> {
    Utc::now().trunc_subsecs(3)
}
