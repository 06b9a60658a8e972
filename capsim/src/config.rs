//! Configuration of the launcher.

use std::path::PathBuf;

use clap::Args;
use kernel::Secret;

/// What runs where, and how.
#[derive(Args, Debug)]
pub struct Config {
    #[command(flatten)]
    pub storage: storage::data_dir::Options,
    /// Address of the gateway and the web UI; 0.0.0.0, every one of this machine, shows them to others.
    #[arg(long, env = "HOST", default_value = "127.0.0.1")]
    pub host: String,
    /// Address of the replicas.
    #[arg(long, env = "REPLICA_HOST", default_value = "127.0.0.1")]
    pub replica_host: String,
    /// Port of the gateway; 0 is any free one.
    #[arg(long, env = "GATEWAY_PORT", default_value_t = 8000)]
    pub gateway_port: u16,
    /// Port of the web UI; 0 is any free one.
    #[arg(long, env = "WEB_PORT", default_value_t = 3000)]
    pub web_port: u16,
    /// Directory of the built web UI. Where it is not there, its port says how to get it.
    #[arg(long, env = "WEB_DIR", default_value = "./web/dist")]
    pub web_dir: PathBuf,
    /// Ports of the accounts replicas, comma-separated; as many replicas as ports.
    #[arg(long, env = "ACCOUNTS_PORTS", value_delimiter = ',', default_value = "5001,5002,5003")]
    pub accounts_ports: Vec<u16>,
    /// Ports of the marketplace replicas, comma-separated; as many replicas as ports.
    #[arg(long, env = "MARKETPLACE_PORTS", value_delimiter = ',', default_value = "3001,3002,3003")]
    pub marketplace_ports: Vec<u16>,
    /// Ports of the discourse replicas, comma-separated; as many replicas as ports.
    #[arg(long, env = "DISCOURSE_PORTS", value_delimiter = ',', default_value = "4001,4002,4003")]
    pub discourse_ports: Vec<u16>,
    /// File to write once everything serves, for programs: JSON with the address of everything. Removed at the end. Its
    /// directory must exist.
    #[arg(long, env = "READY_FILE")]
    pub ready_file: Option<PathBuf>,
    /// Key that signs the tokens: Ed25519, PKCS#8 in PEM, or a file with it; by default one that is made and kept in the data
    /// directory.
    #[arg(long, env = "JWT_KEY", hide_env_values = true)]
    pub jwt_key: Option<Secret>,
    /// Password of the first admin, `admin`; by default a random one, shown once and kept in the data directory.
    #[arg(long, env = "ADMIN_PASSWORD", hide_env_values = true)]
    pub admin_password: Option<Secret>,
    #[command(flatten)]
    pub telemetry: runtime::telemetry::Options,
    #[command(flatten)]
    pub options: gateway::config::Options,
    #[command(flatten)]
    pub economy: marketplace::config::Options,
}
