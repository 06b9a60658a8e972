//! The embedded database: SQLite in one file, durable at every acknowledged write.
//!
//! Writes go through one thread that commits many at once ("group commit"): each write runs in a savepoint of its
//! own inside a shared transaction, and is acknowledged after that transaction is on disk. Reads run on pooled
//! connections beside it (WAL mode). Several processes may open one file; SQLite's locks keep them apart.

pub mod statements;

use std::{
    fs::File,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    thread::JoinHandle,
};

use diesel::{
    Connection, RunQueryDsl, SqliteConnection,
    connection::SimpleConnection,
    result::{DatabaseErrorKind, Error as DieselError},
};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness};
use kernel::PoolState;
use tokio::sync::{Semaphore, mpsc, oneshot};

/// Writes in one commit at most.
const MAX_BATCH: usize = 256;
/// Writes that wait at most; more callers wait to queue, until their deadlines.
const QUEUE: usize = 1024;
/// Reads at once.
const READERS: usize = 8;

/// `synchronous=FULL` makes a commit survive a power cut, not only `kill -9`; the busy timeout (ms) covers another
/// process' commit.
const PRAGMAS: &str = "PRAGMA busy_timeout = 5000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
     PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -16384;";

/// Why the embedded database did not do its work.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot open {path}: {cause}")]
    Open { path: PathBuf, cause: String },
    #[error("query failed")]
    Query(#[from] DieselError),
    #[error("the write was not committed")]
    NotCommitted,
    #[error("the database could not run the query")]
    Closed,
}

impl Error {
    /// Whether trying again later may help: somebody else held the lock too long, or the process is stopping.
    pub fn is_unavailable(&self) -> bool {
        match self {
            Self::Open { .. } | Self::NotCommitted | Self::Closed => true,
            // SQLITE_BUSY has no kind of its own in diesel.
            Self::Query(DieselError::DatabaseError(DatabaseErrorKind::Unknown, info)) => {
                info.message().contains("database is locked")
            }
            Self::Query(_) => false,
        }
    }
}

impl From<Error> for kernel::Error {
    fn from(error: Error) -> Self {
        if error.is_unavailable() { Self::unavailable("the store", error) } else { Self::internal(error) }
    }
}

/// A handle on one database file, cheap to clone; the last one dropped stops the writer and waits for it.
#[derive(Clone)]
pub struct Sqlite(Arc<Inner>);

struct Inner {
    path: PathBuf,
    /// `None` only while being dropped.
    queue: Option<mpsc::Sender<Write>>,
    writer: Option<JoinHandle<()>>,
    readers: Readers,
}

impl Inner {
    /// One snapshot for all of the query's statements. A panic drops the connection with its transaction.
    fn query<T, E>(&self, query: impl FnOnce(&mut SqliteConnection) -> Result<T, E>) -> Result<T, E>
    where
        E: From<Error> + From<DieselError>,
    {
        let mut connection = self.readers.take(&self.path)?;
        let result = connection.transaction(query);
        self.readers.put_back(connection);
        result
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
    }
}

impl Sqlite {
    /// Opens or creates the file, and its directory, and brings its schema up to date.
    pub fn open(path: &Path, migrations: EmbeddedMigrations) -> Result<Self, Error> {
        let failed = |cause: String| Error::Open { path: path.to_owned(), cause };
        if let Some(directory) = path.parent() {
            std::fs::create_dir_all(directory).map_err(|e| failed(e.to_string()))?;
        }
        // Processes that start together take turns: the switch of a new file to WAL fails at once where another one
        // is at it, whatever the busy timeout. Closing the file gives the turn away.
        let turn = File::create(path.with_extension("lock")).map_err(|e| failed(e.to_string()))?;
        turn.lock().map_err(|e| failed(e.to_string()))?;
        let mut connection = connect(path)?;
        connection
            .immediate_transaction(|connection| {
                connection.run_pending_migrations(migrations)?;
                Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
            })
            .map_err(|e| failed(e.to_string()))?;

        let (queue, writes) = mpsc::channel(QUEUE);
        let writer = std::thread::Builder::new()
            .name("sqlite-writer".to_owned())
            .spawn({
                let path = path.to_owned();
                move || write_loop(connection, &path, writes)
            })
            .map_err(|e| failed(e.to_string()))?;
        Ok(Self(Arc::new(Inner {
            path: path.to_owned(),
            queue: Some(queue),
            writer: Some(writer),
            readers: Readers { idle: Mutex::default(), permits: Arc::new(Semaphore::new(READERS)) },
        })))
    }

