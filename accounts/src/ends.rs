//! How the end of a token reaches everybody: each replica looks at the store all the time, and tells whoever watches.

use std::{sync::Arc, time::Duration};

use chrono::DateTime;
use kernel::time;
use proto::accounts as pb;
use runtime::identity::{News, Verifier};
use tokio::sync::{Notify, broadcast, mpsc};
use tokio_util::sync::CancellationToken;
use tonic::Status;
use uuid::Uuid;

use crate::{Store, store};

/// How often the store is looked at, unless something ended right here; with the way to whoever watches well within the
/// second after which a token is refused everywhere, and within `runtime::identity::ended::HEARTBEAT`.
const INTERVAL: Duration = Duration::from_millis(200);
/// How far back each look goes: a transaction may commit later than it took its time, and clocks of replicas differ.
const OVERLAP: Duration = Duration::from_secs(60);
/// How often expired tokens are swept, and how many at once.
const SWEEP: (Duration, i64) = (Duration::from_secs(60), 500);
/// News that wait for one who watches; who lags behind more is sent away, and begins anew.
const QUEUE: usize = 64;

/// What one replica knows of the ends of tokens, and who wants to know.
pub(crate) struct Ends {
    store: Store,
    verifier: Verifier,
    news: broadcast::Sender<Arc<News>>,
    looks: Notify,
}

impl Ends {
    pub(crate) fn new(store: Store, verifier: Verifier) -> Self {
        Self { store, verifier, news: broadcast::Sender::new(QUEUE), looks: Notify::new() }
    }

    /// Something ended right here: look at once.
    pub(crate) fn look(&self) {
        self.looks.notify_one();
    }

    /// Looks until `shutdown`.
    pub(crate) async fn follow(&self, shutdown: CancellationToken) {
        let mut since = DateTime::UNIX_EPOCH;
        let mut swept = tokio::time::Instant::now();
        while !shutdown.is_cancelled() {
            let begin = time::now();
            match self.store.ended_since(since.timestamp_micros()).await {
                Ok(ended) => {
                    let news = self.verifier.ended().learn(known(ended), self.verifier.clock().unix_seconds());
                    // Also where there are none: that says so. An error means that nobody watches.
                    let _ = self.news.send(Arc::new(news));
                    since = begin - OVERLAP;
                }
                // Whoever watches hears nothing, and knows what that means.
                Err(error) => tracing::debug!(%error, "cannot tell which tokens have ended"),
            }
            if swept.elapsed() > SWEEP.0 {
                swept = tokio::time::Instant::now();
                self.sweep().await;
            }
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = self.looks.notified() => {}
                () = tokio::time::sleep(INTERVAL) => {}
            }
        }
    }

    /// All that is known, and then all that comes, until whoever watches goes away or lags behind.
    pub(crate) fn watch(&self) -> mpsc::Receiver<Result<pb::WatchEndedResponse, Status>> {
        let (sender, receiver) = mpsc::channel(1);
        let mut news = self.news.subscribe();
        let ended = self.verifier.ended().clone();
        tokio::spawn(async move {
            // Nothing is known before the first look: what is missing then comes with it.
            let mut next = Arc::new(ended.all());
            while sender.send(Ok(message(&next))).await.is_ok() {
                next = tokio::select! {
                    news = news.recv() => match news {
                        Ok(news) => news,
                        Err(_) => break,
                    },
                    () = sender.closed() => break,
                };
            }
        });
        receiver
    }

    async fn sweep(&self) {
        let now = self.verifier.clock().unix_seconds();
        if let Err(error) = self.store.sweep(now, SWEEP.1).await {
            tracing::debug!(%error, "expired tokens are not swept");
        }
    }
}

fn known(ended: store::Ended) -> News {
    let pairs = |rows: Vec<(String, i64)>| {
        rows.into_iter().filter_map(|(id, number)| Some((id.parse::<Uuid>().ok()?, number))).collect()
    };
    News { tokens: pairs(ended.tokens), generations: pairs(ended.generations) }
}

fn message(news: &News) -> pb::WatchEndedResponse {
    let token = |(id, expires_at): &(Uuid, i64)| pb::EndedToken { id: id.to_string(), expires_at: *expires_at };
    let generation =
        |(id, generation): &(Uuid, i64)| pb::Generation { user_id: id.to_string(), generation: *generation };
    pb::WatchEndedResponse {
        tokens: news.tokens.iter().map(token).collect(),
        generations: news.generations.iter().map(generation).collect(),
    }
}
