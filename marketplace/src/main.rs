//! One replica of the marketplace as a process of its own.

use std::sync::Arc;

use clap::Parser;
use marketplace::{Config, store::embedded::Embedded};
use platform::{logging, server, shutdown};

/// Every request allocates many small strings on one thread and frees them on another: what mimalloc is good at.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let config = Config::parse();
    logging::init(&config.rust_log)?;
    let shutdown = shutdown::on_signal()?;
    let store = Embedded::open(&config.data_dir, &config.options)?;
    let listener = server::bind(&config.host, config.port).await?;
    tracing::info!(instance = config.instance_id, address = %listener.local_addr()?, "serving");
    marketplace::serve(listener, config.instance_id, Arc::new(store), shutdown).await
}
