//! Acts: multi-document transactions, tried again where that helps.
//!
//! An act reads of one moment and is acknowledged when most members have it on disk ([`storage::mongo::transaction`]).
//! Whatever two acts write at once, the later one is thrown back by the server and starts again from its first read. The
//! filters of updates repeat what was read all the same, `status: available` or `balance >= price`: what is sold twice or
//! overdrawn matches nothing, also where isolation is weaker than asked for.

use std::time::Duration;

use events::event::Invalid;
use futures_util::future::BoxFuture;
use mongodb::{Client, ClientSession, error};
use storage::{
    mongo::{append, is_duplicate_key, transaction},
    outbox::Message,
};
use tokio::sync::{Mutex, Semaphore};

use super::{Collections, Error};

/// Between tries: doubled from the first to the longest, which is for an act that a replica left open when it died.
const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(64);

/// The work of one transaction: where it reads and writes, and the session that each of its operations must name.
pub(super) struct Act<'a> {
    pub(super) collections: &'a Collections,
    pub(super) session: ClientSession,
}

/// What is done in a transaction, from the start at each try. (A trait alias. The context is handed in because futures
/// that borrow what a closure captured are more than rustc can prove `Send`.)
pub(super) trait Work<C, T>:
    for<'a> Fn(&'a mut Act<'_>, &'a C) -> BoxFuture<'a, Result<T, Halt>> + Send + Sync
{
}

impl<C, T, F> Work<C, T> for F where
    F: for<'a> Fn(&'a mut Act<'_>, &'a C) -> BoxFuture<'a, Result<T, Halt>> + Send + Sync
{
}

/// Why a try ended without an outcome.
#[derive(Debug)]
pub(super) enum Halt {
    /// What was read is so no longer.
    Changed,
    Driver(error::Error),
    Store(Error),
}

impl From<error::Error> for Halt {
    fn from(error: error::Error) -> Self {
        Self::Driver(error)
    }
}

impl From<Error> for Halt {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}

impl From<Invalid> for Halt {
    fn from(error: Invalid) -> Self {
        Self::Store(error.into())
    }
}

impl From<Halt> for Error {
    fn from(halt: Halt) -> Self {
        match halt {
            Halt::Changed => Self::Unavailable("others write the same all the time".into()),
            Halt::Driver(error) => error.into(),
            Halt::Store(error) => error,
        }
    }
}

/// Where acts are done.
pub(super) struct Transactions {
    client: Client,
    pub(super) collections: Collections,
    /// One for each transaction that may run at once.
    permits: Semaphore,
    /// Held while a transaction is tried again.
    turn: Mutex<()>,
}

impl Transactions {
    /// At most `at_once` at once.
    pub(super) fn new(client: Client, collections: Collections, at_once: usize) -> Self {
        Self { client, collections, permits: Semaphore::new(at_once), turn: Mutex::default() }
    }

    /// Does `work` in a transaction: all of it or nothing, however many tries that takes. `context` is what it needs to
    /// know.
    ///
    /// Whoever is thrown back tries again in turn, one at a time in this process, since the losers of a race for one item
    /// or for the treasury would only race again. The turn is for one try: a document that somebody keeps locked stops
    /// nobody but those who want it. Between replicas, of two acts in each other's way one goes on.
    pub(super) async fn run<C: Sync, T>(&self, context: &C, work: &impl Work<C, T>) -> Result<T, Error> {
        match self.try_once(context, work).await {
            Err(halt) if halt.is_conflict() => {}
            ended => return Ok(ended?),
        }
        let mut pause = FIRST_PAUSE;
        loop {
            let turn = self.turn.lock().await;
            match self.try_once(context, work).await {
                Err(halt) if halt.is_conflict() => {}
                ended => return Ok(ended?),
            }
            drop(turn);
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Does `work` in one transaction, once.
    pub(super) async fn try_once<C, T>(&self, context: &C, work: &impl Work<C, T>) -> Result<T, Halt> {
        // Given back between tries: who waits for a locked document keeps no connection from the others.
        let _permit = self.permits.acquire().await.map_err(|closed| Error::Failed(closed.into()))?;
        let session = transaction::begin(&self.client).await.map_err(Error::from)?;
        let mut act = Act { collections: &self.collections, session };
        let done = work(&mut act, context).await;
        transaction::end(&mut act.session, done).await
    }
}

impl Act<'_> {
    /// Keeps what is told of it.
    pub(super) async fn tell(&mut self, messages: &[Message]) -> Result<(), Halt> {
        Ok(append(&self.collections.database, &mut self.session, messages).await?)
    }
}

impl Halt {
    /// Whether the whole transaction is to be tried again.
    fn is_conflict(&self) -> bool {
        match self {
            Self::Changed => true,
            // A key that is there and that the transaction has not seen: it was committed after the transaction's first
            // read, and the next try sees it. (mongod mostly says WriteConflict here; PostgreSQL under it says this.)
            Self::Driver(error) => is_duplicate_key(error) || transaction::is_thrown_back(error),
            Self::Store(_) => false,
        }
    }
}

impl From<error::Error> for Error {
    fn from(error: error::Error) -> Self {
        storage::Error::from(error).into()
    }
}
