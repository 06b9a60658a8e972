//! What is counted, to be read by a test as Prometheus reads it.

use events::Counts;
use runtime::metrics::Metrics;

pub(crate) struct Counted {
    pub(crate) counts: Counts,
    metrics: Metrics,
}

impl Counted {
    pub(crate) fn new() -> Self {
        let metrics = Metrics::new("test").expect("metrics");
        Self { counts: Counts::new(metrics.meter()), metrics }
    }

    /// The value of the only series of this name; `None` where there is none.
    pub(crate) fn value(&self, name: &str) -> Option<u64> {
        let text = self.metrics.render().expect("text");
        let line = text.lines().find(|line| line.starts_with(&format!("{name}{{")))?;
        line.rsplit_once(' ').expect("a value").1.parse().ok()
    }
}
