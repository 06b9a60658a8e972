//! What a span has to do with the spans of others, by OpenTelemetry.

use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::{
    propagation::{Extractor, Injector, TextMapPropagator},
    trace::{Status, TraceContextExt},
};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// Makes `span` part of the trace of whoever calls, and notes which one that is.
pub(crate) fn adopt(span: &Span, headers: &HeaderMap) {
    let parent = TraceContextPropagator::new().extract(&Headers(headers));
    // It fails where the span is disabled.
    let _ = span.set_parent(parent);
    span.record("trace_id", tracing::field::display(span.context().span().span_context().trace_id()));
}

/// Notes what a request came to.
pub(crate) fn answered(request: &Span, status: u16) {
    request.set_attribute("http.response.status_code", i64::from(status));
    if status >= 500 {
        request.set_status(Status::error(""));
    }
}

/// Makes `call` what the callee's spans belong to.
pub(crate) fn inject(call: &Span, headers: &mut HeaderMap) {
    TraceContextPropagator::new().inject_context(&call.context(), &mut HeadersMut(headers));
}

struct Headers<'a>(&'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(HeaderName::as_str).collect()
    }
}

struct HeadersMut<'a>(&'a mut HeaderMap);

impl Injector for HeadersMut<'_> {
    fn set(&mut self, key: &str, value: String) {
        if let (Ok(name), Ok(mut value)) = (HeaderName::try_from(key), HeaderValue::try_from(value)) {
            // Never the same twice: not for HTTP/2's header table.
            value.set_sensitive(true);
            self.0.insert(name, value);
        }
    }
}
