//! Workers of the embedded log: a delivery is leased, and its worker says each second that it still has it.

use std::{
    collections::{HashSet, VecDeque},
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use chrono::TimeDelta;
use kernel::time;
use tokio::{
    sync::watch,
    task::AbortHandle,
    time::{MissedTickBehavior, interval, timeout},
};
use uuid::Uuid;

use super::{Embedded, POLL, replay, statements};
use crate::{
    event::Event,
    log::{Delivery, Error, Receipt, Work},
    patience::Patience,
};

/// An event that was given to workers so often, and never came back, is given up: the last resort against one that takes
/// its worker with it.
pub(super) const MOST_ATTEMPTS: i64 = 50;
/// Why it is.
pub(super) const TOO_OFTEN: &str = "it was given to workers 50 times, and none of them said what became of it";

pub(super) struct Worker {
    group: &'static str,
    most: usize,
    news: watch::Receiver<()>,
    ready: VecDeque<Delivery>,
    place: Arc<Place>,
    patience: Patience,
}

/// A worker's place in its group: there as long as it or one of its deliveries is.
struct Place {
    log: Embedded,
    group: &'static str,
    owner: String,
    /// Positions of what it was given.
    held: Mutex<HashSet<i64>>,
    renewal: Mutex<Option<AbortHandle>>,
}

impl Worker {
    pub(super) fn join(log: Embedded, group: &'static str, most: usize) -> Self {
        let news = log.0.news.subscribe();
        let owner = Uuid::now_v7().to_string();
        let place = Arc::new(Place { log, group, owner, held: Mutex::default(), renewal: Mutex::default() });
        let renewal = tokio::spawn(renew(Arc::downgrade(&place), place.log.0.lease.renewal)).abort_handle();
        *place.renewal.lock().unwrap_or_else(PoisonError::into_inner) = Some(renewal);
        Self { group, most, news, ready: VecDeque::new(), place, patience: Patience::default() }
    }

    /// Takes what there is, as far as there is room for it.
    async fn claim(&mut self) -> Result<(), Error> {
        self.news.borrow_and_update();
        let (group, place) = (self.group, Arc::clone(&self.place));
        let room = self.most.saturating_sub(place.held().len());
        let waits = || place.log.0.db.read(|connection| statements::is_waiting(connection, group, time::now()));
        if room == 0 || !waits().await? {
            return Ok(());
        }
        let (owner, most) = (place.owner.clone(), i64::try_from(room).map_err(Error::failed)?);
        let (at, until) = (time::now(), place.until());
        // Whoever stops waiting here has a receipt for nothing, and the lease ends.
        let claim = move |connection: &mut _| statements::claim(connection, group, &owner, most, (at, until));
        let claimed = place.log.0.db.write(claim).await?;
        for (row, redelivered) in claimed {
            let position = row.position;
            place.held().insert(position);
            let receipt = Ticket { place: Arc::clone(&place), position };
            match replay::entry(row) {
                Some(entry) => self.ready.push_back(Delivery::new(entry.event, redelivered, Box::new(receipt))),
                None => receipt.give_up_as("it is no event").await?,
            }
        }
        Ok(())
    }
}

#[async_trait]
impl Work for Worker {
    async fn next(&mut self) -> Result<Delivery, Error> {
        loop {
            if let Some(delivery) = self.ready.pop_front() {
                return Ok(delivery);
            }
            self.patience.pause().await;
            match self.claim().await {
                Ok(()) => drop(self.patience.regain()),
                Err(error) if self.patience.lose() => return Err(error),
                Err(_) => {}
            }
            if self.ready.is_empty() {
                let _ = timeout(POLL, self.news.changed()).await;
            }
        }
    }
}

impl Place {
    fn held(&self) -> std::sync::MutexGuard<'_, HashSet<i64>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When a lease ends that begins now, at the latest possible.
    fn until(&self) -> chrono::DateTime<chrono::Utc> {
        time::now() + TimeDelta::from_std(self.log.0.lease.length).unwrap_or(TimeDelta::MAX)
    }

    async fn lease(&self, positions: Vec<i64>, until: i64) -> Result<(), Error> {
        let (group, owner) = (self.group, self.owner.clone());
        let lease = self.log.0.db.write(move |connection| {
            positions.iter().try_for_each(|position| statements::lease(connection, group, &owner, *position, until))
        });
        Ok(lease.await?)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(renewal) = self.renewal.lock().unwrap_or_else(PoisonError::into_inner).take() {
            renewal.abort();
        }
    }
}

/// Says in time, for ever, that a worker still has what it has.
async fn renew(place: std::sync::Weak<Place>, every: std::time::Duration) {
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let Some(place) = place.upgrade() else { return };
        let held: Vec<_> = place.held().iter().copied().collect();
        // Where it fails the lease ends, and somebody else is given the event too: at least once is what was promised.
        if !held.is_empty()
            && let Err(error) = place.lease(held, place.until().timestamp_micros()).await
        {
            tracing::warn!(group = place.group, %error, "a worker could not say that it lives");
        }
    }
}

/// What a worker was given.
struct Ticket {
    place: Arc<Place>,
    position: i64,
}

impl Ticket {
    async fn give_up_as(self, reason: &str) -> Result<(), Error> {
        let (group, position, reason) = (self.place.group, self.position, reason.to_owned());
        let gave_up = self
            .place
            .log
            .0
            .db
            .write(move |connection| statements::give_up(connection, group, position, &reason, time::now()));
        gave_up.await?;
        self.settled();
        Ok(())
    }

    /// Nothing is to be given back any more.
    fn settled(&self) {
        self.place.held().remove(&self.position);
        // There is room for another one.
        self.place.log.0.news.send_replace(());
    }
}

#[async_trait]
impl Receipt for Ticket {
    async fn acknowledge(self: Box<Self>) -> Result<(), Error> {
        let (group, position) = (self.place.group, self.position);
        self.place.log.0.db.write(move |connection| statements::acknowledge(connection, group, position)).await?;
        self.settled();
        Ok(())
    }

    async fn give_up(self: Box<Self>, _event: &Event, reason: &str) -> Result<(), Error> {
        self.give_up_as(reason).await
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if !self.place.held().remove(&self.position) {
            return;
        }
        // Without a runtime, the lease ends by itself.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let (place, position) = (Arc::clone(&self.place), self.position);
            runtime.spawn(async move {
                let _ = place.lease(vec![position], 0).await;
                place.log.0.news.send_replace(());
            });
        }
    }
}