    /// Runs a `query` that finds what it wants by indexes, on a pooled connection beside the writer, seeing one
    /// consistent state.
    ///
    /// It runs right here: pages that the operating system has cached are read in less time than it takes to hand the
    /// query to another thread and the result back (measured: 30 us against 60). What may have to go through many rows
    /// belongs into [`Self::scan`].
    pub async fn read<T, E>(&self, query: impl FnOnce(&mut SqliteConnection) -> Result<T, E>) -> Result<T, E>
    where
        E: From<Error> + From<DieselError>,
    {
        let _permit = self.0.readers.permits.acquire().await.map_err(|_| Error::Closed)?;
        self.0.query(query)
    }

    /// Like [`Self::read`] for a `query` that may take long: it runs on a thread of its own.
    pub async fn scan<T, E>(
        &self,
        query: impl FnOnce(&mut SqliteConnection) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + From<DieselError> + Send + 'static,
    {
        let permit = Arc::clone(&self.0.readers.permits).acquire_owned().await.map_err(|_| Error::Closed)?;
        let inner = Arc::clone(&self.0);
        let work = move || {
            let _permit = permit;
            inner.query(query)
        };
        tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| Err(Error::Closed.into()))
    }

    /// Runs `change` as one atomic, durable act: when this returns `Ok` it is on disk, when it returns `Err` nothing is.
    ///
    /// Dropping the future after the change was queued does not undo it.
    pub async fn write<T, E>(
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
        let queue = self.0.queue.as_ref().ok_or(Error::Closed)?;
        queue.send(write).await.map_err(|_| Error::Closed)?;
        outcome.await.unwrap_or_else(|_| Err(Error::Closed.into()))
    }

    /// The connections that read. The one that writes is open all the time.
    pub fn pool(&self) -> PoolState {
        let Readers { idle, permits } = &self.0.readers;
        let idle = idle.lock().unwrap_or_else(PoisonError::into_inner).len();
        let in_use = READERS.saturating_sub(permits.available_permits());
        PoolState { in_use: in_use as u64, idle: idle as u64, max: READERS as u64 }
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<(), Error> {
        self.read(|connection| diesel::sql_query("SELECT 1").execute(connection).map(drop).map_err(Error::from)).await
    }
}

/// A change to run in a savepoint; it gives what to tell its caller once the batch is committed, or is not.
type Write = Box<dyn FnOnce(&mut SqliteConnection) -> Acknowledge + Send>;
type Acknowledge = Box<dyn FnOnce(bool) + Send>;

fn write_loop(mut connection: SqliteConnection, path: &Path, mut writes: mpsc::Receiver<Write>) {
    let mut batch = Vec::with_capacity(MAX_BATCH);
    while writes.blocking_recv_many(&mut batch, MAX_BATCH) > 0 {
        // After a failure or a panic the connection's state is anybody's guess: take a fresh one.
        let intact = catch_unwind(AssertUnwindSafe(|| commit(&mut connection, &mut batch))).unwrap_or(false);
        batch.clear();
        if !intact {
            match connect(path) {
                Ok(fresh) => connection = fresh,
                Err(error) => return tracing::error!(%error, "the writer cannot reconnect"),
            }
        }
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

struct Readers {
    idle: Mutex<Vec<SqliteConnection>>,
    permits: Arc<Semaphore>,
}

impl Readers {
    fn take(&self, path: &Path) -> Result<SqliteConnection, Error> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        idle.map_or_else(|| connect(path), Ok)
    }

    fn put_back(&self, connection: SqliteConnection) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
    }
}

fn connect(path: &Path) -> Result<SqliteConnection, Error> {
    let failed = |cause: String| Error::Open { path: path.to_owned(), cause };
    let mut connection = SqliteConnection::establish(&path.to_string_lossy()).map_err(|e| failed(e.to_string()))?;
    connection.batch_execute(PRAGMAS).map_err(|e| failed(e.to_string()))?;
    Ok(connection)
}

#[cfg(test)]
mod tests {
    use diesel::sql_types::BigInt;

