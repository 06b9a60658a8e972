//! Every service of the system, once: what others need to know to run it, to call it and to look at it.
//!
//! A new service is a new entry of [`SERVICES`]; who runs systems iterates it.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use runtime::identity::{Ended, SigningKeys, Verifier};
use storage::DataDir;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use upstream::ReplicaAddress;

use crate::{stores::StoreKind, system::Settings};

/// Replicas of each service.
pub const REPLICAS: usize = 3;

/// One service, or the gateway.
#[derive(Debug)]
pub struct Service {
    /// Name of its program; its replicas are `name-1` and so on.
    pub name: &'static str,
    /// Where its replicas listen unless told otherwise.
    pub ports: &'static [u16],
    /// Name of its gRPC service; none is the gateway's.
    pub grpc: Option<&'static str>,
    /// What it keeps its state in on the full stack.
    pub store: StoreKind,
    /// Settings of a system that it takes from its environment, beside the address of its store.
    pub environment: &'static [&'static str],
    /// How to start it in this process on an embedded store; the gateway needs to know more, see [`crate::system`].
    pub embedded: Option<Open>,
}

/// Edge of the system.
pub const GATEWAY: Service = Service {
    name: "gateway",
    ports: &[8000],
    grpc: None,
    store: StoreKind::Redis,
    environment: &[
        "JWT_KEY",
        "JWT_TTL",
        "CACHE_TTL",
        "RATE_LIMIT",
        "AUTH_RATE_LIMIT",
        "CALLS_AT_ONCE",
        "TRUSTED_PROXIES",
    ],
    embedded: None,
};

/// All that the gateway calls. All others ask the first one, the accounts, which tokens have ended.
pub const SERVICES: &[Service] = &[
    Service {
        name: "accounts",
        ports: &[5001, 5002, 5003],
        grpc: Some(proto::accounts::accounts_server::SERVICE_NAME),
        store: StoreKind::PostgreSql,
        environment: &["JWKS", "ADMIN_PASSWORD"],
        embedded: Some(accounts),
    },
    Service {
        name: "marketplace",
        ports: &[3001, 3002, 3003],
        grpc: Some(proto::marketplace::marketplace_server::SERVICE_NAME),
        store: StoreKind::MongoDb,
        environment: &["JWKS", "OPENING_BALANCE", "IDEMPOTENCY_TTL"],
        embedded: Some(marketplace),
    },
    Service {
        name: "discourse",
        ports: &[4001, 4002, 4003],
        grpc: Some(proto::discourse::discourse_server::SERVICE_NAME),
        store: StoreKind::PostgreSql,
        environment: &["JWKS"],
        embedded: Some(discourse),
    },
];

impl Service {
    /// The service of this name.
    pub fn named(name: &str) -> &'static Self {
        SERVICES.iter().find(|service| service.name == name).unwrap_or_else(|| panic!("there is no service {name}"))
    }

    /// The names of its replicas.
    pub fn instances(&self) -> impl Iterator<Item = String> {
        (1..=REPLICAS).map(|number| format!("{}-{number}", self.name))
    }

    /// The variable with which gateways and other services are told of its replicas.
    pub fn replicas_variable(&self) -> String {
        format!("{}_REPLICAS", self.name.to_uppercase())
    }

    /// The variable with which `capsim` is told of its replicas' ports.
    pub fn ports_variable(&self) -> String {
        format!("{}_PORTS", self.name.to_uppercase())
    }
}

/// Serves one instance, by its name, until it is told to stop.
pub type Serve =
    Arc<dyn Fn(TcpListener, String, CancellationToken) -> BoxFuture<'static, anyhow::Result<()>> + Send + Sync>;

/// The store that keeps the money, to be looked at from behind.
pub type Ledger = Arc<dyn marketplace::store::Store>;

/// A service on a store that is open.
pub struct Embedded {
    pub serve: Serve,
    /// Where the service keeps one.
    pub ledger: Option<Ledger>,
}

/// Opens the store of a service.
pub type Open = fn(&DataDir, &Settings, &Accounts) -> anyhow::Result<Embedded>;

/// Where the accounts replicas are.
pub type Accounts = Vec<ReplicaAddress>;

/// PBKDF2 rounds of accounts on embedded systems: to register many takes long, on purpose, on the others.
const PASSWORD_ROUNDS: u32 = 1000;

fn accounts(data: &DataDir, settings: &Settings, _: &Accounts) -> anyhow::Result<Embedded> {
    let (people, passwords) = (accounts::Store::embedded(data)?, accounts::Passwords::new(PASSWORD_ROUNDS)?);
    let (jwks, clock) = (SigningKeys::load(&settings.jwt_key)?.jwks().clone(), settings.clock.clone());
    let serve = move |listener, name, stop| {
        let (people, passwords, clock) = (people.clone(), passwords.clone(), clock.clone());
        let verifier = Verifier::new(&jwks, clock, Ended::default());
        Box::pin(async move { accounts::serve(listener, name, people, passwords, verifier?, stop).await })
            as BoxFuture<'static, _>
    };
    Ok(Embedded { serve: Arc::new(serve), ledger: None })
}

fn marketplace(data: &DataDir, settings: &Settings, known: &Accounts) -> anyhow::Result<Embedded> {
    let items: Ledger = Arc::new(marketplace::store::embedded::Embedded::open(data, &settings.economy)?);
    let ledger = Some(Arc::clone(&items));
    let (jwks, known) = (SigningKeys::load(&settings.jwt_key)?.jwks().clone(), known.clone());
    let serve = move |listener, name, stop| {
        let (jwks, known, items) = (jwks.clone(), known.clone(), Arc::clone(&items));
        let serve = |verifier| marketplace::serve(listener, name, items, verifier, stop);
        Box::pin(async move { upstream::verifying(&jwks, known, serve).await }) as BoxFuture<'static, _>
    };
    Ok(Embedded { serve: Arc::new(serve), ledger })
}

fn discourse(data: &DataDir, settings: &Settings, known: &Accounts) -> anyhow::Result<Embedded> {
    let channels = Arc::new(discourse::store::embedded::Embedded::open(data)?);
    let (jwks, known) = (SigningKeys::load(&settings.jwt_key)?.jwks().clone(), known.clone());
    let serve = move |listener, name, stop| {
        let (jwks, known, channels) = (jwks.clone(), known.clone(), Arc::clone(&channels));
        let serve = |verifier| discourse::serve(listener, name, channels, verifier, stop);
        Box::pin(async move { upstream::verifying(&jwks, known, serve).await }) as BoxFuture<'static, _>
    };
    Ok(Embedded { serve: Arc::new(serve), ledger: None })
}
