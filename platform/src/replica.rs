//! A service replica's one port: its gRPC service, reflection, health, and `/status` and `/metrics` over HTTP/1.1.

use std::{any::Any, collections::HashSet, sync::Arc, time::Instant};

use axum::{
    Json, Router,
    extract::{Request, State},
    http::StatusCode,
    middleware::{from_fn, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::get,
};
use prost::Message;
use prost_types::FileDescriptorSet;
use serde::Serialize;
use tonic::{Status, service::RoutesBuilder};
use tonic_health::{pb::FILE_DESCRIPTOR_SET as HEALTH_DESCRIPTORS, server::HealthService};
use tower::ServiceBuilder;
use tower_http::catch_panic::CatchPanicLayer;

use crate::{
    Error,
    deadline::deadline,
    health::{Health, serving},
    metrics::{self, Metrics},
    observe::{Observer, is_grpc},
};

/// Who a replica is.
#[derive(Clone, Debug)]
pub struct Identity {
    /// `marketplace` or `discourse`.
    pub service: &'static str,
    /// Such as `marketplace-1`.
    pub instance: String,
    /// The store it stands on: `embedded`, `mongodb`, `postgresql`.
    pub backend: &'static str,
}

/// The whole port: `routes` has the replica's own gRPC service, `descriptors` describes it.
pub fn router(
    identity: Identity,
    mut routes: RoutesBuilder,
    descriptors: &'static [u8],
    health: Health,
    metrics: Metrics,
) -> anyhow::Result<Router> {
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(descriptors)
            .register_encoded_file_descriptor_set(HEALTH_DESCRIPTORS)
            // Only what this replica serves: `descriptors` may describe other services too.
            .with_service_name(health.name())
            .with_service_name(tonic_health::pb::health_server::SERVICE_NAME)
            .with_service_name(tonic_reflection::pb::v1::server_reflection_server::SERVICE_NAME)
            .with_service_name(tonic_reflection::pb::v1alpha::server_reflection_server::SERVICE_NAME)
    };
    routes
        .add_service(tonic_health::pb::health_server::HealthServer::new(HealthService::from_health_reporter(
            health.reporter(),
        )))
        .add_service(reflection().build_v1()?)
        .add_service(reflection().build_v1alpha()?);

    let observer = Observer::new(metrics.clone(), methods(&[descriptors, HEALTH_DESCRIPTORS])?);
    let state = Replica { identity, health: health.clone(), metrics, started: Instant::now() };
    let http = Router::new().route("/status", get(status)).route("/metrics", get(metrics_text)).with_state(state);
    Ok(routes.routes().into_axum_router().merge(http).fallback(not_found).layer(
        ServiceBuilder::new()
            // Outermost, so that panics and deadlines are counted too.
            .layer(observer)
            .layer(CatchPanicLayer::custom(panicked))
            .layer(from_fn(deadline))
            .layer(from_fn_with_state(health, serving)),
    ))
}

#[derive(Clone)]
struct Replica {
    identity: Identity,
    health: Health,
    metrics: Metrics,
    started: Instant,
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
    let Identity { service, instance, backend } = replica.identity;
    let uptime_seconds = replica.started.elapsed().as_secs();
    (code, Json(StatusBody { service, instance, status, backend, version: env!("CARGO_PKG_VERSION"), uptime_seconds }))
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
    Status::from(Error::internal(format!("panic: {}", message.unwrap_or("of unknown kind")))).into_http()
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
