//! A service replica's one port: its gRPC service, reflection, health, and `/status` and `/metrics` over HTTP/1.1.

use std::{
    any::Any,
    collections::{HashMap, HashSet},
    error::Error,
    sync::Arc,
    time::Instant,
};

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
use prost_types::{FileDescriptorSet, MethodDescriptorProto};
use serde::Serialize;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::{Status, service::RoutesBuilder};
use tonic_health::{pb::FILE_DESCRIPTOR_SET as HEALTH_DESCRIPTORS, server::HealthService};
use tower::ServiceBuilder;
use tower_http::catch_panic::CatchPanicLayer;

use crate::{
    access,
    health::{Condition, Gate, Health, Late, serving},
    identity::{Verifier, identify},
    metrics::{self, Metrics},
    observe::{Observer, is_grpc},
    protocol,
    server::{self, Limits},
    status::refuse,
    tasks::{Board, TaskStatus, Tasks},
};

/// Calls at once on one connection. A gateway has one connection, and reads what it is answered.
const CALLS_PER_CONNECTION: u32 = 256;

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
    tasks: Board,
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
            move || health.condition() == Condition::Healthy
        });
        let tasks = Board::new(&metrics);
        Ok(Self { instance, backend, health, metrics, verifier, tasks, started: Instant::now() })
    }

    /// What it counts itself by.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// What it does without being asked to, until `shutdown`.
    pub fn tasks(&self, shutdown: &CancellationToken) -> Tasks {
        Tasks::new(&self.tasks, &self.metrics, shutdown)
    }

    /// Serves the replica's own gRPC service, `routes`, until `shutdown`, then finishes the calls in flight. `checks` read
    /// from the store and write to it; calls that it cannot serve at the moment are refused. `descriptors` describes the
    /// service.
    ///
    /// Everything runs inside the future: dropping it closes the port and all connections at once.
    pub async fn serve<E, R, W>(
        self,
        listener: TcpListener,
        routes: RoutesBuilder,
        descriptors: &'static [u8],
        checks: (impl Fn() -> R, impl Fn() -> W),
        shutdown: CancellationToken,
    ) -> anyhow::Result<()>
    where
        E: Error + 'static,
        R: Future<Output = Result<(), E>>,
        W: Future<Output = Result<(), E>>,
    {
        let (health, metrics) = (self.health.clone(), self.metrics.clone());
        let app = self.router(routes, descriptors)?;
        let limits = Limits { streams: CALLS_PER_CONNECTION, ..Limits::default() };
        // A healthy replica is never seen as anything else.
        health.ask((checks.0(), checks.1()), &mut Late::default()).await;
        tokio::join!(health.follow(checks, shutdown.clone()), server::serve(listener, app, metrics, limits, shutdown));
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

        let services = services(&[descriptors, HEALTH_DESCRIPTORS])?;
        let observer = Observer::new(self.metrics.clone(), paths(&services));
        let gate = Gate::new(self.health.clone(), services.get(name).map_or(&[], Vec::as_slice));
        let verifier = self.verifier.clone();
        let http = Router::new().route("/status", get(status)).route("/metrics", get(metrics_text)).with_state(self);
        let grpc = routes.routes().into_axum_router().route_layer(from_fn(protocol::call));
        Ok(grpc.merge(http).fallback(not_found).layer(
            ServiceBuilder::new()
                .map_response(access::write)
                // Outside of all that answers, so that panics and deadlines are counted too.
                .layer(observer)
                .layer(CatchPanicLayer::custom(panicked))
                .layer(from_fn_with_state(gate, serving))
                .map_request(move |request| identify(&verifier, request)),
        ))
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StatusBody {
    service: &'static str,
    instance: String,
    /// `healthy`, `degraded` (reads are served, or something else than calls goes wrong) or `unhealthy`.
    status: &'static str,
    /// Why it is not healthy.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    /// Whether the store can be written to.
    writable: bool,
    backend: &'static str,
    version: &'static str,
    uptime_seconds: u64,
    /// What it does without being asked to.
    tasks: Vec<TaskStatus>,
}

async fn status(State(replica): State<Replica>) -> (StatusCode, Json<StatusBody>) {
    let (condition, knows_ends) = (replica.health.condition(), replica.verifier.ended().is_current());
    let (code, status, reason) = match condition {
        Condition::Healthy if !knows_ends => (StatusCode::OK, "degraded", Some("which tokens have ended is not known")),
        Condition::Healthy => match replica.tasks.degraded() {
            None => (StatusCode::OK, "healthy", None),
            reason => (StatusCode::OK, "degraded", reason),
        },
        Condition::Degraded => (StatusCode::OK, "degraded", Some("the store cannot be written to")),
        Condition::Unhealthy => (StatusCode::SERVICE_UNAVAILABLE, "unhealthy", Some("the store cannot be read")),
    };
    let body = StatusBody {
        service: replica.metrics.service(),
        instance: replica.instance,
        status,
        reason,
        writable: condition == Condition::Healthy,
        backend: replica.backend,
        version: env!("CARGO_PKG_VERSION"),
        uptime_seconds: replica.started.elapsed().as_secs(),
        tasks: replica.tasks.status(),
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
        let unimplemented = || Status::unimplemented("no such method; ask reflection which there are").into_http();
        return protocol::refusal(&request).unwrap_or_else(unimplemented);
    }
    (StatusCode::NOT_FOUND, "not found: this port has gRPC, /status and /metrics\n").into_response()
}

fn panicked(panic: Box<dyn Any + Send + 'static>) -> Response {
    let message = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    refuse(kernel::Error::internal(format!("panic: {}", message.unwrap_or("of unknown kind")))).into_http()
}

/// The methods of all services in the descriptor sets, by the full name of the service.
fn services(descriptors: &[&[u8]]) -> Result<HashMap<String, Vec<MethodDescriptorProto>>, prost::DecodeError> {
    let mut services = HashMap::new();
    for set in descriptors {
        for file in FileDescriptorSet::decode(*set)?.file {
            let package = file.package().to_owned();
            services.extend(file.service.into_iter().map(|s| (format!("{package}.{}", s.name()), s.method)));
        }
    }
    Ok(services)
}

/// `/package.Service/Method` of all methods.
fn paths(services: &HashMap<String, Vec<MethodDescriptorProto>>) -> HashSet<Arc<str>> {
    let paths = services.iter().flat_map(|(service, methods)| {
        methods.iter().map(move |method| format!("/{service}/{}", method.name()).into())
    });
    paths.collect()
}
