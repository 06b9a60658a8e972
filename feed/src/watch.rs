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
    store::{Read, Store},
    view::List,
};

/// Between two messages at least; and how often what another process has applied is looked for.
const PACE: Duration = Duration::from_millis(50);
/// Between two messages at most, so that who watches sees that it is live.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// Entries in one message at most.
const BATCH: u64 = 256;

/// Whoever watches, and how far they are.
struct Watcher {
    store: Arc<dyn Store>,
    news: Receiver<()>,
    shutdown: CancellationToken,
    /// What they have; `None` before the first message to who begins with what comes.
    at: Option<(Uuid, u64)>,
    sent: Option<Instant>,
    is_over: bool,
}

/// What comes after a number of an epoch, or from now on.
pub(crate) fn watch(
    store: Arc<dyn Store>,
    from: Option<(Uuid, u64)>,
    shutdown: CancellationToken,
) -> impl Stream<Item = Result<pb::WatchResponse, Status>> + Send {
    let watcher =
        Watcher { news: store.news(), store, shutdown: shutdown.clone(), at: from, sent: None, is_over: false };
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
        if let Some(sent) = self.sent {
            sleep_until(sent + PACE).await;
        }
        loop {
            self.news.borrow_and_update();
            let after = self.at.map_or(u64::MAX, |(_, number)| number);
            let message = match self.store.after(after, BATCH).await {
                Ok(read) => self.message(read),
                Err(error) => {
                    self.is_over = true;
                    return Some(Err(refuse(error.into())));
                }
            };
            let now = Instant::now();
            let is_due = self.sent.is_none_or(|sent| now >= sent + HEARTBEAT);
            if is_due || message.reset || !message.activities.is_empty() {
                self.sent = Some(now);
                return Some(Ok(message));
            }
            // The sender lives as long as the store does, which is ours.
            let _ = timeout_at(now + PACE, self.news.changed()).await;
        }
    }

    /// What to say of what was read; with that they have it.
    fn message(&mut self, Read { head, found, .. }: Read<Vec<crate::entry::Listed>>) -> pb::WatchResponse {
        let known = self.at.is_none_or(|(epoch, number)| {
            epoch == head.epoch && number <= head.number && head.number - number <= List::PUBLIC
        });
        let activities: Vec<_> = if known { found } else { Vec::new() }.into_iter().map(convert::activity).collect();
        // The newest may have been deleted.
        let number = match activities.last() {
            Some(last) if activities.len() as u64 == BATCH => last.number,
            _ => head.number,
        };
        self.at = Some((head.epoch, number));
        pb::WatchResponse { activities, reset: !known, epoch: head.epoch.to_string(), number }
    }
}
