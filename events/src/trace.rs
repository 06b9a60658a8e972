//! The trace of the request that caused an event goes on in whoever consumes it.

use tracing::Span;

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
        runtime::trace::follow(&span, traceparent);
    }
    span
}
