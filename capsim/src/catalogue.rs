//! Every service of the system, once: what others need to know to run it, to call it and to look at it.
//!
//! A new service is a new entry of [`SERVICES`], with its store in [`Stores`]; who runs systems iterates it.

use std::sync::Arc;

use accounts::Passwords;
use events::Publisher;
use futures_util::future::BoxFuture;
use kernel::{Clock, Secret};
use runtime::identity::{Ended, Jwks, Verifier};
use storage::DataDir;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use upstream::ReplicaAddress;

use crate::config::Databases;

/// Replicas of each service.
pub const REPLICAS: usize = 3;

/// A program of the system, and what it has to be told where it is a process of its own.
#[derive(Debug)]
pub struct Program {
    /// Its instances are `name-1` and so on.
    pub name: &'static str,
    /// The variable with the address of what it keeps its state in on the full stack.
    pub store: &'static str,
    /// Settings of a system that it takes from its environment, beside that.
    pub environment: &'static [&'static str],
}

/// Edge of the system.
pub const GATEWAY: Program = Program {
    name: "gateway",
    store: "REDIS_URL",
    environment: &[
        "JWT_KEY",
        "JWT_TTL",
        "CACHE_TTL",
        "RATE_LIMIT",
        "AUTH_RATE_LIMIT",
        "CALLS_AT_ONCE",
        "LIVE_AT_ONCE",
        "TRUSTED_PROXIES",
    ],
};

/// One service.
#[derive(Debug)]
pub struct Service {
    pub program: Program,
    /// Where its replicas listen unless told otherwise.
    pub ports: &'static [u16],
    /// Name of its gRPC service.
    pub grpc: &'static str,
    /// Serves one replica, of this name, until it is told to stop.
    pub serve: fn(&Site, TcpListener, String, CancellationToken) -> Serving,
}

/// All that the gateway calls. All others ask the first one, the accounts, which tokens have ended.
pub const SERVICES: &[Service] = &[
    Service {
        program: Program {
            name: "accounts",
            store: "DATABASE_URL",
            environment: &["JWKS", "ADMIN_PASSWORD", "AMQP_URL", "OUTBOX_KEEP"],
        },
        ports: &[5001, 5002, 5003],
        grpc: accounts::SERVICE,
        serve: accounts,
    },
    Service {
        program: Program {
            name: "marketplace",
            store: "MONGODB_URI",
            environment: &["JWKS", "OPENING_BALANCE", "DEPOSIT_LIMIT", "IDEMPOTENCY_TTL", "AMQP_URL", "OUTBOX_KEEP"],
        },
        ports: &[3001, 3002, 3003],
        grpc: marketplace::SERVICE,
        serve: marketplace,
    },
    Service {
        program: Program {
            name: "discourse",
            store: "DATABASE_URL",
            environment: &["JWKS", "IDEMPOTENCY_TTL", "AMQP_URL", "OUTBOX_KEEP"],
        },
        ports: &[4001, 4002, 4003],
        grpc: discourse::SERVICE,
        serve: discourse,
    },
    Service {
        program: Program { name: "feed", store: "REDIS_URL", environment: &["JWKS", "AMQP_URL"] },
        ports: &[7001, 7002, 7003],
        grpc: feed::SERVICE,
        serve: feed,
    },
];

impl Service {
    pub fn name(&self) -> &'static str {
        self.program.name
    }

    /// The names of its replicas.
    pub fn instances(&self) -> impl Iterator<Item = String> {
        (1..=REPLICAS).map(|number| format!("{}-{number}", self.name()))
    }

    /// The variable with which gateways and other services are told of its replicas.
    pub fn replicas_variable(&self) -> String {
        format!("{}_REPLICAS", self.name().to_uppercase())
    }

    /// The variable with which `capsim` is told of its replicas' ports.
    pub fn ports_variable(&self) -> String {
        format!("{}_PORTS", self.name().to_uppercase())
    }

    /// The flag with which it is told so.
    pub fn ports_flag(&self) -> String {
        format!("{}-ports", self.name())
    }
}

