//! How far the views are behind, as each replica sees it: for Prometheus, whose alert looks at it.

use std::sync::{
    Arc,
    atomic::{AtomicI64, AtomicU64, Ordering::Relaxed},
};

use chrono::{DateTime, TimeDelta, Utc};
use kernel::time;
use runtime::metrics::Metrics;

use crate::store::{Error, Read, Store};

/// What was last seen. Clones are one.
#[derive(Clone)]
pub(crate) struct Progress(Arc<Seen>);

struct Seen {
    position: AtomicU64,
    /// Microseconds since the epoch.
    as_of: AtomicI64,
}

impl Progress {
    /// Reports it from now on; until somebody applies something, the views are behind since now.
    pub(crate) fn new(metrics: &Metrics) -> Self {
        let as_of = AtomicI64::new(time::now().timestamp_micros());
        let progress = Self(Arc::new(Seen { position: AtomicU64::new(0), as_of }));
        let seen = progress.clone();
        metrics
            .meter()
            .u64_observable_gauge("feed_position")
            .with_description("Events that the views have applied")
            .with_callback(move |observer| observer.observe(seen.0.position.load(Relaxed), &[]))
            .build();
        let seen = progress.clone();
        metrics
            .meter()
            .f64_observable_gauge("feed_lag_seconds")
            .with_description("How far the views are behind the log at most")
            .with_callback(move |observer| {
                let as_of = DateTime::from_timestamp_micros(seen.0.as_of.load(Relaxed));
                observer.observe(lag(as_of.unwrap_or_default()), &[]);
            })
            .build();
        progress
    }

    /// Looks at the store. While that fails the views fall behind, as far as can be seen from here.
    pub(crate) async fn look(&self, store: &dyn Store) -> Result<&'static str, Error> {
        let Read { head, as_of, .. } = store.progress().await?;
        self.0.position.store(head.position, Relaxed);
        if let Some(as_of) = as_of {
            self.0.as_of.store(as_of.timestamp_micros(), Relaxed);
        }
        Ok("looked")
    }
}

/// How long ago that was, seconds.
pub(crate) fn lag(as_of: DateTime<Utc>) -> f64 {
    // Not below zero where clocks differ.
    (time::now() - as_of).max(TimeDelta::zero()).as_seconds_f64()
}
