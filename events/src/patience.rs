//! How long to wait before a log, or a store, that is not there is tried again.

use std::time::Duration;

/// Pauses between two tries: doubles from the first to the second.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));

/// Counts the failures of one interruption.
#[derive(Debug, Default)]
pub(crate) struct Patience(u32);

impl Patience {
    /// Takes note of a failure; whether it is the first of an interruption.
    pub(crate) fn lose(&mut self) -> bool {
        self.0 = self.0.saturating_add(1);
        self.0 == 1
    }

    /// The interruption is over; whether there was one.
    pub(crate) fn regain(&mut self) -> bool {
        std::mem::take(&mut self.0) > 0
    }

    /// Waits, the longer the more has failed; not at all where nothing has.
    pub(crate) async fn pause(&self) {
        if let Some(doublings) = self.0.checked_sub(1) {
            let pause = BACKOFF.0.saturating_mul(1 << doublings.min(16));
            tokio::time::sleep(pause.min(BACKOFF.1)).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn pauses_double_up_to_two_seconds_until_all_is_well() {
        let mut patience = Patience::default();
        let pause = async |patience: &Patience| {
            let begin = Instant::now();
            patience.pause().await;
            begin.elapsed().as_millis()
        };
        assert_eq!(pause(&patience).await, 0);
        for expected in [50, 100, 200, 400, 800, 1600, 2000, 2000] {
            assert_eq!(patience.lose(), expected == 50);
            assert_eq!(pause(&patience).await, expected);
        }
        assert!(patience.regain() && !patience.regain());
        assert_eq!(pause(&patience).await, 0);
    }
}
