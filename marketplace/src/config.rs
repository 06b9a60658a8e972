//! What one replica is told by flags and environment, parsed once in `main`.

use clap::{Args, Parser};
use kernel::Secret;

use crate::wallet::Amounts;

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
    #[command(flatten)]
    pub events: events::options::Options,

    #[command(flatten)]
    pub identity: upstream::IdentityOptions,

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
    /// What a wallet opens with, an amount a currency; one that is left out is 0.
    ///
    /// The treasury can issue 2^63 minor units of each currency in all: at the default that is 4.6 billion wallets (BTC).
    #[arg(long, env = "OPENING_BALANCE", default_value = OPENING_BALANCE)]
    pub opening_balance: Amounts,

    /// What a user can deposit a day (UTC), an amount a currency; one that is left out cannot be deposited.
    #[arg(long, env = "DEPOSIT_LIMIT", default_value = DEPOSIT_LIMIT)]
    pub deposit_limit: Amounts,

    #[command(flatten)]
    pub idempotency: storage::idempotency::Options,
}

const OPENING_BALANCE: &str = "USD:1000000,EUR:1000000,GOLD:1000,BTC:20";
const DEPOSIT_LIMIT: &str = "USD:10000,EUR:10000,GOLD:10,BTC:0.2";

impl Default for Options {
    fn default() -> Self {
        let parse = |amounts: &str| amounts.parse().unwrap_or(Amounts::NONE);
        Self {
            opening_balance: parse(OPENING_BALANCE),
            deposit_limit: parse(DEPOSIT_LIMIT),
            idempotency: storage::idempotency::Options::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(flag: &str, value: &str) -> Result<Config, String> {
        Config::try_parse_from(["marketplace", flag, value]).map_err(|error| error.to_string())
    }

    #[test]
    fn opening_balance_and_deposit_limit_are_amounts_a_currency() {
        let default = Config::try_parse_from(["marketplace"]).expect("valid").options;
        assert_eq!(default.opening_balance.to_string(), "USD:1000000.00,EUR:1000000.00,BTC:20.00000000,GOLD:1000.0000");
        assert_eq!(default.deposit_limit.to_string(), "USD:10000.00,EUR:10000.00,BTC:0.20000000,GOLD:10.0000");
        assert_eq!(Options::default().opening_balance, default.opening_balance);
        assert_eq!(Options::default().deposit_limit, default.deposit_limit);
        for (flag, variable) in [("--opening-balance", "OPENING_BALANCE"), ("--deposit-limit", "DEPOSIT_LIMIT")] {
            for wrong in ["1000000", "USD:-1", "DOGE:1", ""] {
                let error = Config::try_parse_from(["marketplace".to_owned(), format!("{flag}={wrong}")]);
                let error = error.expect_err("invalid").to_string();
                assert!(error.contains(flag) || error.contains(variable), "{error}");
            }
        }
    }

    /// Of each currency, more wallets than there are people.
    #[test]
    fn the_treasury_lasts_for_billions_of_wallets() {
        for amount in Options::default().opening_balance.iter() {
            assert!(i64::MAX / amount.minor_units > 4_000_000_000, "{amount}");
        }
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
