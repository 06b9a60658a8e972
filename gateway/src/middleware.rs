//! The whole middleware stack of the gateway, and the small middlewares that stand in no file of their own.

use std::{
    any::Any,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use axum::{
    Router,
    extract::{DefaultBodyLimit, Request, State},
    http::{HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::{Next, from_fn, from_fn_with_state},
    response::{IntoResponse, Response},
};
use platform::observe::{Observer, RequestId, observe};
use tower::ServiceBuilder;
use tower_http::{
    catch_panic::CatchPanicLayer,
    cors::{Any as AnyOrigin, CorsLayer},
};

use crate::{app::App, auth::token::Unauthorized, call::Identity, error::Problem, extract::MAX_BODY_BYTES};

/// A request, its body's arrival included, may take this long. Longer than any upstream deadline: what runs into it
/// is a client that sends too slowly.
const TIME_LIMIT: Duration = Duration::from_secs(10);

/// Wraps `router` in everything that happens around every request, outermost first.
pub(crate) fn stack(router: Router, app: &Arc<App>) -> Router {
    let observer = Observer::new(app.metrics.clone(), Default::default());
    router.layer(
        ServiceBuilder::new()
            // Outermost: gives the request its id, and counts what all others made of it.
            .layer(from_fn_with_state(observer, observe))
            // Outside of all that can refuse, so that every refusal is written in one place.
            .layer(from_fn(problems))
            .layer(from_fn(security_headers))
            .layer(cors())
            .layer(CatchPanicLayer::custom(panicked))
            .layer(from_fn_with_state(TIME_LIMIT, time_limit))
            .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
            // Innermost: load shedding and rate limits, which some routes have of their own, come after it.
            .layer(from_fn_with_state(Arc::clone(app), identify)),
    )
}

/// Writes a [`Problem`], wherever it came from, as problem+json with the request's id.
async fn problems(request: Request, next: Next) -> Response {
    let id = request.extensions().get::<RequestId>().cloned();
    let mut response = next.run(request).await;
    match (response.extensions_mut().remove::<Problem>(), id) {
        (Some(problem), Some(id)) => problem.render(&id, response),
        _ => response,
    }
}

/// Headers that keep browsers from guessing and framing. An answer that says more of itself (Swagger UI) keeps it.
async fn security_headers(request: Request, next: Next) -> Response {
    const HEADERS: [(HeaderName, HeaderValue); 4] = [
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'")),
    ];
    let mut response = next.run(request).await;
    for (name, value) in HEADERS {
        response.headers_mut().entry(name).or_insert(value);
    }
    response
}

/// Any origin may call: callers prove themselves by a token they hold, never by a cookie that a browser adds.
fn cors() -> CorsLayer {
    let lower = HeaderName::from_static;
    CorsLayer::new()
        .allow_origin(AnyOrigin)
        .allow_methods([Method::GET, Method::POST])
        .allow_headers([
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            header::CACHE_CONTROL,
            header::IF_NONE_MATCH,
            lower("idempotency-key"),
            lower("x-request-id"),
            lower("traceparent"),
            lower("tracestate"),
        ])
        .expose_headers([
            header::AGE,
            header::ETAG,
            header::LOCATION,
            header::RETRY_AFTER,
            lower("x-cache"),
            lower("x-request-id"),
            lower("ratelimit"),
            lower("ratelimit-policy"),
        ])
        .max_age(Duration::from_secs(3600))
}

fn panicked(panic: Box<dyn Any + Send + 'static>) -> Response {
    let message = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    Problem::internal(format_args!("panic: {}", message.unwrap_or("of unknown kind"))).into_response()
}

/// Beyond so many requests at once, an answer now beats a place in a queue. Not for `/status` and `/metrics`: an
/// overloaded gateway is alive. All that pass here, and no others, are counted for `/status`.
pub(crate) async fn shed(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    app.requests.fetch_add(1, Ordering::Relaxed);
    match app.in_flight.try_acquire() {
        Ok(_permit) => next.run(request).await,
        Err(_) => Problem::overloaded().into_response(),
    }
}

async fn time_limit(State(limit): State<Duration>, request: Request, next: Next) -> Response {
    tokio::time::timeout(limit, next.run(request)).await.unwrap_or_else(|_| {
        Problem::new(StatusCode::REQUEST_TIMEOUT, "request_timeout", "the request took too long to arrive")
            .into_response()
    })
}

/// Verifies the token, once, for rate limits and handlers. Whether a route needs one, its handler says.
async fn identify(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    let identity = match request.headers().get(header::AUTHORIZATION) {
        None => Err(Unauthorized::MissingToken),
        Some(value) => match bearer(value) {
            Some(token) => app.auth.verify(token),
            None => Err(Unauthorized::InvalidToken),
        },
    };
    request.extensions_mut().insert(Identity(identity));
    next.run(request).await
}

/// The token of `Bearer <token>`; the scheme's case does not matter (RFC 9110, section 11.1).
fn bearer(value: &HeaderValue) -> Option<&str> {
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use axum::{
        body::{Body, Bytes},
        routing::post,
    };
    use clap::Parser;
    use tokio_util::sync::CancellationToken;
    use tower::ServiceExt;

    use super::*;
    use crate::{
        app::{Settings, Stores},
        config::Config,
        routes,
    };

    /// A gateway whose replicas nobody has started.
    fn app(data: &tempfile::TempDir) -> Arc<App> {
        let config = Config::try_parse_from(["gateway", "--marketplace-replicas=127.0.0.1:1"]).expect("parses");
        let settings = Settings {
            instance: config.instance_id,
            marketplace_replicas: config.marketplace_replicas,
            discourse_replicas: Vec::new(),
            jwt_secret: "x".repeat(32).into(),
            password_rounds: 1000,
            options: config.options,
            stores: Stores::Embedded { data_dir: data.path().to_owned() },
        };
        App::new(settings, &CancellationToken::new()).expect("starts")
    }

    async fn status_of(app: &Arc<App>, request: Request) -> StatusCode {
        routes::router(app).oneshot(request).await.expect("answers").status()
    }

    fn get(path: &str) -> Request {
        Request::get(path).body(Body::empty()).expect("request")
    }

    #[tokio::test]
    async fn beyond_its_limit_a_gateway_sheds_calls_but_not_operations() {
        let data = tempfile::tempdir().expect("directory");
        let app = app(&data);
        let all = u32::try_from(app.in_flight.available_permits()).expect("fits");
        let one_is_left = app.in_flight.acquire_many(all - 1).await.expect("permits");
        assert_eq!(status_of(&app, get("/marketplace/list")).await, StatusCode::UNAUTHORIZED);
        let none_is_left = app.in_flight.acquire().await.expect("permit");
        assert_eq!(status_of(&app, get("/marketplace/list")).await, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(status_of(&app, get("/metrics")).await, StatusCode::OK);
        drop((one_is_left, none_is_left));
        assert_eq!(status_of(&app, get("/marketplace/list")).await, StatusCode::UNAUTHORIZED);
    }

    #[tokio::test]
    async fn a_body_that_never_ends_is_given_up() {
        let limit = Duration::from_millis(50);
        let app = Router::new()
            .route("/", post(async |_: Bytes| "read"))
            .layer(from_fn_with_state(limit, time_limit))
            .layer(from_fn(problems));
        let answer = async |body: Body| {
            let request = Request::post("/").body(body).expect("request");
            app.clone().oneshot(request).await.expect("answers").status()
        };
        assert_eq!(answer(Body::from("whole")).await, StatusCode::OK);
        let endless = futures_util::stream::pending::<Result<Bytes, Infallible>>();
        assert_eq!(answer(Body::from_stream(endless)).await, StatusCode::REQUEST_TIMEOUT);
    }

    #[test]
    fn the_scheme_of_a_token_is_read_in_any_case() {
        let read = |value: &'static str| bearer(&HeaderValue::from_static(value)).map(str::to_owned);
        assert_eq!(read("Bearer a.b.c").as_deref(), Some("a.b.c"));
        assert_eq!(read("bearer a.b.c").as_deref(), Some("a.b.c"));
        assert_eq!((read("Basic a"), read("a.b.c"), read("")), (None, None, None));
    }
}
