//! Where logs and traces go, set up once, in `main`.
//!
//! Logs are readable on a terminal, one JSON object a line elsewhere. Traces go to a collector, by OTLP over gRPC, where
//! one is configured; where none is, their spans are never made. What is traced, [`crate::trace`] says.

use std::{
    io::IsTerminal,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use anyhow::Context;
use clap::Args;
use opentelemetry::{KeyValue, trace::TracerProvider};
use opentelemetry_otlp::{WithExportConfig, WithTonicConfig};
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    trace::{BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracerProvider, SpanData, SpanExporter},
};
use tokio::runtime::{Builder, Runtime};
use tonic::transport::Endpoint;
use tracing_appender::non_blocking::WorkerGuard;
use tracing_subscriber::{EnvFilter, Layer, filter::Targets, fmt, prelude::*};

use crate::{
    access::{self, AccessLog},
    trace,
};

/// Spans that wait to be sent at most; more are dropped.
const QUEUE: usize = 8192;
/// How often they are sent.
const INTERVAL: Duration = Duration::from_secs(1);
/// A collector that takes longer to take them has failed; also how long the end of a process waits for it.
const TIMEOUT: Duration = Duration::from_secs(3);

/// What is logged by default.
const DEFAULT_FILTER: &str = "info,h2=error";

/// What is logged and traced.
#[derive(Args, Clone, Debug)]
#[group(skip)]
pub struct Options {
    /// What is logged, such as `info` or `info,gateway=debug`. The default hears of what peers do wrong in HTTP/2 only what
    /// is an error: a warning each time is a log that they can fill.
    #[arg(long, env = "RUST_LOG", default_value = DEFAULT_FILTER)]
    pub rust_log: String,
    /// Which requests have a line of their own in the log: `all`, `errors` (5xx, and what takes a second or more), `off`.
    #[arg(long, env = "ACCESS_LOG", default_value = "errors")]
    pub access_log: AccessLog,
    /// Collector that traces are sent to, by OTLP over gRPC, such as http://127.0.0.1:4317; unset or empty: no traces.
    #[arg(long, env = "OTEL_EXPORTER_OTLP_ENDPOINT")]
    pub otel_exporter_otlp_endpoint: Option<String>,
    /// Share of the traces that begin here to send, 0 to 1. A trace that began elsewhere is sent if its caller sends it.
    #[arg(long, env = "OTEL_TRACES_SAMPLER_ARG", default_value = "1", value_parser = share)]
    pub otel_traces_sampler_arg: f64,
}

fn share(text: &str) -> Result<f64, &'static str> {
    text.parse().ok().filter(|share| (0.0..=1.0).contains(share)).ok_or("must be a number, 0 to 1")
}

/// What may still have to be written or sent: to be dropped last in `main`.
#[derive(Debug)]
pub struct Telemetry {
    _traces: Option<Traces>,
    _access_log: Option<WorkerGuard>,
}

#[derive(Debug)]
struct Traces {
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

/// Starts logging to standard error, and tracing where it is asked for.
///
/// `service` and `instance` are who this process is to the collector.
pub fn init(options: &Options, service: &'static str, instance: &str) -> anyhow::Result<Telemetry> {
    let filter = &options.rust_log;
    let filter = EnvFilter::try_new(filter)
        .with_context(|| format!("RUST_LOG is {filter:?}: it must be a filter such as `info` or `gateway=debug`"))?
        .add_directive(format!("{}=off", trace::TRACE_ONLY).parse()?);
    let endpoint = options.otel_exporter_otlp_endpoint.as_deref().filter(|endpoint| !endpoint.is_empty());
    let Some(endpoint) = endpoint else {
        tracing_subscriber::registry().with(filter).with(logs()).init();
        return Ok(Telemetry { _traces: None, _access_log: access::start(options.access_log) });
    };
    let runtime = Builder::new_multi_thread().worker_threads(1).thread_name("traces").enable_all().build()?;
    let handle = runtime.handle().clone();
    let _runtime = Background(Some(runtime));
    let provider = {
        let _entered = handle.enter();
        exporter(endpoint, options.otel_traces_sampler_arg, service, instance)?
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
    Ok(Telemetry { _traces: Some(Traces { provider, _runtime }), _access_log: access::start(options.access_log) })
}

fn logs<S>() -> Box<dyn Layer<S> + Send + Sync>
where
    S: tracing::Subscriber + for<'a> tracing_subscriber::registry::LookupSpan<'a>,
{
    let layer = fmt::layer().with_writer(std::io::stderr);
    match std::io::stderr().is_terminal() {
        true => layer.with_target(false).boxed(),
        false => layer.json().flatten_event(true).with_current_span(true).with_span_list(false).boxed(),
    }
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

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Cli {
        #[command(flatten)]
        options: Options,
    }

    fn refused(argument: &str) -> String {
        let options = match Cli::try_parse_from(["test", argument]) {
            Ok(cli) => cli.options,
            Err(error) => return error.to_string(),
        };
        format!("{:#}", init(&options, "test", "test-1").expect_err("refused"))
    }

    #[test]
    fn a_bad_value_names_its_variable_and_what_it_should_be() {
        for (argument, variable, hint) in [
            ("--rust-log=gateway=loud", "RUST_LOG", "gateway=debug"),
            ("--access-log=some", "ACCESS_LOG", "errors"),
            ("--otel-exporter-otlp-endpoint=collector:4317", "OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4317"),
            ("--otel-exporter-otlp-endpoint=https://collector", "OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4317"),
            ("--otel-exporter-otlp-endpoint=http:// a", "OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4317"),
            ("--otel-traces-sampler-arg=1.1", "OTEL_TRACES_SAMPLER_ARG", "0 to 1"),
            ("--otel-traces-sampler-arg=NaN", "OTEL_TRACES_SAMPLER_ARG", "0 to 1"),
        ] {
            let error = refused(argument);
            assert!(error.contains(variable) && error.contains(hint), "{argument}: {error}");
        }
    }
}
