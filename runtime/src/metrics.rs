//! Metrics of one process, by OpenTelemetry, in Prometheus' text format.
//!
//! Each process has a registry of its own, also where several share one operating system process.

use std::{fmt, sync::Arc, time::Duration};

use kernel::PoolState;
use opentelemetry::{
    KeyValue,
    metrics::{Counter, Gauge, Histogram, Meter, MeterProvider, UpDownCounter},
};
use opentelemetry_sdk::metrics::SdkMeterProvider;
use prometheus::{Registry, TextEncoder};

use crate::{access, process};

/// Upper bounds of the latency histogram's buckets, seconds: 0.5 ms to 5 s, about 1-2-5.
const LATENCY_SECONDS: [f64; 13] = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0];

/// The `Content-Type` of what [`Metrics::render`] returns.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The instruments that every process has, and the registry they report to.
#[derive(Clone)]
pub struct Metrics {
    inner: Arc<Inner>,
}

struct Inner {
    service: &'static str,
    registry: Registry,
    meter: Meter,
    _provider: SdkMeterProvider,
    requests: Counter<u64>,
    duration: Histogram<f64>,
    connections: UpDownCounter<i64>,
    up: Gauge<u64>,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").field("service", &self.inner.service).finish_non_exhaustive()
    }
}

impl Metrics {
    /// The metrics of a process of `service`, which says of itself that it is up.
    pub fn new(service: &'static str) -> Result<Self, opentelemetry_sdk::error::OTelSdkError> {
        let registry = Registry::new();
        let exporter = opentelemetry_prometheus::exporter()
            .with_registry(registry.clone())
            .without_target_info()
            .scope_info_enabled(false)
            .build()?;
        let provider = SdkMeterProvider::builder().with_reader(exporter).build();
        let meter = provider.meter("capsim");
        let inner = Inner {
            service,
            requests: meter.u64_counter("http_requests").with_description("Requests answered").build(),
            duration: meter
                .f64_histogram("http_request_duration")
                .with_description("Time from a request's head to its answer's head")
                .with_unit("s")
                .with_boundaries(LATENCY_SECONDS.to_vec())
                .build(),
            connections: meter
                .i64_up_down_counter("http_connections_active")
                .with_description("Open connections from clients")
                .build(),
            up: meter.u64_gauge("service_up").with_description("1 while a process serves").build(),
            registry,
            meter,
            _provider: provider,
        };
        process::report(&inner.meter);
        access::report(&inner.meter);
        inner.up.record(1, &[KeyValue::new("service", service)]);
        inner.connections.add(0, &[KeyValue::new("service", service)]);
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The name that the `service` label has.
    pub fn service(&self) -> &'static str {
        self.inner.service
    }

    /// For instruments of a process' own.
    pub fn meter(&self) -> &Meter {
        &self.inner.meter
    }

    /// Counts one answered request. `path` must come from a bounded set.
    pub fn request(&self, method: &'static str, path: Arc<str>, status: u16, took: Duration) {
        let service = KeyValue::new("service", self.inner.service);
        let method = KeyValue::new("method", method);
        let path = KeyValue::new("path", path);
        let labels = [service, method, path, KeyValue::new("status", i64::from(status))];
        self.inner.requests.add(1, &labels);
        self.inner.duration.record(took.as_secs_f64(), &labels[..3]);
    }

    /// Notes whether a replica, as seen from here, is up.
    pub fn replica_up(&self, service: &'static str, replica: &str, up: bool) {
        let labels = [KeyValue::new("service", service), KeyValue::new("replica", replica.to_owned())];
        self.inner.up.record(up.into(), &labels);
    }

    /// Counts a connection until the guard is dropped.
    pub fn connection(&self) -> ConnectionGuard {
        self.inner.connections.add(1, &[KeyValue::new("service", self.inner.service)]);
        ConnectionGuard(self.clone())
    }

    /// Reports whether `store` answers from now on; `up` is asked at each scrape and must not wait for it.
    pub fn watch_store(&self, store: &'static str, up: impl Fn() -> bool + Send + Sync + 'static) {
        self.inner
            .meter
            .u64_observable_gauge("store_up")
            .with_description("1 while this process reads from the store and writes to it")
            .with_callback(move |observer| observer.observe(up().into(), &[KeyValue::new("store", store)]))
            .build();
    }

