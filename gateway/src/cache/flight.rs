//! Single flight: concurrent misses of one key make one upstream call.
//!
//! A flight belongs to a key *and* to the generations that were current when it began: a reader that comes after a
//! write does not join a flight from before it.

use std::{
    collections::HashMap,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
};

use futures_util::{
    FutureExt,
    future::{Shared, WeakShared},
};

use tracing::Instrument;

use super::{Entry, Generations, Key};
use crate::error::Problem;

type Outcome = Result<Arc<Entry>, Problem>;
type Flight = Pin<Box<dyn Future<Output = Outcome> + Send>>;
type FlightKey = (String, Generations);
type UnderWay = Arc<Mutex<HashMap<FlightKey, WeakShared<Flight>>>>;

/// The upstream calls under way.
#[derive(Default)]
pub(super) struct Flights(UnderWay);

impl Flights {
    /// What `make` gives, or what the same flight begun by another request gives.
    ///
    /// A flight goes on as long as anybody waits for it, whoever began it.
    pub(super) async fn join(
        &self,
        key: &Key,
        generations: &Generations,
        make: impl Future<Output = Outcome> + Send + 'static,
    ) -> Outcome {
        let key = (key.as_str().to_owned(), Arc::clone(generations));
        self.board(key, make).await
    }

    fn board(&self, key: FlightKey, make: impl Future<Output = Outcome> + Send + 'static) -> Shared<Flight> {
        let mut under_way = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(flight) = under_way.get(&key).and_then(WeakShared::upgrade) {
            return flight;
        }
        let landing = Landing { under_way: Arc::clone(&self.0), key: key.clone() };
        // In the span of the request that began it, whoever keeps it going.
        let flight = async move {
            let outcome = make.await;
            drop(landing);
            outcome
        };
        let flight: Flight = Box::pin(flight.in_current_span());
        let flight = flight.shared();
        under_way.extend(flight.downgrade().map(|weak| (key, weak)));
        flight
    }
}

/// Takes a flight off the list when it ends, or when nobody waits for it any more.
struct Landing {
    under_way: UnderWay,
    key: FlightKey,
}

impl Drop for Landing {
    fn drop(&mut self) {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
    }
}
