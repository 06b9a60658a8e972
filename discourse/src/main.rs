//! One replica of the discourse service as a process of its own.

use clap::Parser;
use discourse::{Config, store};
use kernel::Secret;
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
    let _telemetry = telemetry::init(&config.telemetry, "discourse", &config.instance_id)?;
    let shutdown = shutdown::on_signal()?;
    let keys = config.identity.keys.keys()?;
    let data_dir = config.storage.when_asked();
    let store = store::open(config.database_url.as_ref().map(Secret::reveal), &data_dir, &config.idempotency)?;
    let publisher = config.events.publisher(&config.instance_id, &data_dir)?;
    let listener = server::bind(&config.host, config.port).await?;
    tracing::info!(instance = config.instance_id, address = %listener.local_addr()?, backend = store.backend(), "listening");
    let serve = |verifier| discourse::serve(listener, config.instance_id, store, publisher, verifier, shutdown);
    upstream::verifying(&keys, config.identity.accounts_replicas, serve).await
}
