//! What is counted of who follows and works: for Prometheus, whose alerts look at it.

use opentelemetry::{
    KeyValue,
    metrics::{Counter, Meter, UpDownCounter},
};

/// The instruments of a process, cheap to clone.
#[derive(Clone, Debug)]
pub struct Counts {
    missing: Counter<u64>,
    consumed: Counter<u64>,
    dead: Counter<u64>,
    held: UpDownCounter<i64>,
}

impl Counts {
    pub fn new(meter: &Meter) -> Self {
        Self {
            missing: meter.u64_counter("events_missing").with_description("Events that a reader never saw").build(),
            consumed: meter.u64_counter("events_consumed").with_description("Events that a group has done").build(),
            dead: meter.u64_counter("events_dead").with_description("Events that a group gave up on").build(),
            held: meter
                .i64_up_down_counter("events_held")
                .with_description("Events that a group holds until its store is there again")
                .build(),
        }
    }

    pub(crate) fn missing(&self, source: &str, events: u64) {
        self.missing.add(events, &[KeyValue::new("source", source.to_owned())]);
    }

    /// Shows a group that has counted nothing yet, so that its first dead letter is a rise.
    pub(crate) fn begin(&self, group: &'static str) {
        let group = [KeyValue::new("group", group)];
        self.consumed.add(0, &group);
        self.dead.add(0, &group);
        self.held.add(0, &group);
    }

    pub(crate) fn consumed(&self, group: &'static str) {
        self.consumed.add(1, &[KeyValue::new("group", group)]);
    }

    pub(crate) fn dead(&self, group: &'static str) {
        self.dead.add(1, &[KeyValue::new("group", group)]);
    }

    /// Counts an event as held until the guard is dropped.
    pub(crate) fn hold(&self, group: &'static str) -> Held {
        self.held.add(1, &[KeyValue::new("group", group)]);
        Held { counts: self.clone(), group }
    }
}

/// An event that is held.
pub(crate) struct Held {
    counts: Counts,
    group: &'static str,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.counts.held.add(-1, &[KeyValue::new("group", self.group)]);
    }
}
