//! Configuration of the gateway: parsed once, in `main`.

use std::{net::IpAddr, time::Duration};

use clap::Args;
use ipnet::IpNet;
use kernel::{Secret, time::seconds};
use runtime::server::Limits;
use upstream::ReplicaAddress;

/// Configuration of the gateway process.
#[derive(clap::Parser, Debug)]
#[command(version, about = "REST gateway of the capitalism simulation")]
pub struct Config {
    /// Address to listen on; 0.0.0.0 is every one of this machine.
    #[arg(long, env = "HOST", default_value = "127.0.0.1")]
    pub host: String,
    /// Port to listen on.
    #[arg(long, env = "PORT", default_value_t = 8000)]
    pub port: u16,
    /// Name of this process in logs and in /status.
    #[arg(long, env = "INSTANCE_ID", default_value = "gateway-1")]
    pub instance_id: String,
    #[command(flatten)]
    pub replicas: Replicas,
    /// Redis for answers and rate limits, such as redis://:password@host:6379/0; in memory if unset.
    #[arg(long, env = "REDIS_URL", hide_env_values = true)]
    pub redis_url: Option<Secret>,
    /// What every key in Redis begins with, where several systems share one.
    #[arg(long, env = "REDIS_PREFIX", default_value = "")]
    pub redis_prefix: String,
    /// Key that signs the tokens: Ed25519, PKCS#8 in PEM, or a file with it; all gateways need the same. Keys that follow
    /// it verify what they signed before.
    #[arg(long, env = "JWT_KEY", hide_env_values = true)]
    pub jwt_key: Option<Secret>,
    /// Start nothing: ask the process that has this port whether it is well, and exit with 1 if not.
    #[arg(long)]
    pub health_check: bool,
    #[command(flatten)]
    pub runtime: runtime::threads::Options,
    #[command(flatten)]
    pub telemetry: runtime::telemetry::Options,
    #[command(flatten)]
    pub options: Options,
}

/// Where cached answers and rate limits are kept.
#[derive(Clone, Debug)]
pub enum Stores {
    /// Each gateway has its own.
    Memory,
    /// In Redis, shared by the gateways that use the same URL and prefix.
    Redis { url: Secret, prefix: String },
}

/// Where the services are.
#[derive(Args, Clone, Debug, Default)]
#[group(skip)]
pub struct Replicas {
    /// Replicas of the accounts service, host:port, comma-separated.
    #[arg(
        long = "accounts-replicas",
        value_name = "ACCOUNTS_REPLICAS",
        env = "ACCOUNTS_REPLICAS",
        value_delimiter = ',',
        default_value = "127.0.0.1:5001,127.0.0.1:5002,127.0.0.1:5003"
    )]
    pub accounts: Vec<ReplicaAddress>,
    /// Replicas of the marketplace service, host:port, comma-separated.
    #[arg(
        long = "marketplace-replicas",
        value_name = "MARKETPLACE_REPLICAS",
        env = "MARKETPLACE_REPLICAS",
        value_delimiter = ',',
        default_value = "127.0.0.1:3001,127.0.0.1:3002,127.0.0.1:3003"
    )]
    pub marketplace: Vec<ReplicaAddress>,
    /// Replicas of the discourse service, host:port, comma-separated.
    #[arg(
        long = "discourse-replicas",
        value_name = "DISCOURSE_REPLICAS",
        env = "DISCOURSE_REPLICAS",
        value_delimiter = ',',
        default_value = "127.0.0.1:4001,127.0.0.1:4002,127.0.0.1:4003"
    )]
    pub discourse: Vec<ReplicaAddress>,
    /// Replicas of the feed, host:port, comma-separated.
    #[arg(
        long = "feed-replicas",
        value_name = "FEED_REPLICAS",
        env = "FEED_REPLICAS",
        value_delimiter = ',',
        default_value = "127.0.0.1:7001,127.0.0.1:7002,127.0.0.1:7003"
    )]
    pub feed: Vec<ReplicaAddress>,
}

impl Config {
    /// What `REDIS_URL` decides.
    pub fn stores(&self) -> Stores {
        match &self.redis_url {
            Some(url) => Stores::Redis { url: url.clone(), prefix: self.redis_prefix.clone() },
            None => Stores::Memory,
        }
    }
}

