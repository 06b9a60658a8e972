//! The one stream from the feed: of one replica, and of the next one where that falls silent.

use std::{convert::Infallible, sync::Arc, time::Duration};

use kernel::error::Chain;
use proto::{
    feed::{WatchRequest, WatchResponse, feed_client::FeedClient},
    time,
};
use tokio::time::{Instant, sleep, timeout};
use tonic::Status;
use upstream::ReplicaAddress;

use super::{
    ACTIVITY, Live, PATIENCE, Progress,
    window::{Batch, Window},
};
use crate::cache::ResponseCache;

/// A replica that says nothing for so long is gone: it says something each second.
const SILENCE: Duration = Duration::from_secs(3);
/// Between two replicas that both tell nothing: doubles from the first to the second.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(50), Duration::from_millis(500));

/// How far the stream is.
struct Follower {
    live: Arc<Live>,
    cache: Arc<ResponseCache>,
    /// Epoch and number of the newest entry that came; none before the first message.
    at: Option<(Arc<str>, u64)>,
    /// Of the views, by the last message of this stream.
    position: Option<u64>,
    heard: Instant,
}

/// Follows the feed at one of `replicas`, for `live`; what it shows is raised in `cache` whenever it changes.
pub(crate) async fn follow(replicas: Vec<ReplicaAddress>, live: Arc<Live>, cache: Arc<ResponseCache>) -> Infallible {
    let mut follower = Follower { live, cache, at: None, position: None, heard: Instant::now() };
    let mut backoff = BACKOFF.0;
    for address in replicas.iter().cycle() {
        let began = Instant::now();
        let why = match follower.listen(address).await {
            Ok(()) => "it closed the stream".to_owned(),
            Err(status) => Chain(&status).to_string(),
        };
        tracing::debug!(replica = ?address, why, "asking another replica of the feed");
        follower.lost();
        if follower.heard > began {
            backoff = BACKOFF.0;
        }
        sleep(backoff).await;
        backoff = (backoff * 2).min(BACKOFF.1);
    }
    // There are none.
    std::future::pending().await
}

impl Follower {
    async fn listen(&mut self, address: &ReplicaAddress) -> Result<(), Status> {
        let mut client = FeedClient::new(upstream::connect(address));
        let (epoch, after) = self.at.as_ref().map_or(("", 0), |(epoch, number)| (epoch, *number));
        let silent = |_| Status::deadline_exceeded("it says nothing");
        let watch = client.watch(WatchRequest { epoch: epoch.to_owned(), after });
        let mut stream = timeout(SILENCE, watch).await.map_err(silent)??.into_inner();
        self.position = None;
        while let Some(message) = timeout(SILENCE, stream.message()).await.map_err(silent)?? {
            self.take(message).await?;
        }
        Ok(())
    }

    async fn take(&mut self, message: WatchResponse) -> Result<(), Status> {
        let WatchResponse { activities, reset, number, view, log } = message;
        let view = view.ok_or_else(|| Status::internal("it sent no view"))?;
        // There are no views yet: somebody is about to make them.
        if view.epoch.is_empty() {
            return Ok(());
        }
        // Before who is told of it comes and reads.
        if reset || self.position != Some(view.position) {
            self.cache.invalidate(&[ACTIVITY]).await;
        }
        self.position = Some(view.position);
        self.heard = Instant::now();
        let as_of = view.as_of.as_ref().and_then(time::from_proto);
        self.live.progress.send_replace(Some(Progress { log, position: view.position, as_of }));
        self.live.set_current(true);
        let (epoch, before) = match self.at.take().filter(|(epoch, _)| !reset && **epoch == *view.epoch) {
            Some(at) => at,
            None => (view.epoch.as_str().into(), number),
        };
        let batches = Batch::of(&epoch, activities);
        self.at = Some((Arc::clone(&epoch), number));
        let window = self.live.windows.borrow().clone().filter(|window| !reset && window.epoch == epoch);
        if window.as_ref().is_none_or(|window| window.to != number) {
            let window = window.map_or_else(|| Window::beginning(epoch, before), Arc::unwrap_or_clone);
            self.live.windows.send_replace(Some(Arc::new(window.with(batches, number))));
        }
        Ok(())
    }

    /// The stream has ended.
    fn lost(&self) {
        self.live.set_current(false);
        if self.heard.elapsed() >= PATIENCE && self.live.windows.borrow().is_some() {
            tracing::warn!("nothing is live: no replica of the feed tells what happens");
            self.live.windows.send_replace(None);
        }
    }
}
