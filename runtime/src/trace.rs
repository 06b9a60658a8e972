//! What is traced: each request to a process, each call from the gateway to a replica, each act on a store.
//!
//! By W3C Trace Context: the trace of whoever calls is gone on with, and passed on. Where no collector is configured
//! ([`crate::telemetry`]) the spans here are disabled, which costs a comparison, and a `traceparent` is passed on as it
//! came. Under `capsim`, one process to the collector, the attribute `service` of a request tells who served it.

use std::sync::atomic::{AtomicBool, Ordering};

use http::{HeaderMap, HeaderName, HeaderValue};
use tonic::Code;
use tracing::{Span, field::Empty};

use crate::otlp;

/// Target of the spans of requests that are traced; they are for the log too.
pub(crate) const REQUESTS: &str = "runtime::request";
/// Target of the spans that are for traces only.
pub(crate) const TRACE_ONLY: &str = "otel";

/// Header of a trace's context: version, trace id, the caller's span id, flags.
pub const TRACEPARENT: &str = "traceparent";

/// What asks how a process is, every second or so: nobody wants to see that as a trace.
const OPERATIONS: [&str; 4] = ["/grpc.health.v1.Health/", "/health", "/metrics", "/status"];

/// Whether traces are sent. (`tracing::enabled!` would tell too, but leaves its verdict about one span behind for the
/// next, where layers have filters of their own.)
static SENT: AtomicBool = AtomicBool::new(false);

/// To be called when traces have somewhere to go.
#[cfg(feature = "otlp")]
pub(crate) fn turn_on() {
    SENT.store(true, Ordering::Relaxed);
}

/// The span around a request, with what every log line should tell.
pub(crate) fn request(service: &'static str, id: &str, method: &str, path: &str, headers: &HeaderMap) -> Span {
    let traced = SENT.load(Ordering::Relaxed) && !OPERATIONS.iter().any(|prefix| path.starts_with(prefix));
    if !traced {
        let trace_id = trace_id(headers);
        return tracing::info_span!("request", request_id = id, trace_id, method, path);
    }
    let span = tracing::info_span!(
        target: REQUESTS,
        "request",
        request_id = id,
        trace_id = Empty,
        service,
        method,
        path,
        otel.name = format_args!("{method} {path}"),
        otel.kind = "server",
    );
    otlp::adopt(&span, headers);
    span
}

/// Makes `span` part of the trace that caused what it is around: `traceparent` is what was noted of it then.
pub fn follow(span: &Span, traceparent: &str) {
    if !span.is_disabled()
        && SENT.load(Ordering::Relaxed)
        && let Ok(value) = HeaderValue::try_from(traceparent)
    {
        otlp::adopt(span, &HeaderMap::from_iter([(HeaderName::from_static(TRACEPARENT), value)]));
    }
}

/// Notes what a request came to: for its trace, not for the log.
pub(crate) fn answered(request: &Span, status: u16) {
    if SENT.load(Ordering::Relaxed) {
        otlp::answered(request, status);
    }
}

/// The span of a call to a replica; [`inject`] and [`ended`] belong to it.
pub fn call(method: &str, replica: &str) -> Span {
    tracing::info_span!(
        target: TRACE_ONLY,
        "call",
        otel.name = method.trim_start_matches('/'),
        otel.kind = "client",
        otel.status_code = Empty,
        rpc.system = "grpc",
        rpc.grpc.status_code = Empty,
        server.address = replica,
    )
}

/// Makes `call` what the callee's spans belong to.
pub fn inject(call: &Span, headers: &mut HeaderMap) {
    if !call.is_disabled() {
        otlp::inject(call, headers);
    }
}

/// Notes what a call came to.
pub fn ended(call: &Span, code: Code) {
    if !call.is_disabled() {
        call.record("rpc.grpc.status_code", code as i32);
        if matches!(code, Code::Unavailable | Code::DeadlineExceeded | Code::Unknown | Code::Internal) {
            call.record("otel.status_code", "ERROR");
        }
    }
}

/// The span of an act on a store, such as `items.list`; `backend` is what the store calls itself.
pub fn store(backend: &'static str, act: &'static str) -> Span {
    tracing::info_span!(
        target: TRACE_ONLY,
        "store",
        otel.name = act,
        otel.kind = "client",
        db.system.name = if backend == "embedded" { "sqlite" } else { backend },
        db.operation.name = act,
    )
}

/// The trace that a caller says a request belongs to: 32 hexadecimal digits.
fn trace_id(headers: &HeaderMap) -> Option<&str> {
    let id = headers.get(TRACEPARENT)?.to_str().ok()?.get(3..35)?;
    id.bytes().all(|byte| byte.is_ascii_hexdigit()).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_trace_id_of_a_caller_is_read_or_there_is_none() {
        let read = |value: &'static str| {
            let headers =
                HeaderMap::from_iter([(HeaderName::from_static(TRACEPARENT), HeaderValue::from_static(value))]);
            trace_id(&headers).map(str::to_owned)
        };
        let id = "4bf92f3577b34da6a3ce929d0e0e4736";
        assert_eq!(read("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01").as_deref(), Some(id));
        for nonsense in ["", "00", "00-4bf92f3577b34da6", "00-4bf92f3577b34da6a3ce929d0e0e473g-00f067aa0ba902b7-01"] {
            assert_eq!(read(nonsense), None, "{nonsense}");
        }
        assert_eq!(trace_id(&HeaderMap::new()), None);
    }
}
