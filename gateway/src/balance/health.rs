//! Active health checks: `grpc.health.v1` on each replica, every second, sooner and with backoff once it was ejected.

use std::{sync::Arc, time::Duration};

use platform::metrics::Metrics;
use tokio_util::sync::CancellationToken;
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient};

use super::replica::Replica;

/// Between two checks of a healthy replica.
const INTERVAL: Duration = Duration::from_secs(1);
/// A check that takes longer has failed.
const TIMEOUT: Duration = Duration::from_secs(1);
/// Backoff after an ejection: doubles from the first to the second.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// Checks `replica` until `shutdown`, and moves it in and out of the rotation.
pub(super) async fn watch(
    replica: Arc<Replica>,
    service: &'static str,
    grpc_name: &'static str,
    metrics: Metrics,
    shutdown: CancellationToken,
) {
    let mut backoff = BACKOFF.0;
    while !shutdown.is_cancelled() {
        let problem = check(&replica, grpc_name).await.err();
        let healthy = problem.is_none();
        metrics.replica_up(service, replica.name(), healthy);
        if replica.set_live(healthy) {
            match problem {
                None => tracing::info!(service, replica = &**replica.name(), "replica is back in the rotation"),
                Some(problem) => {
                    tracing::warn!(service, replica = &**replica.name(), problem, "ejected: health check failed");
                }
            }
        }
        if healthy {
            backoff = BACKOFF.0;
            tokio::select! {
                () = shutdown.cancelled() => {}
                // A call found it broken: ask again soon, not at once.
                () = replica.ejected.notified() => pause(backoff, &shutdown).await,
                () = tokio::time::sleep(INTERVAL) => {}
            }
        } else {
            pause(backoff, &shutdown).await;
            backoff = (backoff * 2).min(BACKOFF.1);
        }
    }
}

async fn pause(duration: Duration, shutdown: &CancellationToken) {
    let _ = tokio::time::timeout(duration, shutdown.cancelled()).await;
}

async fn check(replica: &Replica, grpc_name: &str) -> Result<(), String> {
    let request = HealthCheckRequest { service: grpc_name.to_owned() };
    let mut client = HealthClient::new(replica.channel());
    match tokio::time::timeout(TIMEOUT, client.check(request)).await {
        Ok(Ok(answer)) if answer.get_ref().status() == ServingStatus::Serving => Ok(()),
        Ok(Ok(answer)) => Err(answer.get_ref().status().as_str_name().to_owned()),
        Ok(Err(status)) => Err(status.message().to_owned()),
        Err(_) => Err(format!("no answer within {TIMEOUT:?}")),
    }
}
