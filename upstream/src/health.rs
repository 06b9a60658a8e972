//! Active health checks: `grpc.health.v1` on each replica, every second, sooner and with backoff once it was ejected.

use std::{error::Error, sync::Arc, time::Duration};

use http::Request;
use http_body_util::BodyExt;
use runtime::metrics::Metrics;
use serde::Deserialize;
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient};
use tower::{Service, ServiceExt};

use super::replica::Replica;

/// Between two checks of a healthy replica.
const INTERVAL: Duration = Duration::from_secs(1);
/// A check that takes longer has failed.
const TIMEOUT: Duration = Duration::from_secs(1);
/// Backoff after an ejection: doubles from the first to the second.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(1));

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
        let changed = replica.set_live(healthy);
        if healthy {
            learn_status(&replica).await;
        }
        if changed {
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

/// Asks its `/status`, which is on the same port, what it stands on, and whether it can write. Of no importance for calls,
/// which are refused where that is needed: a failure changes nothing.
async fn learn_status(replica: &Replica) {
    #[derive(Deserialize)]
    struct Status {
        backend: String,
        status: String,
    }

    let learn = async {
        let response = replica.channel().ready().await?.call(Request::get("/status").body(Body::empty())?).await?;
        let body = response.into_body().collect().await?.to_bytes();
        Ok::<Status, Box<dyn Error + Send + Sync>>(serde_json::from_slice(&body)?)
    };
    if let Ok(Ok(status)) = tokio::time::timeout(TIMEOUT, learn).await {
        replica.set_backend(status.backend);
        replica.set_degraded(status.status == "degraded");
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
