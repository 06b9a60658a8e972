//! Whether the file can be read and written, found by doing it, and what its users have found out about damage.
//!
//! A damaged page says nothing until somebody reads it. So a query that comes upon one puts the file under suspicion:
//! from then on it counts as one that cannot be written to, until SQLite's own check of the whole file finds nothing.

use std::{
    error::Error as StdError,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use diesel::{
    RunQueryDsl, SqliteConnection,
    connection::SimpleConnection,
    dsl::sql,
    sql_types::{BigInt, Nullable, Text},
};

use super::{
    Error, Inner, Sqlite, connect,
    error::{Trouble, trouble_in},
};

/// One row, whoever writes it: writers of one file take turns anyway.
pub(super) const TABLE: &str =
    "CREATE TABLE IF NOT EXISTS health (id INTEGER PRIMARY KEY CHECK (id = 0), at INTEGER NOT NULL) STRICT;";
const WRITE: &str =
    "INSERT INTO health (id, at) VALUES (0, unixepoch()) ON CONFLICT (id) DO UPDATE SET at = excluded.at";
const READ: &str = "SELECT max(at) FROM health";
/// Reads every page; stops at the first mistake.
const EXAMINE: &str = "PRAGMA quick_check(1)";
const SOUND: &str = "ok";

/// A write that succeeded answers for all who ask within this time: replicas that share the file write one row a second
/// together.
const FRESH: Duration = Duration::from_millis(900);
/// Between two examinations of a damaged file at least; and this many times as long as one takes.
const EXAMINATIONS: (Duration, u32) = (Duration::from_secs(1), 10);

/// What is known of a file.
pub(super) struct Health {
    /// Reads are checked on a connection of its own, however busy the others are. It also keeps SQLite's shared memory
    /// there: on a full disk nobody could make that anew.
    connection: Mutex<Option<SqliteConnection>>,
    /// When the row was last written.
    written: tokio::sync::Mutex<Option<Instant>>,
    damage: Mutex<Option<Damage>>,
}

#[derive(Clone, Debug)]
struct Damage {
    cause: String,
    /// When to look at the file again; `None` while somebody does.
    examine_at: Option<Instant>,
}

impl Health {
    pub(super) fn new(connection: SqliteConnection) -> Self {
        Self { connection: Mutex::new(Some(connection)), written: Default::default(), damage: Mutex::default() }
    }

    /// Takes note of an error that the file is to blame for; whether it is.
    pub(super) fn note(&self, path: &Path, error: &(dyn StdError + 'static)) -> bool {
        let Some(trouble) = trouble_in(error) else { return false };
        if trouble == Trouble::Damage {
            let mut damage = lock(&self.damage);
            if damage.is_none() {
                let cause = kernel::error::Chain(error).to_string();
                tracing::error!(path = %path.display(), cause, "the file is damaged: restore it from a backup");
                *damage = Some(Damage { cause, examine_at: Some(Instant::now()) });
            }
        }
        trouble != Trouble::Busy
    }

    fn read(&self, path: &Path) -> Result<(), Error> {
        let mut place = lock(&self.connection);
        let mut connection = match place.take() {
            Some(connection) => connection,
            None => connect(path)?,
        };
        sql::<Nullable<BigInt>>(READ).get_result::<Option<i64>>(&mut connection)?;
        *place = Some(connection);
        Ok(())
    }
}

impl Sqlite {
    /// Reads the row that [`Self::check_write`] writes.
    pub async fn check_read(&self) -> Result<(), Error> {
        let Inner { health, path, .. } = &*self.0;
        let read = health.read(path);
        if let Err(error) = &read {
            health.note(path, error);
        }
        read
    }

    /// Writes a row the way that all are written: through the writer, durably. A damaged file is not written to.
    pub async fn check_write(&self) -> Result<(), Error> {
        let mut written = self.0.health.written.lock().await;
        if let Some(cause) = self.damage() {
            return Err(Error::Damaged(cause));
        }
        if written.is_some_and(|at| at.elapsed() < FRESH) {
            return Ok(());
        }
        self.write(|connection| Ok::<_, Error>(connection.batch_execute(WRITE)?)).await?;
        *written = Some(Instant::now());
        Ok(())
    }

    /// What is known of damage. Where it is time for that, the file is looked at again meanwhile.
    fn damage(&self) -> Option<String> {
        let mut damage = lock(&self.0.health.damage);
        let Damage { cause, examine_at } = damage.as_mut()?;
        if examine_at.take_if(|at| *at <= Instant::now()).is_some() {
            let inner = Arc::clone(&self.0);
            tokio::task::spawn_blocking(move || inner.examine());
        }
        Some(cause.clone())
    }
}

impl Inner {
    fn examine(&self) {
        let begun = Instant::now();
        let found = connect(&self.path)
            .and_then(|mut connection| Ok(sql::<Text>(EXAMINE).get_result::<String>(&mut connection)?))
            .unwrap_or_else(|error| kernel::error::Chain(&error).to_string());
        let mut damage = lock(&self.health.damage);
        if found == SOUND {
            tracing::info!(path = %self.path.display(), "the file is sound");
            *damage = None;
        } else {
            let (shortest, times) = EXAMINATIONS;
            let examine_at = Some(Instant::now() + shortest.max(begun.elapsed() * times));
            *damage = Some(Damage { cause: found, examine_at });
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
