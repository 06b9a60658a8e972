//! The embedded database: SQLite in one file, durable at every acknowledged write.
//!
//! Writes go through one thread that commits many at once ("group commit"): each write runs in a savepoint of its
//! own inside a shared transaction, and is acknowledged after that transaction is on disk. Reads run on pooled
//! connections beside it (WAL mode). Several processes may open one file; SQLite's locks keep them apart.
//!
//! | to find | look in |
//! |---|---|
//! | what SQLite's errors mean | `error` |
//! | group commit, and how the writer comes back | `writer` |
//! | what is refused: a file of another version's schema | `schema` |
//! | records of idempotency keys | [`idempotency`] |
//! | whether the file is read and written, and what is known of damage | `health` |
//! | what is to be told to others | `outbox` |
//! | who of all replicas does what only one is to do | `lease` |

pub(crate) mod error;
mod health;
pub mod idempotency;
mod lease;
mod outbox;
mod schema;
#[cfg(test)]
mod tests;
mod writer;

pub mod statements;

use std::{
    error::Error as StdError,
    fs::File,
    io::{self, ErrorKind},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use diesel::{Connection, SqliteConnection, connection::SimpleConnection, result::Error as DieselError};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness};
use kernel::PoolState;
use tokio::sync::{Notify, Semaphore};

pub use self::{error::Error, lease::statements::fence, outbox::statements::append};
use self::{health::Health, writer::Writer};
use crate::data_dir::{self, DataDir};

/// Reads at once.
const READERS: usize = 8;
/// Of these, such as may take long: many at once would keep the processors from all others.
const SCANS: usize = 2;

/// `synchronous=FULL` makes a commit survive a power cut, not only `kill -9`; the busy timeout (ms) covers another
/// process' commit.
const PRAGMAS: &str = "PRAGMA busy_timeout = 5000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
     PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -16384;";

/// A handle on one database file, cheap to clone; the last one dropped stops the writer and waits for it.
#[derive(Clone)]
pub struct Sqlite(Arc<Inner>);

struct Inner {
    path: PathBuf,
    writer: Writer,
    readers: Readers,
    health: Health,
    /// Something was appended to the outbox by this process.
    appended: Notify,
    /// Ours as long as the file is open.
    _data_dir: DataDir,
}

impl Inner {
    /// One snapshot for all of the query's statements. A panic drops the connection with its transaction.
    fn query<T, E>(&self, query: impl FnOnce(&mut SqliteConnection) -> Result<T, E>) -> Result<T, E>
    where
        E: From<Error> + From<DieselError> + StdError + 'static,
    {
        let mut connection = self.readers.take(&self.path)?;
        let result = connection.transaction(query);
        match &result {
            // What the file did to it, nobody knows.
            Err(error) if self.health.note(&self.path, error) => {}
            _ => self.readers.put_back(connection),
        }
        result
    }
}

impl Sqlite {
    /// Opens or creates the database `name` in the directory, and brings its schema up to date.
    pub fn open(data_dir: &DataDir, name: &str, migrations: EmbeddedMigrations) -> Result<Self, Error> {
        let path = data_dir.path().join(name);
        let failed = |cause: String| Error::Open { path: path.clone(), cause };
        // Processes that start together take turns: the switch of a new file to WAL fails at once where another one
        // is at it, whatever the busy timeout. Closing the file gives the turn away.
        let turn = create(&path.with_extension("lock")).map_err(|e| failed(e.to_string()))?;
        turn.lock().map_err(|e| failed(e.to_string()))?;
        create_private(&path).map_err(|e| failed(e.to_string()))?;
        let mut connection = connect(&path)?;
        connection
            .immediate_transaction(|connection| {
                schema::refuse_foreign(connection, &migrations)?;
                connection.run_pending_migrations(migrations)?;
                connection.batch_execute(health::TABLE)?;
                connection.batch_execute(lease::TABLE)?;
                connection.batch_execute(outbox::TABLES)?;
                Ok::<_, Box<dyn StdError + Send + Sync>>(())
            })
            .map_err(|e| failed(e.to_string()))?;
        Ok(Self(Arc::new(Inner {
            health: Health::new(connect(&path)?),
            writer: Writer::start(connection, &path).map_err(|e| failed(e.to_string()))?,
            readers: Readers::default(),
            appended: Notify::new(),
            _data_dir: data_dir.clone(),
            path,
        })))
    }

