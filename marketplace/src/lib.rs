//! The marketplace service: listings, purchases with exact money, deposits, wallets.
//!
//! One replica is [`serve`] on a port and a [`store::Store`]; replicas share the store and nothing else. A request's way
//! is `service` (a table of the RPCs) → `convert` (protobuf to the domain, with all checks) → a domain file → the store.
//!
//! | to find | look in |
//! |---|---|
//! | what an item is, its limits, how it is listed | [`item`] |
//! | what a purchase checks and how it is refused | [`purchase`] |
//! | deposits, and how much a day | [`deposit`] |
//! | wallets, what they open with, and their entries | [`wallet`] |
//! | what the books are, and the watch over their sum | [`ledger`] |
//! | what the economy's metrics count | [`economy`] |
//! | what is told of acts | `told` |
//! | what a store must keep, and the stores | [`store`] |
//! | flags and environment | [`config`] |

use std::sync::Arc;

use events::Publisher;
use proto::marketplace::marketplace_server::{MarketplaceServer, SERVICE_NAME};
use runtime::{identity::Verifier, replica::Replica, tasks::Task};
use storage::{
    lease::{self, Lease},
    sweep,
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::service::RoutesBuilder;

use crate::{economy::Economy, service::Service, store::Store};

pub mod config;
mod convert;
pub mod deposit;
pub mod economy;
mod id;
pub mod item;
pub mod ledger;
pub mod purchase;
mod service;
pub mod store;
mod time;
mod told;
pub mod wallet;

pub use config::{Config, Options};

/// Full name of the gRPC service.
pub const SERVICE: &str = SERVICE_NAME;

/// Bytes of a request at most, as at the gateway: the longest item fits twice.
const MAX_REQUEST_BYTES: usize = 64 * 1024;

/// Serves one replica until `shutdown`, then finishes the calls in flight. Calls are refused as long as the store cannot
/// be reached; an error where it turns out that it never can be used. What happens here `publisher` tells.
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
    let replica = Replica::new("marketplace", SERVICE, instance.clone(), store.backend(), pool, verifier).await?;
    let meter = replica.metrics().meter().clone();
    let service = Service { store: Arc::clone(&store), economy: Economy::new(&meter) };
    let mut routes = RoutesBuilder::default();
    routes.add_service(MarketplaceServer::new(service).max_decoding_message_size(MAX_REQUEST_BYTES));
    let lease = Lease::new(store.leases(), lease::TASKS, instance.as_str());
    let mut tasks = replica.tasks(&shutdown);
    tasks.start(Task::every("lease", lease::RENEWAL), lease.clone(), |lease| async move { lease.keep().await });
    ledger::watch(Arc::clone(&store), &meter, &mut tasks, &lease);
    let forget = Task::every("forget_outcomes", sweep::INTERVAL).only_while(lease.gate());
    tasks.start(forget, Arc::clone(&store), |store| async move { sweep(|| store.forget_outcomes(time::now())).await });
    publisher.start(store.outbox(), &lease, &mut tasks, &meter, &shutdown);
    let background = async {
        tasks.ended().await;
        lease.release().await;
    };
    let serving = replica.serve(listener, routes, proto::FILE_DESCRIPTOR_SET, checks, shutdown);
    tokio::select! {
        (served, ()) = async { tokio::join!(serving, background) } => served,
        unusable = store.unusable() => Err(unusable),
    }
}
