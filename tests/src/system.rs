//! A whole system: gateway and three replicas of each service.

use std::{
    any::Any,
    sync::{Arc, LazyLock},
    time::Duration,
};

use events::SharedLog;
use kernel::Clock;
use lab::{
    eventually,
    process::Server,
    system::{DATA, Ledger, Settings},
};
use marketplace::{store::mongo::Mongo, wallet::Amounts};
use proto::accounts::words::Role;
use runtime::identity::{Claims, SigningKeys};
use serde_json::{Value, json};
use storage::DataDir;
use uuid::Uuid;

use crate::{Databases, client::User};

/// What a system runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stack {
    /// One process, embedded stores.
    Embedded,
    /// A process a server, on MongoDB, PostgreSQL and Redis.
    Full,
}

/// The key that test systems sign their tokens with, PKCS#8 in PEM: another one in each process.
pub static JWT_KEY: LazyLock<String> = LazyLock::new(|| SigningKeys::generate().unwrap());

/// What verifies the tokens of test systems, as the variable `JWKS` says it.
pub fn jwks() -> String {
    serde_json::to_string(SigningKeys::load(&JWT_KEY).unwrap().jwks()).unwrap()
}

/// A token that says this, signed as a test system's gateway does.
pub fn sign(claims: &Claims) -> String {
    static KEYS: LazyLock<SigningKeys> = LazyLock::new(|| SigningKeys::load(&JWT_KEY).unwrap());
    KEYS.sign(claims).unwrap()
}

/// What the token of somebody says who never registered, good for an hour.
pub fn claims(username: &str) -> Claims {
    let iat = Clock::system().unix_seconds();
    let (sub, jti, username) = (Uuid::new_v4(), Uuid::new_v4(), username.to_owned());
    Claims { sub, username, roles: Vec::new(), jti, generation: 1, iat, exp: iat + 3600 }
}

/// What a test wants otherwise than usual.
pub struct SystemBuilder {
    stack: Stack,
    settings: Settings,
    databases: Option<Databases>,
}

impl SystemBuilder {
    /// Seconds; 0 turns the cache off.
    pub fn cache_ttl(mut self, seconds: u64) -> Self {
        self.settings.gateway.cache_ttl = Duration::from_secs(seconds);
        self
    }

    /// Calls a second a caller; 0 is no limit.
    pub fn rate_limit(mut self, calls: u32) -> Self {
        self.settings.gateway.rate_limit = calls;
        self
    }

    /// Calls a minute to `/auth`; 0 is no limit.
    pub fn auth_rate_limit(mut self, calls: u32) -> Self {
        self.settings.gateway.auth_rate_limit = calls;
        self
    }

    /// Live streams of a caller at once; 0 is no limit.
    pub fn live_at_once(mut self, streams: u32) -> Self {
        self.settings.gateway.live_at_once = streams;
        self
    }

    /// Believes the `X-Forwarded-For` of whoever is on this machine.
    pub fn behind_a_proxy(mut self) -> Self {
        self.settings.gateway.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()];
        self
    }

    /// Whole units of each currency.
    pub fn opening_balance(mut self, units: i64) -> Self {
        self.settings.economy.opening_balance = Amounts::each(units).unwrap();
        self
    }

    /// What the gateway takes for the time; for the embedded stack.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.settings.clock = clock;
        self
    }

    /// Signs tokens with the first of these keys, and verifies them with all.
    pub fn jwt_key(mut self, pem: String) -> Self {
        self.settings.jwt_key = pem;
        self
    }

    /// On these databases instead of fresh ones; for the full stack.
    pub fn databases(mut self, databases: Databases) -> Self {
        self.databases = Some(databases);
        self
    }

    /// Starts the system; every replica is up when this returns.
    pub async fn start(self) -> System {
        let system = self.launch().await;
        system.all_up().await;
        system
    }

    /// Starts the system and waits for nothing.
    pub async fn launch(self) -> System {
        let Self { stack, settings, databases } = self;
        let directory = tempfile::tempdir().unwrap();
        let (system, items, log, keep): (_, _, _, Box<dyn Any + Send + Sync>) = match stack {
            Stack::Embedded => {
                let (system, items, log) = lab::system::System::embedded(&settings, directory.path()).await;
                (system, items, log, Box::new(directory))
            }
            Stack::Full => {
                let mut databases = match databases {
                    Some(databases) => databases,
                    None => Databases::create().await,
                };
                let system = lab::system::System::processes(1, &settings, directory.path(), &mut databases);
                let mongodb = Mongo::connect(&databases.mongodb_uri, &settings.economy).await.unwrap();
                let items: Ledger = Arc::new(mongodb);
                let data = || DataDir::open(&directory.path().join(DATA), true);
                let log = events::options::Options::default().open("tests", data).unwrap();
                (system, items, log, Box::new((databases, directory)))
            }
        };
        System { stack, system, items, log, _keep: keep }
    }
}

