//! The gateway as a process of its own.

use anyhow::Context;
use clap::Parser;
use gateway::{Settings, config::Config};
use kernel::Clock;
use runtime::identity::SigningKeys;

/// Every request allocates many small strings on one thread and frees them on another: what mimalloc is good at.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> anyhow::Result<()> {
    let config = Config::parse();
    runtime::threads::run(config.runtime, run(config))
}

async fn run(config: Config) -> anyhow::Result<()> {
    if config.health_check {
        return runtime::probe::ask(&config.host, config.port).await;
    }
    let _telemetry = runtime::telemetry::init(&config.telemetry, "gateway", &config.instance_id)?;
    let stores = config.stores();
    let keys = config.jwt_key.context("JWT_KEY is missing: an Ed25519 key, PKCS#8 in PEM; `capsim keys` makes it")?;
    let shutdown = runtime::shutdown::on_signal()?;
    let listener = runtime::server::bind(&config.host, config.port).await?;
    let settings = Settings {
        instance: config.instance_id,
        replicas: config.replicas,
        keys: SigningKeys::load(keys.reveal())?,
        options: config.options,
        stores,
        clock: Clock::system(),
    };
    gateway::serve(listener, settings, shutdown).await
}