/// What the gateway is to be told of the replicas; `of` gives those of a service, by its name.
pub fn replicas(of: impl Fn(&str) -> Vec<ReplicaAddress>) -> gateway::config::Replicas {
    gateway::config::Replicas {
        accounts: of("accounts"),
        marketplace: of("marketplace"),
        discourse: of("discourse"),
        feed: of("feed"),
    }
}

/// The stores of all services, which their replicas in one process share.
#[derive(Clone)]
pub struct Stores {
    pub people: accounts::Store,
    pub items: Arc<dyn marketplace::store::Store>,
    pub channels: Arc<dyn discourse::store::Store>,
    pub views: Arc<dyn feed::store::Store>,
}

impl Stores {
    /// Opens them: in databases where there are any, else in the data directory.
    pub async fn open(
        databases: &Databases,
        data_dir: &DataDir,
        economy: &marketplace::Options,
    ) -> anyhow::Result<Self> {
        let database = databases.database_url.as_ref().map(Secret::reveal);
        let mongodb = databases.mongodb_uri.as_ref().map(Secret::reveal);
        let redis = databases.redis_url.as_ref().map(Secret::reveal);
        let data_dir = || Ok(data_dir.clone());
        Ok(Self {
            people: accounts::Store::open(database, data_dir)?,
            items: marketplace::store::open(mongodb, data_dir, economy).await?,
            channels: discourse::store::open(database, data_dir, &economy.idempotency)?,
            views: feed::store::open(redis, "", data_dir)?,
        })
    }
}

/// What replicas in one process stand on. Cheap to clone.
#[derive(Clone)]
pub struct Site {
    pub stores: Stores,
    /// Tells what happens.
    pub publisher: Publisher,
    pub passwords: Passwords,
    /// What verifies tokens.
    pub jwks: Jwks,
    /// By which they end.
    pub clock: Clock,
    /// Where the accounts replicas are; they themselves need not know.
    pub accounts: Vec<ReplicaAddress>,
}

/// A replica that serves.
pub type Serving = BoxFuture<'static, anyhow::Result<()>>;

fn accounts(site: &Site, listener: TcpListener, name: String, stop: CancellationToken) -> Serving {
    let (people, publisher, passwords) = (site.stores.people.clone(), site.publisher.clone(), site.passwords.clone());
    let verifier = Verifier::new(&site.jwks, site.clock.clone(), Ended::default());
    Box::pin(async move { accounts::serve(listener, name, people, publisher, passwords, verifier?, stop).await })
}

fn marketplace(site: &Site, listener: TcpListener, name: String, stop: CancellationToken) -> Serving {
    let (items, publisher) = (Arc::clone(&site.stores.items), site.publisher.clone());
    verifying(site, |verifier| marketplace::serve(listener, name, items, publisher, verifier, stop))
}

fn discourse(site: &Site, listener: TcpListener, name: String, stop: CancellationToken) -> Serving {
    let (channels, publisher) = (Arc::clone(&site.stores.channels), site.publisher.clone());
    verifying(site, |verifier| discourse::serve(listener, name, channels, publisher, verifier, stop))
}

fn feed(site: &Site, listener: TcpListener, name: String, stop: CancellationToken) -> Serving {
    let (views, log) = (Arc::clone(&site.stores.views), Arc::clone(&site.publisher.log));
    verifying(site, |verifier| feed::serve(listener, name, views, log, verifier, stop))
}

/// Serves with what tells good tokens.
fn verifying<F>(site: &Site, serve: impl FnOnce(Verifier) -> F + Send + 'static) -> Serving
where
    F: Future<Output = anyhow::Result<()>> + Send,
{
    let (jwks, accounts) = (site.jwks.clone(), site.accounts.clone());
    Box::pin(async move { upstream::verifying(&jwks, accounts, serve).await })
}
