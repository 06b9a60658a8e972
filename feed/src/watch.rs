//! What happens, as it happens.
//!
//! Whoever watches has no queue here: each reads the store for itself, when it has taken what it was given. So one that is
//! slow costs nothing, and after a while finds that what it wants is gone.

use std::{sync::Arc, time::Duration};

use futures_util::{Stream, stream};
use proto::feed as pb;
use runtime::status::refuse;
use tokio::{
    sync::watch::Receiver,
    time::{Instant, sleep_until, timeout_at},
};
use tokio_util::sync::CancellationToken;
use tonic::Status;
use uuid::Uuid;

use crate::{
    convert,
    entry::Listed,
    store::{Read, Store},
    view::List,
};

/// Between two messages at least, but after a full one; and how often what another process has applied is looked for.
const PACE: Duration = Duration::from_millis(50);
/// Between two messages at most, so that who watches sees that it is live, and how far the views are behind.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// Entries in one message at most: a page of the longest.
pub(crate) const BATCH: u64 = 100;

/// What somebody is told next.
#[derive(Debug)]
pub(crate) struct News {
    /// Oldest first.
    pub(crate) entries: Vec<Listed>,
    /// What they have is not to be gone on from.
    pub(crate) reset: bool,
    /// Of the newest that they have with this.
    pub(crate) number: u64,
}

impl News {
    /// To who has what there is up to a number of an epoch, or begins with what comes, of at most [`BATCH`] entries that were
    /// read after that.
    pub(crate) fn of(read: Read<Vec<Listed>>, at: Option<(Uuid, u64)>) -> Read<Self> {
        let Read { head, as_of, found } = read;
        let is_known = at.is_none_or(|(epoch, number)| {
            epoch == head.epoch && number <= head.number && head.number - number <= List::PUBLIC
        });
        let entries = if is_known { found } else { Vec::new() };
        let number = match entries.last() {
            Some(last) if entries.len() as u64 == BATCH => last.number,
            // The newest may have been deleted.
            _ => head.number,
        };
        Read { head, as_of, found: Self { entries, reset: !is_known, number } }
    }
}

/// Whoever watches, and how far they are.
struct Watcher {
    store: Arc<dyn Store>,
    log: &'static str,
    news: Receiver<()>,
    shutdown: CancellationToken,
    /// What they have; `None` before the first message to who begins with what comes.
    at: Option<(Uuid, u64)>,
    /// When the last message was sent, and how far the views were then.
    sent: Option<(Instant, u64)>,
    /// There was more than fits into it.
    was_full: bool,
    is_over: bool,
}

/// What comes after a number of an epoch, or from now on.
pub(crate) fn watch(
    store: Arc<dyn Store>,
    log: &'static str,
    from: Option<(Uuid, u64)>,
    shutdown: CancellationToken,
) -> impl Stream<Item = Result<pb::WatchResponse, Status>> + Send {
    let news = store.news();
    let watcher =
        Watcher { store, log, news, shutdown: shutdown.clone(), at: from, sent: None, was_full: false, is_over: false };
    stream::unfold(watcher, |mut watcher| async {
        let shutdown = watcher.shutdown.clone();
        let message = shutdown.run_until_cancelled(watcher.next()).await??;
        Some((message, watcher))
    })
}

impl Watcher {
    async fn next(&mut self) -> Option<Result<pb::WatchResponse, Status>> {
        if self.is_over {
            return None;
        }
        if let Some((sent, _)) = self.sent.filter(|_| !self.was_full) {
            sleep_until(sent + PACE).await;
        }
        loop {
            self.news.borrow_and_update();
            let after = self.at.map_or(u64::MAX, |(_, number)| number);
            let read = match self.store.after(after, BATCH).await {
                Ok(read) => News::of(read, self.at),
                Err(error) => {
                    self.is_over = true;
                    return Some(Err(refuse(error.into())));
                }
            };
            let (now, position) = (Instant::now(), read.head.position);
            // Also where what changed is for some, or is gone: who keeps copies of the views is to know.
            let is_due = self.sent.is_none_or(|(at, before)| before != position || now >= at + HEARTBEAT);
            if is_due || read.found.reset || !read.found.entries.is_empty() {
                self.at = Some((read.head.epoch, read.found.number));
                self.sent = Some((now, position));
                self.was_full = read.found.number < read.head.number;
                return Some(Ok(convert::watched(read, self.log)));
            }
            // The sender lives as long as the store does, which is ours.
            let _ = timeout_at(now + PACE, self.news.changed()).await;
        }
    }
}
