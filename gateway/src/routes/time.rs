//! Times that services send.

use chrono::{DateTime, Utc};
use platform::time;
use prost_types::Timestamp;

use crate::error::Problem;

/// A time out of a message; without one, or with one out of range, the service is at fault.
pub(crate) fn moment(time: Option<Timestamp>) -> Result<DateTime<Utc>, Problem> {
    time.as_ref().and_then(time::from_proto).ok_or_else(|| Problem::internal("a service sent no valid time"))
}
