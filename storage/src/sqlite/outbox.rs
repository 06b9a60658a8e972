//! The outbox in the file, for all processes that have it open: they look at it every second, and at once after an act of
//! their own process.

use std::time::Duration;

use async_trait::async_trait;

use super::{Sqlite, lease::statements::fence, statements as flavour};
use crate::{
    lease::Token,
    outbox::{Error, Outbox, Pending, Stamped},
    sql::immediately,
};

#[path = "../outbox/statements.rs"]
pub(super) mod statements;

pub(super) const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS outbox (id TEXT PRIMARY KEY, subject TEXT NOT NULL, version INTEGER NOT NULL,
        kind TEXT NOT NULL, body TEXT NOT NULL, sequence INTEGER,
        stored_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000 AS INTEGER))) STRICT, WITHOUT ROWID;
    CREATE UNIQUE INDEX IF NOT EXISTS outbox_by_sequence ON outbox (sequence) WHERE sequence IS NOT NULL;
    CREATE INDEX IF NOT EXISTS outbox_unstamped ON outbox (id) WHERE sequence IS NULL;
    CREATE INDEX IF NOT EXISTS outbox_unstamped_by_subject ON outbox (subject, version) WHERE sequence IS NULL;
    CREATE TABLE IF NOT EXISTS outbox_sent (up_to INTEGER PRIMARY KEY, at INTEGER NOT NULL) STRICT;";

#[async_trait]
impl Outbox for Sqlite {
    async fn stamp(&self, token: Token, most: usize) -> Result<usize, Error> {
        if !self.read(|connection| immediately(statements::has_unstamped(connection))).await? {
            return Ok(0);
        }
        self.write(move |connection| immediately(statements::stamp(connection, token, most))).await
    }

    async fn unsent(&self, most: usize) -> Result<Vec<Stamped>, crate::Error> {
        self.read(|connection| immediately(statements::unsent(connection, most))).await
    }

    async fn sent(&self, token: Token, up_to: i64) -> Result<(), Error> {
        self.write(move |connection| immediately(statements::sent(connection, token, up_to))).await
    }

    async fn resend(&self, token: Token, within: Duration) -> Result<(), Error> {
        self.write(move |connection| immediately(statements::resend(connection, token, within))).await
    }

    async fn forget(&self, keep: Duration) -> Result<usize, crate::Error> {
        self.write(move |connection| immediately(statements::forget(connection, keep))).await
    }

    async fn pending(&self) -> Result<Pending, crate::Error> {
        self.scan(|connection| immediately(statements::pending(connection))).await
    }

    fn wake(&self) {
        self.0.appended.notify_one();
    }

    async fn sleep(&self, patience: Duration) {
        let _ = tokio::time::timeout(patience, self.0.appended.notified()).await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use diesel::result::Error as DieselError;
    use diesel_migrations::EmbeddedMigrations;

    use super::{statements::append, *};
    use crate::{
        DataDir,
        outbox::Message,
        outbox::contract::{Acts, Fresh, Process, outbox_contract, relays_at_once_number_each_message_once},
    };

    #[async_trait]
    impl Acts for Sqlite {
        async fn act(&self, messages: Vec<Message>, ends_well: bool) {
            let act = self.write(move |connection| {
                immediately(append(connection, &messages))?;
                if ends_well { Ok(()) } else { Err(crate::sqlite::Error::from(DieselError::RollbackTransaction)) }
            });
            assert_eq!(act.await.is_ok(), ends_well);
        }
    }

    async fn fresh() -> Fresh {
        let directory = tempfile::tempdir().expect("directory");
        let data_dir = DataDir::open(directory.path(), true).expect("shared");
        let open = || {
            let db = Arc::new(Sqlite::open(&data_dir, "test.db", EmbeddedMigrations::new(&[])).expect("opens"));
            Process { outbox: Arc::clone(&db) as _, leases: Arc::clone(&db) as _, acts: db }
        };
        Fresh { one: open(), other: open(), _keep: Box::new(directory) }
    }

    outbox_contract!(fresh);

    #[tokio::test(flavor = "multi_thread")]
    async fn of_relays_at_once_none_numbers_what_another_has() {
        relays_at_once_number_each_message_once(fresh().await).await;
    }
}
