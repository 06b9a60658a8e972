//! The launcher: everything in one process, on real ports with real gRPC between them.
//!
//! [`System::start`] binds all ports, opens the stores and starts six replicas and the gateway; the code of each is
//! the same as in a process of its own.

mod config;
mod guide;
mod ready;
mod secret;
mod seed;
mod web;

use std::{
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use anyhow::Context;
use gateway::{Settings, Stores, auth::password};
use storage::DataDir;
use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::sync::CancellationToken;

pub use self::{config::Config, seed::seed};

/// Between two questions to a gateway whether it is ready.
const READY_POLL: Duration = Duration::from_millis(10);

/// A system that has been started.
#[derive(Debug)]
pub struct System {
    data_dir: DataDir,
    gateway: SocketAddr,
    web: SocketAddr,
    /// By instance name.
    replicas: Vec<(String, SocketAddr)>,
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
            marketplace_ports,
            discourse_ports,
            ready_file,
            jwt_secret,
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
        let marketplaces = bind_all("marketplace", &replica_host, &marketplace_ports).await?;
        let discourses = bind_all("discourse", &replica_host, &discourse_ports).await?;

        let limits = options.limits();
        let settings = Settings {
            instance: "gateway-1".to_owned(),
            marketplace_replicas: addresses(&marketplaces)?.into_iter().map(|(_, at)| at.into()).collect(),
            discourse_replicas: addresses(&discourses)?.into_iter().map(|(_, at)| at.into()).collect(),
            jwt_secret: match jwt_secret {
                Some(secret) => secret,
                None => secret::load_or_create(&data_dir)?,
            },
            password_rounds: password::ROUNDS,
            options,
            stores: Stores::Embedded { data_dir: data_dir.clone() },
            clock: kernel::Clock::system(),
        };
        let items = Arc::new(marketplace::store::embedded::Embedded::open(&data_dir, &economy)?);
        let channels = Arc::new(discourse::store::embedded::Embedded::open(&data_dir, &economy.idempotency)?);

        let mut system = Self {
            data_dir,
            gateway: reachable(gateway.local_addr()?),
            web: reachable(web.local_addr()?),
            replicas: [addresses(&marketplaces)?, addresses(&discourses)?].concat(),
            processes: JoinSet::new(),
        };
        // The replicas go on until the gateway has finished its requests.
        let gateway_done = CancellationToken::new();
        for (instance, listener) in marketplaces {
            let process = marketplace::serve(listener, instance, Arc::clone(&items) as _, gateway_done.clone());
            system.processes.spawn(process);
        }
        for (instance, listener) in discourses {
            let process = discourse::serve(listener, instance, Arc::clone(&channels) as _, gateway_done.clone());
            system.processes.spawn(process);
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
        let (host, port) = (self.gateway.ip().to_string(), self.gateway.port());
        let well = async {
            while runtime::probe::ask(&host, port).await.is_err() {
                tokio::time::sleep(READY_POLL).await;
            }
        };
        tokio::select! {
            () = well => Ok(true),
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
