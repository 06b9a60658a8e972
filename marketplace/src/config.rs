//! What one replica is told by flags and environment, parsed once in `main`.

use std::time::Duration;

use clap::{Args, Parser, value_parser};
use kernel::Secret;
use upstream::ReplicaAddress;

/// A replica of the marketplace: listings, purchases and wallets over gRPC.
#[derive(Clone, Debug, Parser)]
#[command(name = "marketplace", version)]
pub struct Config {
    /// Address to listen on; 0.0.0.0 is every one of this machine.
    #[arg(long, env = "HOST", default_value = "127.0.0.1")]
    pub host: String,

    /// Port for gRPC, and for /status and /metrics over HTTP/1.1; 0 is any free one.
    #[arg(long, env = "PORT", default_value_t = 3001)]
    pub port: u16,

    /// Name of this replica in /status and logs.
    #[arg(long, env = "INSTANCE_ID", default_value = "marketplace-1")]
    pub instance_id: String,

    /// MongoDB to keep everything in, such as mongodb://host:27017/database?replicaSet=rs0; the embedded store if unset.
    #[arg(long, env = "MONGODB_URI", hide_env_values = true)]
    pub mongodb_uri: Option<Secret>,

    #[command(flatten)]
    pub storage: storage::data_dir::Options,

    /// Keys that tokens are verified with: a JSON Web Key Set, or a file with one. A gateway shows its own at
    /// /.well-known/jwks.json.
    #[arg(long, env = "JWKS")]
    pub jwks: Option<String>,

    /// Replicas of the accounts service, host:port, comma-separated: they tell which tokens have ended.
    #[arg(
        long,
        env = "ACCOUNTS_REPLICAS",
        value_delimiter = ',',
        default_value = "127.0.0.1:5001,127.0.0.1:5002,127.0.0.1:5003"
    )]
    pub accounts_replicas: Vec<ReplicaAddress>,

    #[command(flatten)]
    pub runtime: runtime::threads::Options,
    #[command(flatten)]
    pub telemetry: runtime::telemetry::Options,

    /// Start nothing: ask the process that has this port whether it is well, and exit with 1 if not.
    #[arg(long)]
    pub health_check: bool,

    #[command(flatten)]
    pub options: Options,
}

/// The rules of a market that are for its operator to set, the same on all replicas.
#[derive(Args, Clone, Debug)]
#[group(skip)]
pub struct Options {
    /// Whole units of each currency that a wallet opens with, 0 to 92233720368.
    ///
    /// The treasury can issue 92233720368 BTC in all: at the default that is 92233 wallets.
    // The upper bound is what fits 64 bits in the smallest of units, the satoshi.
    #[arg(
        long,
        env = "OPENING_BALANCE",
        default_value_t = Options::default().opening_balance,
        value_parser = value_parser!(i64).range(0..=92_233_720_368),
    )]
    pub opening_balance: i64,

    /// How long a purchase with an Idempotency-Key is remembered, seconds (1 to 31536000); 7 days by default. A refusal
    /// is for an hour at most.
    #[arg(long, env = "IDEMPOTENCY_TTL", default_value = "604800", value_parser = ttl)]
    pub idempotency_ttl: Duration,
}

fn ttl(text: &str) -> Result<Duration, String> {
    match text.parse() {
        Ok(seconds @ 1..=31_536_000) => Ok(Duration::from_secs(seconds)),
        _ => Err("must be a whole number of seconds, 1 to 31536000".to_owned()),
    }
}

impl Default for Options {
    fn default() -> Self {
        Self { opening_balance: 1_000_000, idempotency_ttl: Duration::from_secs(7 * 24 * 3600) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(flag: &str, value: &str) -> Result<Config, String> {
        Config::try_parse_from(["marketplace", flag, value]).map_err(|error| error.to_string())
    }

    #[test]
    fn the_opening_balance_holds_at_the_edges_and_not_past_them() {
        for value in ["0", "92233720368"] {
            let config = parse("--opening-balance", value).expect("valid");
            assert_eq!(config.options.opening_balance.to_string(), value);
        }
        for value in ["-1", "92233720369", "1.5", ""] {
            let error = Config::try_parse_from(["marketplace", &format!("--opening-balance={value}")]);
            let error = error.expect_err("invalid").to_string();
            assert!(error.contains("OPENING_BALANCE"), "{error}");
        }
    }

    #[test]
    fn idempotency_keys_are_kept_for_a_second_to_a_year() {
        for value in ["1", "31536000"] {
            let config = parse("--idempotency-ttl", value).expect("valid");
            assert_eq!(config.options.idempotency_ttl.as_secs().to_string(), value);
        }
        for value in ["0", "31536001", "7d"] {
            let error = parse("--idempotency-ttl", value).expect_err("invalid");
            assert!(error.contains("idempotency-ttl") && error.contains("1 to 31536000"), "{error}");
        }
        let default = Config::try_parse_from(["marketplace"]).expect("valid").options;
        assert_eq!(default.idempotency_ttl, Options::default().idempotency_ttl);
    }

    #[test]
    fn the_uri_of_a_database_is_kept_out_of_logs() {
        let config = parse("--mongodb-uri", "mongodb://user:hunter2@host").expect("valid");
        assert!(!format!("{config:?}").contains("hunter2"));
        assert_eq!(config.mongodb_uri.expect("is there").reveal(), "mongodb://user:hunter2@host");
    }

    #[test]
    fn a_bad_value_is_named() {
        let error = parse("--port", "65536").expect_err("no port");
        assert!(error.contains("PORT") && error.contains("0..=65535"), "{error}");
    }
}
