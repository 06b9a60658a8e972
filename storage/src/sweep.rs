//! What does not count any more is forgotten, a little at a time.

use std::time::Duration;

use chrono::{DateTime, Utc};
use kernel::time;
use tokio_util::sync::CancellationToken;

/// What a store forgets in one act at most, so that no call waits long for it.
pub const BATCH: usize = 500;
/// How often, by every replica: what one has done is not there for the next.
const INTERVAL: Duration = Duration::from_secs(60);

/// Makes a store forget what does not count any more, every minute until `shutdown`. `forget` does so as of a time,
/// [`BATCH`] of it at most, and tells how many.
pub async fn sweep<E, F>(forget: impl Fn(DateTime<Utc>) -> F, shutdown: &CancellationToken)
where
    F: Future<Output = Result<usize, E>>,
{
    let forever = async {
        loop {
            tokio::time::sleep(INTERVAL).await;
            // A store that fails says so by its health.
            while matches!(forget(time::now()).await, Ok(BATCH)) {}
        }
    };
    let _: Option<()> = shutdown.run_until_cancelled(forever).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_sweep_takes_batches_until_one_is_short_every_minute() {
        let (calls, shutdown) = (std::cell::Cell::new(0), CancellationToken::new());
        let forget = |_| {
            calls.set(calls.get() + 1);
            if calls.get() == 5 {
                shutdown.cancel();
            }
            std::future::ready(Ok::<_, ()>(if calls.get() < 3 { BATCH } else { BATCH - 1 }))
        };
        let begin = tokio::time::Instant::now();
        sweep(forget, &shutdown).await;
        // 3 calls in the first minute, one in each that follows.
        assert_eq!((calls.get(), begin.elapsed().as_secs()), (5, 180));
    }
}
