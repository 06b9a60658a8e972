//! The gateway as a process of its own.

use std::sync::Arc;

use anyhow::Context;
use clap::Parser;
use gateway::{
    Settings,
    auth::{password, users::embedded::EmbeddedUsers},
    config::Config,
};

/// Every request allocates many small strings on one thread and frees them on another: what mimalloc is good at.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let config = Config::parse();
    if config.health_check {
        return platform::probe::ask(&config.host, config.port).await;
    }
    platform::logging::init(&config.rust_log)?;
    let jwt_secret =
        config.jwt_secret.context("JWT_SECRET is missing: it must be a random text of 32 bytes or more")?;
    let shutdown = platform::shutdown::on_signal()?;
    let users = Arc::new(EmbeddedUsers::open(&config.data_dir)?);
    let listener = platform::server::bind(&config.host, config.port).await?;
    tracing::info!(address = %listener.local_addr()?, users = "embedded", cache = "memory", "gateway is up");
    let settings = Settings {
        instance: config.instance_id,
        marketplace_replicas: config.marketplace_replicas,
        discourse_replicas: config.discourse_replicas,
        jwt_secret,
        password_rounds: password::ROUNDS,
        options: config.options,
    };
    gateway::serve(listener, settings, users, shutdown).await
}
