//! One replica of the discourse service as a process of its own.

use std::sync::Arc;

use clap::Parser;
use discourse::{Config, store::embedded::Embedded};
use platform::{logging, server, shutdown};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let config = Config::parse();
    logging::init(&config.rust_log)?;
    let shutdown = shutdown::on_signal()?;
    let store = Embedded::open(&config.data_dir)?;
    let listener = server::bind(&config.host, config.port).await?;
    tracing::info!(instance = config.instance_id, address = %listener.local_addr()?, "serving");
    discourse::serve(listener, config.instance_id, Arc::new(store), shutdown).await
}
