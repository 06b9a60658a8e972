//! One replica of the marketplace as a process of its own.

use anyhow::Context;
use clap::Parser;
use kernel::Secret;
use marketplace::{Config, store};
use runtime::{identity::Jwks, probe, server, shutdown, telemetry, threads};

/// Every request allocates many small strings on one thread and frees them on another: what mimalloc is good at.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> anyhow::Result<()> {
    let config = Config::parse();
    threads::run(config.runtime, run(config))
}

async fn run(config: Config) -> anyhow::Result<()> {
    if config.health_check {
        return probe::ask(&config.host, config.port).await;
    }
    let _telemetry = telemetry::init(&config.telemetry, "marketplace", &config.instance_id)?;
    let shutdown = shutdown::on_signal()?;
    let jwks =
        config.jwks.context("JWKS is missing: the keys that tokens are verified with; `capsim keys` makes them")?;
    let jwks = Jwks::load(&jwks)?;
    let mongodb_uri = config.mongodb_uri.as_ref().map(Secret::reveal);
    let store = store::open(mongodb_uri, &config.storage, &config.options).await?;
    let listener = server::bind(&config.host, config.port).await?;
    tracing::info!(instance = config.instance_id, address = %listener.local_addr()?, "listening");
    let serve = |verifier| marketplace::serve(listener, config.instance_id, store, verifier, shutdown);
    upstream::verifying(&jwks, config.accounts_replicas, serve).await
}
