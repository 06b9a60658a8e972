//! Active health checks: `grpc.health.v1` on each replica, every second, sooner and with backoff while it does not answer.
//!
//! They have a thread and connections of their own: a gateway with more to do than it can would look late for answers that
//! are there, and take live replicas for dead. For the same reason one check that fails proves nothing, unless it is plain
//! that nobody is there: two in a row do.

use std::{error::Error, io, sync::Arc, thread::JoinHandle, time::Duration};

use http::Request;
use http_body_util::BodyExt;
use kernel::error::Chain;
use runtime::metrics::Metrics;
use serde::Deserialize;
use tokio::runtime::{Builder, Handle};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tonic::{body::Body, transport::Channel};
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient};
use tower::{Service, ServiceExt};

use super::replica::{Health, Replica};

/// Between two checks of a healthy replica.
const INTERVAL: Duration = Duration::from_secs(1);
/// A check that takes longer has failed.
const TIMEOUT: Duration = Duration::from_secs(1);
/// Backoff after a failure: doubles from the first to the second.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(1));

/// The thread that all health checks of a process run on.
#[derive(Clone, Debug)]
pub struct Checks {
    thread: Handle,
    shutdown: CancellationToken,
}

impl Checks {
    /// Starts the thread. It ends at `shutdown`, and `tasks` wait for it.
    pub fn start(tasks: &TaskTracker, shutdown: &CancellationToken) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let checks = Self { thread: runtime.handle().clone(), shutdown: shutdown.clone() };
        let ended = shutdown.clone();
        // What still runs on it is dropped with it.
        let run = move || runtime.block_on(ended.cancelled_owned());
        let thread = std::thread::Builder::new().name("health-checks".to_owned()).spawn(run)?;
        tasks.spawn(join(thread, shutdown.clone()));
        Ok(checks)
    }

    /// Checks `replica` from now on, and moves it in and out of the rotation.
    pub(super) fn watch(&self, replica: Arc<Replica>, service: &'static str, name: &'static str, metrics: Metrics) {
        self.thread.spawn(watch(replica, service, name, metrics, self.shutdown.clone()));
    }
}

/// Waits for the end of a thread that ends at `shutdown`.
async fn join(thread: JoinHandle<()>, shutdown: CancellationToken) {
    shutdown.cancelled().await;
    if !matches!(tokio::task::spawn_blocking(move || thread.join()).await, Ok(Ok(()))) {
        tracing::error!("the thread of the health checks panicked");
    }
}

/// Why a check failed.
struct Failed {
    problem: String,
    /// Nobody is there, or somebody who says that it must not be called: that is no matter of being late.
    surely: bool,
}

async fn watch(
    replica: Arc<Replica>,
    service: &'static str,
    name: &'static str,
    metrics: Metrics,
    shutdown: CancellationToken,
) {
    let channel = replica.connect();
    let (mut backoff, mut misses) = (BACKOFF.0, 0);
    while !shutdown.is_cancelled() {
        match check(channel.clone(), name).await {
            Ok(()) => {
                (backoff, misses) = (BACKOFF.0, 0);
                metrics.replica_up(service, replica.name(), true);
                let before = replica.set_health(Health::Live);
                learn_status(&replica, channel.clone()).await;
                if before == Health::Ejected {
                    tracing::info!(service, replica = &**replica.name(), "replica is back in the rotation");
                }
                tokio::select! {
                    () = shutdown.cancelled() => {}
                    // A call found it broken: ask again soon, not at once.
                    () = replica.ejected.notified() => pause(backoff, &shutdown).await,
                    () = tokio::time::sleep(INTERVAL) => {}
                }
            }
            Err(Failed { problem, surely }) => {
                misses += 1;
                if surely || misses >= 2 {
                    metrics.replica_up(service, replica.name(), false);
                    if replica.set_health(Health::Ejected) != Health::Ejected {
                        tracing::warn!(service, replica = &**replica.name(), problem, "ejected: health check failed");
                    }
                }
                pause(backoff, &shutdown).await;
                backoff = (backoff * 2).min(BACKOFF.1);
            }
        }
    }
}

/// Asks its `/status`, which is on the same port, what it stands on, and whether it can write. Of no importance for calls,
/// which are refused where that is needed: a failure changes nothing.
async fn learn_status(replica: &Replica, mut channel: Channel) {
    #[derive(Deserialize)]
    struct Status {
        backend: String,
        writable: bool,
    }

    let learn = async {
        let response = channel.ready().await?.call(Request::get("/status").body(Body::empty())?).await?;
        let body = response.into_body().collect().await?.to_bytes();
        Ok::<Status, Box<dyn Error + Send + Sync>>(serde_json::from_slice(&body)?)
    };
    if let Ok(Ok(status)) = tokio::time::timeout(TIMEOUT, learn).await {
        replica.set_backend(status.backend);
        replica.set_degraded(!status.writable);
    }
}

async fn pause(duration: Duration, shutdown: &CancellationToken) {
    let _ = tokio::time::timeout(duration, shutdown.cancelled()).await;
}

async fn check(channel: Channel, name: &str) -> Result<(), Failed> {
    let request = HealthCheckRequest { service: name.to_owned() };
    match tokio::time::timeout(TIMEOUT, HealthClient::new(channel).check(request)).await {
        Ok(Ok(answer)) => match answer.get_ref().status() {
            ServingStatus::Serving => Ok(()),
            other => Err(Failed { problem: other.as_str_name().to_owned(), surely: true }),
        },
        Ok(Err(status)) => {
            let problem = status.source().map_or_else(|| status.message().to_owned(), |cause| Chain(cause).to_string());
            Err(Failed { problem, surely: is_refused(&status) })
        }
        Err(_) => Err(Failed { problem: format!("no answer within {TIMEOUT:?}"), surely: false }),
    }
}

/// Whether nobody listens there: what the kernel says at once, however busy the replica is. (A connect that takes too long
/// is something else: the backlog of a busy one may be full.)
fn is_refused(error: &(dyn Error + 'static)) -> bool {
    std::iter::successors(Some(error), |&error| error.source())
        .filter_map(|error| error.downcast_ref::<io::Error>())
        .any(|error| error.kind() == io::ErrorKind::ConnectionRefused)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_connection_that_is_refused_is_told_from_one_that_is_slow() {
        let nobody =
            std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("port");
        // The kernel takes the connection, and nobody answers.
        let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("port");
        for (address, surely) in [(nobody, true), (silent.local_addr().expect("address"), false)] {
            let failed = check(Replica::new(&address.into()).connect(), "").await.expect_err("fails");
            assert_eq!(failed.surely, surely, "{}", failed.problem);
        }
    }
}
