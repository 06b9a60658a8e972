//! From the outbox of a service to the log: of all its replicas the one that has the lease.
//!
//! It numbers what it sees, publishes in that order, and then notes how far it has come: so one that dies in between
//! publishes some again, under their numbers, and nothing is left out. What was published in the last [`LOOK_BACK`] is
//! published again after an error of the log, and by a new holder of the lease, who does not know what the one before saw.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use storage::{
    lease::{Lease, Token},
    outbox::{self, Outbox, Stamped},
};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::{
    event::Event,
    log::{self, LOOK_BACK, SharedLog},
};

/// Events that are numbered, and published, at once.
const BATCH: usize = 500;
/// Between two batches that are not full: three transactions a batch cost more than what is in it where there is little.
const LINGER: Duration = Duration::from_millis(10);
/// How often it looks although nobody wakes it.
pub(crate) const LOOK: Duration = Duration::from_secs(1);
/// How long it works before it says that all is well.
const SHIFT: Duration = Duration::from_secs(10);

/// Why the relay stopped; it is to be run again.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the outbox is not emptied")]
    Outbox(#[from] outbox::Error),
    #[error("the log takes no events")]
    Log(#[from] log::Error),
    /// A bug: it stays, with all that came after it.
    #[error("event {sequence} is no event")]
    NoEvent { sequence: i64, source: serde_json::Error },
}

impl From<storage::Error> for Error {
    fn from(error: storage::Error) -> Self {
        Self::Outbox(error.into())
    }
}

/// What empties an outbox.
pub struct Relay {
    outbox: Arc<dyn Outbox>,
    log: SharedLog,
    lease: Lease,
    shutdown: CancellationToken,
    /// Under which lease the log has not failed yet.
    sound: Mutex<Option<Token>>,
}

impl Relay {
    pub fn new(outbox: Arc<dyn Outbox>, log: SharedLog, lease: Lease, shutdown: CancellationToken) -> Self {
        Self { outbox, log, lease, shutdown, sound: Mutex::default() }
    }

    /// Publishes all there is and all that comes, for ten seconds; until `shutdown`, or until this replica has lost the
    /// lease, if that is sooner. To be called by a background task, again and again.
    pub async fn run(&self) -> Result<String, Error> {
        let (mut published, end) = (0, Instant::now() + SHIFT);
        while Instant::now() < end
            && !self.shutdown.is_cancelled()
            && let Some(token) = self.lease.token()
        {
            let batch = self.publish(token).await.inspect_err(|_| self.set_sound(None))?;
            let _: Option<()> = match batch {
                0 => self.shutdown.run_until_cancelled(self.outbox.sleep(LOOK)).await,
                1..BATCH => self.shutdown.run_until_cancelled(sleep(LINGER)).await,
                _ => None,
            };
            published += batch;
        }
        Ok(format!("published {published}"))
    }

    /// Publishes a batch. How many it were.
    async fn publish(&self, token: Token) -> Result<usize, Error> {
        if self.sound() != Some(token) {
            self.outbox.resend(token, LOOK_BACK).await?;
            self.set_sound(Some(token));
        }
        self.outbox.stamp(token, BATCH).await?;
        let stamped = self.outbox.unsent(BATCH).await?;
        let Some(last) = stamped.last().map(|stamped| stamped.sequence) else { return Ok(0) };
        let events = stamped.iter().map(event).collect::<Result<Vec<_>, _>>()?;
        self.log.publish(&events).await?;
        self.outbox.sent(token, last).await?;
        Ok(events.len())
    }

    fn sound(&self) -> Option<Token> {
        *self.sound.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_sound(&self, under: Option<Token>) {
        *self.sound.lock().unwrap_or_else(PoisonError::into_inner) = under;
    }
}

fn event(Stamped { sequence, message }: &Stamped) -> Result<Event, Error> {
    let no_event = |source| Error::NoEvent { sequence: *sequence, source };
    Ok(Event::from_json(message.body.as_bytes()).map_err(no_event)?.stamped(sequence.unsigned_abs()))
}

#[cfg(test)]
mod tests {
    use diesel_migrations::EmbeddedMigrations;
    use proto::events::PostCreated;
    use storage::{
        DataDir,
        outbox::Message,
        sqlite::{self, Sqlite},
    };

    use super::*;
    use crate::{Audience, Follower, Start, Topology, embedded, follow::Sequences};

    const PATIENCE: Duration = Duration::from_secs(30);

    fn message(number: u64) -> Message {
        let event = Event::new(format!("thing-{}", number % 7), number, Audience::All, None, &PostCreated::default());
        event.and_then(Event::into_message).expect("for all")
    }

    async fn append(db: &Sqlite, messages: Vec<Message>) {
        let act = db.write(move |connection| {
            let appended = storage::sql::immediately(sqlite::append(connection, &messages));
            Ok::<_, sqlite::Error>(appended?)
        });
        act.await.expect("appends");
        db.wake();
    }

    /// Two relays of one service: the first one dies with its lease, the other goes on; nothing is missing or twice.
    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_appended_is_followed_once_and_in_order_whoever_relays() {
        let directory = tempfile::tempdir().expect("directory");
        let data_dir = DataDir::open(directory.path(), true).expect("ours");
        let db = Sqlite::open(&data_dir, "test.db", EmbeddedMigrations::new(&[])).expect("opens");
        let log: SharedLog = Arc::new(
            embedded::Embedded::open(&data_dir, Topology::capsim(), embedded::Lease::default()).expect("opens"),
        );
        let metrics = runtime::metrics::Metrics::new("test").expect("metrics");
        let replay = log.replay(Start::First).await.expect("replays");
        let counts = crate::Counts::new(metrics.meter());
        let mut follower = Follower::new(replay, Sequences::from_first(), counts);

        let mut seen = Vec::new();
        for (relay, numbers) in [("one", 1..=40), ("other", 41..=80)] {
            let lease = Lease::new(Arc::new(db.clone()), storage::lease::TASKS, relay);
            let shutdown = CancellationToken::new();
            lease.keep().await.expect("answers");
            assert!(lease.is_held(), "{relay}");
            let relay = Relay::new(Arc::new(db.clone()), Arc::clone(&log), lease.clone(), shutdown.clone());
            let running = {
                let shutdown = shutdown.clone();
                tokio::spawn(async move {
                    while !shutdown.is_cancelled() {
                        relay.run().await.expect("publishes");
                    }
                })
            };
            let expected = *numbers.end() as usize;
            for number in numbers {
                append(&db, vec![message(number)]).await;
            }
            while seen.len() < expected {
                let next = tokio::time::timeout(PATIENCE, follower.next(100)).await.expect("in time");
                seen.extend(next.expect("reads").into_iter().map(|entry| entry.event));
            }
            shutdown.cancel();
            running.await.expect("ends well");
            lease.release().await;
        }
        assert!(seen.iter().map(|event| event.sequence).eq((1..=80).map(Some)));
        for subject in 0..7 {
            let subject = format!("thing-{subject}");
            let versions: Vec<_> = seen.iter().filter(|e| e.subject == subject).map(|e| e.version).collect();
            assert!(versions.is_sorted(), "{subject}: {versions:?}");
        }
        let metrics = metrics.render().expect("text");
        assert!(!metrics.lines().any(|line| line.starts_with("events_missing_total{")), "{metrics}");
    }
}
