//! The whole system in one process, with nothing else installed.

use std::io::{self, IsTerminal, Write};

use accounts::{Store, admin};
use anyhow::Context;
use clap::{Parser, Subcommand};
use kernel::Secret;
use runtime::identity::SigningKeys;
use upstream::ReplicaAddress;

/// Every request allocates many small strings on one thread and frees them on another: what mimalloc is good at.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The capitalism simulation: gateway and replicas in one process, each on its own port, on embedded stores.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    config: capsim::Config,
}

#[derive(Subcommand)]
enum Command {
    /// Print the OpenAPI description of the gateway.
    Openapi,
    /// Print a new key that signs tokens, and the keys that verify them, as JWT_KEY and JWKS for an environment.
    Keys,
    /// Make somebody an admin, or no admin any more, with the right of whoever has the data: --data-dir of a system that
    /// is stopped, or the database of one that may run.
    Admin {
        #[command(subcommand)]
        change: Admin,
    },
    /// Tell the feed of a running system what only admins may.
    Feed {
        #[command(subcommand)]
        order: Feed,
    },
    /// Fill a running system with people, listings, purchases, channels and posts, through its public API. What is
    /// there already is left as it is.
    Seed {
        /// Where its gateway is.
        #[arg(long, env = "GATEWAY", default_value = "http://127.0.0.1:8000")]
        gateway: String,
    },
}

#[derive(Subcommand)]
enum Admin {
    /// Make whoever has this username or address an admin.
    Grant { name: String },
    /// Take that away; the last admin stays one.
    Revoke { name: String },
}

#[derive(Subcommand)]
enum Feed {
    /// Make its views anew from the log, beside those that are there, and wait until they are in their place.
    Rebuild {
        /// One of its replicas.
        #[arg(long, default_value = "127.0.0.1:7001")]
        replica: ReplicaAddress,
        /// An admin's token, as POST /auth/login gives it.
        #[arg(long, env = "TOKEN", hide_env_values = true)]
        token: Secret,
    },
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let Cli { command, config } = Cli::parse();
    match command {
        None => {}
        Some(Command::Openapi) => {
            let mut text = gateway::openapi().to_pretty_json()?;
            text.push('\n');
            return Ok(io::stdout().write_all(text.as_bytes())?);
        }
        Some(Command::Keys) => {
            let key = SigningKeys::generate()?;
            let jwks = serde_json::to_string(SigningKeys::load(&key)?.jwks())?;
            let text = format!("JWT_KEY=\"{}\"\nJWKS='{jwks}'\n", key.trim_end().replace('\n', "\\n"));
            return Ok(io::stdout().write_all(text.as_bytes())?);
        }
        Some(Command::Admin { change }) => {
            let store =
                Store::open(config.databases.database_url.as_ref().map(Secret::reveal), || config.storage.open())?;
            let (name, is_admin) = match change {
                Admin::Grant { name } => (name, true),
                Admin::Revoke { name } => (name, false),
            };
            let changed = admin::set(&store, &name, is_admin).await.with_context(|| name.clone())?;
            let what = if is_admin { "an admin" } else { "no admin" };
            let text =
                format!("{name} is {what}{}\n", if changed { " from now on, and has to log in again" } else { "" });
            return Ok(io::stdout().write_all(text.as_bytes())?);
        }
        Some(Command::Feed { order: Feed::Rebuild { replica, token } }) => {
            let said = capsim::feed::rebuild(&replica, token.reveal()).await?;
            return Ok(io::stdout().write_all(said.as_bytes())?);
        }
        Some(Command::Seed { gateway }) => {
            let summary = capsim::seed(&gateway, progress).await?;
            return Ok(io::stdout().write_all(summary.as_bytes())?);
        }
    }
    let _telemetry = runtime::telemetry::init(&config.telemetry, "capsim", "capsim-1")?;
    let shutdown = runtime::shutdown::on_signal()?;
    let mut system = capsim::System::start(config, shutdown).await?;
    if system.is_ready().await? {
        io::stdout().write_all(system.guide().as_bytes())?;
    }
    system.join().await
}

/// Counts up in place on a terminal; elsewhere a line a kind of record is enough.
fn progress(records: &str, done: usize, all: usize) {
    let line = format!("  {records}: {done} of {all}");
    match io::stderr().is_terminal() {
        true if done < all => eprint!("\r{line}"),
        true => eprintln!("\r{line}"),
        false if done < all => {}
        false => eprintln!("{line}"),
    }
}
