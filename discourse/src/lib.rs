//! The discourse service: channels, who may enter them, and what is said there.
//!
//! One replica is [`serve`] on a port and a [`store::Store`]; replicas share the store and nothing else. A request's way
//! is `service` (a table of the RPCs) → `convert` (protobuf to the domain, with all checks) → a domain file → the store.
//!
//! | to find | look in |
//! |---|---|
//! | who does something, when, and in which trace | [`act`] |
//! | what a channel is and its limits; who may see, read and post | [`channel`], [`channel::access`] |
//! | whom a channel's creator lets in | [`member`] |
//! | what a post is, its limits, how one is refused; how posts are found | [`post`], [`post::search`] |
//! | how a post gets its topic | [`topic`] |
//! | what a store must keep, and the stores | [`store`] |
//! | flags and environment | [`config`] |

use std::sync::Arc;

use events::Publisher;
use kernel::time;
use proto::discourse::discourse_server::{DiscourseServer, SERVICE_NAME};
use runtime::{identity::Verifier, replica::Replica, tasks::Task};
use storage::{
    lease::{self, Lease},
    sweep,
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::service::RoutesBuilder;

use crate::{service::Service, store::Store};

pub mod act;
pub mod channel;
pub mod config;
mod convert;
pub mod member;
pub mod post;
mod service;
pub mod store;
pub mod topic;

pub use config::Config;

/// Full name of the gRPC service.
pub const SERVICE: &str = SERVICE_NAME;

/// Bytes of a request at most: the longest post, in four-byte characters, fits.
const MAX_REQUEST_BYTES: usize = 128 * 1024;

/// Serves one replica until `shutdown`, then finishes the calls in flight. What happens here `publisher` tells.
///
/// Everything runs inside the future: dropping it closes the port and all connections at once.
pub async fn serve(
    listener: TcpListener,
    instance: String,
    store: Arc<dyn Store>,
    publisher: Publisher,
    verifier: Verifier,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    let pool = {
        let store = Arc::clone(&store);
        move || store.pool()
    };
    let checks = (|| store.check_read(), || store.check_write(&instance));
    let replica = Replica::new("discourse", SERVICE, instance.clone(), store.backend(), pool, verifier).await?;
    let mut routes = RoutesBuilder::default();
    routes.add_service(DiscourseServer::new(Service(Arc::clone(&store))).max_decoding_message_size(MAX_REQUEST_BYTES));
    let lease = Lease::new(store.leases(), lease::TASKS, instance.as_str());
    let mut tasks = replica.tasks(&shutdown);
    tasks.start(Task::every("lease", lease::RENEWAL), lease.clone(), |lease| async move { lease.keep().await });
    let forget = Task::every("forget_outcomes", sweep::INTERVAL).only_while(lease.gate());
    tasks.start(forget, Arc::clone(&store), |store| async move { sweep(|| store.forget_outcomes(time::now())).await });
    let remove = Task::every("remove_deleted", sweep::INTERVAL).only_while(lease.gate());
    tasks.start(remove, Arc::clone(&store), |store| async move { sweep(|| store.remove_deleted()).await });
    publisher.start(store.outbox(), &lease, &mut tasks, replica.metrics().meter(), &shutdown);
    let background = async {
        tasks.ended().await;
        lease.release().await;
    };
    let serving = replica.serve(listener, routes, proto::FILE_DESCRIPTOR_SET, checks, shutdown);
    tokio::join!(serving, background).0
}
