//! What chaos is made of: the servers, the stores and the links between them.

use std::{net::SocketAddr, path::PathBuf};

use events::SharedLog;
use futures_util::future::join_all;
use kernel::Secret;
use lab::{
    eventually,
    process::Server,
    proxy::Link,
    stores::{StoreKind, StoreServer},
    system::{Ledger, Settings, System, Wiring, capsim},
};
use storage::data_dir;
use tempfile::TempDir;

use super::{
    disk::Disk,
    weather::Place::{self, Cache, Door, Inside},
};
use crate::Stack;

const GATEWAYS: usize = 2;
/// The instance name of the launcher.
const CAPSIM: &str = "capsim-1";

/// Names of all that a fault can be done to, by lane.
#[derive(Debug, Default)]
pub(super) struct Inventory {
    pub(super) servers: Vec<String>,
    pub(super) stores: Vec<String>,
    /// Links that clients and the cache depend on.
    pub(super) edge: Vec<String>,
    /// Links between gateways, replicas and their stores.
    pub(super) inside: Vec<String>,
    pub(super) disk: Vec<String>,
}

/// A running system with a proxy on each of its connections. Fields are dropped in this order.
pub(super) struct World {
    pub(super) servers: Vec<Server>,
    pub(super) stores: Vec<StoreServer>,
    pub(super) edge: Vec<Link>,
    pub(super) inside: Vec<Link>,
    /// Where clients connect to: a link to each gateway.
    pub(super) doors: Vec<SocketAddr>,
    /// Where each gateway itself listens.
    pub(super) gateways: Vec<SocketAddr>,
    pub(super) disk: Option<Disk>,
    settings: Settings,
    directory: TempDir,
}

/// Makes a link of each connection.
struct Network<'a> {
    stores: &'a [StoreServer],
    seed: u64,
    edge: Vec<Link>,
    inside: Vec<Link>,
}

impl Network<'_> {
    fn link(&self, from: &str, to: &str, address: SocketAddr) -> Link {
        let number = (self.edge.len() + self.inside.len()) as u64;
        Link::to(address, format!("{from} → {to}"), self.seed.wrapping_add(number))
    }
}

impl Wiring for Network<'_> {
    fn store(&mut self, from: &str, kind: StoreKind) -> Vec<(String, String)> {
        let store = self.stores.iter().find(|store| store.kind() == kind).unwrap();
        let link = self.link(from, kind.name(), store.address());
        let url = kind.url(link.address());
        let lane = if kind == StoreKind::Redis { &mut self.edge } else { &mut self.inside };
        lane.push(link);
        vec![(kind.variable().to_owned(), url)]
    }

    fn server(&mut self, from: &str, to: &Server) -> SocketAddr {
        let link = self.link(from, to.name(), to.address());
        let address = link.address();
        self.inside.push(link);
        address
    }
}

impl World {
    pub(super) async fn start(stack: Stack, settings: Settings, seed: u64) -> Self {
        match stack {
            Stack::Full => Self::full(settings, seed).await,
            Stack::Embedded => Self::embedded(settings, seed),
        }
    }

    async fn full(settings: Settings, seed: u64) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let stores = join_all(StoreKind::ALL.map(StoreServer::running)).await;
        let mut network = Network { stores: &stores, seed, edge: Vec::new(), inside: Vec::new() };
        let System { gateways, services } = System::processes(GATEWAYS, &settings, directory.path(), &mut network);
        let doors: Vec<_> =
            gateways.iter().map(|gateway| network.link("clients", gateway.name(), gateway.address())).collect();
        let Network { mut edge, inside, .. } = network;
        let mut world = Self {
            doors: doors.iter().map(Link::address).collect(),
            gateways: gateways.iter().map(Server::address).collect(),
            servers: services.into_iter().flat_map(|replicas| replicas.servers).chain(gateways).collect(),
            stores,
            edge: doors,
            inside,
            disk: None,
            settings,
            directory,
        };
        world.edge.append(&mut edge);
        world
    }

    /// `capsim`, everything in one process.
    fn embedded(settings: Settings, seed: u64) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let place = directory.path().join("disk");
        std::fs::create_dir(&place).unwrap();
        let disk = Disk::mount(&place);
        let data = place.join("data").display().to_string();
        let server = capsim(&settings, directory.path(), &[("DATA_DIR", &data), ("SHARED_DATA", "true")]);
        let door = Link::to(server.address(), "clients → gateway-1".to_owned(), seed);
        Self {
            doors: vec![door.address()],
            gateways: vec![server.address()],
            servers: vec![server],
            stores: Vec::new(),
            edge: vec![door],
            inside: Vec::new(),
            disk,
            settings,
            directory,
        }
    }

    /// Where logs stay, for whoever is to find out why, when everything has ended.
    pub(super) fn keep_logs(&mut self) -> PathBuf {
        self.directory.disable_cleanup(true);
        self.directory.path().to_owned()
    }

    pub(super) fn inventory(&self) -> Inventory {
        let names = |links: &[Link]| links.iter().map(|link| link.name().to_owned()).collect();
        Inventory {
            servers: self.servers.iter().map(|server| server.name().to_owned()).collect(),
            stores: self.stores.iter().map(|store| store.kind().name().to_owned()).collect(),
            edge: names(&self.edge),
            inside: names(&self.inside),
            disk: self.disk.iter().map(|_| "the disk".to_owned()).collect(),
        }
    }

    /// The store of the money, past all servers and links. One that is embedded must be let go of first.
    pub(super) async fn ledger(&mut self) -> Ledger {
        if self.stores.is_empty() {
            for server in &mut self.servers {
                server.stop().await;
            }
        }
        let mongodb = self.url(StoreKind::MongoDb);
        let data = || self.data().open();
        let ledger = marketplace::store::open(mongodb.as_deref(), data, &self.settings.economy).await.unwrap();
        eventually("the ledger can be read", async || ledger.check_read().await.is_ok()).await;
        ledger
    }

    /// The log of events, past all servers and links.
    pub(super) fn log(&self) -> SharedLog {
        let amqp_url = self.url(StoreKind::RabbitMq).map(Secret::from);
        let options = events::options::Options { amqp_url, ..Default::default() };
        options.open("chaos", || self.data().open()).unwrap()
    }

    fn url(&self, kind: StoreKind) -> Option<String> {
        self.stores.iter().find(|store| store.kind() == kind).map(StoreServer::url)
    }

    /// Of the embedded stack.
    fn data(&self) -> data_dir::Options {
        data_dir::Options { data_dir: self.directory.path().join("disk/data"), shared_data: true }
    }
}

/// Where a fault of what has this name is felt.
pub(super) fn places(name: &str) -> Vec<Place> {
    let number = |prefix| name.strip_prefix(prefix).and_then(|number| number.parse::<usize>().ok());
    if let Some(number) = number("gateway-") {
        vec![Door(number - 1), Cache, Inside]
    } else if let Some(number) = number("clients → gateway-") {
        vec![Door(number - 1)]
    } else if name.ends_with(StoreKind::Redis.name()) {
        vec![Cache]
    } else if name.ends_with(StoreKind::RabbitMq.name()) {
        // Whoever acts is not to feel whether what was done can be told.
        Vec::new()
    } else if name == CAPSIM {
        vec![Door(0), Cache, Inside]
    } else {
        vec![Inside]
    }
}
