//! How many connections there are: counted from the driver's events, since it tells no numbers.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use kernel::PoolState;
use mongodb::{
    event::{EventHandler, cmap::CmapEvent},
    options::ClientOptions,
};

use super::client;

/// The connections of a client to all servers of its replica set.
pub(super) struct Pool {
    counts: Arc<Counts>,
    max: u32,
}

/// Connections; each event is told once, in whatever order, so that a sum may dip below 0 for a moment.
#[derive(Default)]
struct Counts {
    open: AtomicI64,
    in_use: AtomicI64,
}

impl Pool {
    /// Counts the connections of the client that is made with `settings`.
    pub(super) fn watch(settings: &mut ClientOptions) -> Self {
        let counts = Arc::<Counts>::default();
        let counted = Arc::clone(&counts);
        settings.cmap_event_handler = Some(EventHandler::callback(move |event| counted.count(&event)));
        Self { counts, max: client::pool_size(settings) }
    }

    pub(super) fn state(&self) -> PoolState {
        let (open, in_use) = (self.counts.open.load(Ordering::Relaxed), self.counts.in_use.load(Ordering::Relaxed));
        let count = |n: i64| u64::try_from(n).unwrap_or(0);
        PoolState { in_use: count(in_use), idle: count(open - in_use), max: self.max.into() }
    }
}

impl Counts {
    fn count(&self, event: &CmapEvent) {
        let (counter, change) = match event {
            CmapEvent::ConnectionCreated(_) => (&self.open, 1),
            CmapEvent::ConnectionClosed(_) => (&self.open, -1),
            CmapEvent::ConnectionCheckedOut(_) => (&self.in_use, 1),
            CmapEvent::ConnectionCheckedIn(_) => (&self.in_use, -1),
            _ => return,
        };
        counter.fetch_add(change, Ordering::Relaxed);
    }
}
