//! One replica of the accounts service as a process of its own.

use std::time::Duration;

use accounts::{Config, Passwords, Store, admin, password};
use anyhow::Context;
use clap::Parser;
use kernel::{Clock, Secret};
use runtime::{
    identity::{Ended, Jwks, Verifier},
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
    let _traces = telemetry::init(&config.telemetry, "accounts", &config.instance_id)?;
    let jwks =
        config.jwks.context("JWKS is missing: the keys that tokens are verified with; `capsim keys` makes them")?;
    let verifier = Verifier::new(&Jwks::load(&jwks)?, Clock::system(), Ended::default())?;
    let shutdown = shutdown::on_signal()?;
    let store = Store::open(config.database_url.as_ref().map(Secret::reveal), &config.data_dir)?;
    let passwords = Passwords::new(password::ROUNDS)?;
    let listener = server::bind(&config.host, config.port).await?;
    tracing::info!(instance = config.instance_id, address = %listener.local_addr()?, backend = store.backend(), "serving");
    let (served, ()) = tokio::join!(
        accounts::serve(listener, config.instance_id, store.clone(), passwords.clone(), verifier, shutdown.clone()),
        first_admin(&store, &passwords, config.admin_password, &shutdown),
    );
    served
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
            Err(error) => return tracing::error!(%error, violations = ?error.violations(), "no first admin"),
        }
    }
}
