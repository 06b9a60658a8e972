//! The one thread that writes: many writes in one commit, and a fresh connection after a failure, for ever.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    thread::{JoinHandle, sleep},
    time::{Duration, Instant},
};

use diesel::{Connection, SqliteConnection, result::Error as DieselError};
use tokio::sync::{
    mpsc::{self, error::TryRecvError},
    oneshot,
};

use super::{Error, connect};

/// Writes in one commit at most.
const MAX_BATCH: usize = 256;
/// Writes that wait at most; more callers wait to queue, until their deadlines.
const QUEUE: usize = 1024;
/// Between two tries to reconnect: doubles from the first to the second.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(1));
/// How long a write waits at most to be told that there is no connection.
const REFUSAL: Duration = Duration::from_millis(5);

/// A change to run in a savepoint; it gives what to tell its caller once the batch is committed, or is not.
type Write = Box<dyn FnOnce(&mut SqliteConnection) -> Acknowledge + Send>;
type Acknowledge = Box<dyn FnOnce(bool) + Send>;

/// The writing thread's handle; dropping it waits for what is queued.
pub(super) struct Writer {
    /// `None` only while being dropped.
    queue: Option<mpsc::Sender<Write>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    pub(super) fn start(connection: SqliteConnection, path: &Path) -> io::Result<Self> {
        let (queue, writes) = mpsc::channel(QUEUE);
        let work = Work { path: path.to_owned(), writes };
        let thread = std::thread::Builder::new().name("sqlite-writer".to_owned()).spawn(|| work.run(connection))?;
        Ok(Self { queue: Some(queue), thread: Some(thread) })
    }

    pub(super) async fn write<T, E>(
        &self,
        change: impl FnOnce(&mut SqliteConnection) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + From<DieselError> + Send + 'static,
    {
        let (answer, outcome) = oneshot::channel();
        let write: Write = Box::new(move |connection| {
            let result = connection.transaction(change);
            Box::new(move |committed| {
                let _ = answer.send(if committed { result } else { Err(Error::NotCommitted.into()) });
            })
        });
        let queue = self.queue.as_ref().ok_or(Error::Closed)?;
        queue.send(write).await.map_err(|_| Error::Closed)?;
        outcome.await.unwrap_or_else(|_| Err(Error::Closed.into()))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Work {
    path: PathBuf,
    writes: mpsc::Receiver<Write>,
}

impl Work {
    fn run(mut self, mut connection: SqliteConnection) {
        let mut batch = Vec::with_capacity(MAX_BATCH);
        while self.writes.blocking_recv_many(&mut batch, MAX_BATCH) > 0 {
            let intact = catch_unwind(AssertUnwindSafe(|| commit(&mut connection, &mut batch))).unwrap_or(false);
            batch.clear();
            if !intact {
                // Its state is anybody's guess, and it may hold the lock of the file.
                drop(connection);
                let Some(fresh) = self.reconnect() else { return };
                connection = fresh;
            }
        }
    }

    /// A fresh connection, however long that takes; what is to be written meanwhile is refused. `None` once all handles
    /// are gone.
    fn reconnect(&mut self) -> Option<SqliteConnection> {
        let (mut pause, longest) = BACKOFF;
        let mut failed = false;
        loop {
            match connect(&self.path) {
                Ok(fresh) => {
                    if failed {
                        tracing::info!(path = %self.path.display(), "the writer is connected again");
                    }
                    return Some(fresh);
                }
                Err(error) if !failed => tracing::error!(%error, "the writer cannot reconnect: it goes on trying"),
                Err(_) => {}
            }
            failed = true;
            self.refuse_for(pause)?;
            pause = (pause * 2).min(longest);
        }
    }

    fn refuse_for(&mut self, pause: Duration) -> Option<()> {
        let end = Instant::now() + pause;
        while Instant::now() < end {
            match self.writes.try_recv() {
                // Whoever waits for it is told so by its being dropped.
                Ok(refused) => drop(refused),
                Err(TryRecvError::Empty) => sleep(REFUSAL),
                Err(TryRecvError::Disconnected) => return None,
            }
        }
        Some(())
    }
}

/// Commits the whole batch in one transaction, then acknowledges each write of it.
///
/// Where SQLite gave up the transaction half-way (disk full), COMMIT fails, and nobody is told that all is well.
fn commit(connection: &mut SqliteConnection, batch: &mut Vec<Write>) -> bool {
    let mut acknowledgements = Vec::with_capacity(batch.len());
    let committed = connection.immediate_transaction(|connection| {
        acknowledgements.extend(batch.drain(..).map(|write| write(connection)));
        Ok::<_, DieselError>(())
    });
    if let Err(error) = &committed {
        tracing::error!(%error, "a batch of writes was not committed");
    }
    for acknowledge in acknowledgements {
        acknowledge(committed.is_ok());
    }
    committed.is_ok()
}
