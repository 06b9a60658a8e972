//! One replica of the discourse service as a process of its own.

use anyhow::Context;
use clap::Parser;
use discourse::{Config, store};
use kernel::Secret;
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
    let _telemetry = telemetry::init(&config.telemetry, "discourse", &config.instance_id)?;
    let shutdown = shutdown::on_signal()?;
    let jwks =
        config.jwks.context("JWKS is missing: the keys that tokens are verified with; `capsim keys` makes them")?;
    let jwks = Jwks::load(&jwks)?;
    let store = store::open(config.database_url.as_ref().map(Secret::reveal), &config.storage, &config.idempotency)?;
    let listener = server::bind(&config.host, config.port).await?;
    tracing::info!(instance = config.instance_id, address = %listener.local_addr()?, backend = store.backend(), "listening");
    let serve = |verifier| discourse::serve(listener, config.instance_id, store, verifier, shutdown);
    upstream::verifying(&jwks, config.accounts_replicas, serve).await
}