/// What the gateway does, wherever it runs.
#[derive(Args, Clone, Debug)]
#[group(skip)]
pub struct Options {
    /// How long a token is valid, seconds (1 to 31536000).
    #[arg(long, env = "JWT_TTL", default_value = "86400", value_parser = seconds::<1, 31_536_000>)]
    pub jwt_ttl: Duration,
    /// How long an answer is kept in the cache, seconds (0 to 86400); 0 turns the cache off.
    #[arg(long, env = "CACHE_TTL", default_value = "60", value_parser = seconds::<0, 86_400>)]
    pub cache_ttl: Duration,
    /// Calls a second that a caller may make, with a burst of twice that (0 to 1000000); 0 is no limit. An answer counts as
    /// one call more for each 16 KiB of it.
    #[arg(long, env = "RATE_LIMIT", default_value_t = 100, value_parser = clap::value_parser!(u32).range(0..=1_000_000))]
    pub rate_limit: u32,
    /// Failed logins and registrations a minute from one address (0 to 1000000). 0 is no limit, nor for one name (10
    /// failed logins from everywhere together, then one a minute).
    #[arg(long, env = "AUTH_RATE_LIMIT", default_value_t = 60, value_parser = clap::value_parser!(u32).range(0..=1_000_000))]
    pub auth_rate_limit: u32,
    /// Calls that a caller may have under way at once, their answers read or not (0 to 1000); 0 is no limit.
    #[arg(long, env = "CALLS_AT_ONCE", default_value_t = 128, value_parser = clap::value_parser!(u32).range(0..=1000))]
    pub calls_at_once: u32,
    /// Live streams that a caller may have open at once (0 to 3072); 0 is no limit. All callers together: 3072.
    #[arg(long, env = "LIVE_AT_ONCE", default_value_t = 16, value_parser = clap::value_parser!(u32).range(0..=3072))]
    pub live_at_once: u32,
    /// Connections that one address (one /64 of IPv6) may have at once to the gateway, and as many to the web UI (1 to
    /// 4096). Loopback and TRUSTED_PROXIES speak for many, and are not bounded.
    #[arg(long, env = "CONNECTIONS_PER_ADDRESS", default_value_t = 512, value_parser = clap::value_parser!(u16).range(1..=4096))]
    pub connections_per_address: u16,
    /// Proxies whose X-Forwarded-For is believed: addresses or networks, comma-separated.
    #[arg(long, env = "TRUSTED_PROXIES", value_delimiter = ',', value_parser = network)]
    pub trusted_proxies: Vec<IpNet>,
}

impl Options {
    /// What peers of the gateway, and of the web UI, may have.
    pub fn limits(&self) -> Limits {
        Limits {
            connections_per_peer: self.connections_per_address.into(),
            proxies: self.trusted_proxies.clone().into(),
            ..Limits::default()
        }
    }
}

fn network(text: &str) -> Result<IpNet, String> {
    let text = text.trim();
    let address = || text.parse::<IpAddr>().map(IpNet::from);
    text.parse()
        .or_else(|_| address())
        .map_err(|_| "must be an address such as 10.0.0.1 or a network such as 10.0.0.0/8".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    fn parse(arguments: &[&str]) -> Result<Config, String> {
        Config::try_parse_from([&["gateway"], arguments].concat()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_bad_value_names_its_variable_and_what_it_should_be() {
        for (argument, value, variable, hint) in [
            ("--jwt-ttl", "0", "JWT_TTL", "1 to 31536000"),
            ("--cache-ttl", "soon", "CACHE_TTL", "0 to 86400"),
            ("--rate-limit", "-1", "RATE_LIMIT", "0..=1000000"),
            ("--auth-rate-limit", "1000001", "AUTH_RATE_LIMIT", "0..=1000000"),
            ("--calls-at-once", "1001", "CALLS_AT_ONCE", "0..=1000"),
            ("--live-at-once", "3073", "LIVE_AT_ONCE", "0..=3072"),
            ("--connections-per-address", "0", "CONNECTIONS_PER_ADDRESS", "1..=4096"),
            ("--trusted-proxies", "10.0.0.0/33", "TRUSTED_PROXIES", "10.0.0.0/8"),
            ("--marketplace-replicas", "here", "MARKETPLACE_REPLICAS", "host:port"),
            ("--port", "65536", "PORT", "0..=65535"),
        ] {
            let error = parse(&[&format!("{argument}={value}")]).expect_err(argument);
            assert!(error.contains(variable) && error.contains(hint), "{error}");
        }
    }

    #[test]
    fn lists_are_split_at_commas() {
        let config = parse(&["--trusted-proxies=10.0.0.1,fd00::/8", "--discourse-replicas=a:1,b:2"]).expect("parses");
        assert_eq!(config.options.trusted_proxies.len(), 2);
        assert_eq!(config.replicas.discourse.len(), 2);
    }
}
