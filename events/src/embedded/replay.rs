//! Readers of the embedded log.

use async_trait::async_trait;
use chrono::DateTime;
use tokio::{sync::watch, time::timeout};

use super::{Embedded, POLL, statements};
use crate::{
    event::Event,
    log::{Entry, Error, Position, Replay, Start},
    patience::Patience,
};

/// Entries that are read at once at most.
const BATCH: usize = 256;

pub(super) struct Reader {
    log: Embedded,
    news: watch::Receiver<()>,
    /// What was read last.
    position: i64,
    patience: Patience,
}

impl Reader {
    pub(super) async fn open(log: Embedded, start: Start) -> Result<Self, Error> {
        let news = log.0.news.subscribe();
        let position = match start {
            Start::First => 0,
            Start::After(Position(position)) => i64::try_from(position).map_err(Error::failed)?,
            Start::Since(time) => log.0.db.read(|connection| statements::before(connection, time)).await?,
            Start::Next => log.0.db.read(statements::newest).await?,
        };
        Ok(Self { log, news, position, patience: Patience::default() })
    }

    async fn read(&mut self, most: usize) -> Result<Vec<Entry>, Error> {
        let most = i64::try_from(most.min(BATCH)).map_err(Error::failed)?;
        self.news.borrow_and_update();
        let rows = self.log.0.db.read(|connection| statements::after(connection, self.position, most)).await?;
        if let Some(last) = rows.last() {
            self.position = last.position;
        }
        Ok(rows.into_iter().filter_map(entry).collect())
    }
}

#[async_trait]
impl Replay for Reader {
    async fn next(&mut self, most: usize) -> Result<Vec<Entry>, Error> {
        loop {
            self.patience.pause().await;
            match self.read(most).await {
                Ok(entries) if entries.is_empty() => {
                    self.patience.regain();
                    // The sender lives as long as the log does, which is ours.
                    let _ = timeout(POLL, self.news.changed()).await;
                }
                Ok(entries) => {
                    self.patience.regain();
                    return Ok(entries);
                }
                Err(error) if self.patience.lose() => return Err(error),
                Err(_) => {}
            }
        }
    }
}

/// What cannot be read is no reason not to read the rest: whoever counts sees that one is missing.
pub(super) fn entry(row: statements::EntryRow) -> Option<Entry> {
    let event = Event::from_json(row.event.as_bytes());
    let event =
        event.inspect_err(|error| tracing::error!(position = row.position, %error, "the log has what is no event"));
    Some(Entry {
        position: Position(row.position.unsigned_abs()),
        published_at: DateTime::from_timestamp_micros(row.published_at).unwrap_or_default(),
        event: event.ok()?,
    })
}
