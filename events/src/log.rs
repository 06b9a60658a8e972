//! The log: keeps what happened, for whoever wants to follow it.
//!
//! Delivery is at least once. What is published is delivered in the order in which one caller published it, by a
//! [`Replay`]; a [`Work`] group's workers are given it in no particular order.

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::{event::Event, topology::Group};

/// How far a reader that lost the log looks back: what the log took in this time before, it may have lost by breaking, and
/// is sent again.
pub const LOOK_BACK: Duration = Duration::from_secs(60);

/// A log, embedded or on a broker. It finds its way back by itself to a broker that was away.
#[async_trait]
pub trait Log: Send + Sync + 'static {
    /// What kind of log it is: `embedded` or `rabbitmq`.
    fn backend(&self) -> &'static str;

    /// Appends events, in this order: on `Ok` the log has them all, and every work group that takes their types will be
    /// given them. On `Err` it has some of them, none, or all; whoever publishes them again does no harm.
    ///
    /// Answers within 10 seconds, whatever the log does. Publish one batch after the other: what is published at the same
    /// time has no order.
    async fn publish(&self, events: &[Event]) -> Result<(), Error>;

    /// Reads events in the order of the log, on one's own.
    async fn replay(&self, start: Start) -> Result<Box<dyn Replay>, Error>;

    /// Joins a group of workers, each event to one of them; `most` are given to this one before it has acknowledged any.
    async fn work(&self, group: &Group, most: usize) -> Result<Box<dyn Work>, Error>;

    /// The events that a group gave up on, oldest first, at most `most` of them.
    async fn dead(&self, group: &Group, most: usize) -> Result<Vec<DeadLetter>, Error>;

    /// Gives a group again what it gave up on: one event, or all. How many that were.
    async fn retry(&self, group: &Group, event: Option<Uuid>) -> Result<usize, Error>;

    /// How much there is to do for a group, and whether somebody does it.
    async fn backlog(&self, group: &Group) -> Result<Backlog, Error>;

    /// Whether the log takes events now: by the way that they go.
    async fn check(&self) -> Result<(), Error>;
}

/// A log that is shared.
pub type SharedLog = Arc<dyn Log>;

/// A reader of its own.
#[async_trait]
pub trait Replay: Send {
    /// The next events in the order of the log: waits until there is one, and takes those that are there too, `most` at
    /// once. Dropping the future loses nothing.
    ///
    /// An error tells, once an interruption, that the log was lost: the next call finds it again, however long that takes,
    /// and goes on [`LOOK_BACK`] before what was read last, so that some come again.
    async fn next(&mut self, most: usize) -> Result<Vec<Entry>, Error>;
}

/// An event as the log has it.
#[derive(Clone, Debug)]
pub struct Entry {
    pub position: Position,
    /// When the log was given it, by the clock of who published it.
    pub published_at: DateTime<Utc>,
    pub event: Event,
}

/// Where an event stands in the log: more than all before it. Numbers may be left out. A broker that broke may give one
/// again to another event: who has lost it goes by [`Start::Since`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position(pub u64);

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Where a replay begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// With the oldest event that the log has.
    First,
    /// With the one that follows.
    After(Position),
    /// With what was published since then, and maybe some that were published before.
    Since(DateTime<Utc>),
    /// With what is published from now on.
    Next,
}

/// A worker's place in its group.
#[async_trait]
pub trait Work: Send {
    /// The next event to work on: waits until there is one. It is this worker's until it is acknowledged, given up or
    /// dropped, or the worker is gone. Dropping the future loses nothing.
    ///
    /// An error tells, once an interruption, that the log was lost: what was given is given again, to this worker or another
    /// one. The next call finds the log again, however long that takes.
    async fn next(&mut self) -> Result<Delivery, Error>;
}

/// An event that a worker was given. One that is dropped is given again, to any worker.
pub struct Delivery {
    pub event: Event,
    /// It may have been given before.
    pub redelivered: bool,
    receipt: Box<dyn Receipt>,
}

impl Delivery {
    pub(crate) fn new(event: Event, redelivered: bool, receipt: Box<dyn Receipt>) -> Self {
        Self { event, redelivered, receipt }
    }

    /// It is done, durably: nobody is given it any more. On an error somebody may be.
    pub async fn acknowledge(self) -> Result<(), Error> {
        self.receipt.acknowledge().await
    }

    /// It cannot be done: it goes to the group's dead letters, with the reason. On an error somebody is given it again.
    pub async fn give_up(self, reason: &str) -> Result<(), Error> {
        self.receipt.give_up(&self.event, reason).await
    }
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery").field("event", &self.event.id).finish_non_exhaustive()
    }
}

/// How the log is told what became of a delivery. Dropped, it gives the event back.
#[async_trait]
pub(crate) trait Receipt: Send + Sync {
    async fn acknowledge(self: Box<Self>) -> Result<(), Error>;
    async fn give_up(self: Box<Self>, event: &Event, reason: &str) -> Result<(), Error>;
}

/// An event that a group gave up on.
#[derive(Clone, Debug)]
pub struct DeadLetter {
    pub event: Event,
    /// Why.
    pub reason: String,
    /// When, to the second.
    pub at: DateTime<Utc>,
}

/// What a group has before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    /// Events that no worker was given yet, or that are to be given again.
    pub waiting: u64,
    /// Events that it gave up on.
    pub dead: u64,
}

/// An event as the log keeps it, which must have a number: whoever follows goes by it.
pub(crate) fn encode(event: &Event) -> Result<String, Error> {
    if event.sequence.is_none() {
        return Err(Error::failed(format!("event {} has no sequence", event.id)));
    }
    event.to_json().map_err(Error::failed)
}

type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Why the log did not do its work.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Trying again later may help.
    #[error("the log is not available")]
    Unavailable(#[source] Cause),
    /// A bug, or a log that is not what it should be.
    #[error("the log failed")]
    Failed(#[source] Cause),
}

impl Error {
    pub(crate) fn unavailable(cause: impl Into<Cause>) -> Self {
        Self::Unavailable(cause.into())
    }

    pub(crate) fn failed(cause: impl Into<Cause>) -> Self {
        Self::Failed(cause.into())
    }
}

impl From<storage::Error> for Error {
    fn from(error: storage::Error) -> Self {
        match error {
            storage::Error::Unavailable(cause) => Self::Unavailable(cause),
            storage::Error::Failed(cause) => Self::Failed(cause),
        }
    }
}
