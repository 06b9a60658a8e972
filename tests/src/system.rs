//! A whole system: gateway and three replicas of each service.

use std::{
    any::Any,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use gateway::config::Options;
use jsonwebtoken::{EncodingKey, Header};
use serde_json::json;
use uuid::Uuid;

use crate::{
    Databases,
    client::{Client, User},
    embedded, full_stack,
    server::Server,
};

/// What a system runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stack {
    /// One process, embedded stores.
    Embedded,
    /// A process a server, on MongoDB, PostgreSQL and Redis.
    Full,
}

/// The secret that a test system signs its tokens with.
pub const JWT_SECRET: &str = "a secret that only tests may know";

/// What a test wants otherwise than usual.
pub struct SystemBuilder {
    stack: Stack,
    pub(crate) options: Options,
    pub(crate) opening_balance: i64,
    databases: Option<Arc<Databases>>,
}

impl SystemBuilder {
    /// Seconds; 0 turns the cache off.
    pub fn cache_ttl(mut self, seconds: u64) -> Self {
        self.options.cache_ttl = Duration::from_secs(seconds);
        self
    }

    /// Calls a second a caller; 0 is no limit.
    pub fn rate_limit(mut self, calls: u32) -> Self {
        self.options.rate_limit = calls;
        self
    }

    /// Calls a minute to `/auth`; 0 is no limit.
    pub fn auth_rate_limit(mut self, calls: u32) -> Self {
        self.options.auth_rate_limit = calls;
        self
    }

    /// Whole units of each currency.
    pub fn opening_balance(mut self, units: i64) -> Self {
        self.opening_balance = units;
        self
    }

    /// On these databases instead of fresh ones; for the full stack.
    pub fn databases(mut self, databases: Databases) -> Self {
        self.databases = Some(Arc::new(databases));
        self
    }

    /// Starts the system; every replica is up when this returns.
    pub async fn start(self) -> System {
        let system = self.launch().await;
        system.all_up().await;
        system
    }

    /// Starts the system and waits for nothing.
    pub async fn launch(mut self) -> System {
        let parts = match self.stack {
            Stack::Embedded => embedded::start(&self),
            Stack::Full => {
                let databases = match self.databases.take() {
                    Some(databases) => databases,
                    None => Arc::new(Databases::create().await),
                };
                full_stack::start(&self, databases).await
            }
        };
        let stack = self.stack;
        let Parts { gateway, marketplace, discourse, items, keep } = parts;
        System { stack, gateway, marketplace, discourse, items, _keep: keep }
    }
}

/// What a system consists of.
pub(crate) struct Parts {
    pub(crate) gateway: Server,
    pub(crate) marketplace: Vec<Server>,
    pub(crate) discourse: Vec<Server>,
    pub(crate) items: Arc<dyn marketplace::store::Store>,
    pub(crate) keep: Box<dyn Any + Send + Sync>,
}

/// A system under test; dropping it ends everything at once.
pub struct System {
    pub stack: Stack,
    pub gateway: Server,
    pub marketplace: Vec<Server>,
    pub discourse: Vec<Server>,
    /// For looking at the ledger from behind.
    pub items: Arc<dyn marketplace::store::Store>,
    /// Data and logs.
    _keep: Box<dyn Any + Send + Sync>,
}

impl System {
    /// A system with cache, without rate limits.
    pub fn builder(stack: Stack) -> SystemBuilder {
        let options = Options {
            jwt_ttl: Duration::from_secs(3600),
            cache_ttl: Duration::from_secs(60),
            rate_limit: 0,
            auth_rate_limit: 0,
            calls_at_once: 128,
            connections_per_address: 512,
            trusted_proxies: Vec::new(),
        };
        SystemBuilder { stack, options, opening_balance: 1_000_000, databases: None }
    }

    /// Somebody without a token.
    pub fn anybody(&self) -> User {
        self.client().user(None)
    }

    /// Somebody with this token.
    pub fn bearer(&self, token: &str) -> User {
        self.client().user(Some(token.to_owned()))
    }

    /// Somebody who never registered, but whose token is good: registering many takes long, on purpose.
    pub fn stranger(&self, username: &str) -> User {
        let id = Uuid::new_v4().to_string();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let claims = json!({"sub": id, "username": username, "iat": now, "exp": now + 3600});
        let key = EncodingKey::from_secret(JWT_SECRET.as_bytes());
        let token = jsonwebtoken::encode(&Header::default(), &claims, &key).unwrap();
        let mut user = self.bearer(&token);
        user.id = id;
        user
    }

    fn client(&self) -> Client {
        Client::new(self.gateway.address())
    }

    /// Registers a user and logs in.
    pub async fn user(&self, username: &str) -> User {
        let credentials = json!({"username": username, "password": "correct horse"});
        let registered = self.anybody().post("/auth/register", &credentials).await;
        assert_eq!(registered.status, 201, "{registered:?}");
        let login = self.anybody().post("/auth/login", &credentials).await;
        assert_eq!(login.status, 200, "{login:?}");
        let mut user = self.bearer(login.json["token"].as_str().unwrap());
        user.id = login.json["user_id"].as_str().unwrap().to_owned();
        user
    }

    /// Waits until the gateway sees every replica.
    pub async fn all_up(&self) {
        let anybody = self.anybody();
        eventually("everything is up", async || anybody.is_up().await).await;
    }

    /// Calls that each replica of a service got from the gateway, in the order of the replicas.
    pub async fn calls(&self, service: &str) -> Vec<u64> {
        let status = self.anybody().get("/status").await;
        let replicas = status.json["services"][service]["replicas"].as_array().unwrap().clone();
        replicas.iter().map(|replica| replica["calls"].as_u64().unwrap()).collect()
    }
}

/// Polls until `condition` holds; panics after 20 seconds.
pub async fn eventually(what: &str, condition: impl AsyncFn() -> bool) {
    let patience = tokio::time::Instant::now() + Duration::from_secs(20);
    while !condition().await {
        assert!(tokio::time::Instant::now() < patience, "not within 20 s: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
