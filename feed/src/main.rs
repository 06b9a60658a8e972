//! One replica of the feed as a process of its own.

use clap::Parser;
use feed::{Config, store};
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
    let _telemetry = telemetry::init(&config.telemetry, "feed", &config.instance_id)?;
    let shutdown = shutdown::on_signal()?;
    let keys = config.identity.keys.keys()?;
    let data_dir = config.storage.when_asked();
    let store = store::open(config.redis_url.as_ref().map(Secret::reveal), &config.redis_prefix, &data_dir)?;
    let log = config.events.open(&config.instance_id, &data_dir)?;
    let listener = server::bind(&config.host, config.port).await?;
    let (address, backend) = (listener.local_addr()?, store.backend());
    tracing::info!(instance = config.instance_id, %address, backend, log = log.backend(), "listening");
    let serve = |verifier| feed::serve(listener, config.instance_id, store, log, verifier, shutdown);
    upstream::verifying(&keys, config.identity.accounts_replicas, serve).await
}
