//! What one replica is told by flags and environment, parsed once in `main`.

use clap::Parser;
use kernel::Secret;

/// A replica of the feed: what happened, as others are shown it, over gRPC.
#[derive(Clone, Debug, Parser)]
#[command(name = "feed", version)]
pub struct Config {
    /// Address to listen on; 0.0.0.0 is every one of this machine.
    #[arg(long, env = "HOST", default_value = "127.0.0.1")]
    pub host: String,

    /// Port for gRPC, and for /status and /metrics over HTTP/1.1; 0 is any free one.
    #[arg(long, env = "PORT", default_value_t = 7001)]
    pub port: u16,

    /// Name of this replica in /status and logs.
    #[arg(long, env = "INSTANCE_ID", default_value = "feed-1")]
    pub instance_id: String,

    /// Redis that has the views, redis://[[user]:password@]host[:port][/database]; the embedded store where it is not set.
    #[arg(long, env = "REDIS_URL", hide_env_values = true)]
    pub redis_url: Option<Secret>,

    /// What every key in Redis begins with, where several systems share one.
    #[arg(long, env = "REDIS_PREFIX", default_value = "")]
    pub redis_prefix: String,

    #[command(flatten)]
    pub storage: storage::data_dir::Options,
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
    fn urls_with_passwords_are_not_shown() {
        let flags = ["feed", "--redis-url=redis://:hunter2@cache", "--amqp-url=amqp://ada:hunter2@broker"];
        let config = Config::try_parse_from(flags).expect("parses");
        assert!(config.redis_url.as_ref().is_some_and(|url| url.reveal().contains("hunter2")));
        assert!(!format!("{config:?}").contains("hunter2"));
        for id in ["redis_url", "amqp_url"] {
            let command = Config::command();
            let url = command.get_arguments().find(|argument| argument.get_id() == id).expect("argument");
            assert!(url.is_hide_env_values_set(), "{id}");
        }
    }

    #[test]
    fn a_bad_value_names_its_variable() {
        let error = Config::try_parse_from(["feed", "--port=70000"]).expect_err("refused").to_string();
        assert!(error.contains("PORT") && error.contains("0..=65535"), "{error}");
    }
}
