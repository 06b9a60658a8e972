//! `/`, `/status` and `/health`, `/metrics`, and what stands around `/docs`.

use std::{collections::BTreeMap, sync::atomic::Ordering};

use axum::{
    Json,
    extract::Request,
    http::{HeaderValue, StatusCode, Uri, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use chrono::{DateTime, Utc};
use proto::errors;
use serde::Serialize;
use upstream::Balancer;
use utoipa::ToSchema;

use crate::{
    error::Problem,
    live::{Live, Progress},
    redis::Redis,
    routes::State,
};

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What this is, and where to go from here.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Index {
    #[schema(example = "capsim gateway")]
    name: &'static str,
    #[schema(example = "0.1.0")]
    version: &'static str,
    /// Paths, by what they are.
    #[schema(example = json!({"docs": "/docs", "openapi": "/openapi.json", "status": "/status", "metrics": "/metrics"}))]
    links: BTreeMap<&'static str, &'static str>,
}

/// What this is
#[utoipa::path(get, path = "/", tag = "operations", responses((status = OK, description = "Name, version and links", body = Index)))]
pub(super) async fn index() -> Json<Index> {
    let links = [("docs", "/docs"), ("openapi", "/openapi.json"), ("status", "/status"), ("metrics", "/metrics")];
    Json(Index { name: "capsim gateway", version: VERSION, links: links.into() })
}

/// How well something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Health {
    /// All replicas are up.
    Healthy,
    /// A replica or Redis is down, a store cannot be written to, or which tokens have ended is not known up to the last
    /// second; what does not need it is served.
    Degraded,
    /// No replica of a service is up that does more than show what others did.
    Unhealthy,
}

/// One replica, as the gateway sees it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ReplicaStatus {
    #[schema(example = "127.0.0.1:3001")]
    address: String,
    /// Whether it takes part in the rotation.
    #[schema(example = true)]
    up: bool,
    /// Whether it serves reads only, since its store cannot be written to.
    #[schema(example = false)]
    degraded: bool,
    /// The store it stands on: embedded, mongodb or postgresql; null until it has told.
    #[schema(example = "embedded")]
    backend: Option<String>,
    /// Calls sent to it since the gateway started.
    calls: u64,
}

/// One service, as the gateway sees it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ServiceStatus {
    status: Health,
    replicas: Vec<ReplicaStatus>,
}

impl From<&Balancer> for ServiceStatus {
    fn from(balancer: &Balancer) -> Self {
        let replicas: Vec<_> = balancer
            .replicas()
            .iter()
            .map(|r| ReplicaStatus {
                address: r.name().to_string(),
                up: r.is_live(),
                degraded: r.is_degraded(),
                backend: r.backend(),
                calls: r.calls(),
            })
            .collect();
        let up = replicas.iter().filter(|replica| replica.up).count();
        let status = match up {
            0 => Health::Unhealthy,
            _ if up < replicas.len() || replicas.iter().any(|replica| replica.degraded) => Health::Degraded,
            _ => Health::Healthy,
        };
        Self { status, replicas }
    }
}

/// How often the cache was asked since the gateway started.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CacheStatus {
    /// Reads answered from the cache.
    #[schema(example = 90)]
    hits: u64,
    /// Cacheable reads that went upstream.
    #[schema(example = 10)]
    misses: u64,
}

/// How far the feed is, as it last told this gateway.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct FeedStatus {
    /// It tells this gateway of each change of its views.
    #[schema(example = true)]
    live: bool,
    /// The log that it follows: embedded or rabbitmq; null until it has told.
    #[schema(example = "embedded")]
    log: Option<String>,
    /// Events that it has applied; null until it has told.
    #[schema(example = 17)]
    position: Option<u64>,
    /// How far its views are behind the log at most; null where nothing was ever applied.
    #[schema(example = 0.4)]
    lag_seconds: Option<f64>,
}

impl From<&Live> for FeedStatus {
    fn from(live: &Live) -> Self {
        let (log, position, as_of) = match live.progress() {
            Some(Progress { log, position, as_of }) => (Some(log), Some(position), as_of),
            None => (None, None, None),
        };
        // Not below zero where clocks differ.
        let lag = |as_of: DateTime<Utc>| (kernel::time::now() - as_of).as_seconds_f64().max(0.0);
        Self { live: live.is_current(), log, position, lag_seconds: as_of.map(lag) }
    }
}

