//! What one replica is told by flags and environment, parsed once in `main`.

use clap::Parser;
use kernel::Secret;

/// A replica of the accounts service: accounts, passwords, profiles and roles over gRPC.
#[derive(Clone, Debug, Parser)]
#[command(name = "accounts", version)]
pub struct Config {
    /// Address to listen on; 0.0.0.0 is every one of this machine.
    #[arg(long, env = "HOST", default_value = "127.0.0.1")]
    pub host: String,

    /// Port for gRPC, and for /status and /metrics over HTTP/1.1; 0 is any free one.
    #[arg(long, env = "PORT", default_value_t = 5001)]
    pub port: u16,

    /// Name of this replica in /status and logs.
    #[arg(long, env = "INSTANCE_ID", default_value = "accounts-1")]
    pub instance_id: String,

    /// PostgreSQL database, postgres://user:password@host:5432/database; the embedded store where it is not set.
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    pub database_url: Option<Secret>,

    #[command(flatten)]
    pub storage: storage::data_dir::Options,
    #[command(flatten)]
    pub events: events::options::Options,

    #[command(flatten)]
    pub identity: runtime::identity::Options,

    /// Password of the first admin, `admin`, who is made if nobody is one.
    #[arg(long, env = "ADMIN_PASSWORD", hide_env_values = true)]
    pub admin_password: Option<Secret>,

    /// Start nothing: ask the process that has this port whether it is well, and exit with 1 if not.
    #[arg(long)]
    pub health_check: bool,

    #[command(flatten)]
    pub runtime: runtime::threads::Options,
    #[command(flatten)]
    pub telemetry: runtime::telemetry::Options,
}
