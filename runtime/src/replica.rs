//! A service replica's one port: its gRPC service, reflection, health, and `/status` and `/metrics` over HTTP/1.1.

use std::{any::Any, collections::HashSet, error::Error, sync::Arc, time::Instant};

use axum::{
    Json, Router,
    extract::{Request, State},
    http::StatusCode,
    middleware::{from_fn, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::get,
};
use kernel::PoolState;
use prost::Message;
use prost_types::FileDescriptorSet;
use serde::Serialize;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::{Status, service::RoutesBuilder};
use tonic_health::{pb::FILE_DESCRIPTOR_SET as HEALTH_DESCRIPTORS, server::HealthService};
use tower::ServiceBuilder;
use tower_http::catch_panic::CatchPanicLayer;

use crate::{
    deadline::deadline,
    health::{Health, serving},
    identity::{Verifier, identify},
    metrics::{self, Metrics},
    observe::{Observer, is_grpc},
    server,
    status::refuse,
};

/// One replica of a service, which stands on a store.
#[derive(Clone, Debug)]
pub struct Replica {
    /// Such as `marketplace-1`.
    instance: String,
    /// The store it stands on: `embedded`, `mongodb`, `postgresql`.
    backend: &'static str,
    health: Health,
    metrics: Metrics,
    verifier: Verifier,
    started: Instant,
}

impl Replica {
    /// A replica of `service`, such as `marketplace`, whose gRPC service is `name`. `pool` tells how many connections to
    /// the store there are, `verifier` who calls.
    pub async fn new(
        service: &'static str,
        name: &'static str,
        instance: String,
        backend: &'static str,
        pool: impl Fn() -> PoolState + Clone + Send + Sync + 'static,
        verifier: Verifier,
    ) -> anyhow::Result<Self> {
        let metrics = Metrics::new(service)?;
        metrics.watch_pool(backend, pool);
        let health = Health::new(name).await;
        metrics.watch_store(backend, {
            let health = health.clone();
            move || health.is_healthy()
        });
        Ok(Self { instance, backend, health, metrics, verifier, started: Instant::now() })
    }

    /// What it counts itself by.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Serves the replica's own gRPC service, `routes`, until `shutdown`, then finishes the calls in flight. Calls are
    /// refused while the store does not answer `ping`. `descriptors` describes the service.
    ///
    /// Everything runs inside the future: dropping it closes the port and all connections at once.
    pub async fn serve<E, F>(
        self,
        listener: TcpListener,
        routes: RoutesBuilder,
        descriptors: &'static [u8],
        ping: impl Fn() -> F,
        shutdown: CancellationToken,
    ) -> anyhow::Result<()>
    where
        E: Error + 'static,
        F: Future<Output = Result<(), E>>,
    {
        let (health, metrics) = (self.health.clone(), self.metrics.clone());
        let app = self.router(routes, descriptors)?;
        // A healthy replica is never seen as anything else.
        health.ask(ping()).await;
        tokio::join!(health.follow(ping, shutdown.clone()), server::serve(listener, app, metrics, shutdown));
        Ok(())
    }

    /// The whole port.
    fn router(self, mut routes: RoutesBuilder, descriptors: &'static [u8]) -> anyhow::Result<Router> {
        let name = self.health.name();
        let reflection = || {
            tonic_reflection::server::Builder::configure()
                .register_encoded_file_descriptor_set(descriptors)
                .register_encoded_file_descriptor_set(HEALTH_DESCRIPTORS)
                // Only what this replica serves: `descriptors` may describe other services too.
                .with_service_name(name)
                .with_service_name(tonic_health::pb::health_server::SERVICE_NAME)
                .with_service_name(tonic_reflection::pb::v1::server_reflection_server::SERVICE_NAME)
                .with_service_name(tonic_reflection::pb::v1alpha::server_reflection_server::SERVICE_NAME)
        };
        routes
            .add_service(tonic_health::pb::health_server::HealthServer::new(HealthService::from_health_reporter(
                self.health.reporter(),
            )))
            .add_service(reflection().build_v1()?)
            .add_service(reflection().build_v1alpha()?);

        let observer = Observer::new(self.metrics.clone(), methods(&[descriptors, HEALTH_DESCRIPTORS])?);
        let (health, verifier) = (self.health.clone(), self.verifier.clone());
        let http = Router::new().route("/status", get(status)).route("/metrics", get(metrics_text)).with_state(self);
        Ok(routes.routes().into_axum_router().merge(http).fallback(not_found).layer(
            ServiceBuilder::new()
                // Outermost, so that panics and deadlines are counted too.
                .layer(observer)
                .layer(CatchPanicLayer::custom(panicked))
                .layer(from_fn(deadline))
                .layer(from_fn_with_state(health, serving))
                .map_request(move |request| identify(&verifier, request)),
        ))
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StatusBody {
    service: &'static str,
    instance: String,
    status: &'static str,
    backend: &'static str,
    version: &'static str,
    uptime_seconds: u64,
}

async fn status(State(replica): State<Replica>) -> (StatusCode, Json<StatusBody>) {
    let (code, status) = match replica.health.is_healthy() {
        true => (StatusCode::OK, "healthy"),
        false => (StatusCode::SERVICE_UNAVAILABLE, "unhealthy"),
    };
    let body = StatusBody {
        service: replica.metrics.service(),
        instance: replica.instance,
        status,
        backend: replica.backend,
        version: env!("CARGO_PKG_VERSION"),
        uptime_seconds: replica.started.elapsed().as_secs(),
    };
    (code, Json(body))
}

async fn metrics_text(State(replica): State<Replica>) -> Response {
    match replica.metrics.render() {
        Ok(text) => ([(http::header::CONTENT_TYPE, metrics::CONTENT_TYPE)], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "cannot render metrics");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// tonic answers unknown gRPC methods; without this it would do so for unknown HTTP paths too.
async fn not_found(request: Request) -> Response {
    if is_grpc(request.headers()) {
        return Status::unimplemented("no such method; ask reflection which there are").into_http();
    }
    (StatusCode::NOT_FOUND, "not found: this port has gRPC, /status and /metrics\n").into_response()
}

fn panicked(panic: Box<dyn Any + Send + 'static>) -> Response {
    let message = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    refuse(kernel::Error::internal(format!("panic: {}", message.unwrap_or("of unknown kind")))).into_http()
}

/// `/package.Service/Method` of all methods in the descriptor sets.
fn methods(descriptors: &[&[u8]]) -> Result<HashSet<Arc<str>>, prost::DecodeError> {
    let mut methods = HashSet::new();
    for set in descriptors {
        for file in FileDescriptorSet::decode(*set)?.file {
            for service in &file.service {
                for method in &service.method {
                    methods.insert(format!("/{}.{}/{}", file.package(), service.name(), method.name()).into());
                }
            }
        }
    }
    Ok(methods)
}
