//! The embedded log: one SQLite file, shared by the processes of a data directory.
//!
//! SQLite's writers take turns, so positions are in the order of commits, and a reader that has seen one has missed none
//! before it. Readers in the process that publishes are woken; those in others look ten times a second.

mod replay;
mod statements;
mod work;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use diesel_migrations::{EmbeddedMigrations, embed_migrations};
use kernel::time;
use storage::{DataDir, sqlite::Sqlite};
use tokio::sync::watch;
use uuid::Uuid;

use crate::{
    event::Event,
    log::{self, Backlog, DeadLetter, Error, Log, Replay, Start, Work},
    topology::{Group, Topology},
};

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations");

/// How often readers look by themselves, for what another process has done, or not done in time.
const POLL: Duration = Duration::from_millis(100);
/// How long a delivery is a worker's that says nothing, and how often it says so.
const LEASE: (Duration, Duration) = (Duration::from_secs(3), Duration::from_secs(1));
/// How long publishing may take.
const DEADLINE: Duration = Duration::from_secs(10);

/// The log in the file `events.db`. Clones are one log.
#[derive(Clone)]
pub struct Embedded(Arc<Inner>);

struct Inner {
    db: Sqlite,
    topology: Topology,
    lease: Lease,
    /// Marked as changed when there may be something to read.
    news: watch::Sender<()>,
}

/// How long a delivery is a worker's that says nothing, and how often it says that it lives.
#[derive(Clone, Copy, Debug)]
pub struct Lease {
    pub length: Duration,
    pub renewal: Duration,
}

impl Default for Lease {
    /// 3 seconds, renewed each second.
    fn default() -> Self {
        Self { length: LEASE.0, renewal: LEASE.1 }
    }
}

impl Embedded {
    /// Opens or makes the log in a directory.
    pub fn open(data_dir: &DataDir, topology: Topology, lease: Lease) -> Result<Self, Error> {
        let db = Sqlite::open(data_dir, "events.db", MIGRATIONS).map_err(storage::Error::from)?;
        Ok(Self(Arc::new(Inner { db, topology, lease, news: watch::Sender::new(()) })))
    }
}

#[async_trait]
impl Log for Embedded {
    fn backend(&self) -> &'static str {
        "embedded"
    }

    async fn publish(&self, events: &[Event]) -> Result<(), Error> {
        let rows = events
            .iter()
            .map(|event| {
                let groups = self.0.topology.groups_of(&event.kind).map(|group| group.name).collect();
                Ok(statements::NewEntry { event: log::encode(event)?, groups })
            })
            .collect::<Result<Vec<_>, Error>>()?;
        let append = self.0.db.write(move |connection| statements::append(connection, &rows, time::now()));
        tokio::time::timeout(DEADLINE, append).await.map_err(Error::unavailable)??;
        self.0.news.send_replace(());
        Ok(())
    }

    async fn replay(&self, start: Start) -> Result<Box<dyn Replay>, Error> {
        Ok(Box::new(replay::Reader::open(self.clone(), start).await?))
    }

    async fn work(&self, group: &Group, most: usize) -> Result<Box<dyn Work>, Error> {
        Ok(Box::new(work::Worker::join(self.clone(), group.name, most)))
    }

    async fn dead(&self, group: &Group, most: usize) -> Result<Vec<DeadLetter>, Error> {
        let (group, most) = (group.name, i64::try_from(most).unwrap_or(i64::MAX));
        let rows = self.0.db.scan(move |connection| statements::dead(connection, group, most)).await?;
        rows.into_iter().map(|row| row.try_into()).collect()
    }

    async fn retry(&self, group: &Group, event: Option<Uuid>) -> Result<usize, Error> {
        let group = group.name;
        let given = self.0.db.write(move |connection| statements::retry(connection, group, event)).await?;
        self.0.news.send_replace(());
        Ok(given)
    }

    async fn backlog(&self, group: &Group) -> Result<Backlog, Error> {
        let group = group.name;
        Ok(self.0.db.scan(move |connection| statements::backlog(connection, group, time::now())).await?)
    }

    async fn check(&self) -> Result<(), Error> {
        Ok(self.0.db.check_write().await.map_err(storage::Error::from)?)
    }
}
