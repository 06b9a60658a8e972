//! What one replica is told by flags and environment, parsed once in `main`.

use clap::Parser;
use kernel::Secret;

/// A replica of the discourse service: channels and posts over gRPC.
#[derive(Clone, Debug, Parser)]
#[command(name = "discourse", version)]
pub struct Config {
    /// Address to listen on; 0.0.0.0 is every one of this machine.
    #[arg(long, env = "HOST", default_value = "127.0.0.1")]
    pub host: String,

    /// Port for gRPC, and for /status and /metrics over HTTP/1.1; 0 is any free one.
    #[arg(long, env = "PORT", default_value_t = 4001)]
    pub port: u16,

    /// Name of this replica in /status and logs.
    #[arg(long, env = "INSTANCE_ID", default_value = "discourse-1")]
    pub instance_id: String,

    /// PostgreSQL database, postgres://user:password@host:5432/database; the embedded store where it is not set.
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    pub database_url: Option<Secret>,

    #[command(flatten)]
    pub storage: storage::data_dir::Options,
    #[command(flatten)]
    pub idempotency: storage::idempotency::Options,
    #[command(flatten)]
    pub events: events::options::Options,

    /// Start nothing: ask the process that has this port whether it is well, and exit with 1 if not.
    #[arg(long)]
    pub health_check: bool,

    #[command(flatten)]
    pub identity: upstream::IdentityOptions,

    #[command(flatten)]
    pub runtime: runtime::threads::Options,
    #[command(flatten)]
    pub telemetry: runtime::telemetry::Options,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_database_url_is_not_shown() {
        let config =
            Config::try_parse_from(["discourse", "--database-url=postgres://ada:hunter2@db/d"]).expect("parses");
        assert!(config.database_url.as_ref().is_some_and(|url| url.reveal().contains("hunter2")));
        assert!(!format!("{config:?}").contains("hunter2"));
        let command = Config::command();
        let url = command.get_arguments().find(|argument| argument.get_id() == "database_url").expect("argument");
        assert!(url.is_hide_env_values_set());
    }

    #[test]
    fn a_bad_value_names_its_variable() {
        let error = Config::try_parse_from(["discourse", "--port=70000"]).expect_err("refused").to_string();
        assert!(error.contains("PORT") && error.contains("0..=65535"), "{error}");
    }
}
