//! One replica of the accounts service as a process of its own.

use std::time::Duration;

use accounts::{Config, Passwords, Store, admin, password};
use clap::Parser;
use kernel::{Clock, Secret};
use runtime::{
    identity::{Ended, Verifier},
    probe, server, shutdown, telemetry, threads,
};
use tokio_util::sync::CancellationToken;

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
    let _telemetry = telemetry::init(&config.telemetry, "accounts", &config.instance_id)?;
    let verifier = Verifier::new(&config.identity.keys()?, Clock::system(), Ended::default())?;
    config.admin_password.as_ref().map(Secret::reveal).map_or(Ok(()), admin::check)?;
    let shutdown = shutdown::on_signal()?;
    let data_dir = config.storage.when_asked();
    let store = Store::open(config.database_url.as_ref().map(Secret::reveal), &data_dir)?;
    let publisher = config.events.publisher(&config.instance_id, &data_dir)?;
    let passwords = Passwords::new(password::ROUNDS)?;
    let listener = server::bind(&config.host, config.port).await?;
    tracing::info!(instance = config.instance_id, address = %listener.local_addr()?, backend = store.backend(), "listening");
    let serving = async {
        let (store, passwords, stop) = (store.clone(), passwords.clone(), shutdown.clone());
        let served = accounts::serve(listener, config.instance_id, store, publisher, passwords, verifier, stop).await;
        shutdown.cancel();
        served
    };
    tokio::join!(serving, first_admin(&store, &passwords, config.admin_password, &shutdown)).0
}

/// Makes the first admin as soon as the store answers.
async fn first_admin(store: &Store, passwords: &Passwords, password: Option<Secret>, shutdown: &CancellationToken) {
    const PAUSE: Duration = Duration::from_secs(1);
    let Some(password) = password else { return };
    while !shutdown.is_cancelled() {
        match admin::ensure(store, passwords, password.reveal()).await {
            Ok(false) => return,
            Ok(true) => return tracing::info!(name = admin::NAME, "made the first admin"),
            Err(error) if error.kind() == kernel::Kind::Unavailable => {
                let _ = tokio::time::timeout(PAUSE, shutdown.cancelled()).await;
            }
            Err(error) => return tracing::error!(%error, "no first admin"),
        }
    }
}
