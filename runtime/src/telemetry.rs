//! Where logs and traces go, set up once, in `main`.
//!
//! Logs are readable on a terminal, one JSON object a line elsewhere. Traces go to a collector, by OTLP over gRPC, where
//! one is configured (the module `otlp`, a feature); where none is, their spans are never made. What is traced,
//! [`crate::trace`] says.

use std::io::IsTerminal;

use anyhow::Context;
use clap::Args;
use tracing_appender::non_blocking::WorkerGuard;
use tracing_subscriber::{EnvFilter, Layer, fmt, prelude::*};

use crate::{
    access::{self, AccessLog},
    otlp, trace,
};

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
    _traces: Option<otlp::Traces>,
    _access_log: Option<WorkerGuard>,
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
    let traces = match endpoint {
        Some(endpoint) => Some(otlp::start(endpoint, options.otel_traces_sampler_arg, service, instance, filter)?),
        None => {
            tracing_subscriber::registry().with(filter).with(logs()).init();
            None
        }
    };
    Ok(Telemetry { _traces: traces, _access_log: access::start(options.access_log) })
}

/// Lines for people on a terminal, JSON elsewhere.
pub(crate) fn logs<S>() -> Box<dyn Layer<S> + Send + Sync>
where
    S: tracing::Subscriber + for<'a> tracing_subscriber::registry::LookupSpan<'a>,
{
    let layer = fmt::layer().with_writer(std::io::stderr);
    match std::io::stderr().is_terminal() {
        true => layer.with_target(false).boxed(),
        false => layer.json().flatten_event(true).with_current_span(true).with_span_list(false).boxed(),
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