    use super::*;

    const NO_MIGRATIONS: EmbeddedMigrations = EmbeddedMigrations::new(&[]);

    fn open(directory: &tempfile::TempDir) -> Sqlite {
        Sqlite::open(&directory.path().join("test.db"), NO_MIGRATIONS).expect("opens")
    }

    async fn execute(db: &Sqlite, sql: &'static str) -> Result<usize, Error> {
        db.write(move |c| Ok(diesel::sql_query(sql).execute(c)?)).await
    }

    async fn count(db: &Sqlite) -> i64 {
        let rows = diesel::dsl::sql::<BigInt>("SELECT count(*) FROM t");
        db.read(move |c| Ok::<_, Error>(rows.get_result(c)?)).await.expect("reads")
    }

    #[tokio::test]
    async fn the_pool_tells_who_reads() {
        let directory = tempfile::tempdir().expect("directory");
        let db = open(&directory);
        let state = |in_use, idle| PoolState { in_use, idle, max: READERS as u64 };
        assert_eq!(db.pool(), state(0, 0));
        db.read(|_| {
            assert_eq!(db.pool(), state(1, 0));
            Ok::<_, Error>(())
        })
        .await
        .expect("reads");
        assert_eq!(db.pool(), state(0, 1));
    }

    #[tokio::test]
    async fn a_failed_write_takes_nothing_with_it() {
        let directory = tempfile::tempdir().expect("directory");
        let db = open(&directory);
        execute(&db, "CREATE TABLE t (id INTEGER PRIMARY KEY)").await.expect("creates");
        // All in one batch or not: each stands or falls alone.
        let half = db.write(|c| {
            diesel::sql_query("INSERT INTO t VALUES (1)").execute(c)?;
            Ok::<_, Error>(diesel::sql_query("INSERT INTO t VALUES (1)").execute(c)?)
        });
        let (whole, half) = tokio::join!(execute(&db, "INSERT INTO t VALUES (2)"), half);
        assert!(whole.is_ok() && half.is_err());
        assert_eq!(count(&db).await, 1);
    }

    #[tokio::test]
    async fn a_panicking_write_fails_alone_or_with_its_batch_and_the_next_one_works() {
        let directory = tempfile::tempdir().expect("directory");
        let db = open(&directory);
        execute(&db, "CREATE TABLE t (id INTEGER PRIMARY KEY)").await.expect("creates");
        let panicked = db.write(|_| -> Result<(), Error> { panic!("on purpose") }).await;
        assert!(matches!(panicked, Err(Error::Closed)));
        execute(&db, "INSERT INTO t VALUES (1)").await.expect("inserts");
        assert_eq!(count(&db).await, 1);
    }

    #[tokio::test]
    async fn what_was_acknowledged_is_there_after_reopening() {
        let directory = tempfile::tempdir().expect("directory");
        let db = open(&directory);
        execute(&db, "CREATE TABLE t (id INTEGER PRIMARY KEY)").await.expect("creates");
        let inserts = (0..100).map(|_| execute(&db, "INSERT INTO t DEFAULT VALUES"));
        for inserted in futures_util::future::join_all(inserts).await {
            inserted.expect("inserts");
        }
        let other = open(&directory);
        assert_eq!(count(&other).await, 100);
    }
}
