//! What happens around every request of every process: a span with its request id, its metrics, and what the access log
//! tells of it.

use std::{
    collections::HashSet,
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Instant,
};

use axum::{
    extract::{MatchedPath, Request},
    http::{HeaderMap, HeaderValue, Method},
    response::{IntoResponse, Response},
};
use tonic::{Code, Status};
use tower::{Layer, Service};
use tracing::Instrument;
use uuid::Uuid;

use crate::{
    access::{Came, Notes},
    metrics::Metrics,
    status::http_status,
    trace,
};

/// Header and metadata key of the request id.
pub const REQUEST_ID: &str = "x-request-id";

/// The `path` of a request that no route matches, whatever its URL.
const UNMATCHED: &str = "unmatched";

/// The id of a request, from its `X-Request-Id` (1 to 128 visible ASCII characters) or new.
#[derive(Clone, Debug)]
pub struct RequestId(pub HeaderValue);

impl RequestId {
    fn of(headers: &HeaderMap) -> Self {
        let acceptable =
            |id: &&HeaderValue| (1..=128).contains(&id.len()) && id.as_bytes().iter().all(u8::is_ascii_graphic);
        Self(headers.get(REQUEST_ID).filter(acceptable).cloned().unwrap_or_else(|| {
            let mut buffer = Uuid::encode_buffer();
            let id = Uuid::new_v4().hyphenated().encode_lower(&mut buffer);
            HeaderValue::from_str(id).unwrap_or(HeaderValue::from_static("-"))
        }))
    }

    pub fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or("-")
    }
}

/// Layer: gives each request its id, runs it in a span of its own, counts and times it.
#[derive(Clone, Debug)]
pub struct Observer {
    metrics: Metrics,
    /// `/package.Service/Method`; other gRPC paths are [`UNMATCHED`], so that labels stay bounded.
    methods: Arc<HashSet<Arc<str>>>,
}

impl Observer {
    pub fn new(metrics: Metrics, methods: HashSet<Arc<str>>) -> Self {
        Self { metrics, methods: Arc::new(methods) }
    }

    /// The route that a request matched, or its gRPC method.
    fn path(&self, request: &Request) -> Arc<str> {
        if let Some(method) = self.methods.get(request.uri().path()) {
            return Arc::clone(method);
        }
        match request.extensions().get::<MatchedPath>() {
            Some(route) if !is_grpc(request.headers()) => route.as_str().into(),
            _ => UNMATCHED.into(),
        }
    }
}

impl<S> Layer<S> for Observer {
    type Service = Observed<S>;

    fn layer(&self, inner: S) -> Observed<S> {
        Observed { observer: self.clone(), inner }
    }
}

/// A service whose requests an [`Observer`] sees. (A service, not a function with a `Next`: that would clone all that is
/// inside of it for every request.)
#[derive(Clone, Debug)]
pub struct Observed<S> {
    observer: Observer,
    inner: S,
}

impl<S> Service<Request> for Observed<S>
where
    S: Service<Request, Response: IntoResponse, Error = Infallible, Future: Send + 'static>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request) -> Self::Future {
        let start = Instant::now();
        let metrics = self.observer.metrics.clone();
        let (method, path) = (method_label(request.method()), self.observer.path(&request));
        let id = RequestId::of(request.headers());
        let span = trace::request(metrics.service(), id.as_str(), method, &path, request.headers());
        request.extensions_mut().insert(id.clone());
        let notes = Notes::begin(request.extensions_mut(), &path);

        let answer = span.in_scope(|| self.inner.call(request)).instrument(span.clone());
        Box::pin(async move {
            let mut response = answer.await?.into_response();
            response.headers_mut().insert(REQUEST_ID, id.0.clone());
            let (status, took) = (status(&response), start.elapsed());
            span.in_scope(|| tracing::debug!(status, took_us = took.as_micros() as u64, "answered"));
            trace::answered(&span, status);
            if let Some(notes) = notes {
                let (service, route, request_id) = (metrics.service(), Arc::clone(&path), id.0);
                Came { service, method, route, status, took, request_id, notes }.note(&mut response);
            }
            metrics.request(method, path, status, took);
            Ok(response)
        })
    }
}

/// Whether a request or response speaks gRPC.
pub fn is_grpc(headers: &HeaderMap) -> bool {
    headers.get(http::header::CONTENT_TYPE).is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"))
}

/// The HTTP status, for gRPC by the table. A gRPC answer that names no status in its head has begun well.
fn status(response: &Response) -> u16 {
    match Status::from_header_map(response.headers()) {
        Some(status) if status.code() != Code::Ok => http_status(status.code()).as_u16(),
        _ => response.status().as_u16(),
    }
}

/// The method as a label: a client may send any token, a label must be one of few.
fn method_label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        _ => "other",
    }
}