    /// Runs a `query` that finds what it wants by indexes, on a pooled connection beside the writer, seeing one
    /// consistent state.
    ///
    /// It runs right here: pages that the operating system has cached are read in less time than it takes to hand the
    /// query to another thread and the result back (measured: 30 us against 60). What may have to go through many rows,
    /// or brings many of them, belongs into [`Self::scan`].
    pub async fn read<T, E>(&self, query: impl FnOnce(&mut SqliteConnection) -> Result<T, E>) -> Result<T, E>
    where
        E: From<Error> + From<DieselError> + StdError + 'static,
    {
        let _permit = self.0.readers.permits.acquire().await.map_err(|_| Error::Closed)?;
        self.0.query(query)
    }

    /// Like [`Self::read`] for a `query` that may take long: it runs on a thread of its own, two of them at once.
    pub async fn scan<T, E>(
        &self,
        query: impl FnOnce(&mut SqliteConnection) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + From<DieselError> + StdError + Send + 'static,
    {
        let turn = Arc::clone(&self.0.readers.scans).acquire_owned().await.map_err(|_| Error::Closed)?;
        let permit = Arc::clone(&self.0.readers.permits).acquire_owned().await.map_err(|_| Error::Closed)?;
        let inner = Arc::clone(&self.0);
        let work = move || {
            let (_turn, _permit) = (turn, permit);
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
        E: From<Error> + From<DieselError> + StdError + Send + 'static,
    {
        let result = self.0.writer.write(change).await;
        if let Err(error) = &result {
            self.0.health.note(&self.0.path, error);
        }
        result
    }

    /// The connections that read. The one that writes is open all the time.
    pub fn pool(&self) -> PoolState {
        let Readers { idle, permits, .. } = &self.0.readers;
        let idle = idle.lock().unwrap_or_else(PoisonError::into_inner).len();
        let in_use = READERS.saturating_sub(permits.available_permits());
        PoolState { in_use: in_use as u64, idle: idle as u64, max: READERS as u64 }
    }
}

struct Readers {
    idle: Mutex<Vec<SqliteConnection>>,
    permits: Arc<Semaphore>,
    scans: Arc<Semaphore>,
}

impl Default for Readers {
    fn default() -> Self {
        let of = |permits| Arc::new(Semaphore::new(permits));
        Self { idle: Mutex::default(), permits: of(READERS), scans: of(SCANS) }
    }
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

/// A connection to a file that is there: one that was moved away is not made anew, empty.
fn connect(path: &Path) -> Result<SqliteConnection, Error> {
    let failed = |cause: String| Error::Open { path: path.to_owned(), cause };
    // <https://www.sqlite.org/uri.html>
    let escaped = path.to_string_lossy().replace('%', "%25").replace('?', "%3f").replace('#', "%23");
    let uri = format!("file:{escaped}?mode=rw");
    let mut connection = SqliteConnection::establish(&uri).map_err(|e| failed(e.to_string()))?;
    connection.batch_execute(PRAGMAS).map_err(|e| failed(e.to_string()))?;
    Ok(connection)
}

fn create(path: &Path) -> io::Result<File> {
    File::options().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
}

/// Makes the database's file where it is not there yet, and all of its files their owner's only. SQLite gives those that
/// it makes itself the mode of the database.
fn create_private(path: &Path) -> io::Result<()> {
    create(path)?;
    data_dir::make_private(&path.with_extension("lock"))?;
    for suffix in ["", "-wal", "-shm"] {
        let mut file = path.as_os_str().to_owned();
        file.push(suffix);
        match data_dir::make_private(Path::new(&file)) {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            made => made?,
        }
    }
    Ok(())
}
