//! Configuration of the launcher.

use std::path::PathBuf;

use clap::{Arg, ArgMatches, Args, Command, FromArgMatches, value_parser};
use gateway::Stores;
use kernel::Secret;

use crate::catalogue::{SERVICES, Service};

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
    #[command(flatten)]
    pub ports: Ports,
    #[command(flatten)]
    pub databases: Databases,
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
    pub events: events::options::Options,
    #[command(flatten)]
    pub economy: marketplace::config::Options,
}

/// Databases to keep things in, where there are any. They are what a `capsim` with all features can use.
#[derive(Args, Clone, Debug, Default)]
#[group(skip)]
pub struct Databases {
    /// PostgreSQL database of accounts and discourse, postgres://user:password@host:5432/database; the data directory if
    /// unset. Needs a build with all features, as those below do.
    #[arg(long, env = "DATABASE_URL", hide_env_values = true, global = true)]
    pub database_url: Option<Secret>,
    /// MongoDB of the marketplace, such as mongodb://host:27017/database?replicaSet=rs0; the data directory if unset.
    #[arg(long, env = "MONGODB_URI", hide_env_values = true)]
    pub mongodb_uri: Option<Secret>,
    /// Redis for answers and rate limits, such as redis://:password@host:6379/0; in memory if unset.
    #[arg(long, env = "REDIS_URL", hide_env_values = true)]
    pub redis_url: Option<Secret>,
}

impl Databases {
    /// Where the gateway keeps answers and rate limits.
    pub(crate) fn cache(&self) -> Stores {
        match &self.redis_url {
            Some(url) => Stores::Redis { url: url.clone(), prefix: String::new() },
            None => Stores::Memory,
        }
    }
}

/// Ports of the replicas of each service, in the catalogue's order: `--accounts-ports` and so on.
#[derive(Clone, Debug)]
pub struct Ports(Vec<Vec<u16>>);

impl Ports {
    /// Each service with its ports.
    pub(crate) fn of_services(&self) -> impl Iterator<Item = (&'static Service, &[u16])> {
        SERVICES.iter().zip(self.0.iter().map(Vec::as_slice))
    }
}

impl Args for Ports {
    fn augment_args(command: Command) -> Command {
        let argument = |service: &Service| {
            let name = service.name();
            let ports: Vec<_> = service.ports.iter().map(u16::to_string).collect();
            Arg::new(service.ports_flag())
                .long(service.ports_flag())
                .env(service.ports_variable())
                .value_name(service.ports_variable())
                .help(format!("Ports of the {name} replicas, comma-separated; as many replicas as ports"))
                .value_parser(value_parser!(u16))
                .value_delimiter(',')
                .default_value(ports.join(","))
        };
        command.args(SERVICES.iter().map(argument))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Ports {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let ports =
            |service: &Service| matches.get_many(&service.ports_flag()).into_iter().flatten().copied().collect();
        Ok(Self(SERVICES.iter().map(ports).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser, Debug)]
    struct Cli {
        #[command(flatten)]
        config: Config,
    }

    #[test]
    fn every_service_has_its_ports_and_can_be_told_others() {
        let Cli { config } = Cli::parse_from(["capsim", "--marketplace-ports=1,2"]);
        for (service, ports) in config.ports.of_services() {
            let expected = if service.name() == "marketplace" { &[1, 2] } else { service.ports };
            assert_eq!(ports, expected, "{}", service.name());
        }
        for service in SERVICES {
            let flag = format!("--{}=5001,65536", service.ports_flag());
            let error = Cli::try_parse_from(["capsim".to_owned(), flag]).expect_err("no port").to_string();
            assert!(error.contains(&service.ports_variable()) && error.contains("65535"), "{error}");
        }
    }
}