/// A system under test; dropping it ends everything at once.
pub struct System {
    pub stack: Stack,
    system: lab::system::System,
    /// For looking at the ledger from behind.
    pub items: Ledger,
    /// For reading what happened.
    pub log: SharedLog,
    /// Data and logs.
    _keep: Box<dyn Any + Send + Sync>,
}

impl System {
    /// A system with cache, without rate limits.
    pub fn builder(stack: Stack) -> SystemBuilder {
        SystemBuilder { stack, settings: Settings::new(&JWT_KEY), databases: None }
    }

    pub fn gateway(&self) -> &Server {
        &self.system.gateways[0]
    }

    pub fn gateway_mut(&mut self) -> &mut Server {
        &mut self.system.gateways[0]
    }

    /// The replicas of a service, by its name.
    pub fn replicas(&self, service: &str) -> &[Server] {
        self.system.replicas(service)
    }

    pub fn replicas_mut(&mut self, service: &str) -> &mut [Server] {
        self.system.replicas_mut(service)
    }

    /// Gateway and replicas.
    pub fn servers(&self) -> impl Iterator<Item = &Server> {
        self.system.servers()
    }

    /// Gateway and replicas, the gateway last.
    pub fn servers_mut(&mut self) -> impl Iterator<Item = &mut Server> {
        self.system.servers_mut()
    }

    /// Somebody without a token.
    pub fn anybody(&self) -> User {
        User::new(self.gateway().address(), None)
    }

    /// Somebody with this token.
    pub fn bearer(&self, token: &str) -> User {
        User::new(self.gateway().address(), Some(token.to_owned()))
    }

    /// Somebody who never registered, but whose token is good: registering many takes long, on purpose.
    pub fn stranger(&self, username: &str) -> User {
        self.bearer_of(&claims(username))
    }

    /// An admin who never registered, but whose token is good.
    pub fn admin(&self) -> User {
        self.bearer_of(&Claims { roles: vec![Role::Admin.to_string()], ..claims("root") })
    }

    fn bearer_of(&self, claims: &Claims) -> User {
        let mut user = self.bearer(&sign(claims));
        user.id = claims.sub.to_string();
        user
    }

    /// Registers a user and logs in.
    pub async fn user(&self, username: &str) -> User {
        let credentials = json!({"username": username, "password": "correct horse"});
        let registered = self.anybody().post("/auth/register", &credentials).await;
        assert_eq!(registered.status, 201, "{registered:?}");
        self.logged_in(&credentials).await
    }

    /// Logs somebody in.
    pub async fn logged_in(&self, credentials: &Value) -> User {
        let login = self.anybody().post("/auth/login", credentials).await;
        assert_eq!(login.status, 200, "{login:?}");
        let mut user = self.bearer(login.json["token"].as_str().unwrap());
        user.id = login.json["user_id"].as_str().unwrap().to_owned();
        user
    }

    /// Waits until the gateway sees every replica, and every replica knows which tokens have ended.
    pub async fn all_up(&self) {
        let anybody = self.anybody();
        eventually("everything is up", async || anybody.is_up().await).await;
        for server in self.servers() {
            eventually("it is well", async || anybody.at(server).is_up().await).await;
        }
    }

    /// Calls that each replica of a service got from the gateway, in the order of the replicas.
    pub async fn calls(&self, service: &str) -> Vec<u64> {
        let status = self.anybody().get("/status").await;
        let replicas = status.json["services"][service]["replicas"].as_array().unwrap().clone();
        replicas.iter().map(|replica| replica["calls"].as_u64().unwrap()).collect()
    }
}