/// How the whole system is.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct SystemStatus {
    #[schema(example = "gateway")]
    service: &'static str,
    #[schema(example = "gateway-1")]
    instance: String,
    status: Health,
    #[schema(example = "0.1.0")]
    version: &'static str,
    #[schema(example = 3600)]
    uptime_seconds: u64,
    /// Calls to all but operations since the gateway started, whatever came of them.
    #[schema(example = 150)]
    requests: u64,
    cache: CacheStatus,
    /// By name: accounts, marketplace, discourse, feed.
    #[schema(example = json!({
        "accounts": {"status": "healthy", "replicas": [{"address": "127.0.0.1:5001", "up": true, "degraded": false, "backend": "embedded", "calls": 3}]},
        "marketplace": {"status": "healthy", "replicas": [{"address": "127.0.0.1:3001", "up": true, "degraded": false, "backend": "embedded", "calls": 42}]},
        "discourse": {"status": "healthy", "replicas": [{"address": "127.0.0.1:4001", "up": true, "degraded": false, "backend": "embedded", "calls": 7}]},
        "feed": {"status": "healthy", "replicas": [{"address": "127.0.0.1:7001", "up": true, "degraded": false, "backend": "embedded", "calls": 5}]}
    }))]
    services: BTreeMap<&'static str, ServiceStatus>,
    /// Where cached answers are kept.
    #[schema(example = json!({"cache": "memory"}))]
    backends: BTreeMap<&'static str, &'static str>,
    /// How far the feed is.
    feed: FeedStatus,
    /// What does not answer at the moment: `redis`; `ended_tokens` while a token that ended may still pass; `feed` while
    /// nothing is live.
    unavailable: Vec<&'static str>,
}

/// What the state of a service is to the whole: without the feed, which only shows what others did, everything else goes on.
fn felt(service: &str, status: Health) -> Health {
    if service == "feed" { status.min(Health::Degraded) } else { status }
}

/// How the system is
///
/// Follows the gRPC health of every replica.
#[utoipa::path(
    get, path = "/status", tag = "operations",
    responses(
        (status = OK, description = "Every service but perhaps the feed has a live replica: healthy or degraded", body = SystemStatus),
        (status = SERVICE_UNAVAILABLE, description = "A service other than the feed has no live replica", body = SystemStatus)
    )
)]
pub(super) async fn status(app: State) -> (StatusCode, Json<SystemStatus>) {
    let services: BTreeMap<_, _> =
        app.balancers.iter().map(|balancer| (balancer.service(), ServiceStatus::from(balancer))).collect();
    let is_up = app.redis.as_ref().is_none_or(Redis::is_up);
    let is_current = app.auth.verifier().ended().is_current();
    let parts = [(is_up, "redis"), (is_current, "ended_tokens"), (app.live.is_current(), "feed")];
    let unavailable: Vec<_> = parts.into_iter().filter(|(is_well, _)| !is_well).collect();
    let own = if unavailable.is_empty() { Health::Healthy } else { Health::Degraded };
    let status = services.iter().map(|(name, service)| felt(name, service.status)).max().unwrap_or(own).max(own);
    let code = match status {
        Health::Healthy | Health::Degraded => StatusCode::OK,
        Health::Unhealthy => StatusCode::SERVICE_UNAVAILABLE,
    };
    let body = SystemStatus {
        service: "gateway",
        instance: app.instance.clone(),
        status,
        version: VERSION,
        uptime_seconds: app.started.elapsed().as_secs(),
        requests: app.requests.load(Ordering::Relaxed),
        cache: CacheStatus { hits: app.cache.hits(), misses: app.cache.misses() },
        services,
        backends: [("cache", app.cache.backend())].into(),
        feed: FeedStatus::from(&*app.live),
        unavailable: unavailable.into_iter().map(|(_, name)| name).collect(),
    };
    (code, Json(body))
}

/// How the system is, as others call it
///
/// The same as `/status`.
#[utoipa::path(
    get, path = "/health", tag = "operations",
    responses(
        (status = OK, description = "Every service but perhaps the feed has a live replica: healthy or degraded", body = SystemStatus),
        (status = SERVICE_UNAVAILABLE, description = "A service other than the feed has no live replica", body = SystemStatus)
    )
)]
pub(super) async fn health(app: State) -> (StatusCode, Json<SystemStatus>) {
    status(app).await
}

/// Metrics for Prometheus
#[utoipa::path(
    get, path = "/metrics", tag = "operations",
    responses(
        (status = OK, description = "Prometheus' text format", body = String, content_type = "text/plain",
         example = "# TYPE service_up gauge\nservice_up{service=\"gateway\"} 1\n")
    ),
    extensions(("x-refusals" = json!([errors::INTERNAL])))
)]
pub(super) async fn metrics(app: State) -> Result<Response, Problem> {
    let text = app.metrics.render().map_err(Problem::internal)?;
    Ok(([(header::CONTENT_TYPE, runtime::metrics::CONTENT_TYPE)], text).into_response())
}

/// Middleware of `/docs`: Swagger UI has scripts and styles of its own, and inline styles and pictures.
pub(super) async fn docs_headers(request: Request, next: Next) -> Response {
    const POLICY: HeaderValue = HeaderValue::from_static(
        "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'",
    );
    let mut response = next.run(request).await;
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, POLICY);
    response
}

/// For every path that is no route.
pub(super) async fn not_found(uri: Uri) -> Problem {
    Problem::new(errors::ROUTE_NOT_FOUND, format!("there is nothing at {}; see /docs", uri.path()))
}

/// For a route with another method; `Allow` says which there are.
pub(super) async fn method_not_allowed() -> Problem {
    errors::METHOD_NOT_ALLOWED.into()
}
