//! The gateway as a process of its own.

use anyhow::Context;
use clap::Parser;
use gateway::{Settings, auth::password, config::Config};

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
    let stores = config.stores()?;
    let jwt_secret =
        config.jwt_secret.context("JWT_SECRET is missing: it must be a random text of 32 bytes or more")?;
    let shutdown = runtime::shutdown::on_signal()?;
    let listener = runtime::server::bind(&config.host, config.port).await?;
    let settings = Settings {
        instance: config.instance_id,
        marketplace_replicas: config.marketplace_replicas,
        discourse_replicas: config.discourse_replicas,
        jwt_secret,
        password_rounds: password::ROUNDS,
        options: config.options,
        stores,
        clock: kernel::Clock::system(),
    };
    gateway::serve(listener, settings, shutdown).await
}
