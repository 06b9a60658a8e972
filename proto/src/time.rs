//! Times in protobuf.

use chrono::{DateTime, Utc};
use prost_types::Timestamp;

/// The protobuf form of a time.
pub fn to_proto(time: DateTime<Utc>) -> Timestamp {
    Timestamp { seconds: time.timestamp(), nanos: time.timestamp_subsec_nanos().cast_signed() }
}

/// The time of its protobuf form; `None` where it is out of range.
pub fn from_proto(time: &Timestamp) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(time.seconds, u32::try_from(time.nanos).ok()?)
}