    /// Reports the connections to `store` from now on; `state` is asked at each scrape.
    pub fn watch_pool(&self, store: &'static str, state: impl Fn() -> PoolState + Clone + Send + Sync + 'static) {
        let label = |name, value: &'static str| KeyValue::new(name, value);
        let most = state.clone();
        self.inner
            .meter
            .u64_observable_gauge("store_connections")
            .with_description("Open connections to the store")
            .with_callback(move |observer| {
                let PoolState { in_use, idle, .. } = state();
                observer.observe(in_use, &[label("store", store), label("state", "in_use")]);
                observer.observe(idle, &[label("store", store), label("state", "idle")]);
            })
            .build();
        self.inner
            .meter
            .u64_observable_gauge("store_connections_max")
            .with_description("Connections to the store there may be at most")
            .with_callback(move |observer| observer.observe(most().max, &[label("store", store)]))
            .build();
    }

    /// All metrics in Prometheus' text format.
    pub fn render(&self) -> Result<String, prometheus::Error> {
        TextEncoder::new().encode_to_string(&self.inner.registry.gather())
    }
}

/// An open connection.
#[derive(Debug)]
pub struct ConnectionGuard(Metrics);

impl Drop for ConnectionGuard {
    fn drop(&mut self) {
        self.0.inner.connections.add(-1, &[KeyValue::new("service", self.0.inner.service)]);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

    use super::*;

    #[test]
    fn a_process_tells_its_cpu_and_memory() {
        let metrics = Metrics::new("gateway").expect("metrics");
        let value = |name: &str| -> f64 {
            let text = metrics.render().expect("text");
            let line = text.lines().find(|line| line.starts_with(&format!("{name} "))).map(str::to_owned);
            line.unwrap_or_else(|| panic!("{name} is not in\n{text}"))
                .rsplit_once(' ')
                .expect("value")
                .1
                .parse()
                .expect("number")
        };
        let before = value("process_cpu_seconds_total");
        while value("process_cpu_seconds_total") <= before {}
        assert!(value("process_resident_memory_bytes") > 1_000_000.0);
    }

    #[test]
    fn a_store_is_asked_at_each_scrape_and_let_go_with_the_metrics() {
        let metrics = Metrics::new("discourse").expect("metrics");
        let in_use = Arc::new(AtomicU64::new(3));
        let now = Arc::clone(&in_use);
        metrics.watch_pool("postgresql", move || PoolState { in_use: now.load(Relaxed), idle: 1, max: 10 });
        let now = Arc::clone(&in_use);
        metrics.watch_store("postgresql", move || now.load(Relaxed) == 7);
        for count in [3, 7] {
            in_use.store(count, Relaxed);
            let text = metrics.render().expect("text");
            for line in [
                format!(r#"store_connections{{state="in_use",store="postgresql"}} {count}"#),
                r#"store_connections{state="idle",store="postgresql"} 1"#.to_owned(),
                r#"store_connections_max{store="postgresql"} 10"#.to_owned(),
                format!(r#"store_up{{store="postgresql"}} {}"#, u8::from(count == 7)),
            ] {
                assert!(text.lines().any(|l| l == line), "{line}\nis not in\n{text}");
            }
        }
        drop(metrics);
        assert_eq!(Arc::strong_count(&in_use), 1, "a store would outlive its replica");
    }

    #[test]
    fn names_and_labels_are_those_of_the_contract() {
        let metrics = Metrics::new("gateway").expect("metrics");
        metrics.request("GET", "/status".into(), 200, Duration::from_micros(700));
        metrics.replica_up("marketplace", "127.0.0.1:3001", false);
        let guard = metrics.connection();
        let text = metrics.render().expect("text");
        for line in [
            r#"http_requests_total{method="GET",path="/status",service="gateway",status="200"} 1"#,
            r#"http_request_duration_seconds_bucket{method="GET",path="/status",service="gateway",le="0.0005"} 0"#,
            r#"http_request_duration_seconds_bucket{method="GET",path="/status",service="gateway",le="0.001"} 1"#,
            r#"http_connections_active{service="gateway"} 1"#,
            r#"service_up{service="gateway"} 1"#,
            r#"service_up{replica="127.0.0.1:3001",service="marketplace"} 0"#,
        ] {
            assert!(text.lines().any(|l| l == line), "{line}\nis not in\n{text}");
        }
        assert!(!text.contains("otel_scope"), "{text}");
        drop(guard);
        assert!(metrics.render().expect("text").contains(r#"http_connections_active{service="gateway"} 0"#));
    }
}
