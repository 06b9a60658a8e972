//! Gateways and three replicas of every service, wired up: as tasks on embedded stores, or each a process on databases.

use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};

use accounts::Passwords;
use capsim::{
    catalogue::{self, GATEWAY, REPLICAS, SERVICES, Service, Site, Stores},
    config::Databases,
};
use events::SharedLog;
use kernel::Clock;
use runtime::identity::SigningKeys;
use storage::DataDir;
use upstream::ReplicaAddress;

use crate::{
    process::{Program, Run, Server, binary},
    stores::StoreKind,
};

/// The store that keeps the money, to be looked at from behind.
pub type Ledger = Arc<dyn marketplace::store::Store>;

/// PBKDF2 rounds of accounts on embedded systems: to register many takes long, on purpose, on the others.
const PASSWORD_ROUNDS: u32 = 1000;

/// What [`capsim`] writes into its directory once it serves: JSON, with the address of everything.
pub const READY_FILE: &str = "ready.json";

/// The data directory of processes that stand on databases, in the directory of their logs.
pub const DATA: &str = "data";

/// What all processes of a system are told.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Signs the tokens: PKCS#8 in PEM.
    pub jwt_key: String,
    pub gateway: gateway::config::Options,
    pub economy: marketplace::config::Options,
    /// By which tokens end; processes of their own have that of their machine.
    pub clock: Clock,
}

impl Settings {
    /// A cache, and no rate limits.
    pub fn new(jwt_key: &str) -> Self {
        Self {
            jwt_key: jwt_key.to_owned(),
            gateway: gateway::config::Options {
                jwt_ttl: Duration::from_secs(3600),
                cache_ttl: Duration::from_secs(60),
                rate_limit: 0,
                auth_rate_limit: 0,
                calls_at_once: 128,
                live_at_once: 16,
                connections_per_address: 512,
                trusted_proxies: Vec::new(),
            },
            economy: marketplace::config::Options::default(),
            clock: Clock::system(),
        }
    }

    /// As variables of an environment, by the names in the catalogue.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        let Self { jwt_key, gateway, economy, .. } = self;
        let keys = SigningKeys::load(jwt_key).unwrap();
        let mut variables = vec![
            ("JWT_KEY", jwt_key.clone()),
            ("JWKS", serde_json::to_string(keys.jwks()).unwrap()),
            ("JWT_TTL", gateway.jwt_ttl.as_secs().to_string()),
            ("CACHE_TTL", gateway.cache_ttl.as_secs().to_string()),
            ("RATE_LIMIT", gateway.rate_limit.to_string()),
            ("AUTH_RATE_LIMIT", gateway.auth_rate_limit.to_string()),
            ("CALLS_AT_ONCE", gateway.calls_at_once.to_string()),
            ("LIVE_AT_ONCE", gateway.live_at_once.to_string()),
            ("OPENING_BALANCE", economy.opening_balance.to_string()),
            ("DEPOSIT_LIMIT", economy.deposit_limit.to_string()),
            ("IDEMPOTENCY_TTL", economy.idempotency.idempotency_ttl.as_secs().to_string()),
        ];
        let proxies: Vec<_> = gateway.trusted_proxies.iter().map(ToString::to_string).collect();
        if !proxies.is_empty() {
            variables.push(("TRUSTED_PROXIES", proxies.join(",")));
        }
        variables
    }
}

/// Which ways lead from one process to another.
pub trait Wiring {
    /// The URL with which the process `from` reaches its store, and what else it is to know of it.
    fn store(&mut self, from: &str, kind: StoreKind) -> Vec<(String, String)>;

    /// The address at which the process `from` reaches the server `to`.
    fn server(&mut self, from: &str, to: &Server) -> SocketAddr {
        let _ = from;
        to.address()
    }
}

/// The replicas of one service.
pub struct Replicas {
    pub service: &'static Service,
    pub servers: Vec<Server>,
}

impl Replicas {
    fn addresses(&self) -> Vec<ReplicaAddress> {
        self.servers.iter().map(|server| server.address().into()).collect()
    }
}

/// Everything that was started; dropping it ends it at once.
pub struct System {
    pub gateways: Vec<Server>,
    pub services: Vec<Replicas>,
}

impl System {
    /// Starts gateways and replicas as processes of their own, whose logs are in a directory, and the log of events in
    /// [`DATA`] of it. Waits for nothing.
    pub fn processes(gateways: usize, settings: &Settings, logs: &Path, wiring: &mut impl Wiring) -> Self {
        let mut services = Vec::new();
        for service in SERVICES {
            let start = |name: String| process(&service.program, name, settings, logs, wiring, services.first());
            let servers = service.instances().map(start).collect();
            services.push(Replicas { service, servers });
        }
        let gateways = (1..=gateways)
            .map(|number| process(&GATEWAY, format!("gateway-{number}"), settings, logs, wiring, &services));
        Self { gateways: gateways.collect(), services }
    }

