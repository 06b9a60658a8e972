//! The launcher: everything in one process, on real ports with real gRPC between them.
//!
//! [`System::start`] binds all ports, opens the stores and starts three replicas of each service and the gateway; the code of
//! each is the same as in a process of its own. Which services there are, and how each is started, is the [`catalogue`]'s to
//! say.

pub mod catalogue;
pub mod config;
pub mod feed;
mod guide;
mod kept;
mod ready;
mod seed;
mod web;

use std::{
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use accounts::{Passwords, Store, admin, password};
use anyhow::Context;
use gateway::Settings;
use kernel::{Clock, Secret};
use runtime::identity::SigningKeys;
use storage::DataDir;
use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::sync::CancellationToken;
use upstream::ReplicaAddress;
use uuid::Uuid;

use self::catalogue::{Service, Site, Stores};
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
        // First of all: whoever is refused leaves everything as it is.
        let data_dir = config.storage.open()?;
        if let Some(file) = &config.ready_file {
            ready::forget(file)?;
        }
        let gateway = runtime::server::bind(&config.host, config.gateway_port).await.context("gateway")?;
        let web = runtime::server::bind(&config.host, config.web_port).await.context("web UI")?;
        let mut replicas = Vec::new();
        for (service, ports) in config.ports.of_services() {
            replicas.push(Replicas::bind(service, &config.replica_host, ports).await?);
        }

        config.admin_password.as_ref().map(Secret::reveal).map_or(Ok(()), admin::check)?;
        let key = match &config.jwt_key {
            Some(key) => key.reveal().to_owned(),
            None => kept::load_or_create(&data_dir, JWT_KEY, SigningKeys::generate)?,
        };
        let keys = SigningKeys::load(&key)?;
        let limits = config.options.limits();
        let settings = Settings {
            instance: "gateway-1".to_owned(),
            replicas: catalogue::replicas(|name| upstreams(&replicas, name)),
            keys: keys.clone(),
            options: config.options,
            stores: config.databases.cache(),
            clock: Clock::system(),
        };
        let stores = Stores::open(&config.databases, &data_dir, &config.economy).await?;
        let passwords = Passwords::new(password::ROUNDS)?;
        let admin = first_admin(&stores.people, &passwords, config.admin_password, &data_dir).await?;
        let (jwks, accounts) = (keys.jwks().clone(), settings.replicas.accounts.clone());
        let publisher = config.events.publisher("capsim", || Ok(data_dir.clone()))?;
        let site = Site { stores, publisher, passwords, jwks, clock: Clock::system(), accounts };

        let mut system = Self {
            data_dir,
            gateway: reachable(gateway.local_addr()?),
            web: reachable(web.local_addr()?),
            replicas: replicas.iter().flat_map(Replicas::addresses).collect(),
            admin,
            processes: JoinSet::new(),
        };
        // The replicas go on until the gateway has finished its requests.
        let gateway_done = CancellationToken::new();
        for Replicas { service, listeners } in replicas {
            for (instance, _, listener) in listeners {
                system.processes.spawn((service.serve)(&site, listener, instance, gateway_done.clone()));
            }
        }
        let pages = web::router(config.web_dir, system.gateway.port());
        system.processes.spawn(web::serve(web, pages, limits, shutdown.clone()));
        if let Some(file) = config.ready_file {
            let places = ready::Places::from(&system);
            system.processes.spawn(ready::announce(file, places, shutdown.clone()));
        }
        let places: Vec<_> = system.replicas.iter().map(|(_, address)| *address).collect();
        system.processes.spawn(async move {
            let _done = gateway_done.drop_guard();
            // Whom it checks first is there: it never has to say of itself that it is not well.
            match shutdown.run_until_cancelled(are_well(&places)).await {
                Some(()) => gateway::serve(gateway, settings, shutdown).await,
                None => Ok(()),
            }
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
        let gateway = [self.gateway];
        tokio::select! {
            () = are_well(&gateway) => Ok(true),
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

/// The replicas of a service, with ports that nobody answers at yet.
struct Replicas {
    service: &'static Service,
    /// With its instance's name, and where to connect to it.
    listeners: Vec<(String, SocketAddr, TcpListener)>,
}

impl Replicas {
    /// Binds these ports, of instances that are named `service-1` and so on.
    async fn bind(service: &'static Service, host: &str, ports: &[u16]) -> anyhow::Result<Self> {
        let mut listeners = Vec::with_capacity(ports.len());
        for (number, port) in (1..).zip(ports) {
            let instance = format!("{}-{number}", service.name());
            let listener = runtime::server::bind(host, *port).await.context(instance.clone())?;
            listeners.push((instance, reachable(listener.local_addr()?), listener));
        }
        Ok(Self { service, listeners })
    }

    fn addresses(&self) -> impl Iterator<Item = (String, SocketAddr)> {
        self.listeners.iter().map(|(instance, address, _)| (instance.clone(), *address))
    }
}

/// Where the replicas of a service are, by its name.
fn upstreams(replicas: &[Replicas], service: &str) -> Vec<ReplicaAddress> {
    let of_service = replicas.iter().filter(|of| of.service.name() == service);
    of_service.flat_map(Replicas::addresses).map(|(_, address)| address.into()).collect()
}

/// Where to connect to a listener: one on every address is on loopback too.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(if address.is_ipv4() { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::LOCALHOST.into() });
    }
    address
}
