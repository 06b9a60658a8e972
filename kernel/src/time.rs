//! Time, to the microsecond: what every store keeps.

use std::time::Duration;

use chrono::{DateTime, SubsecRound, Utc};

/// The present moment, cut to microseconds.
pub fn now() -> DateTime<Utc> {
    Utc::now().trunc_subsecs(6)
}

/// A setting that is a whole number of seconds in a range; an error says which.
pub fn seconds<const MIN: u64, const MAX: u64>(text: &str) -> Result<Duration, String> {
    match text.parse() {
        Ok(seconds) if (MIN..=MAX).contains(&seconds) => Ok(Duration::from_secs(seconds)),
        _ => Err(format!("must be a whole number of seconds, {MIN} to {MAX}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_in_their_range() {
        for (text, expected) in [("1", Some(1)), ("60", Some(60)), ("0", None), ("61", None), ("1.5", None), ("", None)]
        {
            let read = seconds::<1, 60>(text);
            assert_eq!(read.as_ref().ok().map(Duration::as_secs), expected, "{text}");
            assert!(read.is_ok() || read.is_err_and(|error| error == "must be a whole number of seconds, 1 to 60"));
        }
    }
}
