//! The outbox in the service's schema. Other processes are told by `NOTIFY`, after the commit, and only where somebody
//! sleeps: one in each transaction would make all commits of the database wait for each other.

use std::{
    pin::pin,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use async_trait::async_trait;
use diesel_async::{AsyncConnection, AsyncPgConnection, SimpleAsyncConnection};
use futures_util::{FutureExt, StreamExt};
use tokio::{
    sync::{Mutex, Notify},
    time::timeout,
};

use super::{Postgres, bounded, lease::statements::fence, statements as flavour};
use crate::{
    lease::Token,
    outbox::{Error, Outbox, Pending, Stamped},
};

#[path = "../outbox/statements.rs"]
pub(super) mod statements;

/// What is not numbered yet is in small indexes of its own. Whether somebody sleeps, nobody need know after a crash.
pub(super) const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS outbox (id TEXT COLLATE \"C\" PRIMARY KEY, subject TEXT COLLATE \"C\" NOT NULL,
        version BIGINT NOT NULL, kind TEXT NOT NULL, body TEXT NOT NULL, sequence BIGINT,
        stored_at BIGINT NOT NULL DEFAULT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint);
    CREATE UNIQUE INDEX IF NOT EXISTS outbox_by_sequence ON outbox (sequence) WHERE sequence IS NOT NULL;
    CREATE INDEX IF NOT EXISTS outbox_unstamped ON outbox (id) WHERE sequence IS NULL;
    CREATE INDEX IF NOT EXISTS outbox_unstamped_by_subject ON outbox (subject, version) WHERE sequence IS NULL;
    CREATE TABLE IF NOT EXISTS outbox_sent (up_to BIGINT PRIMARY KEY, at BIGINT NOT NULL);
    CREATE UNLOGGED TABLE IF NOT EXISTS outbox_sleeper (id INTEGER PRIMARY KEY CHECK (id = 0), asleep BOOLEAN NOT NULL)";

/// The channel is one of the whole database, where each service has a schema.
const SIGNAL: &str = "SELECT pg_notify('outbox_' || current_schema(), '') FROM outbox_sleeper WHERE asleep";
const LISTEN: &str = "DO $$ BEGIN EXECUTE format('LISTEN %I', 'outbox_' || current_schema()); END $$";
const FALL_ASLEEP: &str =
    "INSERT INTO outbox_sleeper (id, asleep) VALUES (0, true) ON CONFLICT (id) DO UPDATE SET asleep = true";
const WAKE_UP: &str = "UPDATE outbox_sleeper SET asleep = false WHERE asleep";

/// How those who append wake the one who sends.
#[derive(Default)]
pub(super) struct Signal {
    here: Notify,
    /// A signal to other processes is about to be sent, and tells of whatever is committed until then.
    is_due: AtomicBool,
    /// Where signals of other processes arrive.
    listener: Mutex<Option<AsyncPgConnection>>,
}

/// Runs a statement function in a transaction.
macro_rules! transact {
    ($db:expr, $statement:ident($($argument:expr),*)) => {
        bounded(async {
            let mut connection = $db.connection().await?;
            connection.transaction(async |connection| statements::$statement(connection, $($argument),*).await).await
        })
        .await
    };
}

#[async_trait]
impl Outbox for Postgres {
    async fn stamp(&self, token: Token, most: usize) -> Result<usize, Error> {
        let look = async { statements::has_unstamped(&mut *self.connection().await?).await };
        if !bounded(look).await? {
            return Ok(0);
        }
        transact!(self, stamp(token, most))
    }

    async fn unsent(&self, most: usize) -> Result<Vec<Stamped>, crate::Error> {
        transact!(self, unsent(most))
    }

    async fn sent(&self, token: Token, up_to: i64) -> Result<(), Error> {
        transact!(self, sent(token, up_to))
    }

    async fn resend(&self, token: Token, within: Duration) -> Result<(), Error> {
        transact!(self, resend(token, within))
    }

    async fn forget(&self, keep: Duration) -> Result<usize, crate::Error> {
        transact!(self, forget(keep))
    }

    async fn pending(&self) -> Result<Pending, crate::Error> {
        transact!(self, pending())
    }

    fn wake(&self) {
        self.signal.here.notify_one();
        // Whoever has the listener sleeps right here.
        if self.signal.listener.try_lock().is_err() || self.signal.is_due.swap(true, Ordering::SeqCst) {
            return;
        }
        let here = self.clone();
        // Nobody waits for its end: who is not told looks by itself a second later.
        tokio::spawn(async move {
            if let Err(error) = bounded(here.tell_others()).await {
                here.signal.is_due.store(false, Ordering::SeqCst);
                tracing::debug!(%error, "nobody was told that the outbox is not empty");
            }
        });
    }

    async fn sleep(&self, patience: Duration) {
        let mut listener = self.signal.listener.lock().await;
        match self.fall_asleep(&mut listener).await {
            Ok(Asleep::Yes(connection)) => {
                let is_sound = timeout(patience, self.woken(connection)).await.unwrap_or(true);
                if !is_sound {
                    *listener = None;
                }
                // Where that fails somebody is told who does not sleep.
                if let Ok(mut connection) = self.connection().await {
                    let _ = connection.batch_execute(WAKE_UP).await;
                }
            }
            Ok(Asleep::No) => {}
            Err(error) => {
                tracing::debug!(%error, "the outbox is looked at from time to time");
                *listener = None;
                let _ = timeout(patience, self.signal.here.notified()).await;
            }
        }
    }
}

enum Asleep<'a> {
    /// On the connection where signals arrive.
    Yes(&'a mut AsyncPgConnection),
    /// There is work to do already.
    No,
}

impl Postgres {
    async fn tell_others(&self) -> Result<(), crate::Error> {
        let mut connection = self.connection().await?;
        // What is committed from here on wants another signal.
        self.signal.is_due.store(false, Ordering::SeqCst);
        Ok(connection.batch_execute(SIGNAL).await?)
    }

    async fn fall_asleep<'a>(&self, listener: &'a mut Option<AsyncPgConnection>) -> Result<Asleep<'a>, crate::Error> {
        // The schema is there from here on.
        let mut connection = self.connection().await?;
        let listening = match listener {
            Some(connection) => connection,
            None => {
                let own = self.pool.dedicated().await;
                let mut own = own.map_err(|error| crate::Error::Unavailable(error.into()))?;
                own.batch_execute(LISTEN).await?;
                listener.insert(own)
            }
        };
        connection.batch_execute(FALL_ASLEEP).await?;
        // Who has committed before that may not have seen it.
        let is_awaited = statements::has_unstamped(&mut connection).await?;
        Ok(if is_awaited { Asleep::No } else { Asleep::Yes(listening) })
    }

    /// Ends when somebody has appended something; false where the connection on which others say so broke.
    async fn woken(&self, connection: &mut AsyncPgConnection) -> bool {
        // Looked at again after its end, which a connection that broke before comes to at once.
        let mut signals = pin!(connection.notifications_stream().fuse());
        tokio::select! {
            () = self.signal.here.notified() => true,
            signal = signals.next() => {
                // Several for one sleep are as good as one.
                while let Some(Some(Ok(_))) = signals.next().now_or_never() {}
                matches!(signal, Some(Ok(_)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Instant};

    use diesel::{result::Error as DieselError, sql_query, sql_types::Bool};
    use diesel_async::RunQueryDsl;
    use diesel_migrations::EmbeddedMigrations;

    use super::{statements::append, *};
    use crate::{
        outbox::{
            Message,
            contract::{
                Acts, Fresh, Process, leads, message, outbox_contract, relays_at_once_number_each_message_once,
            },
        },
        postgres::scratch::Database,
    };

    const PATIENCE: Duration = Duration::from_secs(30);

    #[async_trait]
    impl Acts for Postgres {
        async fn act(&self, messages: Vec<Message>, ends_well: bool) {
            let mut connection = self.connection().await.expect("connects");
            let act = connection.transaction(async |connection| {
                append(connection, &messages).await?;
                if ends_well { Ok(()) } else { Err(DieselError::RollbackTransaction) }
            });
            assert_eq!(act.await.is_ok(), ends_well);
        }
    }

    fn open(database: &Database) -> Arc<Postgres> {
        let migrations = || EmbeddedMigrations::new(&[]);
        Arc::new(Postgres::connect("test", "test", &database.url(), migrations).expect("a URL"))
    }

    fn process(db: &Arc<Postgres>) -> Process {
        Process { outbox: Arc::clone(db) as _, leases: Arc::clone(db) as _, acts: Arc::clone(db) as _ }
    }

    async fn fresh() -> Fresh {
        let database = Database::create().await;
        Fresh { one: process(&open(&database)), other: process(&open(&database)), _keep: Box::new(database) }
    }

    outbox_contract!(fresh);

    #[tokio::test(flavor = "multi_thread")]
    async fn of_relays_at_once_none_numbers_what_another_has() {
        relays_at_once_number_each_message_once(fresh().await).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_begun_first_and_committed_last_is_numbered_when_it_is_there() {
        let database = Database::create().await;
        let db = open(&database);
        let token = leads(&process(&db), Duration::from_secs(600)).await;
        let mut slow = db.connection().await.expect("connects");
        slow.batch_execute("BEGIN").await.expect("begins");
        append(&mut slow, &[message(1, "a", 1)]).await.expect("appends");
        db.act(vec![message(2, "b", 1)], true).await;
        assert_eq!(db.stamp(token, 10).await.expect("stamps"), 1);
        db.sent(token, 1).await.expect("notes");
        assert_eq!(db.stamp(token, 10).await.expect("stamps"), 0, "it is not there yet");
        slow.batch_execute("COMMIT").await.expect("commits");
        assert_eq!(db.stamp(token, 10).await.expect("stamps"), 1);
        let unsent = db.unsent(10).await.expect("answers");
        assert_eq!(unsent.iter().map(|s| (s.sequence, s.message.id.as_u128())).collect::<Vec<_>>(), [(2, 1)]);
    }

    /// Polls until somebody says to be asleep.
    async fn asleep(db: &Postgres) {
        #[derive(diesel::QueryableByName)]
        struct Row {
            #[diesel(sql_type = Bool)]
            asleep: bool,
        }

        let begin = Instant::now();
        loop {
            let mut connection = db.connection().await.expect("connects");
            let rows: Vec<Row> =
                sql_query("SELECT asleep FROM outbox_sleeper").load(&mut connection).await.expect("reads");
            if rows.iter().any(|row| row.asleep) {
                return;
            }
            assert!(begin.elapsed() < PATIENCE, "nobody falls asleep");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn an_act_of_another_process_wakes_who_sleeps_time_and_again() {
        let database = Database::create().await;
        let (one, other) = (open(&database), open(&database));
        let token = leads(&process(&one), Duration::from_secs(600)).await;
        for number in 1..=3 {
            let sleeper = Arc::clone(&one);
            let slept = tokio::spawn(async move { sleeper.sleep(Duration::from_secs(600)).await });
            asleep(&other).await;
            other.act(vec![message(number, "a", number as i64)], true).await;
            other.wake();
            tokio::time::timeout(PATIENCE, slept).await.expect("wakes").expect("no panic");
            assert_eq!(one.stamp(token, 10).await.expect("stamps"), 1);
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn who_lost_the_connection_that_signals_come_by_gets_another() {
        let database = Database::create().await;
        let (one, other) = (open(&database), open(&database));
        let sleep = |patience| {
            let sleeper = Arc::clone(&one);
            tokio::spawn(async move { sleeper.sleep(Duration::from_secs(patience)).await })
        };
        let slept = sleep(600);
        asleep(&other).await;
        database.terminate().await;
        tokio::time::timeout(PATIENCE, slept).await.expect("wakes").expect("no panic");
        let begin = Instant::now();
        // What was said of before may still stand there.
        loop {
            let slept = sleep(1);
            other.wake();
            tokio::time::timeout(PATIENCE, slept).await.expect("wakes").expect("no panic");
            if one.signal.listener.lock().await.is_some() {
                return;
            }
            assert!(begin.elapsed() < PATIENCE, "nobody listens");
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn who_was_awake_when_that_connection_broke_gets_another_too() {
        let database = Database::create().await;
        let (one, other) = (open(&database), open(&database));
        let sleep = |patience| {
            let sleeper = Arc::clone(&one);
            tokio::spawn(async move { sleeper.sleep(Duration::from_secs(patience)).await })
        };
        let slept = sleep(600);
        asleep(&other).await;
        one.wake();
        tokio::time::timeout(PATIENCE, slept).await.expect("wakes").expect("no panic");
        // A signal, and after it the end: the first of the two sleeps takes both.
        let mut connection = other.connection().await.expect("connects");
        connection.batch_execute("SELECT pg_notify('outbox_' || current_schema(), '')").await.expect("signals");
        drop(connection);
        database.terminate().await;
        let begin = Instant::now();
        while one.signal.listener.lock().await.is_some() {
            tokio::time::timeout(PATIENCE, sleep(1)).await.expect("wakes").expect("no panic");
            assert!(begin.elapsed() < PATIENCE, "the broken connection is kept");
        }
    }
}
