//! Traces on their way to a collector, by OTLP over gRPC, and the context that they have on the wire.

mod context;

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use anyhow::Context;
use opentelemetry::{KeyValue, trace::TracerProvider};
use opentelemetry_otlp::{WithExportConfig, WithTonicConfig};
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    trace::{BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracerProvider, SpanData, SpanExporter},
};
use tokio::runtime::{Builder, Runtime};
use tonic::transport::Endpoint;
use tracing_subscriber::{EnvFilter, Layer, filter::Targets, prelude::*};

pub(crate) use self::context::{adopt, answered, inject};
use crate::{telemetry::logs, trace};

/// Spans that wait to be sent at most; more are dropped.
const QUEUE: usize = 8192;
/// How often they are sent.
const INTERVAL: Duration = Duration::from_secs(1);
/// A collector that takes longer to take them has failed; also how long the end of a process waits for it.
const TIMEOUT: Duration = Duration::from_secs(3);

/// What may still have to be sent.
#[derive(Debug)]
pub(crate) struct Traces {
    provider: SdkTracerProvider,
    _runtime: Background,
}

impl Drop for Traces {
    /// Sends what is left, for at most 3 seconds.
    fn drop(&mut self) {
        // That it fails, the exporter has said.
        let _ = self.provider.shutdown_with_timeout(TIMEOUT);
    }
}

/// Talks to the collector. The process' own runtime may have no thread but the one that waits, at the end, for the last
/// traces to be sent.
#[derive(Debug)]
struct Background(Option<Runtime>);

impl Drop for Background {
    /// Waits for nothing: a runtime that is just dropped would, which async code must not.
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// Starts tracing, to the collector at `endpoint`, and logging what `filter` lets through.
pub(crate) fn start(
    endpoint: &str,
    share: f64,
    service: &'static str,
    instance: &str,
    filter: EnvFilter,
) -> anyhow::Result<Traces> {
    let runtime = Builder::new_multi_thread().worker_threads(1).thread_name("traces").enable_all().build()?;
    let handle = runtime.handle().clone();
    let _runtime = Background(Some(runtime));
    let provider = {
        let _entered = handle.enter();
        exporter(endpoint, share, service, instance)?
    };
    let layer = tracing_opentelemetry::layer()
        .with_tracer(provider.tracer("capsim"))
        .with_context_activation(false)
        .with_tracked_inactivity(false)
        .with_location(false)
        .with_threads(false)
        .with_target(false);
    let traced = [trace::REQUESTS, trace::TRACE_ONLY].map(|target| (target, tracing::Level::INFO));
    tracing_subscriber::registry()
        .with(layer.with_filter(Targets::from_iter(traced)))
        .with(logs().with_filter(filter))
        .init();
    trace::turn_on();
    Ok(Traces { provider, _runtime })
}

/// Connects lazily: a collector may come and go.
fn exporter(endpoint: &str, share: f64, service: &'static str, instance: &str) -> anyhow::Result<SdkTracerProvider> {
    let shape =
        || format!("OTEL_EXPORTER_OTLP_ENDPOINT is {endpoint:?}: it must be a URL such as http://127.0.0.1:4317");
    let channel = Endpoint::from_shared(endpoint.to_owned()).with_context(shape)?;
    anyhow::ensure!(channel.uri().scheme_str() == Some("http") && channel.uri().host().is_some(), shape());
    let exporter = opentelemetry_otlp::SpanExporter::builder()
        .with_tonic()
        .with_channel(channel.connect_timeout(TIMEOUT).timeout(TIMEOUT).connect_lazy())
        .with_timeout(TIMEOUT)
        .build()?;
    let batches = BatchConfigBuilder::default().with_max_queue_size(QUEUE).with_scheduled_delay(INTERVAL).build();
    let exporter = Telling { exporter, fails: AtomicBool::new(false) };
    let resource = Resource::builder_empty()
        .with_service_name(service)
        .with_attribute(KeyValue::new("service.instance.id", instance.to_owned()))
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .build();
    Ok(SdkTracerProvider::builder()
        .with_span_processor(BatchSpanProcessor::builder(exporter).with_batch_config(batches).build())
        .with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(share))))
        .with_resource(resource)
        .build())
}

/// Tells the log when the collector goes and when it is back, once each.
#[derive(Debug)]
struct Telling {
    exporter: opentelemetry_otlp::SpanExporter,
    fails: AtomicBool,
}

impl SpanExporter for Telling {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let result = self.exporter.export(batch).await;
        match (&result, self.fails.swap(result.is_err(), Ordering::Relaxed)) {
            (Err(error), false) => {
                tracing::warn!(%error, "the collector takes no traces: they are dropped until it does")
            }
            (Ok(()), true) => tracing::info!("the collector takes traces again"),
            _ => {}
        }
        result
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }
}
