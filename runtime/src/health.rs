//! Health that follows the store: asked every second, told to `grpc.health.v1`, `/status` and the log.

use std::{
    error::Error,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{
    extract::{Request, State},
    http::{HeaderName, HeaderValue},
    middleware::Next,
    response::Response,
};
use kernel::{
    Kind,
    error::{Chain, Error as CallError},
};
use tokio_util::sync::CancellationToken;
use tonic_health::{ServingStatus, server::HealthReporter};

use crate::status::refuse;

/// Header of the answer to a call that was refused without looking at it, since the store is down: whoever sent it may
/// ask another replica, whatever the call is.
pub const NOT_SERVING: HeaderName = HeaderName::from_static("x-not-serving");

/// How often a store that is up is asked.
const INTERVAL: Duration = Duration::from_secs(1);
/// How often one that is down.
const INTERVAL_DOWN: Duration = Duration::from_millis(250);
/// A store that takes longer to answer counts as down.
const TIMEOUT: Duration = Duration::from_secs(1);

/// Whether the store answered when last asked.
#[derive(Clone, Debug)]
pub(crate) struct Health {
    healthy: Arc<AtomicBool>,
    reporter: HealthReporter,
    name: &'static str,
}

impl Health {
    /// Not serving until the store has answered once.
    pub(crate) async fn new(name: &'static str) -> Self {
        let health = Self { healthy: Arc::default(), reporter: HealthReporter::new(), name };
        health.report(false).await;
        health
    }

    pub(crate) fn reporter(&self) -> HealthReporter {
        self.reporter.clone()
    }

    /// Full name of the gRPC service, as in `grpc.health.v1.HealthCheckRequest.service`.
    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    pub(crate) fn is_healthy(&self) -> bool {
        self.healthy.load(Ordering::Relaxed)
    }

    /// Asks `ping` for ever; NOT_SERVING from `shutdown` on, so that no new calls come.
    pub(crate) async fn follow<E, F>(self, ping: impl Fn() -> F, shutdown: CancellationToken)
    where
        E: Error + 'static,
        F: Future<Output = Result<(), E>>,
    {
        while !shutdown.is_cancelled() {
            self.ask(ping()).await;
            let interval = if self.is_healthy() { INTERVAL } else { INTERVAL_DOWN };
            let _ = tokio::time::timeout(interval, shutdown.cancelled()).await;
        }
        self.report(false).await;
    }

    /// Takes note of what one `ping` says. To be done once before the port is served, so that a healthy replica is never seen as anything else.
    pub(crate) async fn ask<E: Error + 'static>(&self, ping: impl Future<Output = Result<(), E>>) {
        let problem = match tokio::time::timeout(TIMEOUT, ping).await {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(Chain(&error).to_string()),
            Err(_) => Some(format!("no answer within {TIMEOUT:?}")),
        };
        let healthy = problem.is_none();
        if healthy != self.is_healthy() {
            match problem {
                None => tracing::info!(service = self.name, "the store answers: serving"),
                Some(problem) => tracing::warn!(service = self.name, problem, "the store is down: not serving"),
            }
            self.report(healthy).await;
        }
    }

    async fn report(&self, healthy: bool) {
        self.healthy.store(healthy, Ordering::Relaxed);
        let status = if healthy { ServingStatus::Serving } else { ServingStatus::NotServing };
        for name in ["", self.name] {
            self.reporter.set_service_status(name, status).await;
        }
    }
}

/// Middleware: refuses calls of the replica's own service while its store is down, instead of letting each find out.
pub(crate) async fn serving(State(health): State<Health>, request: Request, next: Next) -> Response {
    let own = request.uri().path().strip_prefix('/').and_then(|path| path.strip_prefix(health.name));
    if health.is_healthy() || !own.is_some_and(|method| method.starts_with('/')) {
        return next.run(request).await;
    }
    let refused = CallError::new(Kind::Unavailable, "unavailable", "the store is not available at the moment");
    let mut response: Response = refuse(refused).into_http();
    response.headers_mut().insert(NOT_SERVING, HeaderValue::from_static("1"));
    response
}

#[cfg(test)]
mod tests {
    use axum::{Router, body::Body, middleware::from_fn_with_state, routing::post};
    use tonic::{Code, Status};
    use tower::ServiceExt;

    use super::*;

    #[tokio::test]
    async fn while_the_store_is_down_the_own_service_is_refused_and_nothing_else() {
        let health = Health::new("a.B").await;
        let paths = ["/a.B/Call", "/a.Bc/Call", "/grpc.health.v1.Health/Check"];
        let app = paths.iter().fold(Router::new(), |app, path| app.route(path, post(async || "done")));
        let app = app.layer(from_fn_with_state(health.clone(), serving));
        let refused = async |path: &str| {
            let request = Request::post(path).body(Body::empty()).expect("request");
            let answer = app.clone().oneshot(request).await.expect("answers");
            let status = Status::from_header_map(answer.headers()).map(|status| status.code());
            assert_eq!(answer.headers().contains_key(NOT_SERVING), status == Some(Code::Unavailable));
            status.is_some()
        };
        assert!(refused(paths[0]).await && !refused(paths[1]).await && !refused(paths[2]).await);
        health.ask(std::future::ready(Ok::<(), std::fmt::Error>(()))).await;
        assert!(!refused(paths[0]).await);
        health.ask(std::future::ready(Err(std::fmt::Error))).await;
        assert!(refused(paths[0]).await);
    }
}
