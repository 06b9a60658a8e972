//! One live stream, from the first byte to the last.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::{Stream, stream};
use runtime::identity::Claims;
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};

use super::{
    Live,
    seats::Seat,
    window::{Batch, Window},
};
use crate::error::Problem;

/// Between two looks whether the token is still good, at most: with the time that its end needs to get here, which is 300 ms
/// mostly, a stream ends within a second of it.
const LOOK: Duration = Duration::from_millis(500);
/// With nothing to say for so long a comment is sent, so that what is between here and the reader keeps the connection.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// The oldest that a stream gets, and up to an eighth less, so that connections can be renewed and not all at once.
const AGE: Duration = Duration::from_secs(3600);

/// What a reader has, as `Last-Event-ID` says it: an epoch and a number. What is no such thing is of an unknown epoch.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    epoch: String,
    number: u64,
}

impl Place {
    pub(crate) fn parse(text: &str) -> Self {
        let parts = text.trim().rsplit_once(':');
        let place = parts.and_then(|(epoch, number)| Some((epoch.to_owned(), number.parse().ok()?)));
        let (epoch, number) = place.unwrap_or_else(|| ("unknown".to_owned(), 0));
        Self { epoch, number }
    }
}

/// Whoever reads.
pub(crate) struct Reader {
    live: Arc<Live>,
    _seat: Seat,
    claims: Arc<Claims>,
    /// The only type that is wanted, where one is.
    kind: Option<String>,
    windows: watch::Receiver<Option<Arc<Window>>>,
    epoch: Arc<str>,
    /// Of the newest entry that it has.
    at: u64,
    /// To be told before all else.
    notice: Option<Bytes>,
    /// What it missed, as the feed has it now.
    missed: VecDeque<Arc<Batch>>,
    /// With that it has all up to this number.
    missed_to: u64,
    /// There is more than that.
    is_behind: bool,
    /// When to look next whether it may go on.
    look: Instant,
    /// When to send a comment.
    heartbeat: Instant,
    ends: Instant,
}

impl Reader {
    /// Begins with what comes, or goes on from a place: 429 and 503 where there are too many, 503 where nothing is live.
    pub(crate) async fn open(
        live: &Arc<Live>,
        claims: Arc<Claims>,
        from: Option<Place>,
        kind: Option<String>,
    ) -> Result<Self, Problem> {
        let seat = live.seats.take(claims.sub)?;
        let mut windows = live.windows.subscribe();
        let window = windows.borrow_and_update().clone().ok_or_else(Live::not_live)?;
        let now = Instant::now();
        let mut reader = Self {
            live: Arc::clone(live),
            _seat: seat,
            ends: now + AGE - AGE / 8 * u32::from(claims.jti.as_bytes()[0]) / 256,
            claims,
            kind,
            windows,
            epoch: Arc::clone(&window.epoch),
            at: window.to,
            notice: None,
            missed: VecDeque::new(),
            missed_to: 0,
            is_behind: false,
            look: now + LOOK,
            heartbeat: now + HEARTBEAT,
        };
        if let Some(Place { epoch, number }) = from.filter(|at| *at.epoch != *window.epoch || at.number != window.to) {
            reader.catch_up(&epoch, number).await?;
        }
        // So that who is cut off before the first event knows where to go on from.
        reader.notice = reader.notice.take().or_else(|| Some(reader.comment()));
        Ok(reader)
    }

    /// The body of its answer.
    pub(crate) fn into_stream(self) -> impl Stream<Item = Result<Bytes, std::convert::Infallible>> + Send {
        stream::unfold(self, |mut reader| async { Some((Ok(reader.next().await?), reader)) })
    }

    /// The next bytes; `None` at the end.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            let now = Instant::now();
            if now >= self.look {
                if !self.live.verifier.is_good(&self.claims) || now >= self.ends {
                    return None;
                }
                self.look = now + LOOK;
            }
            if self.live.shutdown.is_cancelled() {
                return None;
            }
            let text = self.news().await?;
            if !text.is_empty() {
                self.heartbeat = now + HEARTBEAT;
                return Some(text);
            }
            if now >= self.heartbeat {
                self.heartbeat = now + HEARTBEAT;
                return Some(self.comment());
            }
            tokio::select! {
                () = self.live.shutdown.cancelled() => return None,
                changed = self.windows.changed() => changed.ok()?,
                () = sleep_until(self.look.min(self.heartbeat)) => {}
            }
        }
    }

    /// What there is to be told now, empty where there is nothing; `None` where the stream is over.
    async fn news(&mut self) -> Option<Bytes> {
        if let Some(notice) = self.notice.take() {
            return Some(notice);
        }
        loop {
            let missed = self.missed.pop_front();
            if missed.is_none() {
                // What comes last may have been deleted.
                self.at = self.at.max(self.missed_to);
            }
            let batch = match missed {
                Some(batch) => batch,
                None if self.is_behind => {
                    let epoch = Arc::clone(&self.epoch);
                    // Boxed, since a stream that waits for news would be as large as a call.
                    Box::pin(self.catch_up(&epoch, self.at)).await.ok()?;
                    match self.notice.take() {
                        Some(notice) => return Some(notice),
                        None => continue,
                    }
                }
                None => {
                    let window = self.windows.borrow_and_update().clone()?;
                    if window.epoch != self.epoch {
                        (self.epoch, self.at, self.missed_to) = (Arc::clone(&window.epoch), window.to, 0);
                        return Some(self.reset());
                    }
                    // Who has been told by the feed of what this gateway has not heard yet is ahead of the window.
                    let Some(batch) = window.next(self.at).ok()? else {
                        self.at = self.at.max(window.to);
                        return Some(Bytes::new());
                    };
                    Arc::clone(batch)
                }
            };
            let text = batch.after(self.at, self.kind.as_deref());
            self.at = batch.to;
            if !text.is_empty() {
                return Some(text);
            }
        }
    }

    /// Asks the feed for what comes after a number: what was deleted since, or closed, is not in it.
    async fn catch_up(&mut self, epoch: &str, number: u64) -> Result<(), Problem> {
        let answer = self.live.catch_up(epoch, number).await?;
        let view = answer.view.unwrap_or_default();
        if *view.epoch != *self.epoch {
            self.epoch = view.epoch.as_str().into();
        }
        if answer.reset {
            (self.at, self.missed_to, self.is_behind) = (answer.number, answer.number, false);
            self.notice = Some(self.reset());
            return Ok(());
        }
        self.missed = Batch::of(&view.epoch, answer.activities).into();
        (self.at, self.missed_to, self.is_behind) = (number, answer.number, answer.number < view.number);
        Ok(())
    }

    /// What it has is not to be gone on from: it is to read what there is, and is told what comes after that.
    fn reset(&self) -> Bytes {
        let (epoch, at) = (&self.epoch, self.at);
        format!("id: {epoch}:{at}\nevent: reset\ndata: {{\"lastEventId\":\"{epoch}:{at}\"}}\n\n").into()
    }

    /// Of no event, and yet the id counts (HTML, section 9.2.6): who wants one type alone is not left behind.
    fn comment(&self) -> Bytes {
        format!(":\nid: {}:{}\n\n", self.epoch, self.at).into()
    }
}

#[cfg(test)]
mod tests;
