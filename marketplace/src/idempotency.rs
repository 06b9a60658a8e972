//! How long the outcomes of purchases with an idempotency key are remembered, and how they are forgotten.

use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio_util::sync::CancellationToken;

use crate::{store::Store, time};

/// Outcomes that a store forgets in one act at most, so that no purchase waits long for it.
pub const BATCH: usize = 500;
/// How often they are forgotten, by every replica: what one has done is not there for the next.
const INTERVAL: Duration = Duration::from_secs(60);
/// How long a refusal is remembered at most: it moved nothing, and a packet that is late by more is not known.
const REFUSALS: Duration = Duration::from_secs(3600);

/// How long outcomes count, from the first attempt on.
#[derive(Clone, Copy, Debug)]
pub struct Retention {
    sales: Duration,
}

impl Retention {
    /// Sales count for `ttl`, refusals for an hour of it at most.
    pub fn new(ttl: Duration) -> Self {
        Self { sales: ttl }
    }

    /// At `at`, sales count that were made after this.
    pub fn sales_since(self, at: DateTime<Utc>) -> DateTime<Utc> {
        at - self.sales
    }

    /// At `at`, refusals count that were given after this.
    pub fn refusals_since(self, at: DateTime<Utc>) -> DateTime<Utc> {
        at - self.sales.min(REFUSALS)
    }
}

/// Makes the store forget what does not count any more, every minute until `shutdown`.
pub async fn sweep(store: &dyn Store, shutdown: &CancellationToken) {
    let forever = async {
        loop {
            tokio::time::sleep(INTERVAL).await;
            while matches!(store.forget_outcomes(time::now()).await, Ok(BATCH)) {}
        }
    };
    let _: Option<()> = shutdown.run_until_cancelled(forever).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_count_for_an_hour_at_most() {
        let at = time::now();
        for (ttl, refusals) in [(604_800, 3600), (3601, 3600), (3600, 3600), (3599, 3599), (1, 1)] {
            let retention = Retention::new(Duration::from_secs(ttl));
            assert_eq!((at - retention.sales_since(at)).num_seconds().unsigned_abs(), ttl);
            assert_eq!((at - retention.refusals_since(at)).num_seconds(), refusals);
        }
    }
}
