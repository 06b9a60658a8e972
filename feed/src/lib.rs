//! The feed: what happened, as others are shown it. Views made from the log of events, and nothing else: it knows no other
//! service.
//!
//! All replicas serve, and one of them applies, the one that has the lease. An event's way is the log → `applier` → what it
//! means (`rules`) → what that changes (`plan`) → the store, which does all of it and notes the position in one act. A
//! request's way is `service` (a table of the RPCs) → `convert` → `acts` → the store.
//!
//! | to find | look in |
//! |---|---|
//! | what each event means: whose it is, whom it concerns, what goes with it | `rules` |
//! | which lists it comes into | [`plan`] |
//! | the lists, how long they are, how far they have come | [`view`] |
//! | who may see what is not for all | [`channel`] |
//! | who applies, and makes the views anew | `applier` |
//! | the live stream | `watch` |
//! | where views are kept | [`store`] |
//! | flags and environment | [`config`] |

use std::sync::Arc;

use events::{Counts, SharedLog};
use proto::feed::feed_server::{FeedServer, SERVICE_NAME};
use runtime::{identity::Verifier, replica::Replica, tasks::Task};
use storage::{
    lease::{self, Lease},
    sweep,
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::service::RoutesBuilder;

use crate::{
    acts::Feed,
    applier::Applier,
    progress::Progress,
    store::{Store, Target},
};

mod acts;
mod applier;
pub mod channel;
pub mod config;
mod convert;
pub mod entry;
pub mod plan;
mod progress;
mod rules;
mod service;
pub mod store;
pub mod view;
mod watch;

pub use config::Config;

/// Full name of the gRPC service.
pub const SERVICE: &str = SERVICE_NAME;

/// Bytes of a request at most: none has more than an id and some numbers.
const MAX_REQUEST_BYTES: usize = 4 * 1024;

/// Serves one replica until `shutdown`, then finishes the calls in flight. What it shows it reads from `log`.
///
/// Everything runs inside the future: dropping it closes the port and all connections at once.
pub async fn serve(
    listener: TcpListener,
    instance: String,
    store: Arc<dyn Store>,
    log: SharedLog,
    verifier: Verifier,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    let pool = {
        let store = Arc::clone(&store);
        move || store.pool()
    };
    let checks = (|| store.check_read(), || store.check_write());
    let replica = Replica::new("feed", SERVICE, instance.clone(), store.backend(), pool, verifier).await?;
    let feed = Feed { store: Arc::clone(&store), log: log.backend(), shutdown: shutdown.clone() };
    let mut routes = RoutesBuilder::default();
    routes.add_service(FeedServer::new(feed).max_decoding_message_size(MAX_REQUEST_BYTES));

    let lease = Lease::new(store.leases(), lease::TASKS, instance.as_str());
    let counts = Counts::new(replica.metrics().meter());
    let applier = |target| {
        let (store, log) = (Arc::clone(&store), Arc::clone(&log));
        Arc::new(Applier::new(target, store, log, lease.clone(), counts.clone(), shutdown.clone()))
    };
    let (current, building) = (applier(Target::Current), applier(Target::Building));
    let mut tasks = replica.tasks(&shutdown);
    tasks.start(Task::every("lease", lease::RENEWAL), lease.clone(), |lease| async move { lease.keep().await });
    let apply = Task::every("apply_events", applier::PERIOD).only_while(lease.gate()).woken_by(current.again());
    let apply = apply.degrades("what happens is not applied");
    tasks.start(apply, current, |applier| async move { applier.follow().await });
    let rebuild = Task::every("rebuild_views", applier::PERIOD).only_while(lease.gate()).woken_by(building.again());
    tasks.start(rebuild, building, |applier| async move { applier.rebuild().await });
    let seen = (Progress::new(replica.metrics()), Arc::clone(&store));
    let look = Task::every("look_at_progress", applier::PERIOD);
    tasks.start(look, seen, |(progress, store)| async move { progress.look(&*store).await });
    let forget = Task::every("forget_former_views", sweep::INTERVAL).only_while(lease.gate());
    tasks.start(forget, Arc::clone(&store), |store| async move { sweep::sweep(|| store.sweep()).await });
    let background = async {
        tasks.ended().await;
        lease.release().await;
    };
    let serving = replica.serve(listener, routes, proto::FILE_DESCRIPTOR_SET, checks, shutdown);
    tokio::join!(serving, background).0
}
