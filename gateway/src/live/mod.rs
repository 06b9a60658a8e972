//! What happens, as it happens: one stream from the feed, and many who read it here.
//!
//! | to find | look in |
//! |---|---|
//! | the one stream from the feed, and what it makes of the cache | [`follow`] |
//! | what readers are given: the newest entries, written once for all | [`window`] |
//! | one reader, from the first byte to the last | [`reader`] |
//! | how many there may be | [`seats`] |
//! | what stands for a token in a URL | [`tickets`] |
//!
//! Nobody has a queue. A reader looks at the window when its connection takes more, and one that is so slow that the window
//! has gone on without it is cut off: it comes back and is given by the feed what it has missed, or told to begin anew.

mod follow;
mod reader;
mod seats;
mod tickets;
mod window;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use axum::http::{Extensions, HeaderMap};
use chrono::{DateTime, Utc};
use proto::feed::{CatchUpRequest, CatchUpResponse, feed_client::FeedClient};
use runtime::{context::Context, identity::Verifier};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tonic::Status;
use upstream::Balancer;

pub(crate) use self::{
    follow::follow,
    reader::{Place, Reader},
    tickets::{TTL as TICKET_TTL, Tickets},
};
use self::{seats::Seats, window::Window};
use crate::{cache::Tag, error::Problem};

/// What the views of the feed show. It changes by itself, and is raised here when the feed tells so.
pub(crate) const ACTIVITY: Tag = Tag::all("activity");

/// Without a stream from the feed for so long, readers are told by the end of theirs that it is not live.
const PATIENCE: Duration = Duration::from_secs(5);

/// How far the feed is, as it last said.
#[derive(Clone, Debug)]
pub(crate) struct Progress {
    /// The kind of log that it follows.
    pub(crate) log: String,
    /// Events that it has applied.
    pub(crate) position: u64,
    /// Everything that the log had then is applied; `None` where nobody has ever applied anything.
    pub(crate) as_of: Option<DateTime<Utc>>,
}

/// All that is live at a gateway.
pub(crate) struct Live {
    client: FeedClient<Balancer>,
    verifier: Verifier,
    /// Ends all streams.
    shutdown: CancellationToken,
    /// `None` while it is not live.
    windows: watch::Sender<Option<Arc<Window>>>,
    progress: watch::Sender<Option<Progress>>,
    is_current: AtomicBool,
    seats: Seats,
    pub(crate) tickets: Tickets,
}

impl Live {
    /// Asks `client`, for each caller at most `per_caller` streams (0 is no limit), until `shutdown`.
    pub(crate) fn new(
        client: FeedClient<Balancer>,
        verifier: Verifier,
        per_caller: u32,
        tickets: Tickets,
        shutdown: CancellationToken,
    ) -> Self {
        Self {
            client,
            verifier,
            shutdown,
            windows: watch::Sender::new(None),
            progress: watch::Sender::new(None),
            is_current: AtomicBool::new(false),
            seats: Seats::new(per_caller),
            tickets,
        }
    }

    /// Whether the feed tells of each change of its views at this moment: else what is cached of them may be old.
    pub(crate) fn is_current(&self) -> bool {
        self.is_current.load(Relaxed)
    }

    /// Where the feed was when it last said so; `None` where it never did.
    pub(crate) fn progress(&self) -> Option<Progress> {
        self.progress.borrow().clone()
    }

    fn set_current(&self, is_current: bool) {
        self.is_current.store(is_current, Relaxed);
    }

    /// What comes after a number, past the window.
    async fn catch_up(&self, epoch: &str, after: u64) -> Result<CatchUpResponse, Status> {
        let message = CatchUpRequest { epoch: epoch.to_owned(), after };
        // A stream outlives the request that began it, and its deadline.
        let context = Context::new(&HeaderMap::new(), &Extensions::new());
        let answer = self.client.clone().catch_up(upstream::request(&context, message, true)).await?;
        Ok(answer.into_inner())
    }

    fn not_live() -> Problem {
        Problem::new(proto::errors::UNAVAILABLE, "the feed is not live at the moment, try again")
    }
}