    /// Starts a gateway and replicas as tasks of this process, on embedded stores in a directory, as `capsim` does. What
    /// keeps the money comes beside it, and the log of events.
    pub async fn embedded(settings: &Settings, data: &Path) -> (Self, Ledger, SharedLog) {
        let data = DataDir::open(data, false).unwrap();
        let stores = Stores::open(&Databases::default(), &data, &settings.economy).await.unwrap();
        let publisher = events::options::Options::default().publisher("lab", || Ok(data)).unwrap();
        let (ledger, log) = (Arc::clone(&stores.items), Arc::clone(&publisher.log));
        let mut site = Site {
            stores,
            publisher,
            passwords: Passwords::new(PASSWORD_ROUNDS).unwrap(),
            jwks: SigningKeys::load(&settings.jwt_key).unwrap().jwks().clone(),
            clock: settings.clock.clone(),
            accounts: Vec::new(),
        };
        let mut services: Vec<Replicas> = Vec::new();
        for service in SERVICES {
            let (serve, site_then) = (service.serve, site.clone());
            let run = Run::Task(Arc::new(move |listener, name, stop| serve(&site_then, listener, name, stop)));
            let start = |name| Server::start(name, run.clone());
            services.push(Replicas { service, servers: service.instances().map(start).collect() });
            site.accounts = services[0].addresses();
        }
        let gateway = embedded_gateway(settings, &services);
        (Self { gateways: vec![gateway], services }, ledger, log)
    }

    /// Every server.
    pub fn servers(&self) -> impl Iterator<Item = &Server> {
        self.services.iter().flat_map(|replicas| &replicas.servers).chain(&self.gateways)
    }

    /// Every server: replicas first, so that who ends them in this order cuts nothing off that is under way.
    pub fn servers_mut(&mut self) -> impl Iterator<Item = &mut Server> {
        self.services.iter_mut().flat_map(|replicas| &mut replicas.servers).chain(&mut self.gateways)
    }

    /// The replicas of a service, by its name.
    pub fn replicas(&self, service: &str) -> &[Server] {
        &self.services[position(service)].servers
    }

    pub fn replicas_mut(&mut self, service: &str) -> &mut [Server] {
        &mut self.services[position(service)].servers
    }
}

/// Where a service stands in the catalogue, and in [`System::services`].
fn position(service: &str) -> usize {
    let found = SERVICES.iter().position(|known| known.name() == service);
    found.unwrap_or_else(|| panic!("there is no service {service}"))
}

/// `capsim` as a process of its own, everything in one on embedded stores; its log is beside its data directory. More
/// settings, by variable, overrule the system's.
pub fn capsim(settings: &Settings, directory: &Path, more: &[(&str, &str)]) -> Server {
    let own = |name: &str, value: String| (name.to_owned(), value);
    let mut environment =
        vec![own("DATA_DIR", directory.join("data").display().to_string()), own("WEB_PORT", "0".into())];
    environment.push(own("READY_FILE", directory.join(READY_FILE).display().to_string()));
    environment.extend(SERVICES.iter().map(|service| (service.ports_variable(), ["0"; REPLICAS].join(","))));
    environment.extend(settings.environment().into_iter().map(|(name, value)| own(name, value)));
    environment.extend(more.iter().map(|(name, value)| own(name, (*value).to_owned())));
    let program = Program {
        path: binary("capsim"),
        environment,
        port_variable: "GATEWAY_PORT",
        log: directory.join("capsim.log"),
    };
    Server::start("capsim-1".to_owned(), Run::Process(program))
}

fn process<'a>(
    program: &catalogue::Program,
    name: String,
    settings: &Settings,
    logs: &Path,
    wiring: &mut impl Wiring,
    called: impl IntoIterator<Item = &'a Replicas>,
) -> Server {
    let mut environment = wiring.store(&name, StoreKind::told_by(program.store));
    if program.environment.contains(&StoreKind::RabbitMq.variable()) {
        environment.extend(wiring.store(&name, StoreKind::RabbitMq));
    }
    // The embedded log is of all.
    environment.push(("DATA_DIR".to_owned(), logs.join(DATA).display().to_string()));
    environment.push(("SHARED_DATA".to_owned(), true.to_string()));
    for Replicas { service, servers } in called {
        let addresses: Vec<_> = servers.iter().map(|to| wiring.server(&name, to).to_string()).collect();
        environment.push((service.replicas_variable(), addresses.join(",")));
    }
    let known = settings.environment().into_iter().filter(|(variable, _)| program.environment.contains(variable));
    environment.extend(known.map(|(variable, value)| (variable.to_owned(), value)));
    let log = logs.join(&name);
    Server::start(name, Run::Process(Program { path: binary(program.name), environment, port_variable: "PORT", log }))
}

fn embedded_gateway(settings: &Settings, services: &[Replicas]) -> Server {
    let settings = gateway::Settings {
        instance: "gateway-1".to_owned(),
        replicas: catalogue::replicas(|name| services[position(name)].addresses()),
        keys: SigningKeys::load(&settings.jwt_key).unwrap(),
        options: settings.gateway.clone(),
        stores: gateway::Stores::Memory,
        clock: settings.clock.clone(),
    };
    let serve = move |listener, name, stop| {
        let settings = gateway::Settings { instance: name, ..settings.clone() };
        Box::pin(gateway::serve(listener, settings, stop)) as _
    };
    Server::start("gateway-1".to_owned(), Run::Task(Arc::new(serve)))
}
