//! One replica of the marketplace as a process of its own.

use clap::Parser;
use kernel::Secret;
use marketplace::{Config, store};
use runtime::{probe, server, shutdown, telemetry, threads};

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
    let keys = config.identity.keys.keys()?;
    let mongodb_uri = config.mongodb_uri.as_ref().map(Secret::reveal);
    let data_dir = config.storage.when_asked();
    let store = store::open(mongodb_uri, &data_dir, &config.options).await?;
    let publisher = config.events.publisher(&config.instance_id, &data_dir)?;
    let listener = server::bind(&config.host, config.port).await?;
    tracing::info!(instance = config.instance_id, address = %listener.local_addr()?, "listening");
    let serve = |verifier| marketplace::serve(listener, config.instance_id, store, publisher, verifier, shutdown);
    upstream::verifying(&keys, config.identity.accounts_replicas, serve).await
}
