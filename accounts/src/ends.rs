//! How the end of a token reaches everybody: each replica looks at the store all the time, and tells whoever watches.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use chrono::{DateTime, Utc};
use futures_util::{Stream, StreamExt, stream};
use kernel::time;
use proto::accounts as pb;
use runtime::identity::{News, Verifier};
use storage::{
    sweep,
    sweep::{BATCH, Forgotten},
};
use tokio::sync::{Notify, broadcast};
use tokio_util::sync::CancellationToken;
use tonic::Status;
use uuid::Uuid;

use crate::{Store, store};

/// How often the store is looked at, unless something ended right here; with the way to whoever watches well within the
/// second after which a token is refused everywhere, and within `runtime::identity::ended::HEARTBEAT`.
pub(crate) const INTERVAL: Duration = Duration::from_millis(200);
/// How far back each look goes: a transaction may commit later than it took its time, and clocks of replicas differ.
const OVERLAP: Duration = Duration::from_secs(60);
/// News that wait for one who watches; who lags behind more is sent away, and begins anew.
const QUEUE: usize = 64;
/// Ends in one message at most: some 200 KB, of the 4 MB that tonic takes.
const CHUNK: usize = 4096;

/// What one replica knows of the ends of tokens, and who wants to know.
pub(crate) struct Ends {
    store: Store,
    verifier: Verifier,
    news: broadcast::Sender<Arc<News>>,
    looks: Arc<Notify>,
    since: Mutex<DateTime<Utc>>,
    shutdown: CancellationToken,
}

impl Ends {
    pub(crate) fn new(store: Store, verifier: Verifier, shutdown: CancellationToken) -> Self {
        Self {
            store,
            verifier,
            news: broadcast::Sender::new(QUEUE),
            looks: Arc::default(),
            since: Mutex::default(),
            shutdown,
        }
    }

    /// Something ended right here: look at once.
    pub(crate) fn look(&self) {
        self.looks.notify_one();
    }

    /// What makes it look at once.
    pub(crate) fn looks(&self) -> Arc<Notify> {
        Arc::clone(&self.looks)
    }

    /// Looks at the store, and tells whoever watches what has ended since the last time.
    pub(crate) async fn follow(&self) -> Result<&'static str, store::Error> {
        let begin = time::now();
        let since = *self.since.lock().unwrap_or_else(PoisonError::into_inner);
        // While this fails, whoever watches hears nothing, and knows what that means.
        let ended = self.store.ended_since(since.timestamp_micros()).await?;
        let news = self.verifier.ended().learn(known(ended), self.verifier.clock().unix_seconds());
        // Also where there are none: that says so. An error means that nobody watches.
        let _ = self.news.send(Arc::new(news));
        *self.since.lock().unwrap_or_else(PoisonError::into_inner) = begin - OVERLAP;
        Ok("looked")
    }

    /// All that is known, once this replica knows it, and then all that comes, until shutdown or until whoever watches
    /// lags behind.
    pub(crate) fn watch(&self) -> impl Stream<Item = Result<pb::WatchEndedResponse, Status>> + Send + use<> {
        let (news, ended, shutdown) = (self.news.subscribe(), self.verifier.ended().clone(), self.shutdown.clone());
        let told = stream::unfold((news, false), move |(mut news, knows_all)| {
            let (ended, shutdown) = (ended.clone(), shutdown.clone());
            async move {
                let said = if !knows_all && ended.is_current() {
                    Arc::new(ended.all())
                } else {
                    let latest = shutdown.run_until_cancelled(news.recv()).await?.ok()?;
                    if knows_all { latest } else { Arc::new(ended.all()) }
                };
                Some((said, (news, true)))
            }
        });
        told.flat_map(|news| stream::iter(messages(&news).map(Ok).collect::<Vec<_>>()))
    }

    /// Forgets expired tokens.
    pub(crate) async fn sweep(&self) -> Result<Forgotten, store::Error> {
        sweep(|| self.store.sweep(self.verifier.clock().unix_seconds(), BATCH as i64)).await
    }
}

fn known(ended: store::Ended) -> News {
    let pairs = |rows: Vec<(String, i64)>| {
        rows.into_iter().filter_map(|(id, number)| Some((id.parse::<Uuid>().ok()?, number))).collect()
    };
    News { tokens: pairs(ended.tokens), generations: pairs(ended.generations) }
}

/// One message for what is little, and for nothing.
fn messages(news: &News) -> impl Iterator<Item = pb::WatchEndedResponse> {
    let token = |(id, expires_at): &(Uuid, i64)| pb::EndedToken { id: id.to_string(), expires_at: *expires_at };
    let generation =
        |(id, generation): &(Uuid, i64)| pb::Generation { user_id: id.to_string(), generation: *generation };
    let count = news.tokens.len().max(news.generations.len()).div_ceil(CHUNK).max(1);
    (0..count).map(move |number| pb::WatchEndedResponse {
        tokens: news.tokens.iter().skip(number * CHUNK).take(CHUNK).map(token).collect(),
        generations: news.generations.iter().skip(number * CHUNK).take(CHUNK).map(generation).collect(),
        more: number + 1 < count,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn much_comes_in_parts_and_the_last_one_says_so() {
        let sizes = |tokens: usize, generations: usize| {
            let pairs = |count: usize| (0..count).map(|number| (Uuid::from_u128(number as u128), 1)).collect();
            let news = News { tokens: pairs(tokens), generations: pairs(generations) };
            messages(&news).map(|part| (part.tokens.len(), part.generations.len(), part.more)).collect::<Vec<_>>()
        };
        assert_eq!(sizes(0, 0), [(0, 0, false)]);
        assert_eq!(sizes(CHUNK, 1), [(CHUNK, 1, false)]);
        assert_eq!(sizes(1, CHUNK + 1), [(1, CHUNK, true), (0, 1, false)]);
    }
}
