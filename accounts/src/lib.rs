//! The accounts service: who there is, passwords, profiles, roles, and which tokens have ended.
//!
//! One replica is [`serve`] on a port and a [`Store`]; replicas share the store and nothing else. A request's way is
//! `service` (a table of the RPCs) → `convert` (protobuf to the domain, with all checks) → `acts` → the store.
//!
//! | to find | look in |
//! |---|---|
//! | what an account is, its limits, who may change what | [`account`] |
//! | what each RPC does | `acts` |
//! | passwords | [`password`] |
//! | how the end of a token reaches everybody | `ends` |
//! | what is told of accounts | `told` |
//! | the first admin, and who becomes one | [`admin`] |
//! | tables and statements | [`store`] |
//! | flags and environment | [`config`] |

#![cfg_attr(
    feature = "postgres",
    expect(clippy::duplicate_mod, reason = "the statements are compiled once for each database")
)]

use std::sync::Arc;

use events::Publisher;
use proto::accounts::accounts_server::{AccountsServer, SERVICE_NAME};
use runtime::{identity::Verifier, replica::Replica, tasks::Task};
use storage::{
    lease::{self, Lease},
    sweep,
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::service::RoutesBuilder;

use crate::{acts::Accounts, ends::Ends};

pub mod account;
mod acts;
pub mod admin;
pub mod config;
mod convert;
mod ends;
pub mod password;
mod service;
pub mod store;
mod told;

pub use config::Config;
pub use password::Passwords;
pub use store::Store;

/// Full name of the gRPC service.
pub const SERVICE: &str = SERVICE_NAME;

/// Bytes of a request at most: a hundred ids, or a profile of the longest texts.
const MAX_REQUEST_BYTES: usize = 64 * 1024;

/// Serves one replica until `shutdown`, then finishes the calls in flight. What has ended it tells `verifier` itself, what
/// happens here `publisher` tells.
///
/// Everything runs inside the future: dropping it closes the port and all connections at once.
pub async fn serve(
    listener: TcpListener,
    instance: String,
    store: Store,
    publisher: Publisher,
    passwords: Passwords,
    verifier: Verifier,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    let pool = {
        let store = store.clone();
        move || store.pool()
    };
    let checks = (|| store.check_read(), || store.check_write(&instance));
    let replica = Replica::new("accounts", SERVICE, instance.clone(), store.backend(), pool, verifier.clone()).await?;
    let ends = Arc::new(Ends::new(store.clone(), verifier, shutdown.clone()));
    let accounts = Accounts { store: store.clone(), passwords, ends: Arc::clone(&ends) };
    let mut routes = RoutesBuilder::default();
    routes.add_service(AccountsServer::new(accounts).max_decoding_message_size(MAX_REQUEST_BYTES));

    let lease = Lease::new(store.leases(), lease::TASKS, instance.as_str());
    let mut tasks = replica.tasks(&shutdown);
    tasks.start(Task::every("lease", lease::RENEWAL), lease.clone(), |lease| async move { lease.keep().await });
    let follow = Task::every("follow_ends", ends::INTERVAL).woken_by(ends.looks());
    tasks.start(follow, Arc::clone(&ends), |ends| async move { ends.follow().await });
    let forget = Task::every("forget_ended_tokens", sweep::INTERVAL).only_while(lease.gate());
    tasks.start(forget, ends, |ends| async move { ends.sweep().await });
    publisher.start(store.outbox(), &lease, &mut tasks, replica.metrics().meter(), &shutdown);
    let background = async {
        tasks.ended().await;
        lease.release().await;
    };
    let serving = replica.serve(listener, routes, proto::FILE_DESCRIPTOR_SET, checks, shutdown);
    tokio::join!(serving, background).0
}
