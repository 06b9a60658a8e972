//! The launcher: everything in one process, on real ports with real gRPC between them.
//!
//! [`System::start`] binds all ports, opens the stores and starts three replicas of each service and the gateway; the code of each is
//! the same as in a process of its own.

mod config;
mod guide;
mod kept;
mod ready;
mod seed;
mod web;

use std::{
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use accounts::{Passwords, Store, admin, password};
use anyhow::Context;
use gateway::{Settings, Stores, config::Replicas};
use kernel::{Clock, Secret};
use runtime::identity::{Ended, SigningKeys, Verifier};
use storage::DataDir;
use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::sync::CancellationToken;
use upstream::ReplicaAddress;
use uuid::Uuid;

pub use self::{config::Config, seed::seed};

/// Between two questions to a gateway whether it is ready.
const READY_POLL: Duration = Duration::from_millis(10);

/// Files in the data directory: the key that signs tokens, and what the first admin logged in with at first.
const JWT_KEY: &str = "jwt_key.pem";
const ADMIN_PASSWORD: &str = "admin_password";

/// A system that has been started.
#[derive(Debug)]
pub struct System {
    data_dir: DataDir,
    gateway: SocketAddr,
    web: SocketAddr,
    /// By instance name.
    replicas: Vec<(String, SocketAddr)>,
    /// The password of the first admin, where it was made by this start.
    admin: Option<String>,
    processes: JoinSet<anyhow::Result<()>>,
}

impl System {
    /// Starts everything; a port that is taken or a store that cannot be opened is an error, and nothing runs.
    pub async fn start(config: Config, shutdown: CancellationToken) -> anyhow::Result<Self> {
        let Config {
            storage,
            host,
            replica_host,
            gateway_port,
            web_port,
            web_dir,
            accounts_ports,
            marketplace_ports,
            discourse_ports,
            ready_file,
            jwt_key,
            admin_password,
            options,
            economy,
            ..
        } = config;
        // First of all: whoever is refused leaves everything as it is.
        let data_dir = storage.open()?;
        if let Some(file) = &ready_file {
            ready::forget(file)?;
        }
        let gateway = runtime::server::bind(&host, gateway_port).await.context("gateway")?;
        let web = runtime::server::bind(&host, web_port).await.context("web UI")?;
        let accounts = bind_all("accounts", &replica_host, &accounts_ports).await?;
        let marketplaces = bind_all("marketplace", &replica_host, &marketplace_ports).await?;
        let discourses = bind_all("discourse", &replica_host, &discourse_ports).await?;

        admin_password.as_ref().map(Secret::reveal).map_or(Ok(()), admin::check)?;
        let limits = options.limits();
        let key = match jwt_key {
            Some(key) => key.reveal().to_owned(),
            None => kept::load_or_create(&data_dir, JWT_KEY, SigningKeys::generate)?,
        };
        let keys = SigningKeys::load(&key)?;
        let jwks = keys.jwks().clone();
        let settings = Settings {
            instance: "gateway-1".to_owned(),
            replicas: Replicas {
                accounts: upstreams(&accounts)?,
                marketplace: upstreams(&marketplaces)?,
                discourse: upstreams(&discourses)?,
            },
            keys,
            options,
            stores: Stores::Memory,
            clock: Clock::system(),
        };
        let people = Store::embedded(&data_dir)?;
        let passwords = Passwords::new(password::ROUNDS)?;
        let admin = first_admin(&people, &passwords, admin_password, &data_dir).await?;
        let items = Arc::new(marketplace::store::embedded::Embedded::open(&data_dir, &economy)?);
        let channels = Arc::new(discourse::store::embedded::Embedded::open(&data_dir, &economy.idempotency)?);

        let mut system = Self {
            data_dir,
            gateway: reachable(gateway.local_addr()?),
            web: reachable(web.local_addr()?),
            replicas: [addresses(&accounts)?, addresses(&marketplaces)?, addresses(&discourses)?].concat(),
            admin,
            processes: JoinSet::new(),
        };
        // The replicas go on until the gateway has finished its requests.
        let gateway_done = CancellationToken::new();
        let known = upstreams(&accounts)?;
        for (instance, listener) in accounts {
            let verifier = Verifier::new(&jwks, Clock::system(), Ended::default())?;
            let (people, passwords) = (people.clone(), passwords.clone());
            let process = accounts::serve(listener, instance, people, passwords, verifier, gateway_done.clone());
            system.processes.spawn(process);
        }
        for (instance, listener) in marketplaces {
            let (jwks, known, items, done) = (jwks.clone(), known.clone(), Arc::clone(&items), gateway_done.clone());
            let serve = |verifier| marketplace::serve(listener, instance, items, verifier, done);
            system.processes.spawn(async move { upstream::verifying(&jwks, known, serve).await });
        }
        for (instance, listener) in discourses {
            let (jwks, known, channels, done) =
                (jwks.clone(), known.clone(), Arc::clone(&channels), gateway_done.clone());
            let serve = |verifier| discourse::serve(listener, instance, channels, verifier, done);
            system.processes.spawn(async move { upstream::verifying(&jwks, known, serve).await });
        }
        let pages = web::router(web_dir, system.gateway.port());
        system.processes.spawn(web::serve(web, pages, limits, shutdown.clone()));
        if let Some(file) = ready_file {
            let places = ready::Places::from(&system);
            system.processes.spawn(ready::announce(file, places, shutdown.clone()));
        }
        system.processes.spawn(async move {
            let _done = gateway_done.drop_guard();
            gateway::serve(gateway, settings, shutdown).await
        });
        Ok(system)
    }

    /// Where the gateway listens.
    pub fn gateway(&self) -> SocketAddr {
        self.gateway
    }

    /// Waits until the gateway says that it is well; false where everything was told to stop before, an error where one
    /// of them failed.
    pub async fn is_ready(&mut self) -> anyhow::Result<bool> {
        // The replicas first: a gateway that is asked before them has to say that it is not well, which is logged.
        let places: Vec<_> = self.replicas.iter().map(|(_, address)| *address).chain([self.gateway]).collect();
        tokio::select! {
            () = are_well(&places) => Ok(true),
            Some(ended) = self.processes.join_next() => ended?.map(|()| false),
        }
    }

    /// What a user should know once it is ready.
    pub fn guide(&self) -> String {
        guide::text(self)
    }

    /// Waits until everything has stopped; an error where one of them failed.
    pub async fn join(mut self) -> anyhow::Result<()> {
        while let Some(ended) = self.processes.join_next().await {
            ended??;
        }
        Ok(())
    }
}

/// Makes the first admin where there is none; the password, where it is one that nobody has seen yet.
async fn first_admin(
    people: &Store,
    passwords: &Passwords,
    given: Option<Secret>,
    data_dir: &DataDir,
) -> anyhow::Result<Option<String>> {
    kept::make_private(data_dir, ADMIN_PASSWORD)?;
    if people.has_admin().await.map_err(kernel::Error::from)? {
        return Ok(None);
    }
    let (password, is_ours) = match given {
        Some(password) => (password.reveal().to_owned(), false),
        // 122 random bits.
        None => (kept::load_or_create(data_dir, ADMIN_PASSWORD, || Ok(Uuid::new_v4().simple().to_string()))?, true),
    };
    let made = admin::ensure(people, passwords, &password).await.context("the first admin")?;
    Ok((made && is_ours).then_some(password))
}

/// Waits until each of these, one after the other, says that it is well.
pub(crate) async fn are_well(places: &[SocketAddr]) {
    for place in places {
        while runtime::probe::ask(&place.ip().to_string(), place.port()).await.is_err() {
            tokio::time::sleep(READY_POLL).await;
        }
    }
}

/// Binds the ports of a service's replicas, named `service-1` and so on.
async fn bind_all(service: &str, host: &str, ports: &[u16]) -> anyhow::Result<Vec<(String, TcpListener)>> {
    let mut replicas = Vec::with_capacity(ports.len());
    for (number, port) in (1..).zip(ports) {
        let instance = format!("{service}-{number}");
        let listener = runtime::server::bind(host, *port).await.context(instance.clone())?;
        replicas.push((instance, listener));
    }
    Ok(replicas)
}

fn upstreams(replicas: &[(String, TcpListener)]) -> anyhow::Result<Vec<ReplicaAddress>> {
    Ok(addresses(replicas)?.into_iter().map(|(_, address)| address.into()).collect())
}

fn addresses(replicas: &[(String, TcpListener)]) -> anyhow::Result<Vec<(String, SocketAddr)>> {
    replicas.iter().map(|(name, listener)| Ok((name.clone(), reachable(listener.local_addr()?)))).collect()
}

/// Where to connect to a listener: one on every address is on loopback too.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(if address.is_ipv4() { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::LOCALHOST.into() });
    }
    address
}
