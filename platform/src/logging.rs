//! Logs: readable on a terminal, one JSON object a line elsewhere.

use std::io::IsTerminal;

use anyhow::Context;
use tracing_subscriber::{EnvFilter, fmt, prelude::*};

/// Starts logging to standard error; `filter` is in the syntax of `RUST_LOG`, such as `info,gateway=debug`.
pub fn init(filter: &str) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(filter)
        .with_context(|| format!("RUST_LOG is {filter:?}: it must be a filter such as `info` or `gateway=debug`"))?;
    let registry = tracing_subscriber::registry().with(filter);
    if std::io::stderr().is_terminal() {
        registry.with(fmt::layer().with_writer(std::io::stderr).with_target(false)).init();
    } else {
        let json = fmt::layer().json().flatten_event(true).with_current_span(true).with_span_list(false);
        registry.with(json.with_writer(std::io::stderr)).init();
    }
    Ok(())
}
