//! The whole middleware stack of the gateway, and the small middlewares that stand in no file of their own.

use std::{
    any::Any,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use axum::{
    Router,
    body::HttpBody,
    extract::{Request, State},
    http::{HeaderName, HeaderValue, Method, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use runtime::{access, identity::identify, observe::Observer, server::Room};
use tower::{ServiceBuilder, layer::layer_fn};
use tower_http::{
    catch_panic::CatchPanicLayer,
    cors::{Any as AnyOrigin, CorsLayer},
};

use crate::{
    ambiguous::Unambiguous,
    app::App,
    body::{self, MAX_BODY_BYTES},
    error::Problem,
    rate_limit::Limit,
};

/// Wraps `router` in everything that happens around every request, outermost first.
///
/// Each is a plain layer: a function with a `Next` clones all that is inside of it for every request.
pub(crate) fn stack(router: Router, app: &Arc<App>) -> Router {
    let verifier = app.auth.verifier().clone();
    router.layer(
        ServiceBuilder::new()
            // The outermost, which sees each answer as it goes out.
            .map_response(access::write)
            // Outside of all that can refuse, so that every refusal is written in one place.
            .map_response(problems)
            // Gives the request its id, and counts what all others made of it.
            .layer(Observer::new(app.metrics.clone(), Default::default()))
            .map_response(security_headers)
            .layer(cors())
            .layer(CatchPanicLayer::custom(panicked))
            .layer(layer_fn(Unambiguous))
            // Innermost: admission, which depends on the route and on who calls, comes after it.
            .map_request(move |request| identify(&verifier, request)),
    )
}

/// Writes a [`Problem`], wherever it came from, as problem+json with the request's id.
fn problems(mut response: Response) -> Response {
    match response.extensions_mut().remove::<Problem>() {
        Some(problem) => problem.render(response),
        None => response,
    }
}

/// Headers that keep browsers from guessing and framing. An answer that says more of itself (Swagger UI) keeps it.
fn security_headers<B>(mut response: Response<B>) -> Response<B> {
    const HEADERS: [(HeaderName, HeaderValue); 4] = [
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'")),
    ];
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
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::DELETE])
        .allow_headers([
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            header::CACHE_CONTROL,
            header::IF_MATCH,
            header::IF_NONE_MATCH,
            lower("last-event-id"),
            lower("idempotency-key"),
            lower("x-auth-token"),
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

/// Admits a call or refuses it. Its body comes first, then it takes a place in flight: beyond so many at once, an answer
/// now beats a place in a queue. Then come rate limits. It keeps its place until its answer is written.
///
/// Not for `/status` and `/metrics`: an overloaded gateway is alive. All that pass here, and no others, are counted for
/// `/status`.
pub(crate) async fn admit(
    State((app, limit)): State<(Arc<App>, Arc<Limit>)>,
    request: Request,
    next: Next,
) -> Response {
    app.requests.fetch_add(1, Ordering::Relaxed);
    in_flight(&app, &limit, request, next).await.unwrap_or_else(Problem::into_response)
}

async fn in_flight(app: &App, limit: &Limit, request: Request, next: Next) -> Result<Response, Problem> {
    let caller = limit.caller(&request);
    let under_way = app.in_flight.enter(caller)?;
    let request = match request.body().is_end_stream() {
        true => request,
        // Boxed, so that the many requests without a body do not move its size about.
        false => Box::pin(body::arrived(request)).await?,
    };
    // The answer to a write is no longer than what was written.
    let share = match request.extensions().get::<Room>() {
        Some(room) => Some(room.clone().take(MAX_BODY_BYTES).await),
        None => None,
    };
    let place = app.in_flight.place(under_way)?;
    let made_again = request.method().is_safe();
    let response = match limit.take(caller).await {
        Ok(taken) => taken.charge(next.run(request).await),
        Err(refusal) => refusal,
    };
    app.in_flight.answered(place, share, response, made_again)
}

#[cfg(test)]
mod tests {
    use axum::{body::Body, http::StatusCode};
    use clap::Parser;
    use kernel::Clock;
    use runtime::identity::SigningKeys;
    use tokio_util::sync::CancellationToken;
    use tower::ServiceExt;

    use super::*;
    use crate::{
        app::Settings,
        config::{Config, Replicas, Stores},
        routes,
    };

    /// A gateway whose replicas nobody has started.
    fn app() -> Arc<App> {
        let config = Config::try_parse_from(["gateway", "--marketplace-replicas=127.0.0.1:1"]).expect("parses");
        let settings = Settings {
            instance: config.instance_id,
            replicas: Replicas { marketplace: config.replicas.marketplace, ..Replicas::default() },
            keys: SigningKeys::load(&SigningKeys::generate().expect("key")).expect("reads"),
            options: config.options,
            stores: Stores::Memory,
            clock: Clock::system(),
        };
        App::new(settings, &CancellationToken::new(), &CancellationToken::new()).expect("starts")
    }

    async fn status_of(app: &Arc<App>, request: Request) -> StatusCode {
        routes::router(app).oneshot(request).await.expect("answers").status()
    }

    fn get(path: &str) -> Request {
        Request::get(path).body(Body::empty()).expect("request")
    }

    #[tokio::test]
    async fn beyond_its_limit_a_gateway_sheds_calls_but_not_operations() {
        let app = app();
        let places = app.in_flight.places();
        let all = u32::try_from(places.available_permits()).expect("fits");
        let one_is_left = places.acquire_many(all - 1).await.expect("permits");
        assert_eq!(status_of(&app, get("/marketplace/list")).await, StatusCode::UNAUTHORIZED);
        let none_is_left = places.acquire().await.expect("permit");
        assert_eq!(status_of(&app, get("/marketplace/list")).await, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(status_of(&app, get("/metrics")).await, StatusCode::OK);
        drop((one_is_left, none_is_left));
        assert_eq!(status_of(&app, get("/marketplace/list")).await, StatusCode::UNAUTHORIZED);
    }
}
