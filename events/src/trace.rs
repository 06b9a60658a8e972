//! The trace of the request that caused an event goes on in whoever consumes it.

use std::collections::HashMap;

use opentelemetry::propagation::TextMapPropagator;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

use crate::event::Event;

/// The span around what a group does with an event.
pub(crate) fn consumed(group: &'static str, event: &Event) -> Span {
    let span = tracing::info_span!(
        "event",
        group,
        event_id = %event.id,
        event_type = event.kind,
        subject = event.subject,
        otel.name = format_args!("{group} {}", event.kind),
        otel.kind = "consumer",
    );
    if let Some(traceparent) = &event.traceparent {
        let parent =
            TraceContextPropagator::new().extract(&HashMap::from([("traceparent".to_owned(), traceparent.clone())]));
        // It fails where the span is disabled.
        let _ = span.set_parent(parent);
    }
    span
}
